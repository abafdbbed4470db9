//! `process`: one batch of raw mails to decisions: parse, screen, link, classify, decide, map, one
//! commit.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::deps::{Deps, Tally, panic_safe};
use super::event::EngineEvent;
use super::fetch::failed;
use super::read::{Read, ReadMail, Voice, read_batch};
use super::tenant::TenantConfig;
use super::threads::{Step, Threads};
use super::unit::{Decided, decided_unit, parked_unit, quarantined_unit};
use crate::classify::{Classification, ClassifyRequest, Signals};
use crate::context::{CallContext, Connection, ConnectionRole};
use crate::domain::{ConnectionId, Direction, MessageUid, TenantId};
use crate::error::{Error, Result};
use crate::failpoint::reached;
use crate::mail::Role;
use crate::policy::{Assignment, Owner};
use crate::stage::assign::{AssignInputs, needs_turn};
use crate::stage::decide::{DecideInput, Decision, ThreadState, decide};
use crate::store::{Claim, ClaimedItem, Committed, JobKind, ProcessedOutcome, Unit};

/// Decides about a claimed batch.
///
/// Parsing runs away from the async threads. Linking follows the order of reception over the whole
/// batch, each mail seeing the threads as the mails before it leave them. A unit that the store
/// refuses as stale is linked and decided again; the model's answer is kept, so it is paid once.
/// An error or panic of one mail is that mail's retry or end; the rest of its lane waits, the rest of
/// the batch goes on.
pub(crate) async fn process(deps: &Deps, claim: &Claim) -> Result<()> {
    reached("process.claimed");
    let started = deps.clock.now();
    let config = deps.tenants.load(&*deps.store, &claim.tenant).await?;
    let mails = read_batch(deps, claim, &config).await?;
    let mut run = ProcessRun::new(deps, claim, config, &mails);
    let mut open: Vec<&ReadMail> = mails.iter().collect();
    let mut tally = Tally::default();
    for _ in 0..MAX_ROUNDS {
        let decided = run.decide_all(&open).await?;
        let units = decided.iter().map(|(_, unit)| unit.clone()).collect();
        reached("process.before_commit");
        let answers = deps.store.commit(&claim.tenant, claim.lease, units).await?;
        reached("process.committed");
        let (mut stale, mut planned) = (Vec::new(), 0);
        for ((mail, unit), answer) in decided.into_iter().zip(answers) {
            match answer? {
                Committed::Stale => stale.push(mail),
                committed => {
                    planned += usize::from(is_planned(&unit));
                    tally.add(&unit, &committed);
                }
            }
        }
        deps.fill.planned(&claim.tenant, planned);
        open = stale;
        if open.is_empty() {
            break;
        }
    }
    // what is stale after the last round is given back unburnt and claimed again
    deps.batch_done(claim, JobKind::Process, &tally, started);
    Ok(())
}

fn is_planned(unit: &Unit) -> bool {
    matches!(unit, Unit::Processed(unit) if matches!(unit.outcome, ProcessedOutcome::Deliver(_)))
}

/// The state of one batch over its rounds.
struct ProcessRun<'a> {
    deps: &'a Deps,
    claim: &'a Claim,
    tenant: &'a TenantId,
    config: TenantConfig,
    answers: HashMap<MessageUid, Option<Classification>>,
    load: Option<BTreeMap<Owner, u64>>,
    /// The turn of the next record that is assigned in turn.
    turn: Option<u64>,
    /// Lanes in which a mail failed: what comes after it waits for its next attempt.
    stopped: HashSet<&'a str>,
}

impl<'a> ProcessRun<'a> {
    fn new(deps: &'a Deps, claim: &'a Claim, config: TenantConfig, mails: &[ReadMail]) -> Self {
        let kept = mails
            .iter()
            .filter_map(|m| Some((m.message, Some(m.kept.clone()?))));
        Self {
            deps,
            claim,
            tenant: &claim.tenant,
            config,
            answers: kept.collect(),
            load: None,
            turn: None,
            stopped: HashSet::new(),
        }
    }

