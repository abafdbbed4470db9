//! Random work: claims, every kind of result, reviews, replays.

use std::time::Duration;

use nextedge_core::store::{
    AfterDead, Claim, ClaimRequest, ClaimedItem, Committed, DeliveredEnd, DeliveredUnit, JobKind,
    JobStore, KnownRecord, Ledger, LedgerQuery, ProcessedOutcome, ReviewQuery, ReviewQueue,
    ThreadChange, ThreadLinks, Unit, Work,
};
use nextedge_core::{
    CallRecord, Category, DeadReason, Distribution, Labels, LeaseToken, MessageUid, ParkReason,
    PartyKey, Plan, RecordKind, Result, ReviewDecision, ReviewItem, Slot, TenantId, ThreadId,
    ThreadKey, Urgency, classify::Classification,
};

use super::drive::{Driver, Held, both};
use crate::store::values::{
    call, effect, fingerprint, plan, processed, raw, record, report, request, review_item, thread,
    thread_id,
};

const SENDERS: [&str; 4] = [
    "ada@acme.com",
    "bob@acme.com",
    "eve@gmail.com",
    "zoe@other.com",
];

impl Driver {
    pub(crate) async fn claim(&mut self) {
        let request = self.request();
        self.claim_with(request).await;
    }

    pub(crate) async fn claim_with(&mut self, request: ClaimRequest) {
        let model = self.model.claim(&request).await;
        let other = self.other.store().claim(&request).await;
        let what = format!("claim {request:?}");
        self.same(&what, &plain(&model), &plain(&other));
        let (Ok(Some(claim)), Ok(Some(other))) = (model, other) else {
            return;
        };
        let items: Vec<_> = claim
            .items
            .iter()
            .map(|item| (item.message, item.attempt))
            .collect();
        self.note(format!(
            "claimed {:?} of {}: {items:?}",
            request.kind, claim.tenant
        ));
        self.check_claim(&request, &claim).await;
        self.saw(match request.kind {
            JobKind::Fetch => "fetch",
            JobKind::Process => "process",
            JobKind::Deliver => "deliver",
        });
        if claim.items.iter().any(|item| item.outcome_unknown) {
            self.saw("outcome unknown");
        }
        if self.claims.len() > 8 {
            // this worker is never heard of again
            self.claims.remove(0);
        }
        self.claims.push(Held {
            claim,
            other: other.lease,
        });
    }

    fn request(&mut self) -> ClaimRequest {
        let kinds = [
            JobKind::Fetch,
            JobKind::Process,
            JobKind::Process,
            JobKind::Deliver,
            JobKind::Deliver,
        ];
        let kind = *self.rng.pick(&kinds);
        let scope = self.scope();
        ClaimRequest {
            max_items: 1 + self.rng.index(6),
            max_bytes: *self.rng.pick(&[1, 200, 400, 100_000]),
            max_in_flight: 1 + self.rng.index(3),
            settle: Duration::from_secs(*self.rng.pick(&[0, 120])),
            lease: Duration::from_secs(*self.rng.pick(&[20, 60])),
            ..request(kind, scope)
        }
    }

    /// Commits some items of a claim, mostly in order, sometimes not, sometimes twice.
    pub(crate) async fn commit(&mut self) {
        if self.claims.is_empty() {
            return self.claim().await;
        }
        let last = self.claims.len() - 1;
        let index = if self.rng.percent(60) {
            last
        } else {
            self.rng.index(last + 1)
        };
        let claim = self.claims[index].claim.clone();
        let mut units = Vec::new();
        let wanted = 1 + self.rng.index(claim.items.len());
        for item in claim.items.iter().take(wanted) {
            if self.rng.percent(8) {
                continue;
            }
            units.push(self.unit(&claim, item).await);
        }
        if self.rng.percent(25) {
            units.insert(0, Unit::Calls(self.calls(&claim)));
        }
        if self.rng.percent(3) {
            units.extend(units.last().cloned());
        }
        self.note(format!("commit in {}: {units:?}", claim.tenant));
        let other = self.claims[index].other;
        let model = self
            .model
            .commit(&claim.tenant, claim.lease, units.clone())
            .await;
        let other = self.other.store().commit(&claim.tenant, other, units).await;
        for answer in model.iter().flatten() {
            self.saw(match answer {
                Ok(Committed::Accepted) => "accepted",
                Ok(Committed::Duplicate(_)) => "duplicate",
                Ok(Committed::Stale) => "stale",
                Err(_) => "fenced",
            });
        }
        self.same("commit", &answers(model), &answers(other));
        if self.rng.percent(70) {
            self.end(index).await;
        }
    }

