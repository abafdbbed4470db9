//! One check's world, its clock, and the mails it writes.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use nextedge_core::sink::{
    ActivityWrite, AttachmentWrite, CrmSink, Delivery, ItemEnd, ItemOutcome, PartyWrite,
    RecordWrite, SinkCapabilities,
};
use nextedge_core::{
    ActivityDraft, CallContext, Clock, Connection, ConnectionId, ConnectionRole, Direction, Effect,
    EmailAddress, Mailer, ManualClock, MessageUid, RecordKind, RecordRef, Slot, TenantId, ThreadId,
};

use super::harness::{Fault, FaultKind, Part, SeenCrm, SinkHarness, SinkWorld};
use crate::account::Account;
use crate::verdict::{Stop, ensure, own_input};

/// One far system during one check.
pub(super) struct Bench {
    pub(super) world: Box<dyn SinkWorld>,
    pub(super) sink: Arc<dyn CrmSink>,
    pub(super) clock: Arc<ManualClock>,
    pub(super) capabilities: SinkCapabilities,
}

impl Bench {
    /// Starts a world whose harness can produce these faults.
    pub(super) async fn open(harness: &dyn SinkHarness, needs: &[FaultKind]) -> Result<Self, Stop> {
        let world = harness.start().await;
        let sink = world.sink();
        let capabilities = sink.capabilities();
        for kind in needs {
            let missing = harness.missing();
            if let Some((_, why)) = missing.iter().find(|(missing, _)| missing == kind) {
                return Err(lacking(*kind, why, &capabilities));
            }
        }
        Ok(Self {
            world,
            sink,
            clock: Arc::new(ManualClock::default()),
            capabilities,
        })
    }

    /// Forgets everything the sink remembers, and waits until lookups show every write.
    pub(super) fn restart(&mut self) {
        self.sink = self.world.sink();
        self.clock.advance(self.capabilities.settle + PAUSE);
    }

    /// Lifts all faults and waits until the sink may call again.
    pub(super) async fn recover(&mut self) {
        self.world.lift().await;
        self.restart();
    }

    pub(super) fn cx(&self, account: Account) -> Result<CallContext, Stop> {
        let id = ConnectionId::new(account.connection()).map_err(own_input)?;
        let connection = Connection::new(id, self.sink.name(), ConnectionRole::Sink)
            .with_settings(self.world.settings(account));
        let tenant = TenantId::new(account.tenant()).map_err(own_input)?;
        let clock: Arc<dyn Clock> = self.clock.clone();
        Ok(CallContext::with_clock(
            tenant,
            Arc::new(connection),
            BUDGET,
            clock,
        ))
    }

    /// Delivers to the first account; a whole error fails the check.
    pub(super) async fn deliver(&self, batch: &[Delivery]) -> Result<Vec<ItemOutcome>, Stop> {
        self.deliver_to(Account::First, batch).await
    }

    pub(super) async fn deliver_to(
        &self,
        account: Account,
        batch: &[Delivery],
    ) -> Result<Vec<ItemOutcome>, Stop> {
        let answer = self.try_deliver_to(account, batch).await?;
        let whole = |error| Stop::failed(format!("deliver failed as a whole: {error}"));
        let outcomes = answer.map_err(whole)?;
        ensure!(
            outcomes.len() == batch.len(),
            "{} items were answered by {} outcomes",
            batch.len(),
            outcomes.len()
        );
        Ok(outcomes)
    }

    pub(super) async fn try_deliver(
        &self,
        batch: &[Delivery],
    ) -> Result<nextedge_core::Result<Vec<ItemOutcome>>, Stop> {
        self.try_deliver_to(Account::First, batch).await
    }

    async fn try_deliver_to(
        &self,
        account: Account,
        batch: &[Delivery],
    ) -> Result<nextedge_core::Result<Vec<ItemOutcome>>, Stop> {
        let cx = self.cx(account)?;
        self.within("deliver", self.sink.deliver(&cx, batch)).await
    }