    /// Decides about the open mails, in order; those that wait for a failed one are left out.
    async fn decide_all<'m>(&mut self, open: &[&'m ReadMail]) -> Result<Vec<(&'m ReadMail, Unit)>> {
        let mut threads = Threads::load(self.deps, self.tenant, open).await?;
        self.load = self.load_by_owner().await?;
        let mut decided = Vec::with_capacity(open.len());
        for mail in open {
            let Some(item) = self.item(mail.message) else {
                continue;
            };
            if self.stopped.contains(item.lane.as_str()) {
                continue;
            }
            self.take_turn().await?;
            let one = self.process_one(&mut threads, mail);
            let unit = match panic_safe("engine", one).await {
                Ok(unit) => unit,
                Err(error) => self.failed(item, &error),
            };
            decided.push((*mail, unit));
            if decided.len() % YIELD_EVERY == 0 {
                tokio::task::yield_now().await;
            }
        }
        if let Some(turn) = self.turn.take() {
            self.deps.tenants.give_back_turn(self.tenant, turn);
        }
        Ok(decided)
    }

    fn item(&self, message: MessageUid) -> Option<&'a ClaimedItem> {
        let mut items = self.claim.items.iter();
        items.find(|item| item.message == message)
    }

    /// Ends the attempt of one mail; the model's answer is kept for the next.
    fn failed(&mut self, item: &'a ClaimedItem, error: &Error) -> Unit {
        self.stopped.insert(&item.lane);
        let mut unit = failed(self.deps, self.claim, JobKind::Process, item, error);
        if let Unit::Retry { keep, .. } = &mut unit {
            *keep = self.answers.get(&item.message).cloned().flatten();
        }
        unit
    }

    async fn process_one(&mut self, threads: &mut Threads, mail: &ReadMail) -> Result<Unit> {
        let now = self.deps.clock.now();
        let read = match &mail.read {
            Ok(read) => read,
            Err(fault) => return Ok(quarantined_unit(mail.message, fault)),
        };
        let voice = match read.voice() {
            Ok(voice) => voice,
            Err(reason) => return Ok(parked_unit(&self.config, mail, read, reason, now)),
        };
        let linked = threads.link(self.deps, self.tenant, mail, &read.mail, voice);
        let state = threads.state(&linked);
        let answer = self.answer(mail, read, voice, state, threads).await;
        let decision = self.decide(mail, read, voice, state, answer.as_ref());
        let late = threads.is_late(&linked, mail);
        let review = threads.open_review(&linked);
        let step = Step {
            mail,
            parsed: &read.mail,
            voice,
            linked: &linked,
            decision: &decision,
        };
        let change = threads.advance(self.deps, self.tenant, &step);
        decided_unit(
            &self.config,
            Decided {
                mail,
                read,
                linked: &linked,
                decision,
                answer: answer.as_ref(),
                change,
                late,
                review,
                now,
            },
        )
    }

    /// Asks the classifier once a mail; our own mail is not asked about.
    async fn answer(
        &mut self,
        mail: &ReadMail,
        read: &Read,
        voice: &Voice,
        state: ThreadState,
        threads: &Threads,
    ) -> Option<Classification> {
        if voice.direction == Direction::Outgoing {
            return None;
        }
        if let Some(answer) = self.answers.get(&mail.message) {
            return answer.clone();
        }
        let request = request(read, voice, state, threads);
        let cx = self.classify_context();
        let classifier = &self.deps.classifier;
        let asked = panic_safe(classifier.name(), classifier.classify(&cx, &request));
        let answer = asked.await.map_err(|error| {
            // no answer is never `None`: a person decides
            self.deps.events.emit(EngineEvent::NoAnswer {
                tenant: self.tenant.clone(),
                message: mail.message,
                error: error.report(),
            });
        });
        self.answers
            .insert(mail.message, answer.as_ref().ok().cloned());
        answer.ok()
    }

    fn decide(
        &mut self,
        mail: &ReadMail,
        read: &Read,
        voice: &Voice,
        state: ThreadState,
        answer: Option<&Classification>,
    ) -> Decision {
        let decision = decide(&DecideInput {
            policy: &self.config.policy,
            mail: &read.mail,
            sender: &voice.party,
            subject: &voice.subject,
            text: &voice.text,
            direction: voice.direction,
            authenticity: voice.authenticity,
            thread: state,
            classification: answer,
            labels: &mail.labels,
            received_at: mail.received_at,
            assign: AssignInputs {
                turn: self.turn,
                open_by_owner: self.load.as_ref(),
                ..AssignInputs::default()
            },
        });
        if decision.intent().is_some_and(|intent| intent.takes_turn) {
            self.turn = None;
        }
        decision
    }

    /// Holds the next turn of a round robin ready; turns are reserved in the store by the handful.
    async fn take_turn(&mut self) -> Result<()> {
        if self.turn.is_some() || !needs_turn(&self.config.policy.assignment) {
            return Ok(());
        }
        self.turn = self.deps.tenants.take_turn(self.tenant);
        if self.turn.is_none() {
            let store = &self.deps.store;
            let first = store.take_turns(self.tenant, ASSIGNMENT, TURNS).await?;
            let rest = first + 1..first + TURNS;
            self.deps.tenants.keep_turns(self.tenant, rest);
            self.turn = Some(first);
        }
        Ok(())
    }

    async fn load_by_owner(&self) -> Result<Option<BTreeMap<Owner, u64>>> {
        if !matches!(self.config.policy.assignment, Assignment::LeastBusy { .. }) {
            return Ok(None);
        }
        let open = self.deps.store.open_by_owner(self.tenant).await?;
        Ok(Some(
            open.into_iter()
                .map(|(owner, count)| (Owner::new(owner), count))
                .collect(),
        ))
    }

    fn classify_context(&self) -> CallContext {
        let budget = self.deps.options.classify_budget;
        let clock = Arc::clone(&self.deps.clock);
        CallContext::with_clock(self.tenant.clone(), classifier_connection(), budget, clock)
    }
}

