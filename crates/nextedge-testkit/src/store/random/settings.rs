//! Random changes of settings: connections, mailboxes, policies, gates.

use std::time::Duration;

use nextedge_core::policy::{FieldMap, Policy};
use nextedge_core::store::{ConnectionStore, MailboxStore};
use nextedge_core::{ConnectionState, TenantId, later};

use super::drive::{Driver, both};
use crate::store::values::{connection_id, gate, mailbox_id};

impl Driver {
    pub(super) async fn mark_dirty(&mut self) {
        let tenant = self.tenant();
        let name = *self.rng.pick(&["in", "files", "more", "none"]);
        self.note(format!("dirty {name} of {tenant}"));
        let id = mailbox_id(name);
        let _ = both!(self, "mark dirty", s => s.mark_dirty(&tenant, &id));
    }

    pub(super) async fn change_gate(&mut self) {
        let tenant = self.tenant();
        let name = *self.rng.pick(&["src", "crm1", "crm2"]);
        if self.rng.percent(25) {
            self.note(format!("open gate {name} of {tenant}"));
            let id = connection_id(name);
            let _ = both!(self, "open gate", s => s.open_gate(&tenant, &id));
            return;
        }
        let wait = Duration::from_secs(self.rng.below(20));
        let gate = gate(name, later(self.now(), wait));
        self.note(format!("close gate of {tenant}: {gate:?}"));
        let _ = both!(self, "set gate", s => s.set_gate(&tenant, gate.clone()));
    }

    pub(super) async fn configure(&mut self) {
        let tenant = self.tenant();
        match self.rng.below(6) {
            0 => self.put_connection(&tenant).await,
            1 => self.put_mailbox(&tenant).await,
            2 => {
                let expected = self.rng.below(3);
                let _ = both!(self, "put policy", s => s.put_policy(&tenant, expected, Policy::default()));
            }
            3 => {
                let (id, expected) = (connection_id("crm1"), self.rng.below(3));
                let _ = both!(self, "put field map", s => {
                    s.put_field_map(&tenant, &id, expected, FieldMap::default())
                });
            }
            4 => {
                let count = self.rng.below(4);
                let _ = both!(self, "take turns", s => s.take_turns(&tenant, "sales", count));
            }
            _ => {
                let id = connection_id(self.name(&["src", "crm1", "crm2", "none"]));
                let state = if self.rng.percent(20) {
                    ConnectionState::Revoked
                } else {
                    ConnectionState::Connected
                };
                self.note(format!("{id} of {tenant} becomes {state:?}"));
                let _ = both!(self, "set state", s => s.set_connection_state(&tenant, &id, state));
            }
        }
    }

    async fn put_connection(&mut self, tenant: &TenantId) {
        let id = connection_id(self.name(&["src", "crm1"]));
        let stored = self.model.connection(tenant, &id).await.unwrap();
        let Some(mut connection) = stored else { return };
        connection.version += u64::from(self.rng.percent(20));
        connection.account = Some(format!("account {}", self.steps));
        let _ = both!(self, "put connection", s => s.put_connection(tenant, connection.clone()));
    }

    async fn put_mailbox(&mut self, tenant: &TenantId) {
        let id = mailbox_id(self.name(&["in", "files", "more"]));
        let stored = self.model.mailbox(tenant, &id).await.unwrap();
        let Some(mut mailbox) = stored else { return };
        mailbox.version += u64::from(self.rng.percent(20));
        mailbox.paused = self.rng.percent(10);
        if self.rng.percent(10) {
            mailbox.list_first = !mailbox.list_first;
        }
        mailbox.sync.run.pages = 77;
        self.note(format!(
            "{id} of {tenant}: paused {}, lists first {}",
            mailbox.paused, mailbox.list_first
        ));
        let _ = both!(self, "put mailbox", s => s.put_mailbox(tenant, mailbox.clone()));
    }
}