    /// Delivers and expects every item to be done.
    pub(super) async fn deliver_all(&self, batch: &[Delivery]) -> Result<Vec<ItemOutcome>, Stop> {
        let outcomes = self.deliver(batch).await?;
        for (index, outcome) in outcomes.iter().enumerate() {
            ensure!(
                is_done(outcome),
                "item {index} is not done: {}",
                told(outcome)
            );
        }
        Ok(outcomes)
    }

    /// Waits for an answer, but not for one that never comes.
    pub(super) async fn within<T>(
        &self,
        what: &str,
        work: impl Future<Output = T>,
    ) -> Result<T, Stop> {
        let answer = tokio::time::timeout(self.world.patience(), work).await;
        answer.map_err(|_| {
            Stop::failed(format!(
                "{what} gave no answer: a sink must not wait by itself, and must end with its deadline"
            ))
        })
    }

    /// Runs `work` until a call of it is held back; fails if it ends before.
    pub(super) async fn until_stalled<T>(
        &self,
        work: &mut (impl Future<Output = T> + Unpin),
    ) -> Result<(), Stop> {
        let waiting = async {
            loop {
                let ended =
                    poll_fn(|cx| Poll::Ready(std::pin::Pin::new(&mut *work).poll(cx).is_ready()));
                if ended.await {
                    return Err(Stop::failed(
                        "the call ended though its answer was held back",
                    ));
                }
                if self.world.stalled().await {
                    return Ok(());
                }
                tokio::task::yield_now().await;
            }
        };
        self.within("the far system", waiting).await?
    }

    pub(super) async fn seen(&self) -> SeenCrm {
        self.world.seen(Account::First).await
    }

    /// Expects exactly one of each part of one delivery.
    pub(super) async fn one_of_each(&self, when: &str) -> Result<(), Stop> {
        let seen = self.seen().await;
        for kind in self.kinds() {
            let count = seen.of(&kind).len();
            ensure!(
                count == 1,
                "{when}: {count} records of kind {kind} instead of 1"
            );
        }
        let count = seen.activities.len();
        ensure!(count == 1, "{when}: {count} activities instead of 1");
        Ok(())
    }

    /// The kinds that [`mail`](Self::mail) leaves behind.
    fn kinds(&self) -> Vec<RecordKind> {
        let mut kinds = vec![RecordKind::Contact];
        kinds.extend(self.has_companies().then_some(RecordKind::Company));
        kinds.extend(self.record_kind());
        kinds
    }

    fn has_companies(&self) -> bool {
        self.capabilities.kinds.contains(&RecordKind::Company)
    }

    /// The kind of record that mails create beside the contact; none if the sink has none.
    pub(super) fn record_kind(&self) -> Option<RecordKind> {
        record_kinds(&self.capabilities).into_iter().next()
    }

    /// Skips the check if the sink creates no records beside contacts.
    pub(super) fn need_record_kind(&self) -> Result<RecordKind, Stop> {
        self.record_kind().ok_or_else(|| {
            Stop::skipped("the sink declares no record kind beside contact and company")
        })
    }

    /// The parts that [`mail`](Self::mail) writes, in no certain order.
    pub(super) fn parts(&self) -> Vec<Part> {
        let mut parts = vec![Part::Contact, Part::Activity];
        parts.extend(self.has_companies().then_some(Part::Company));
        parts.extend(self.record_kind().map(|_| Part::Record));
        parts
    }

