//! Broken claims and commits.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use nextedge_core::store::{
    AfterDead, Claim, ClaimRequest, ClaimedItem, Committed, DeliveredEnd, DeliveredUnit, JobKind,
    JobStore, ProcessedOutcome, ProcessedUnit, Scope, Unit, Work,
};
use nextedge_core::{
    EmailAddress, Error, ErrorKind, Fingerprint, LeaseToken, MessageUid, Plan, Result, TenantId,
    Timestamp,
};

use super::{Broken, Fault, Method};

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl JobStore for Broken {
    async fn claim(&self, request: &ClaimRequest) -> Result<Option<Claim>> {
        if self.is(Fault::ForgetsCrash) {
            self.release_lost().await?;
        }
        let asked = self.asked(request);
        let claim = match (self.fault, self.first_tenant(&asked.scope)) {
            (Fault::ServesFirstTenantFirst, Some(first)) => {
                let first = ClaimRequest {
                    scope: Scope::Tenant(first),
                    ..asked.clone()
                };
                match self.sound().claim(&first).await? {
                    Some(claim) => Some(claim),
                    None => self.sound().claim(&asked).await?,
                }
            }
            _ => self.sound().claim(&asked).await?,
        };
        Ok(self.handed(request, claim))
    }

    async fn extend(&self, tenant: &TenantId, lease: LeaseToken, by: Duration) -> Result<()> {
        let tenant = self.tenant(Method::Extend, tenant);
        if self.is(Fault::IgnoresExtension) {
            return Ok(());
        }
        let longer = if self.lease_never_ends() { FOREVER } else { by };
        self.sound().extend(&tenant, lease, longer).await?;
        self.notes().extended(lease, self.now(), by);
        Ok(())
    }

    async fn commit(
        &self,
        tenant: &TenantId,
        lease: LeaseToken,
        units: Vec<Unit>,
    ) -> Result<Vec<Result<Committed>>> {
        let tenant = self.tenant(Method::Commit, tenant);
        let mut changed = Vec::with_capacity(units.len());
        for unit in units {
            changed.push(self.unit(&tenant, unit).await?);
        }
        if self.is(Fault::SharesFingerprints)
            && let Some(first) = self.foreign_duplicate(&changed)
        {
            return Ok(changed
                .iter()
                .map(|_| Ok(Committed::Duplicate(first)))
                .collect());
        }
        let lost = self.is(Fault::LosesUnit) && changed.len() > 1 && changed.pop().is_some();
        let mut answers = self.sound().commit(&tenant, lease, changed).await?;
        answers.extend(lost.then_some(Ok(Committed::Accepted)));
        if self.is(Fault::OpensGateOnCommit) {
            let claim = self.notes().claim(lease).cloned();
            if let Some(connection) = claim.and_then(|claim| claim.connection) {
                self.sound().open_gate(&tenant, &connection).await?;
            }
        }
        Ok(self.answered(answers))
    }

    async fn release(&self, tenant: &TenantId, lease: LeaseToken) -> Result<()> {
        let tenant = self.tenant(Method::Release, tenant);
        self.notes().released(lease);
        self.sound().release(&tenant, lease).await
    }

    async fn requeue(&self, tenant: &TenantId, messages: &[MessageUid]) -> Result<u64> {
        let tenant = self.tenant(Method::Requeue, tenant);
        let count = self.sound().requeue(&tenant, messages).await?;
        let asked = messages.len() as u64;
        Ok(if self.is(Fault::CountsReplays) {
            asked
        } else {
            count
        })
    }

    async fn next_due(&self, scope: &Scope) -> Result<Option<Timestamp>> {
        if self.is(Fault::NeverWaits) {
            return Ok(Some(self.now()));
        }
        let scope = self.scope(Method::NextDue, scope);
        self.sound().next_due(&scope).await
    }
}

impl Broken {
    fn lease_never_ends(&self) -> bool {
        matches!(self.fault, Fault::SkipsFence | Fault::ForgetsCrash)
    }

    fn first_tenant(&self, scope: &Scope) -> Option<TenantId> {
        let first = self.notes().first_tenant.clone();
        first.filter(|_| *scope == Scope::All)
    }

    fn asked(&self, request: &ClaimRequest) -> ClaimRequest {
        let mut asked = request.clone();
        asked.scope = self.scope(Method::Claim, &request.scope);
        match self.fault {
            Fault::SkipsFence | Fault::ForgetsCrash => asked.lease = FOREVER,
            Fault::IgnoresSettle => asked.settle = Duration::ZERO,
            Fault::IgnoresCaps => asked.max_in_flight = usize::MAX,
            Fault::IgnoresBounds => {
                asked.max_items += 1;
                asked.max_bytes = u64::MAX;
            }
            _ => {}
        }
        asked
    }

    /// Releases what a caller was promised for a shorter time than the sound store gave.
    async fn release_lost(&self) -> Result<()> {
        let lost = self.notes().lost(self.now());
        for claim in lost {
            self.sound().release(&claim.tenant, claim.lease).await?;
        }
        Ok(())
    }

    fn handed(&self, request: &ClaimRequest, claim: Option<Claim>) -> Option<Claim> {
        let Some(mut claim) = claim else {
            let twice = self.is(Fault::HandsLaneTwice) && request.kind != JobKind::Fetch;
            return self.notes().claims.last().filter(|_| twice).cloned();
        };
        self.notes().handed(request, &claim, self.now());
        match self.fault {
            Fault::ReordersLane => claim.items.reverse(),
            Fault::ServesOldestFirst => claim.items.sort_by_key(|item| item.received_at),
            _ => {}
        }
        for item in &mut claim.items {
            self.item(item);
        }
        Some(claim)
    }