    pub(crate) async fn release(&mut self) {
        if !self.claims.is_empty() {
            let index = self.rng.index(self.claims.len());
            self.end(index).await;
        }
    }

    async fn end(&mut self, index: usize) {
        let held = &self.claims[index];
        let (tenant, lease, other) = (held.claim.tenant.clone(), held.claim.lease, held.other);
        self.note(format!("release in {tenant}"));
        let model = self.model.release(&tenant, lease).await;
        let other = self.other.store().release(&tenant, other).await;
        self.same("release", &model, &other);
        self.checks.released(lease);
        // some are kept, so that a worker goes on that lost its claim
        if self.rng.percent(90) {
            self.claims.remove(index);
        }
    }

    pub(crate) async fn extend(&mut self) {
        if self.claims.is_empty() {
            return;
        }
        let index = self.rng.index(self.claims.len());
        let held = &self.claims[index];
        let by = Duration::from_secs(60);
        let (tenant, lease, other) = (held.claim.tenant.clone(), held.claim.lease, held.other);
        self.note(format!("extend in {tenant}"));
        let model = self.model.extend(&tenant, lease, by).await;
        let other = self.other.store().extend(&tenant, other, by).await;
        self.same("extend", &model, &other);
        if model.is_ok() {
            self.checks.extended(lease, self.now() + by);
        }
    }

    fn calls(&mut self, claim: &Claim) -> Vec<CallRecord> {
        let messages = claim.items.iter().map(|item| item.message).collect();
        let operation = self.name(&["crm.upsert", "box.get"]);
        let mut call = call(self.now(), operation, messages);
        call.status = *self.rng.pick(&[None, Some(200), Some(429)]);
        vec![call; 1 + self.rng.index(2)]
    }

    async fn unit(&mut self, claim: &Claim, item: &ClaimedItem) -> Unit {
        let message = item.message;
        let (at, error) = (self.soon(), report("try later"));
        let ends = [
            AfterDead::Continue,
            AfterDead::Continue,
            AfterDead::HoldLane,
        ];
        let after = *self.rng.pick(&ends);
        match self.rng.below(100) {
            0..10 => {
                let keep = self.rng.percent(50).then(classification);
                return Unit::Retry {
                    message,
                    at,
                    error,
                    keep,
                };
            }
            10..14 => {
                let reason = DeadReason::Process(error.text.clone());
                return Unit::Dead {
                    message,
                    reason,
                    error,
                    after,
                };
            }
            14..17 => {
                let reason = ParkReason::Quarantined("too deep".to_owned());
                return Unit::Park { message, reason };
            }
            17 => {
                return Unit::Park {
                    message,
                    reason: ParkReason::Hook("mine".to_owned()),
                };
            }
            _ => {}
        }
        match &item.work {
            Work::Fetch { .. } => {
                let hint = super::drive::hint_of(self.rng.below(6));
                Unit::Fetched {
                    message,
                    raw: raw(message, 100 + self.rng.index(200)),
                    received_at: item.received_at,
                    thread_hint: self.rng.percent(50).then_some(hint),
                    labels: Labels::new(self.rng.percent(30).then_some("Sales")),
                }
            }
            Work::Process { .. } => self.process(claim, item).await,
            Work::Deliver { plan, .. } => self.deliver(item, plan, after),
        }
    }