    /// A mail of its own thread from a new sender of a new company, which creates a record.
    pub(super) fn mail(&self, n: usize) -> Result<Delivery, Stop> {
        let (address, domain) = (sender(n), format!("firm{n}.example"));
        let create = |key: String, kind: RecordKind, title: &str| PartyWrite::Create {
            key,
            draft: self.world.draft(&kind, title),
        };
        let company = self
            .has_companies()
            .then(|| create(domain.clone(), RecordKind::Company, &domain));
        let record = match self.record_kind() {
            Some(kind) => RecordWrite::Create {
                key: format!("nr-{n}"),
                draft: self.world.draft(&kind, &format!("Record {n}")),
            },
            None => RecordWrite::ContactOnly,
        };
        Ok(Delivery {
            key: format!("ne-{n}"),
            message: MessageUid::derive(&[b"kit", &n.to_be_bytes()]),
            thread: ThreadId::derive(&[b"kit", &n.to_be_bytes()]),
            outcome_unknown: false,
            done: Vec::new(),
            company,
            contact: create(address.clone(), RecordKind::Contact, &format!("Ada Kit{n}")),
            record,
            activity: activity(n, &address)?,
            attachments: Vec::new(),
        })
    }

    pub(super) fn mails(&self, count: usize) -> Result<Vec<Delivery>, Stop> {
        (1..=count).map(|n| self.mail(n)).collect()
    }

    /// A later mail of the run that `first` opens at position `item`.
    pub(super) fn reply(&self, n: usize, first: &Delivery, item: usize) -> Result<Delivery, Stop> {
        Ok(Delivery {
            thread: first.thread,
            company: first.company.clone(),
            contact: first.contact.clone(),
            record: match first.record {
                RecordWrite::ContactOnly => RecordWrite::ContactOnly,
                _ => RecordWrite::Earlier { item },
            },
            ..self.mail(n)?
        })
    }

    /// A mail that joins what `effects` of an earlier delivery made, and sets nothing.
    pub(super) fn joining(&self, n: usize, effects: &[Effect]) -> Result<Delivery, Stop> {
        let known = |slot: &Slot| {
            let effect = effects.iter().find(|effect| effect.slot == *slot);
            effect.map(|effect| effect.record.clone())
        };
        let party = |record| PartyWrite::Known {
            record,
            fill: BTreeMap::new(),
        };
        let contact =
            known(&Slot::Contact).ok_or_else(|| Stop::failed("no contact in the effects"))?;
        let record = match known(&Slot::Record) {
            Some(record) => RecordWrite::Known {
                record,
                fields: BTreeMap::new(),
            },
            None => RecordWrite::ContactOnly,
        };
        Ok(Delivery {
            company: known(&Slot::Company).map(party),
            contact: party(contact),
            record,
            ..self.mail(n)?
        })
    }

    pub(super) async fn inject(&self, fault: Fault) {
        self.world.inject(&fault).await;
    }

    /// Counts the calls of some work.
    pub(super) async fn counted<T>(
        &self,
        work: impl Future<Output = Result<T, Stop>>,
    ) -> Result<(T, usize), Stop> {
        let before = self.world.calls().await;
        let answer = work.await?;
        Ok((answer, self.world.calls().await - before))
    }
}

fn lacking(kind: FaultKind, why: &str, capabilities: &SinkCapabilities) -> Stop {
    let needed_by = match kind {
        FaultKind::LoseResponse => Some("every sink"),
        FaultKind::Refuse if capabilities.max_batch > 1 => Some("a max_batch above 1"),
        FaultKind::Duplicate if capabilities.keyed => Some("the capability keyed"),
        _ => None,
    };
    match needed_by {
        Some(by) => Stop::failed(format!(
            "the harness cannot produce {kind:?} ({why}), which is needed by {by}"
        )),
        None => Stop::skipped(format!("the harness cannot produce {kind:?}: {why}")),
    }
}

/// The declared kinds of records beside contacts and companies.
pub(super) fn record_kinds(capabilities: &SinkCapabilities) -> Vec<RecordKind> {
    let is_record = |kind: &&RecordKind| {
        matches!(
            kind,
            RecordKind::Lead | RecordKind::Case | RecordKind::Opportunity | RecordKind::Custom(_)
        )
    };
    let mut kinds: Vec<RecordKind> = capabilities
        .kinds
        .iter()
        .filter(is_record)
        .cloned()
        .collect();
    // a case is the plainest record of most vendors
    kinds.sort_by_key(|kind| *kind != RecordKind::Case);
    kinds
}