    fn item(&self, item: &mut ClaimedItem) {
        match (self.fault, &mut item.work) {
            (Fault::ForgetsUnknown, _) => item.outcome_unknown = false,
            (Fault::BurnsAttemptOnRelease, _) => {
                item.attempt += self.notes().releases.get(&item.message).unwrap_or(&0);
            }
            (Fault::LosesBody, Work::Process { raw, .. } | Work::Deliver { raw, .. }) => {
                *raw = Bytes::new();
            }
            (Fault::IgnoresReservations, Work::Deliver { plan, .. }) => {
                if let Some(sender) = self.notes().senders.get(&item.message) {
                    plan.sender = sender.clone();
                }
            }
            _ => {}
        }
    }

    async fn unit(&self, tenant: &TenantId, unit: Unit) -> Result<Unit> {
        Ok(match unit {
            Unit::Processed(unit) => {
                Unit::Processed(Box::new(self.processed(tenant, *unit).await?))
            }
            Unit::Delivered(unit) => Unit::Delivered(Box::new(self.delivered(*unit))),
            Unit::Calls(_) if self.is(Fault::LosesCalls) => Unit::Calls(Vec::new()),
            Unit::Retry {
                message,
                at,
                error,
                keep,
            } => Unit::Retry {
                message,
                at: self.not_before(at),
                error,
                keep: keep.filter(|_| !self.is(Fault::ForgetsAnswer)),
            },
            Unit::Dead {
                message,
                reason,
                error,
                after,
            } => Unit::Dead {
                message,
                reason,
                error,
                after: self.after(after),
            },
            other => other,
        })
    }

    async fn processed(&self, tenant: &TenantId, mut unit: ProcessedUnit) -> Result<ProcessedUnit> {
        let uid = unit.message.to_string();
        match (self.fault, &mut unit.thread) {
            (Fault::KeepsDuplicates, _) => {
                unit.fingerprint = Fingerprint::derive(&[uid.as_bytes()]);
            }
            (Fault::HidesByMessageId, _) => {
                let id = unit.decision.message_id.clone().unwrap_or(uid);
                unit.fingerprint = Fingerprint::derive(&[id.as_bytes()]);
            }
            (Fault::IgnoresSeenThreads, Some(change)) => {
                change.absent.clear();
                change.seen.clear();
            }
            (Fault::IgnoresThreadVersion, Some(change)) => {
                let present = self.sound().thread(tenant, change.thread.id).await?;
                change.expected = present.map_or(0, |thread| thread.version);
            }
            (Fault::IgnoresReservations, _) => {
                if let ProcessedOutcome::Deliver(plans) = &mut unit.outcome {
                    plans.iter_mut().for_each(|plan| self.own_sender(plan));
                }
            }
            _ => {}
        }
        Ok(unit)
    }

    /// Gives a plan a sender that no other plan has, so that nothing waits for it.
    fn own_sender(&self, plan: &mut Plan) {
        let own = EmailAddress::parse(&format!("x@{}.example", plan.message));
        if let Ok(address) = own {
            self.notes()
                .senders
                .insert(plan.message, plan.sender.clone());
            plan.sender.address = address;
        }
    }

    fn foreign_duplicate(&self, units: &[Unit]) -> Option<MessageUid> {
        let mut notes = self.notes();
        units.iter().find_map(|unit| {
            let Unit::Processed(unit) = unit else {
                return None;
            };
            let first = notes.fingerprints.entry(unit.fingerprint);
            let first = *first.or_insert(unit.message);
            (first != unit.message).then_some(first)
        })
    }

    fn delivered(&self, mut unit: DeliveredUnit) -> DeliveredUnit {
        let done = matches!(unit.end, DeliveredEnd::Done);
        match (self.fault, &mut unit.end) {
            (Fault::ForgetsEffects, _) if !done => unit.effects.clear(),
            (Fault::ForgetsRecord, _) => unit.record = None,
            (Fault::ForgetsShownPlan, DeliveredEnd::Review(item)) => item.plans.clear(),
            (_, DeliveredEnd::Retry { at, .. } | DeliveredEnd::Unknown { at, .. }) => {
                *at = self.not_before(*at);
            }
            (_, DeliveredEnd::Dead { after, .. }) => *after = self.after(*after),
            _ => {}
        }
        unit
    }

    fn not_before(&self, at: Timestamp) -> Timestamp {
        if self.is(Fault::IgnoresDelay) {
            self.now()
        } else {
            at
        }
    }

    fn after(&self, after: AfterDead) -> AfterDead {
        if self.is(Fault::ForgetsHold) {
            AfterDead::Continue
        } else {
            after
        }
    }

    fn answered(&self, answers: Vec<Result<Committed>>) -> Vec<Result<Committed>> {
        match self.fault {
            Fault::PretendsAccepted => answers.iter().map(|_| Ok(Committed::Accepted)).collect(),
            Fault::SpreadsRefusal if answers.iter().any(Result::is_err) => {
                let refused = || Error::new(ErrorKind::Fenced, "another unit was refused");
                answers.iter().map(|_| Err(refused())).collect()
            }
            _ => answers,
        }
    }
}

/// A lease that no check outlives.
const FOREVER: Duration = Duration::from_secs(1_000_000_000);
