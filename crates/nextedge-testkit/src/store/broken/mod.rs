//! Stores that are broken on purpose: each does one thing wrong, so that a check can show that it
//! would see it.
//!
//! [`Broken`] wraps any store of a harness and passes every call on, but for its one [`Fault`].

mod config;
mod fault;
mod jobs;
mod mailboxes;
mod notes;
mod reads;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use nextedge_core::memory::MemoryStore;
use nextedge_core::store::{Scope, Store};
use nextedge_core::{Clock, ManualClock, TenantId, Timestamp};

use super::{MemoryHarness, StoreCapabilities, StoreHarness, Subject};
pub use fault::{Fault, Method};
use notes::Notes;

/// Makes in-memory stores with one fault.
#[derive(Clone, Copy, Debug)]
pub struct BrokenHarness {
    fault: Fault,
    sound: MemoryHarness,
}

impl BrokenHarness {
    /// Breaks the stores of the in-memory harness.
    pub fn new(sound: MemoryHarness, fault: Fault) -> Self {
        Self { fault, sound }
    }
}

#[async_trait]
impl StoreHarness for BrokenHarness {
    fn capabilities(&self) -> StoreCapabilities {
        self.sound.capabilities()
    }

    async fn fresh(&self, clock: Arc<ManualClock>) -> Box<dyn Subject> {
        let sound = self.sound.fresh(clock.clone()).await;
        Box::new(Broken::new(sound, clock, self.fault))
    }
}

/// A store that does one thing wrong.
#[derive(Debug)]
pub struct Broken {
    sound: Box<dyn Subject>,
    clock: Arc<ManualClock>,
    fault: Fault,
    notes: Mutex<Notes>,
}

impl Broken {
    /// Breaks a store that takes time from `clock`.
    pub fn new(sound: Box<dyn Subject>, clock: Arc<ManualClock>, fault: Fault) -> Self {
        Self {
            sound,
            clock,
            fault,
            notes: Mutex::default(),
        }
    }

    fn sound(&self) -> &dyn Store {
        self.sound.store()
    }

    fn is(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    /// The tenant that a method uses.
    fn tenant(&self, method: Method, told: &TenantId) -> TenantId {
        let mut notes = self.notes();
        let first = notes.first_tenant.get_or_insert_with(|| told.clone());
        if self.is(Fault::DropsTenant(method)) {
            first.clone()
        } else {
            told.clone()
        }
    }

    /// The scope that a method uses.
    fn scope(&self, method: Method, told: &Scope) -> Scope {
        if self.is(Fault::DropsTenant(method)) {
            Scope::All
        } else {
            told.clone()
        }
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

#[async_trait]
impl Subject for Broken {
    fn store(&self) -> &dyn Store {
        self
    }

    async fn restart(&mut self) {
        match self.fault {
            Fault::KeepsDeadLeases => {}
            Fault::ForgetsOnRestart => self.sound = Box::new(Empty::new(self.clock.clone())),
            Fault::EndsForeignLeases => self.end_leases().await,
            _ => self.sound.restart().await,
        }
    }

    async fn another(&self) -> Option<Box<dyn Subject>> {
        let clock = self.clock.clone();
        if self.is(Fault::KeepsProcessesApart) {
            return Some(Box::new(Empty::new(clock)));
        }
        let sound = self.sound.another().await?;
        Some(Box::new(Self::new(sound, clock, self.fault)))
    }
}

impl Broken {
    async fn end_leases(&self) {
        let held = self.notes().claims.clone();
        for claim in held {
            // a lease that is no longer held is no error
            let _ = self.sound().release(&claim.tenant, claim.lease).await;
        }
    }
}

/// What is left of a store that was not durable.
#[derive(Debug)]
struct Empty(MemoryStore);

impl Empty {
    fn new(clock: Arc<ManualClock>) -> Self {
        Self(MemoryStore::with_clock(clock))
    }
}

impl Subject for Empty {
    fn store(&self) -> &dyn Store {
        &self.0
    }
}
