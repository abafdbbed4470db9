//! What a broken store remembers of the calls it saw.

use std::collections::HashMap;
use std::time::Duration;

use nextedge_core::store::{Claim, ClaimRequest, MailboxClaim};
use nextedge_core::{Fingerprint, LeaseToken, Mailer, MessageUid, TenantId, Timestamp, later};

/// What was seen, for the faults that need it.
#[derive(Debug, Default)]
pub(super) struct Notes {
    pub(super) first_tenant: Option<TenantId>,
    /// Claims that were handed out and not released, oldest first.
    pub(super) claims: Vec<Claim>,
    /// When the leases end that a caller was promised.
    pub(super) until: HashMap<LeaseToken, Timestamp>,
    pub(super) mailbox: Option<MailboxClaim>,
    /// How often a message was part of a claim when it was released.
    pub(super) releases: HashMap<MessageUid, u32>,
    /// Which message of any tenant had a fingerprint first.
    pub(super) fingerprints: HashMap<Fingerprint, MessageUid>,
    /// The senders of plans whose sender was replaced.
    pub(super) senders: HashMap<MessageUid, Mailer>,
}

impl Notes {
    pub(super) fn handed(&mut self, request: &ClaimRequest, claim: &Claim, now: Timestamp) {
        self.until.insert(claim.lease, later(now, request.lease));
        self.claims.push(claim.clone());
    }

    pub(super) fn claim(&self, lease: LeaseToken) -> Option<&Claim> {
        self.claims.iter().find(|claim| claim.lease == lease)
    }

    pub(super) fn extended(&mut self, lease: LeaseToken, now: Timestamp, by: Duration) {
        self.until.insert(lease, later(now, by));
    }

    pub(super) fn released(&mut self, lease: LeaseToken) {
        let Some(index) = self.claims.iter().position(|claim| claim.lease == lease) else {
            return;
        };
        for item in self.claims.remove(index).items {
            *self.releases.entry(item.message).or_default() += 1;
        }
    }

    /// Takes out the claims whose promised lease ran out.
    pub(super) fn lost(&mut self, now: Timestamp) -> Vec<Claim> {
        let until = &self.until;
        let lost = |claim: &mut Claim| until.get(&claim.lease).is_some_and(|end| *end <= now);
        self.claims.extract_if(.., lost).collect()
    }
}