    async fn process(&mut self, claim: &Claim, item: &ClaimedItem) -> Unit {
        let message = item.message;
        // most mails of a lane are one thread
        let name = item.lane.bytes().map(u64::from).sum::<u64>() % 3;
        let name = if self.rng.percent(80) {
            name
        } else {
            self.rng.below(5)
        };
        let id = thread_id(&format!("t{name}"));
        let present = self.model.thread(&claim.tenant, id).await.unwrap();
        let version = present.as_ref().map_or(0, |thread| thread.version);
        let open = present.as_ref().and_then(|thread| thread.review);
        let mut change = present.unwrap_or_else(|| thread(id, item.received_at));
        change.mails += 1;
        change.last_received_at = change.last_received_at.max(item.received_at);
        let (absent, seen) = self.looked_at(&claim.tenant).await;
        let change = ThreadChange {
            absent,
            seen,
            expected: if self.rng.percent(93) {
                version
            } else {
                self.rng.below(3)
            },
            thread: change,
            keys: vec![key(self.rng.below(6))],
        };
        let plans = self.plans(message, id);
        let outcome = match (self.rng.below(100), open) {
            (0..15, _) => ProcessedOutcome::Park(ParkReason::NotRelevant),
            (15..35, None) => ProcessedOutcome::Review(review_item(message, id, plans, self.now())),
            (15..75, Some(item)) => ProcessedOutcome::Join { item, plans },
            _ => ProcessedOutcome::Deliver(plans),
        };
        let joins = self.rng.percent(95);
        let mut unit = processed(message, joins.then_some(change), outcome, self.now());
        unit.decision.owner = self.rng.percent(50).then(|| "ann".to_owned());
        if self.rng.percent(15) {
            unit.fingerprint = fingerprint(&format!("f{}", self.rng.below(4)));
        }
        Unit::Processed(Box::new(unit))
    }

    /// What a link was chosen from: mostly nothing else, sometimes a key or thread that moved.
    async fn looked_at(&mut self, tenant: &TenantId) -> (Vec<ThreadKey>, Vec<(ThreadId, u64)>) {
        let absent = self.rng.percent(5).then(|| key(self.rng.below(7)));
        let other = thread_id(&format!("t{}", self.rng.below(5)));
        let present = self.model.thread(tenant, other).await.unwrap();
        let version = present.map_or(0, |thread| thread.version);
        let version = if self.rng.percent(90) {
            version
        } else {
            self.rng.below(4)
        };
        let seen = self.rng.percent(30).then_some((other, version));
        (absent.into_iter().collect(), seen.into_iter().collect())
    }

    fn plans(&mut self, message: MessageUid, thread: ThreadId) -> Vec<Plan> {
        let sinks: &[&str] = match self.rng.below(10) {
            0 => &[],
            1..5 => &["crm1"],
            5 => &["crm2"],
            _ => &["crm1", "crm2"],
        };
        let sender = *self.rng.pick(&SENDERS);
        let plans = sinks.iter().map(|sink| plan(message, thread, sink, sender));
        plans.collect()
    }

    fn deliver(&mut self, item: &ClaimedItem, plan: &Plan, after: AfterDead) -> Unit {
        let (at, error) = (self.soon(), report("no answer"));
        let parties = PartyKey::of(&plan.sender.address).into_iter();
        let parties = parties
            .filter(|_| self.rng.percent(70))
            .map(|party| KnownRecord {
                record: record(RecordKind::Contact, &party.as_key()),
                party,
            });
        let parties = parties.collect();
        let linked = self.rng.percent(60);
        let case = record(RecordKind::Case, &format!("case-{}", self.rng.below(9)));
        let end = match self.rng.below(100) {
            0..60 => DeliveredEnd::Done,
            60..72 => DeliveredEnd::Retry { at, error },
            72..82 => DeliveredEnd::Unknown { at, error },
            82..90 => DeliveredEnd::Dead { error, after },
            _ => {
                let mut changed = plan.clone();
                changed.reason = "which contact?".to_owned();
                let plans = vec![changed];
                DeliveredEnd::Review(review_item(item.message, plan.thread, plans, self.now()))
            }
        };
        let slots = [Slot::Contact, Slot::Record, Slot::Activity];
        let effects = slots.into_iter().filter(|_| self.rng.percent(50));
        Unit::Delivered(Box::new(DeliveredUnit {
            message: item.message,
            thread: plan.thread,
            effects: effects
                .map(|slot| effect(slot, &format!("{}", at.timestamp())))
                .collect(),
            parties,
            record: linked.then_some(case),
            end,
        }))
    }

