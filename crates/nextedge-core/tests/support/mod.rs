//! A small CRM, a list of mails and a scripted classifier for the engine's tests.
#![allow(dead_code, unreachable_pub, missing_docs)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

pub mod crm;
pub mod rig;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use nextedge_core::classify::{Classification, Classifier, ClassifyRequest};
use nextedge_core::engine::{Engine, EngineOptions};
use nextedge_core::memory::MemoryStore;
use nextedge_core::source::*;
use nextedge_core::store::{LedgerQuery, LedgerRow, Mailbox, Store};
use nextedge_core::*;

pub use crm::Crm;

/// Mails by connection id, in the order they are listed.
#[derive(Clone, Debug, Default)]
pub struct ListSource(pub Arc<Mutex<Vec<(String, Mail)>>>);

#[derive(Clone, Debug)]
pub struct Mail {
    pub id: String,
    pub minute: i64,
    pub hint: String,
    pub raw: String,
}

impl ListSource {
    pub fn push(&self, connection: &str, mail: Mail) {
        self.0.lock().unwrap().push((connection.to_owned(), mail));
    }

    fn of(&self, cx: &CallContext) -> Vec<Mail> {
        let id = cx.connection().id.as_str();
        let all = self.0.lock().unwrap();
        all.iter()
            .filter(|(c, _)| c == id)
            .map(|(_, mail)| mail.clone())
            .collect()
    }
}

#[async_trait]
impl MailSource for ListSource {
    fn name(&self) -> &str {
        "list"
    }

    fn capabilities(&self) -> SourceCapabilities {
        SourceCapabilities::default().with_finite()
    }

    async fn check(&self, _cx: &CallContext) -> Result<()> {
        Ok(())
    }

    async fn baseline(&self, _cx: &CallContext) -> Result<Cursor> {
        Ok(Cursor("0".into()))
    }

    async fn list(&self, cx: &CallContext, request: &ListRequest) -> Result<Page> {
        let from: usize = request
            .page
            .as_ref()
            .map_or(0, |page| page.0.parse().unwrap());
        let mails = self.of(cx);
        let to = (from + request.limit).min(mails.len());
        let stubs = mails[from..to].iter().map(|mail| Stub {
            thread_hint: Some(mail.hint.clone()),
            received_at: Some(moment(mail.minute)),
            ..Stub::new(ProviderId::new(&mail.id).unwrap())
        });
        let next = (to < mails.len()).then(|| PageToken(to.to_string()));
        Ok(Page {
            stubs: stubs.collect(),
            next,
            ..Page::default()
        })
    }

    async fn fetch(&self, cx: &CallContext, batch: &[FetchItem]) -> Result<Vec<Result<Fetched>>> {
        let mails = self.of(cx);
        let answers = batch.iter().map(|item| {
            let mail = mails
                .iter()
                .find(|mail| mail.id == item.provider_id.as_str());
            Ok(mail.map_or(Fetched::Gone, |mail| {
                Fetched::raw(Bytes::from(mail.raw.clone().into_bytes()))
            }))
        });
        Ok(answers.collect())
    }
}

/// Answers by a word in the subject: `lead`, `case`, `contact`, `deal`, `none`; else no answer.
#[derive(Debug)]
pub struct WordClassifier;

#[async_trait]
impl Classifier for WordClassifier {
    fn name(&self) -> &str {
        "word"
    }

    async fn classify(&self, _cx: &CallContext, mail: &ClassifyRequest) -> Result<Classification> {
        let words = ["lead", "case", "contact", "deal", "none"];
        let subject = mail.subject.to_lowercase();
        let found = words.iter().position(|word| subject.contains(word));
        let found = found.ok_or_else(|| Error::new(ErrorKind::Unavailable, "no word"))?;
        let mut weights = [0.01; 5];
        weights[found] = 0.96;
        Ok(Classification::new(
            "word/1",
            Distribution::new(weights)?,
            Urgency::Normal,
        ))
    }
}

