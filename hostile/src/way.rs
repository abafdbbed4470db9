//! The whole way of one mail without a network, and what must hold of it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use nextedge_ai::OfflineClassifier;
use nextedge_core::engine::{Engine, EngineOptions};
use nextedge_core::mail::{
    HtmlLimits, Mail, MemoryMail, MemorySource, ParseOptions, open_attachments, parse_mail,
    sanitise_html,
};
use nextedge_core::memory::MemoryStore;
use nextedge_core::policy::Policy;
use nextedge_core::source::Origin;
use nextedge_core::store::{LedgerQuery, LedgerRow, Mailbox, Store};
use nextedge_core::{
    Connection, ConnectionId, ConnectionRole, EmailAddress, Error, ErrorKind, MailboxId, Outcome,
    OutcomeKind, ParkReason, ProviderId, Result, TenantId, Timestamp,
};

use crate::MemorySink;
use crate::shapes::Expect;

/// Which policy a mail meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // both are run
pub enum Course {
    /// The built-in policy: most hostile mail is parked or reviewed.
    Default,
    /// Rules that write every mail as a case, so that it also meets the field map and the sink.
    WriteAll,
}

/// Takes one mail the whole way and checks what must hold; answers its outcome in words.
///
/// # Errors
///
/// A text that says what did not hold.
pub async fn run(
    raw: &Bytes,
    course: Course,
    sink: MemorySink,
) -> std::result::Result<Outcome, String> {
    let row = outcome_of(raw, course, sink).await;
    let (row, kept) = row.map_err(|error| error.to_string())?;
    if kept.as_ref() != Some(raw) {
        return Err("the raw bytes kept are not those that came".to_owned());
    }
    if row.outcome.kind() == OutcomeKind::Pending {
        return Err(format!("still pending: {:?}", row.errors));
    }
    Ok(row.outcome)
}

/// Checks an outcome against what the shape must become.
///
/// # Errors
///
/// A text that says what did not hold.
pub fn check_outcome(expect: Expect, outcome: &Outcome) -> std::result::Result<(), String> {
    let refused = match outcome {
        Outcome::Parked {
            reason: ParkReason::Quarantined(reason),
        } => Some(reason.as_str()),
        _ => None,
    };
    let wanted = match expect {
        Expect::Read => None,
        Expect::Refused(reason) => Some(reason),
    };
    if refused != wanted {
        return Err(format!("refused as {refused:?}, expected {wanted:?}"));
    }
    let kind = outcome.kind();
    if matches!(kind, OutcomeKind::Pending | OutcomeKind::Dead) {
        return Err(format!("ended {}: {}", kind.as_str(), outcome.reason()));
    }
    Ok(())
}

/// Reads a mail and checks what must hold of every read mail; answers it if it was read.
///
/// # Errors
///
/// A text that says what did not hold.
pub fn read(raw: &[u8]) -> std::result::Result<Option<Mail>, String> {
    let Ok(mail) = parse_mail(raw, &ParseOptions::default()) else {
        return Ok(None);
    };
    let opened = open_attachments(raw).len();
    if opened != mail.attachments.len() {
        return Err(format!(
            "{opened} files opened of {}",
            mail.attachments.len()
        ));
    }
    let text = &mail.body.text;
    let mut end = 0;
    for segment in &mail.body.segments {
        if segment.range.start != end || text.get(segment.range.clone()).is_none() {
            return Err(format!("segments leave a gap at byte {end}"));
        }
        end = segment.range.end;
    }
    if end != text.len() {
        return Err(format!("segments end at {end} of {}", text.len()));
    }
    if mail.subject.chars().any(char::is_control) {
        return Err("a control character in the subject".to_owned());
    }
    for file in &mail.attachments {
        check_name(&file.name)?;
    }
    check_html(&mail)?;
    Ok(Some(mail))
}

fn check_name(name: &str) -> std::result::Result<(), String> {
    let bad = |c: char| c.is_control() || matches!(c, '/' | '\\' | '\u{202a}'..='\u{202e}');
    let fault = match name {
        "" => "is empty",
        "." | ".." => "is a folder",
        name if name.chars().any(bad) => "holds a path, control or direction character",
        name if name.chars().count() > 150 => "is too long",
        _ => return Ok(()),
    };
    Err(format!("a file name {fault}"))
}