    pub(crate) async fn decide(&mut self) {
        let tenant = self.tenant();
        let query = ReviewQuery {
            state: None,
            limit: 100,
            ..ReviewQuery::default()
        };
        let mut items = self.model.reviews(&tenant, &query).await.unwrap();
        if self.rng.percent(90) {
            items.retain(|item| item.state == nextedge_core::ReviewState::Open);
        }
        if items.is_empty() {
            return;
        }
        let item = self.rng.pick(&items).clone();
        let version = item.version + u64::from(self.rng.percent(10));
        let decision = self.decision(&item);
        self.saw(match &decision {
            ReviewDecision::Approve => "approve",
            ReviewDecision::Reject => "reject",
            ReviewDecision::Expire => "expire",
            ReviewDecision::Correct { .. } => "correct",
        });
        if item.waiting.len() > 1 {
            self.saw("joined");
        }
        self.note(format!("decide in {tenant}: {} {decision:?}", item.id));
        let _ = both!(self, "decide", s => s.decide(&tenant, item.id, version, decision.clone()));
    }

    fn decision(&mut self, item: &ReviewItem) -> ReviewDecision {
        match self.rng.below(10) {
            0..4 => ReviewDecision::Approve,
            4..6 => ReviewDecision::Reject,
            6 => ReviewDecision::Expire,
            _ => {
                let mut waiting = item.waiting.clone();
                if self.rng.percent(10) {
                    waiting.push(MessageUid::derive(&[b"stranger"]));
                }
                let mut plans = Vec::new();
                for message in waiting {
                    plans.extend(self.plans(message, item.thread));
                }
                ReviewDecision::Correct {
                    category: Category::Lead,
                    plans,
                }
            }
        }
    }

    pub(crate) async fn requeue(&mut self) {
        let tenant = self.tenant();
        let all = LedgerQuery {
            limit: 500,
            ..LedgerQuery::default()
        };
        let rows = self.model.messages(&tenant, &all).await.unwrap();
        let mut messages = vec![MessageUid::derive(&[b"stranger"])];
        for _ in 0..self.rng.below(5) {
            if !rows.is_empty() {
                messages.push(self.rng.pick(&rows).message);
            }
        }
        self.note(format!("requeue in {tenant}: {messages:?}"));
        let _ = both!(self, "requeue", s => s.requeue(&tenant, &messages));
    }
}

/// A claim without what may differ between stores: its token and the texts of its lanes.
fn plain(claim: &Result<Option<Claim>>) -> Result<Option<Claim>> {
    let claim = claim
        .as_ref()
        .map_err(|e| nextedge_core::Error::new(e.kind(), "failed"))?;
    let mut claim = claim.clone();
    if let Some(claim) = &mut claim {
        claim.lease = LeaseToken::from_bytes([0; 16]);
        let names: Vec<String> = claim.items.iter().map(|item| item.lane.clone()).collect();
        for item in &mut claim.items {
            let first = names.iter().position(|name| *name == item.lane);
            item.lane = format!("lane {first:?}");
        }
    }
    Ok(claim)
}

fn answers(answers: Result<Vec<Result<Committed>>>) -> Result<Vec<String>> {
    let answers = answers?.into_iter();
    Ok(answers
        .map(|answer| format!("{:?}", answer.map_err(|e| e.kind())))
        .collect())
}

fn key(number: u64) -> ThreadKey {
    ThreadKey::message_id(&format!("k{number}"))
}

fn classification() -> Classification {
    let distribution = Distribution::new([1.0, 2.0, 1.0, 0.0, 0.0]).unwrap();
    Classification::new("test/1", distribution, Urgency::High)
}