/// The address of the sender of mail `n`.
pub(super) fn sender(n: usize) -> String {
    format!("ada{n}@firm{n}.example")
}

fn activity(n: usize, from: &str) -> Result<ActivityWrite, Stop> {
    let mailer = |text: &str, name: &str| -> Result<Mailer, Stop> {
        Ok(Mailer {
            address: EmailAddress::parse(text).map_err(own_input)?,
            name: name.to_owned(),
        })
    };
    let start = ManualClock::default().now();
    Ok(ActivityWrite {
        draft: ActivityDraft {
            direction: Direction::Incoming,
            sent_at: start - chrono::TimeDelta::hours(1) + chrono::TimeDelta::seconds(n as i64),
            utc_offset_minutes: 0,
            subject: format!("Subject {n}"),
            message_id: Some(format!("m{n}@firm{n}.example")),
            from: mailer(from, "Ada Kit")?,
            to: vec![mailer("help@kit.example", "Help")?],
            cc: Vec::new(),
            fields: BTreeMap::new(),
            bytes: 100,
        },
        text: format!("Text of mail {n}, {WORDS}."),
        html: Some(format!("<p>Text of mail {n}, {WORDS}.</p>")),
        original: Bytes::from(format!(
            "Subject: Subject {n}\r\n\r\nText of mail {n}, {WORDS}."
        )),
    })
}

/// The same delivery, offered again after an attempt whose outcome nobody knows.
pub(super) fn unknown(delivery: &Delivery) -> Delivery {
    Delivery {
        outcome_unknown: true,
        ..delivery.clone()
    }
}

/// The same delivery, offered again as the engine does after this outcome.
pub(super) fn next_attempt(delivery: &Delivery, outcome: &ItemOutcome) -> Delivery {
    let mut next = delivery.clone();
    next.done.extend(outcome.effects.iter().cloned());
    next.outcome_unknown |= matches!(outcome.end, ItemEnd::Unknown(_));
    next
}

pub(super) fn is_done(outcome: &ItemOutcome) -> bool {
    matches!(outcome.end, ItemEnd::Done)
}

pub(super) fn is_untouched(outcome: &ItemOutcome) -> bool {
    matches!(outcome.end, ItemEnd::NotAttempted)
}

/// The error of an item that failed or is unknown.
pub(super) fn error_of(outcome: &ItemOutcome) -> Option<&nextedge_core::Error> {
    match &outcome.end {
        ItemEnd::Failed(error) | ItemEnd::Unknown(error) => Some(error),
        ItemEnd::Done | ItemEnd::NotAttempted => None,
    }
}

/// How an item ended, in words.
pub(super) fn told(outcome: &ItemOutcome) -> String {
    match &outcome.end {
        ItemEnd::Done => "done".to_owned(),
        ItemEnd::NotAttempted => "not attempted".to_owned(),
        ItemEnd::Failed(error) => format!("failed, {error}"),
        ItemEnd::Unknown(error) => format!("unknown, {error}"),
    }
}

pub(super) fn record_of(outcome: &ItemOutcome, slot: &Slot) -> Result<RecordRef, Stop> {
    let effect = outcome.effects.iter().find(|effect| effect.slot == *slot);
    let record = effect.map(|effect| effect.record.clone());
    record.ok_or_else(|| Stop::failed(format!("no effect tells of the {slot:?}")))
}

/// An attachment of its own content.
pub(super) fn file(name: &str, bytes: Vec<u8>) -> AttachmentWrite {
    AttachmentWrite {
        name: name.to_owned(),
        media_type: "application/pdf".to_owned(),
        sha256: crate::digest::sha256(&bytes),
        bytes: Bytes::from(bytes),
    }
}

/// Words of each mail that no error may repeat.
pub(super) const WORDS: &str = "the secret recipe of aunt Greta";
/// Time for one call of the engine.
const BUDGET: Duration = Duration::from_secs(60);
/// Longer than the pauses that faults ask for, and than a breaker stays open.
const PAUSE: Duration = Duration::from_secs(600);