fn check_html(mail: &Mail) -> std::result::Result<(), String> {
    let Some(html) = &mail.body.html else {
        return Ok(());
    };
    let limits = HtmlLimits::default();
    let clean = sanitise_html(html, &limits);
    let lower = clean.to_ascii_lowercase();
    for banned in [
        "<script",
        "<img",
        "<iframe",
        "<style",
        "javascript:",
        " onclick=",
        " onerror=",
    ] {
        // text may name them, but only escaped
        let in_tag =
            lower.contains(banned) && (banned.starts_with('<') || has_in_tag(&lower, banned));
        if in_tag {
            return Err(format!("sanitised HTML holds {banned}"));
        }
    }
    let most = html.len().min(limits.bytes) * MAX_GROWTH + 1_000;
    if clean.len() > most {
        return Err(format!(
            "sanitised HTML grew from {} to {} bytes",
            html.len(),
            clean.len()
        ));
    }
    Ok(())
}

/// Tells whether a text stands inside a tag.
fn has_in_tag(html: &str, text: &str) -> bool {
    html.match_indices(text).any(|(at, _)| {
        let before = &html[..at];
        before.rfind('<') > before.rfind('>')
    })
}

async fn outcome_of(
    raw: &Bytes,
    course: Course,
    sink: MemorySink,
) -> Result<(LedgerRow, Option<Bytes>)> {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let tenant = TenantId::new("hostile")?;
    let source = MemorySource::finite();
    let received = Timestamp::from_timestamp(1_790_000_000, 0).unwrap_or_default();
    source.push(
        "",
        MemoryMail::new(ProviderId::new("1")?, raw.clone()).received_at(received),
    );
    let engine = Engine::builder()
        .shared_store(Arc::clone(&store))
        .source(source)
        .sink(sink)
        .classifier(classifier()?)
        .options(EngineOptions::default().with_backoff(Vec::new()))
        .build()?;
    if course == Course::WriteAll {
        engine
            .put_policy(&tenant, Policy::from_toml(WRITE_ALL)?)
            .await?;
    }
    let crm = Connection::new(ConnectionId::new("crm")?, "memory", ConnectionRole::Sink);
    engine.connect_sink(&tenant, crm, None).await?;
    let id = ConnectionId::new("box")?;
    let connection = Connection::new(id.clone(), "memory", ConnectionRole::Source);
    engine.connect_source(&tenant, connection).await?;
    let mailbox = Mailbox {
        address: Some(EmailAddress::parse("sales@us.example")?),
        origin: Origin::File,
        ..Mailbox::new(MailboxId::new("box")?, id)
    };
    engine.add_mailbox(&tenant, mailbox).await?;
    engine.drain(Duration::ZERO, std::future::pending()).await?;
    let rows = store.messages(&tenant, &LedgerQuery::default()).await?;
    let row = rows
        .into_iter()
        .next()
        .ok_or_else(|| Error::new(ErrorKind::Unexpected, "the mail is in no state"))?;
    let kept = store.raw(&tenant, row.message).await?;
    Ok((row, kept))
}

/// The offline model, loaded once: its tables are no cost of one mail.
fn classifier() -> Result<SharedClassifier> {
    static MODEL: std::sync::OnceLock<Arc<OfflineClassifier>> = std::sync::OnceLock::new();
    if let Some(model) = MODEL.get() {
        return Ok(SharedClassifier(Arc::clone(model)));
    }
    let model = Arc::new(OfflineClassifier::embedded()?);
    Ok(SharedClassifier(Arc::clone(MODEL.get_or_init(|| model))))
}

/// A classifier that several engines share.
#[derive(Debug)]
struct SharedClassifier(Arc<OfflineClassifier>);

#[async_trait::async_trait]
impl nextedge_core::classify::Classifier for SharedClassifier {
    fn name(&self) -> &str {
        self.0.name()
    }

    async fn classify(
        &self,
        cx: &nextedge_core::CallContext,
        request: &nextedge_core::classify::ClassifyRequest,
    ) -> Result<nextedge_core::classify::Classification> {
        self.0.classify(cx, request).await
    }
}

/// Sanitised HTML may close what was open, never repeat it.
const MAX_GROWTH: usize = 12;

const WRITE_ALL: &str = r#"
[[rules]]
name = "with files"
when = [{ has_attachment = true }]
then = [{ set_category = "Case" }]
auto_write = true

[[rules]]
name = "without files"
when = [{ has_attachment = false }]
then = [{ set_category = "Case" }]
auto_write = true
"#;
