//! Small helpers over rusqlite: cached statements, typed columns, versioned JSON.

use chrono::DateTime;
use nextedge_core::{
    ConnectionId, Fingerprint, LeaseToken, MailboxId, MessageUid, ProviderId, Result, ReviewId,
    TenantId, ThreadId, Timestamp,
};
use rusqlite::types::{FromSql, ValueRef};
use rusqlite::{Connection, Params, Row};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::{sql, stored};

/// Runs a statement and returns how many rows it changed.
pub(crate) fn exec(db: &Connection, text: &str, params: impl Params) -> Result<usize> {
    let mut statement = db.prepare_cached(text).map_err(sql)?;
    statement.execute(params).map_err(sql)
}

/// Returns the first row, if any.
pub(crate) fn one<T>(
    db: &Connection,
    text: &str,
    params: impl Params,
    read: impl FnOnce(&Row<'_>) -> Result<T>,
) -> Result<Option<T>> {
    let mut statement = db.prepare_cached(text).map_err(sql)?;
    let mut rows = statement.query(params).map_err(sql)?;
    match rows.next().map_err(sql)? {
        Some(row) => read(row).map(Some),
        None => Ok(None),
    }
}

/// Returns all rows.
pub(crate) fn all<T>(
    db: &Connection,
    text: &str,
    params: impl Params,
    mut read: impl FnMut(&Row<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let mut statement = db.prepare_cached(text).map_err(sql)?;
    let mut rows = statement.query(params).map_err(sql)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(sql)? {
        found.push(read(row)?);
    }
    Ok(found)
}

/// Columns as our types.
pub(crate) trait Columns {
    /// A column as a plain SQLite value.
    fn col<T: FromSql>(&self, index: usize) -> Result<T>;
    /// A column read as borrowed text.
    fn text(&self, index: usize) -> Result<&str>;

    /// A count or version.
    fn count(&self, index: usize) -> Result<u64> {
        let number: i64 = self.col(index)?;
        u64::try_from(number).map_err(|_| stored("count"))
    }

    /// A moment.
    fn moment(&self, index: usize) -> Result<Timestamp> {
        moment(self.col(index)?)
    }

    /// Versioned JSON.
    fn json<T: DeserializeOwned>(&self, index: usize) -> Result<T> {
        decode(self.text(index)?)
    }

    /// Versioned JSON or NULL.
    fn json_opt<T: DeserializeOwned>(&self, index: usize) -> Result<Option<T>> {
        let text: Option<String> = self.col(index)?;
        text.as_deref().map(decode).transpose()
    }

    /// Sixteen bytes.
    fn bytes16(&self, index: usize) -> Result<[u8; 16]> {
        self.col(index)
    }

    /// A message id.
    fn message(&self, index: usize) -> Result<MessageUid> {
        self.bytes16(index).map(MessageUid::from_bytes)
    }

    /// A thread id.
    fn thread(&self, index: usize) -> Result<ThreadId> {
        self.bytes16(index).map(ThreadId::from_bytes)
    }

    /// A tenant id.
    fn tenant(&self, index: usize) -> Result<TenantId> {
        TenantId::new(self.text(index)?)
    }

    /// A mailbox id.
    fn mailbox(&self, index: usize) -> Result<MailboxId> {
        MailboxId::new(self.text(index)?)
    }

    /// A connection id.
    fn connection(&self, index: usize) -> Result<ConnectionId> {
        ConnectionId::new(self.text(index)?)
    }

    /// A provider id.
    fn provider(&self, index: usize) -> Result<ProviderId> {
        ProviderId::new(self.text(index)?)
    }
}

impl Columns for Row<'_> {
    fn col<T: FromSql>(&self, index: usize) -> Result<T> {
        self.get(index).map_err(sql)
    }

    fn text(&self, index: usize) -> Result<&str> {
        match self.get_ref(index).map_err(sql)? {
            ValueRef::Text(text) => std::str::from_utf8(text).map_err(|_| stored("text")),
            _ => Err(stored("text")),
        }
    }
}

/// A moment as microseconds since 1970, the precision this store keeps.
pub(crate) fn micros(moment: Timestamp) -> i64 {
    moment.timestamp_micros()
}

/// The moment of stored microseconds.
pub(crate) fn moment(micros: i64) -> Result<Timestamp> {
    DateTime::from_timestamp_micros(micros).ok_or_else(|| stored("moment"))
}

/// A count or version as SQLite keeps it.
pub(crate) fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A list length or limit as SQLite keeps it.
pub(crate) fn limit(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The version of the stored JSON; a reader refuses any other.
const FORMAT: u32 = 1;

#[derive(Serialize)]
struct Written<'a, T> {
    v: u32,
    d: &'a T,
}

#[derive(Deserialize)]
struct Stored<T> {
    v: u32,
    d: T,
}

/// Writes a value as versioned JSON.
pub(crate) fn encode<T: Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(&Written {
        v: FORMAT,
        d: value,
    })
    .map_err(|error| stored("json").with_source(error))
}

/// Reads versioned JSON.
pub(crate) fn decode<T: DeserializeOwned>(text: &str) -> Result<T> {
    let stored_value: Stored<T> =
        serde_json::from_str(text).map_err(|error| stored("json").with_source(error))?;
    if stored_value.v != FORMAT {
        return Err(stored("json").with_context("format", stored_value.v));
    }
    Ok(stored_value.d)
}

/// The sixteen bytes of our hash ids as a statement's parameter.
pub(crate) trait IdBytes {
    /// The bytes.
    fn key(&self) -> &[u8];
}

macro_rules! id_bytes {
    ($($name:ty),*) => {
        $(impl IdBytes for $name {
            fn key(&self) -> &[u8] {
                self.as_bytes()
            }
        })*
    };
}

id_bytes!(MessageUid, ThreadId, ReviewId, LeaseToken, Fingerprint);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn another_json_format_is_refused() {
        assert_eq!(decode::<u8>(&encode(&7_u8).unwrap()).unwrap(), 7);
        assert!(decode::<u8>(r#"{"v":2,"d":7}"#).is_err());
        assert!(decode::<u8>("7").is_err());
    }

    #[test]
    fn the_latest_moment_fits() {
        assert!(moment(micros(Timestamp::MAX_UTC)).is_ok());
    }
}
