//! A person's decisions: approve the plan shown, reject it, or correct its category.

use std::sync::Arc;

use super::Engine;
use super::read::{ReadMail, reader};
use super::unit::plans;
use crate::domain::{
    Category, MessageUid, Plan, ReviewDecision, ReviewId, ReviewItem, ReviewState, TenantId,
};
use crate::error::{Error, ErrorKind, Result};
use crate::failpoint::reached;
use crate::stage::assign::AssignInputs;
use crate::stage::decide::{DecideInput, Intent, ThreadState, decide};
use crate::store::ThreadChange;

impl Engine {
    /// Delivers exactly the plans shown, and after them the mails that wait for the item.
    ///
    /// # Errors
    ///
    /// `NotFound`; `Conflict` if the item was decided, changed since it was shown (`version`), or
    /// if its thread got a record meanwhile, so that the plan shown is no longer what would happen.
    pub async fn approve(
        &self,
        tenant: &TenantId,
        item: ReviewId,
        version: u64,
    ) -> Result<ReviewItem> {
        let shown = self.open_item(tenant, item).await?;
        self.check_basis(tenant, &shown).await?;
        self.settle(tenant, item, version, ReviewDecision::Approve)
            .await
    }

    /// Parks the item's mails as rejected.
    ///
    /// # Errors
    ///
    /// `NotFound`; `Conflict` if the item was decided or changed since it was shown.
    pub async fn reject(
        &self,
        tenant: &TenantId,
        item: ReviewId,
        version: u64,
    ) -> Result<ReviewItem> {
        self.settle(tenant, item, version, ReviewDecision::Reject)
            .await
    }

    /// Makes new plans for a corrected category and delivers them; [`Category::None`] parks.
    ///
    /// # Errors
    ///
    /// `NotFound`; `Conflict` if the item was decided or changed since it was shown; `NotFound` if
    /// the raw mail is no longer kept.
    pub async fn correct(
        &self,
        tenant: &TenantId,
        item: ReviewId,
        version: u64,
        category: Category,
    ) -> Result<ReviewItem> {
        let shown = self.open_item(tenant, item).await?;
        let mut corrected = Vec::new();
        if category != Category::None {
            for message in &shown.waiting {
                corrected.extend(self.replan(tenant, *message, category).await?);
            }
        }
        let decision = ReviewDecision::Correct {
            category,
            plans: corrected,
        };
        self.settle(tenant, item, version, decision).await
    }

    /// Parks the open items whose time ran out; returns how many.
    ///
    /// The running engine does this for every tenant it serves.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn expire_reviews(&self, tenant: &TenantId) -> Result<u64> {
        super::sweep::expire_reviews(&self.deps, tenant).await
    }

    async fn settle(
        &self,
        tenant: &TenantId,
        item: ReviewId,
        version: u64,
        decision: ReviewDecision,
    ) -> Result<ReviewItem> {
        reached("review.before_decide");
        let item = self
            .deps
            .store
            .decide(tenant, item, version, decision)
            .await?;
        reached("review.decided");
        self.deps.wake();
        Ok(item)
    }

    async fn open_item(&self, tenant: &TenantId, id: ReviewId) -> Result<ReviewItem> {
        let item = self.deps.store.review(tenant, id).await?.ok_or_else(|| {
            Error::new(ErrorKind::NotFound, "review item does not exist").with_context("item", id)
        })?;
        if item.state == ReviewState::Open {
            return Ok(item);
        }
        Err(
            Error::new(ErrorKind::Conflict, "review item is decided already")
                .with_context("item", id)
                .with_context("state", format!("{:?}", item.state)),
        )
    }

    /// Refuses if a record that the plan would create exists by now.
    async fn check_basis(&self, tenant: &TenantId, item: &ReviewItem) -> Result<()> {
        let Some(thread) = self.deps.store.thread(tenant, item.thread).await? else {
            return Ok(());
        };
        let moved = |plan: &&Plan| {
            plan.basis.thread_version == 0 && thread.record(&plan.connection).is_some()
        };
        match item.plans.iter().find(moved) {
            None => Ok(()),
            Some(plan) => Err(
                Error::new(ErrorKind::Conflict, "the plan shown is out of date")
                    .with_context("item", item.id)
                    .with_context("sink", &plan.connection)
                    .with_context(
                        "difference",
                        "the thread got a record since: the mail would join it",
                    )
                    .with_action("look at the item again, then correct it to its category"),
            ),
        }
    }

    /// Makes the plans of one message for the category that a person gave.
    async fn replan(
        &self,
        tenant: &TenantId,
        message: MessageUid,
        category: Category,
    ) -> Result<Vec<Plan>> {
        let deps = &self.deps;
        let config = deps.tenants.load(&*deps.store, tenant).await?;
        let gone = || Error::new(ErrorKind::NotFound, "the mail is no longer kept");
        let row = deps
            .store
            .message(tenant, message)
            .await?
            .ok_or_else(gone)?;
        let raw = deps.store.raw(tenant, message).await?.ok_or_else(gone)?;
        let mailbox = deps
            .store
            .mailbox(tenant, &row.mailbox)
            .await?
            .ok_or_else(gone)?;
        let received_at = row.received_at.unwrap_or_else(|| deps.clock.now());
        let reader = reader(deps, tenant, &config, mailbox);
        let labels = row.labels;
        let read =
            tokio::task::spawn_blocking(move || reader.read_one(message, received_at, labels, raw));
        let mail = read.await.map_err(|error| {
            Error::new(ErrorKind::Unexpected, "reading a mail panicked").with_source(error)
        })??;
        let Ok(read) = &mail.read else {
            return Err(gone());
        };
        let intent = intent(&config.policy, &mail)?.corrected(category, &config.policy);
        let id = row.decision.and_then(|decision| decision.thread);
        let thread = match id {
            Some(id) => deps.store.thread(tenant, id).await?,
            None => None,
        };
        let thread = thread.ok_or_else(gone)?;
        let change = ThreadChange {
            expected: thread.version,
            thread,
            keys: Vec::new(),
            absent: Vec::new(),
            seen: Vec::new(),
        };
        plans(&config, &mail, read, &intent, &change, false)
    }
}

/// What the mail says, as if no classifier had been asked.
fn intent(policy: &Arc<crate::policy::Policy>, mail: &ReadMail) -> Result<Intent> {
    let nobody = || {
        Error::new(
            ErrorKind::Invalid,
            "the mail cannot be corrected: no person speaks in it",
        )
        .with_context("message", mail.message)
    };
    let Ok(read) = &mail.read else {
        return Err(nobody());
    };
    let Ok(voice) = read.voice() else {
        return Err(nobody());
    };
    let decision = decide(&DecideInput {
        policy,
        mail: &read.mail,
        sender: &voice.party,
        subject: &voice.subject,
        text: &voice.text,
        direction: voice.direction,
        authenticity: voice.authenticity,
        thread: ThreadState::Unlinked,
        classification: None,
        labels: &mail.labels,
        received_at: mail.received_at,
        assign: AssignInputs::default(),
    });
    decision.intent().cloned().ok_or_else(nobody)
}
