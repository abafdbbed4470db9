//! The fake mailboxes as a harness.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use nextedge_core::ProviderId;
use nextedge_core::source::MailSource;
use serde_json::Value;
use tokio::sync::Notify;

use super::super::harness::{RawMail, SourceHarness, SourceTrouble, SourceWorld};
use super::Defect;
use super::reader::FakeSource;
use crate::account::Account;

/// Makes fake worlds, all sound or all broken in the same way.
#[derive(Clone, Copy, Debug)]
pub struct FakeHarness {
    defect: Option<Defect>,
    feed: bool,
}

impl FakeHarness {
    /// Makes worlds whose source has a change feed and keeps every rule.
    pub fn sound() -> Self {
        Self {
            defect: None,
            feed: true,
        }
    }

    /// Makes worlds whose source has no change feed and keeps every rule.
    pub fn sound_without_feed() -> Self {
        Self {
            defect: None,
            feed: false,
        }
    }

    /// Makes worlds whose source is broken in one way.
    pub fn broken(defect: Defect) -> Self {
        Self {
            defect: Some(defect),
            feed: defect != Defect::EmptyWithoutFeed,
        }
    }
}

#[async_trait]
impl SourceHarness for FakeHarness {
    async fn start(&self) -> Box<dyn SourceWorld> {
        Box::new(World {
            server: Arc::default(),
            defect: self.defect,
            feed: self.feed,
        })
    }
}

struct World {
    server: Arc<Server>,
    defect: Option<Defect>,
    feed: bool,
}

/// All mailboxes.
#[derive(Debug, Default)]
pub(super) struct Server {
    state: Mutex<State>,
    pub(super) lifted: Notify,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) boxes: BTreeMap<Account, Mailbox>,
    pub(super) trouble: Option<SourceTrouble>,
    pub(super) stalled: bool,
    next_id: u64,
}

#[derive(Debug, Default)]
pub(super) struct Mailbox {
    /// In order of arrival; a removed mail leaves its place empty.
    pub(super) mails: Vec<Option<(u64, RawMail)>>,
    pub(super) oldest_cursor: usize,
    pub(super) shown: usize,
}

impl Server {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn trouble(&self) -> Option<SourceTrouble> {
        self.state().trouble.clone()
    }
}

#[async_trait]
impl SourceWorld for World {
    fn source(&self) -> Arc<dyn MailSource> {
        Arc::new(FakeSource {
            server: Arc::clone(&self.server),
            defect: self.defect,
            feed: self.feed,
            listing: Mutex::default(),
        })
    }

    fn settings(&self, _account: Account) -> Value {
        Value::Null
    }

    async fn put(&self, account: Account, mails: &[RawMail]) {
        let mut state = self.server.state();
        for mail in mails {
            state.next_id += 1;
            let id = state.next_id;
            let mailbox = state.boxes.entry(account).or_default();
            mailbox.mails.push(Some((id, mail.clone())));
        }
    }

    async fn remove(&self, account: Account, id: &ProviderId) {
        let mut state = self.server.state();
        let mailbox = state.boxes.entry(account).or_default();
        let fits = |place: &Option<(u64, RawMail)>| {
            place
                .as_ref()
                .is_some_and(|(own, _)| own.to_string() == id.as_str())
        };
        if let Some(place) = mailbox.mails.iter_mut().find(|place| fits(place)) {
            *place = None;
        }
    }

    async fn inject(&self, fault: &SourceTrouble) {
        let mut state = self.server.state();
        if *fault == SourceTrouble::ExpireCursors {
            for mailbox in state.boxes.values_mut() {
                mailbox.mails.push(None);
                mailbox.oldest_cursor = mailbox.mails.len();
            }
        }
        state.trouble = Some(fault.clone());
    }

    async fn lift(&self) {
        self.server.state().trouble = None;
        self.server.lifted.notify_waiters();
    }

    async fn stalled(&self) -> bool {
        self.server.state().stalled
    }

    fn patience(&self) -> Duration {
        match self.defect {
            // this one does hang
            Some(Defect::IgnoresDeadline) => Duration::from_millis(300),
            _ => Duration::from_secs(60),
        }
    }
}