fn request(read: &Read, voice: &Voice, state: ThreadState, threads: &Threads) -> ClassifyRequest {
    let mail = &read.mail;
    let bulk = ["list-id", "list-unsubscribe", "precedence"];
    let signals = Signals {
        reply: !mail.in_reply_to.is_empty() || !mail.references.is_empty(),
        linked: match state {
            ThreadState::Linked(category) => Some(category),
            ThreadState::Unlinked | ThreadState::Ambiguous => None,
        },
        known_party: threads.knows(&voice.party.address),
        bulk: bulk.iter().any(|name| mail.header(name).is_some()),
        attachments: mail.attachments.iter().any(|attachment| !attachment.inline),
        forwarded: mail
            .body
            .segments
            .iter()
            .any(|segment| segment.role == Role::Forwarded),
    };
    ClassifyRequest::new(voice.subject.clone(), voice.text.clone())
        .with_sender(Some(voice.sender.address.clone()))
        .with_language(mail.language.clone())
        .with_signals(signals)
}

/// Classifiers belong to no connection of a tenant; their context carries this stand-in.
fn classifier_connection() -> Arc<Connection> {
    static CONNECTION: std::sync::OnceLock<Arc<Connection>> = std::sync::OnceLock::new();
    let made = CONNECTION.get_or_init(|| {
        let id = ConnectionId::fixed("classifier");
        Arc::new(Connection::new(id, "classifier", ConnectionRole::Source))
    });
    Arc::clone(made)
}

/// Rounds after which a still changing thread is given back.
const MAX_ROUNDS: usize = 4;
/// Mails after which other tasks get their turn.
const YIELD_EVERY: usize = 16;
/// The name of the round robin in the store.
const ASSIGNMENT: &str = "assignment";
/// Turns reserved at once; those unused when the process ends are skipped.
const TURNS: u64 = 16;