pub fn moment(minute: i64) -> Timestamp {
    Timestamp::from_timestamp(1_790_000_000 + minute * 60, 0).unwrap()
}

pub fn tenant() -> TenantId {
    TenantId::new("t1").unwrap()
}

/// A mail; `refs` are the ids it answers, oldest first.
pub fn mail(id: &str, minute: i64, from: &str, subject: &str, refs: &[&str]) -> Mail {
    let references: Vec<String> = refs
        .iter()
        .map(|id| format!("<{id}.mail.example>"))
        .collect();
    let mut head = format!(
        "Received: from mx by mx; {}\r\nFrom: {from}\r\nTo: desk@us.example\r\nSubject: {subject}\r\n\
         Date: {}\r\nMessage-ID: <{id}.mail.example>\r\n",
        moment(minute).to_rfc2822(),
        moment(minute).to_rfc2822(),
    );
    if let Some(last) = references.last() {
        head.push_str(&format!(
            "References: {}\r\nIn-Reply-To: {last}\r\n",
            references.join(" ")
        ));
    }
    Mail {
        id: id.to_owned(),
        minute,
        hint: refs.first().unwrap_or(&id).to_string(),
        raw: format!("{head}\r\nHello, this is the text of {id}.\r\n"),
    }
}

pub struct Bench {
    pub store: Arc<dyn Store>,
    pub source: ListSource,
    pub crm: Crm,
    pub engine: Engine,
}

impl Bench {
    pub async fn start() -> Self {
        Self::with(EngineOptions::default()).await
    }

    pub async fn with(options: EngineOptions) -> Self {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let (source, crm) = (ListSource::default(), Crm::default());
        let options = options
            .with_settle(Duration::from_millis(1))
            .with_gate(Duration::from_millis(1))
            .with_backoff(vec![Duration::from_millis(1); 3]);
        let engine = Engine::builder()
            .shared_store(Arc::clone(&store))
            .source(source.clone())
            .sink(crm.clone())
            .classifier(WordClassifier)
            .options(options)
            .build()
            .unwrap();
        let sink = Connection::new(sink_id(), "crm", ConnectionRole::Sink);
        engine.connect_sink(&tenant(), sink, None).await.unwrap();
        Self {
            store,
            source,
            crm,
            engine,
        }
    }

    /// Adds a mailbox that holds these mails, in this order.
    pub async fn mailbox(&self, name: &str, mails: &[Mail]) {
        for mail in mails {
            self.source.push(name, mail.clone());
        }
        let id = ConnectionId::new(name).unwrap();
        let connection = Connection::new(id.clone(), "list", ConnectionRole::Source);
        self.engine
            .connect_source(&tenant(), connection)
            .await
            .unwrap();
        let mut mailbox = Mailbox::new(MailboxId::new(name).unwrap(), id);
        mailbox.origin = Origin::File;
        mailbox.address = Some(EmailAddress::parse("desk@us.example").unwrap());
        self.engine.add_mailbox(&tenant(), mailbox).await.unwrap();
    }

    pub async fn drain(&self) {
        let never = std::future::pending();
        let drained = self.engine.drain(Duration::from_millis(500), never);
        tokio::time::timeout(Duration::from_secs(30), drained)
            .await
            .expect("drain hangs")
            .unwrap();
    }

    pub async fn rows(&self) -> Vec<LedgerRow> {
        let query = LedgerQuery {
            limit: 100_000,
            ..LedgerQuery::default()
        };
        self.store.messages(&tenant(), &query).await.unwrap()
    }

    pub async fn row(&self, id: &str) -> LedgerRow {
        let rows = self.rows().await;
        rows.into_iter()
            .find(|row| row.provider_id.as_str() == id)
            .expect("row exists")
    }
}

pub fn sink_id() -> ConnectionId {
    ConnectionId::new("crm-1").unwrap()
}
