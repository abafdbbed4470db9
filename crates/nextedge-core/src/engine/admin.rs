//! Connecting accounts and changing configuration at run time.

use std::sync::Arc;

use super::Engine;
use crate::context::{Connection, ConnectionRole};
use crate::domain::{ConnectionId, MailboxId, MessageUid, TenantId};
use crate::error::{Error, ErrorKind, Result};
use crate::policy::{FieldMap, Policy, preflight, validate};
use crate::store::Mailbox;

impl Engine {
    /// Checks a source connection at its vendor and puts it; one that exists is brought up to date.
    ///
    /// # Errors
    ///
    /// Those of the source's `check`; `Conflict` if another version is stored.
    pub async fn connect_source(
        &self,
        tenant: &TenantId,
        connection: Connection,
    ) -> Result<Connection> {
        let connection = with_role(connection, ConnectionRole::Source)?;
        let connection = self.present(tenant, connection).await?;
        let source = self.deps.source(&connection.vendor)?;
        let cx = self.deps.call_context(tenant, Arc::new(connection.clone()));
        let checked = source.check(&cx).await;
        self.deps
            .store
            .append_calls(tenant, &connection.id, cx.take_calls())
            .await?;
        checked?;
        self.deps.store.put_connection(tenant, connection).await
    }

    /// Checks a sink connection at its vendor, checks its field map against the account, puts both;
    /// one that exists is brought up to date and keeps its account.
    ///
    /// Without a `map`, a map that was put earlier stays, and a new connection gets the sink's
    /// default for the account.
    ///
    /// # Errors
    ///
    /// Those of the sink's `check` and `describe`; [`ErrorKind::Config`] with every fault of the
    /// map; `Conflict` if another account or version is stored.
    pub async fn connect_sink(
        &self,
        tenant: &TenantId,
        connection: Connection,
        map: Option<FieldMap>,
    ) -> Result<Connection> {
        let connection = with_role(connection, ConnectionRole::Sink)?;
        let mut connection = self.present(tenant, connection).await?;
        let sink = self.deps.sink(&connection.vendor)?;
        let cx = self.deps.call_context(tenant, Arc::new(connection.clone()));
        let asked = async { Ok((sink.check(&cx).await?, sink.describe(&cx).await?)) }.await;
        self.deps
            .store
            .append_calls(tenant, &connection.id, cx.take_calls())
            .await?;
        let (account, description) = asked?;
        if connection
            .account
            .as_ref()
            .is_some_and(|known| *known != account)
        {
            return Err(Error::new(ErrorKind::Conflict, "another account answered")
                .with_context("connection", &connection.id)
                .with_action("connect the account this connection was made for, or a new one"));
        }
        connection.account = Some(account);
        let id = connection.id.clone();
        let stored = self.deps.store.field_map(tenant, &id).await?;
        let version = stored.as_ref().map_or(0, |row| row.version);
        let wanted = map.or_else(|| stored.is_none().then(|| description.default_map.clone()));
        if let Some(wanted) = wanted {
            let checked =
                preflight(&wanted, &description).map_err(|faults| refused(&id, &faults))?;
            self.deps
                .store
                .put_field_map(tenant, &id, version, checked)
                .await?;
        }
        self.deps.store.put_connection(tenant, connection).await
    }

    /// Puts a mailbox of a source connection; it is read from now on. One that exists keeps how far
    /// it was read.
    ///
    /// # Errors
    ///
    /// `NotFound` without its connection; `Conflict` if another version is stored.
    pub async fn add_mailbox(&self, tenant: &TenantId, mut mailbox: Mailbox) -> Result<Mailbox> {
        let connection = self.deps.connection(tenant, &mailbox.connection).await?;
        let source = self.deps.source(&connection.vendor)?;
        mailbox.list_first |= source.capabilities().finite;
        if mailbox.version == 0
            && let Some(known) = self.deps.store.mailbox(tenant, &mailbox.id).await?
        {
            mailbox.version = known.version;
        }
        let mailbox = self.deps.store.put_mailbox(tenant, mailbox).await?;
        self.notify(tenant, &mailbox.id).await?;
        Ok(mailbox)
    }

    /// Has a mailbox asked for changes at once instead of at its next poll.
    ///
    /// For push notifications: a hint that carries no progress, so that a lost, late or doubled one
    /// does no harm. Many for one mailbox cost one look once it is being read.
    ///
    /// # Errors
    ///
    /// `NotFound` without the mailbox.
    pub async fn notify(&self, tenant: &TenantId, mailbox: &MailboxId) -> Result<()> {
        self.deps.store.mark_dirty(tenant, mailbox).await?;
        self.deps.wake();
        Ok(())
    }

    /// Takes over the version and account of a stored connection, unless the caller names a version.
    async fn present(&self, tenant: &TenantId, connection: Connection) -> Result<Connection> {
        if connection.version > 0 {
            return Ok(connection);
        }
        let known = self.deps.store.connection(tenant, &connection.id).await?;
        Ok(match known {
            Some(known) => Connection {
                version: known.version,
                account: connection.account.or(known.account),
                ..connection
            },
            None => connection,
        })
    }

    /// Validates a policy and puts it over the present version; used from the next batch on.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] naming the field; `Conflict` if somebody else changed it meanwhile.
    pub async fn put_policy(&self, tenant: &TenantId, policy: Policy) -> Result<u64> {
        validate(&policy)?;
        let present = self.deps.store.policy(tenant).await?.version;
        self.deps.store.put_policy(tenant, present, policy).await
    }

    /// Makes dead or parked messages pending again; at most 10 without a [`Confirm`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`] if more than 10 are named and `confirm` does not name their number.
    pub async fn requeue(
        &self,
        tenant: &TenantId,
        messages: &[MessageUid],
        confirm: Option<Confirm>,
    ) -> Result<u64> {
        if messages.len() > FREE_REQUEUE && confirm != Some(Confirm(messages.len() as u64)) {
            return Err(
                Error::new(ErrorKind::Invalid, "a bulk call needs its count confirmed")
                    .with_operation("engine.requeue")
                    .with_context("count", messages.len())
                    .with_action("repeat the call with Confirm naming this count"),
            );
        }
        let count = self.deps.store.requeue(tenant, messages).await?;
        self.deps.wake();
        Ok(count)
    }
}

/// Confirms a bulk call by naming how many items it concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)] // a number and nothing else
pub struct Confirm(pub u64);

fn with_role(connection: Connection, role: ConnectionRole) -> Result<Connection> {
    if connection.role == role {
        return Ok(connection);
    }
    Err(
        Error::new(ErrorKind::Invalid, "connection has the other role")
            .with_context("connection", &connection.id),
    )
}

fn refused(connection: &ConnectionId, faults: &[crate::policy::Fault]) -> Error {
    let list: Vec<String> = faults.iter().map(ToString::to_string).collect();
    Error::new(ErrorKind::Config, "field map does not fit the account")
        .with_operation("engine.connect_sink")
        .with_context("connection", connection)
        .with_context("faults", list.join("; "))
        .with_action("correct the named fields of the map")
}

/// Messages that may be requeued without confirmation.
const FREE_REQUEUE: usize = 10;
