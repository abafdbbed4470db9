//! What one write request works with: the open transaction, the moment, and what to settle at its
//! end.

use std::collections::BTreeMap;

use bytes::Bytes;
use nextedge_core::{MessageUid, OutcomeKind, Result, TenantId, Timestamp};
use rusqlite::{Connection, params};

use crate::db::{Columns, exec, micros, one};
use crate::outcome::code;
use crate::raw_cache::Fresh;

/// One request inside the writer's transaction.
pub(crate) struct Tx<'a> {
    /// The connection, inside a savepoint.
    pub(crate) db: &'a Connection,
    /// The moment the request began.
    pub(crate) now: Timestamp,
    /// Raw mail that enters the cache if the transaction commits.
    pub(crate) fresh: Vec<Fresh>,
    counts: BTreeMap<(i64, String, i64), i64>,
    backlog: BTreeMap<(i64, Place, i64), i64>,
    listing: BTreeMap<(i64, String), bool>,
}

impl<'a> Tx<'a> {
    pub(crate) fn new(db: &'a Connection, now: Timestamp) -> Self {
        Self {
            db,
            now,
            fresh: Vec::new(),
            counts: BTreeMap::new(),
            backlog: BTreeMap::new(),
            listing: BTreeMap::new(),
        }
    }

    /// The moment as stored.
    pub(crate) fn now_micros(&self) -> i64 {
        micros(self.now)
    }

    /// Returns the number of a tenant, and gives it one if it is new.
    pub(crate) fn tenant(&self, tenant: &TenantId) -> Result<i64> {
        if let Some(known) = tenant_number(self.db, tenant)? {
            return Ok(known);
        }
        exec(
            self.db,
            "INSERT INTO tenant (name) VALUES (?1)",
            params![tenant.as_str()],
        )?;
        Ok(self.db.last_insert_rowid())
    }

    /// Takes a message into the raw cache once it is committed.
    pub(crate) fn cache_raw(&mut self, tenant: i64, message: MessageUid, raw: Bytes) {
        self.fresh.push(Fresh {
            key: (tenant, message),
            raw,
        });
    }

    /// Counts a message in or out of a state; written once at the end of the request.
    pub(crate) fn count(&mut self, tenant: i64, mailbox: &str, kind: OutcomeKind, by: i64) {
        let key = (tenant, mailbox.to_owned(), code(kind));
        *self.counts.entry(key).or_default() += by;
    }

    /// Counts an item of a kind of work in or out; written once at the end of the request.
    pub(crate) fn count_work(&mut self, tenant: i64, place: Place, state: i64, by: i64) {
        *self.backlog.entry((tenant, place, state)).or_default() += by;
    }

    /// Whether processing of a mailbox waits for first listings of its tenant to end.
    pub(crate) fn is_listing(&mut self, tenant: i64, mailbox: &str) -> Result<bool> {
        let key = (tenant, mailbox.to_owned());
        if let Some(listing) = self.listing.get(&key) {
            return Ok(*listing);
        }
        let listing = one(
            self.db,
            "SELECT listing > 0 AND EXISTS (SELECT 1 FROM mailbox WHERE tenant = ?1 AND listing = 1)
             FROM mailbox WHERE tenant = ?1 AND id = ?2",
            params![tenant, mailbox],
            |row| row.col(0),
        )?;
        let listing = listing.unwrap_or(false);
        self.listing.insert(key, listing);
        Ok(listing)
    }

    /// Forgets what was read about listings, after a change.
    pub(crate) fn forget_listing(&mut self) {
        self.listing.clear();
    }

    /// Writes what was gathered during the request.
    pub(crate) fn finish(&mut self) -> Result<()> {
        for ((tenant, mailbox, kind), by) in std::mem::take(&mut self.counts) {
            if by != 0 {
                exec(
                    self.db,
                    "INSERT INTO tally (tenant, mailbox, outcome, messages) VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT DO UPDATE SET messages = messages + excluded.messages",
                    params![tenant, mailbox, kind, by],
                )?;
            }
        }
        for ((tenant, place, state), by) in std::mem::take(&mut self.backlog) {
            if by != 0 {
                let (kind, place) = place.parts();
                exec(
                    self.db,
                    "INSERT INTO backlog (tenant, kind, place, state, items) VALUES (?1, ?2, ?3, ?4, ?5)
                     ON CONFLICT DO UPDATE SET items = items + excluded.items",
                    params![tenant, kind, place, state, by],
                )?;
            }
        }
        Ok(())
    }
}

/// A kind of work and where it is done.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// Raw bytes of a mailbox.
    Fetch(String),
    /// Decisions over a mailbox.
    Process(String),
    /// Deliveries to a connection.
    Deliver(String),
}

impl Place {
    /// As stored.
    fn parts(&self) -> (i64, &str) {
        match self {
            Self::Fetch(mailbox) => (0, mailbox),
            Self::Process(mailbox) => (1, mailbox),
            Self::Deliver(connection) => (2, connection),
        }
    }
}

/// Returns the store's number of a tenant, if it ever wrote something.
pub(crate) fn tenant_number(db: &Connection, tenant: &TenantId) -> Result<Option<i64>> {
    one(
        db,
        "SELECT id FROM tenant WHERE name = ?1",
        params![tenant.as_str()],
        |row| row.col(0),
    )
}
