//! Opening: lock, connections, schema.

use std::path::Path;

use nextedge_core::{Error, ErrorKind, Result};
use rusqlite::{Connection, OpenFlags};

use crate::db::{Columns, one};
use crate::error::sql;
use crate::options::SqliteOptions;

mod migrations {
    refinery::embed_migrations!("migrations");
}

/// Prepared statements kept by each connection; the store has fewer than this.
const STATEMENTS: usize = 256;

/// Opens the connection that writes, and brings the schema up to date.
pub(crate) fn writer(path: &Path, options: &SqliteOptions) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags).map_err(sql)?;
    prepare_writer(db, options)
}

/// Opens a database that lives as long as the store.
pub(crate) fn in_memory(options: &SqliteOptions) -> Result<Connection> {
    prepare_writer(Connection::open_in_memory().map_err(sql)?, options)
}

/// Opens a connection that only reads.
pub(crate) fn reader(path: &Path, options: &SqliteOptions) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags).map_err(sql)?;
    common(&db, options, options.cache_kib / 4)?;
    db.pragma_update(None, "query_only", true).map_err(sql)?;
    Ok(db)
}

fn common(db: &Connection, options: &SqliteOptions, cache_kib: u32) -> Result<()> {
    db.busy_timeout(options.busy_timeout).map_err(sql)?;
    db.set_prepared_statement_cache_capacity(STATEMENTS);
    db.pragma_update(None, "cache_size", -i64::from(cache_kib))
        .map_err(sql)
}

fn prepare_writer(mut db: Connection, options: &SqliteOptions) -> Result<Connection> {
    common(&db, options, options.cache_kib)?;
    take_file(&db)?;
    db.pragma_update(None, "journal_mode", "WAL").map_err(sql)?;
    db.pragma_update(None, "synchronous", "FULL").map_err(sql)?;
    // What a savepoint may undo stays in memory: it is bounded by the requests of one group.
    db.pragma_update(None, "temp_store", "MEMORY")
        .map_err(sql)?;
    db.pragma_update(None, "wal_autocheckpoint", options.checkpoint_pages)
        .map_err(sql)?;
    if let Some(pages) = options.max_pages {
        db.pragma_update(None, "max_page_count", pages)
            .map_err(sql)?;
    }
    migrate(&mut db)?;
    Ok(db)
}

/// Marks a new file as ours before it gets its first table, so that it is known again if this process
/// ends while the schema is made; refuses a file that another program made, and leaves it alone.
fn take_file(db: &Connection) -> Result<()> {
    let tables: Option<i64> = one(db, "SELECT count(*) FROM sqlite_schema", [], |row| {
        row.col(0)
    })?;
    let ours: Option<i64> = one(db, "PRAGMA application_id", [], |row| row.col(0))?;
    if ours == Some(APPLICATION_ID) {
        return Ok(());
    }
    if tables == Some(0) {
        let mark = db.pragma_update(None, "application_id", APPLICATION_ID);
        return mark.map_err(sql);
    }
    Err(
        Error::new(ErrorKind::Config, "the file is another program's database")
            .with_operation("sqlite.open")
            .with_action("name a new file, or the file this library made"),
    )
}

/// Stands in the file's header, so that tools know whose it is.
const APPLICATION_ID: i64 = 0x4E45_4447;

fn migrate(db: &mut Connection) -> Result<()> {
    // one transaction for the statements and the note that they ran: a kill between the two would leave
    // a file that can never be opened again
    let runner = migrations::migrations::runner().set_grouped(true);
    let known = runner
        .get_migrations()
        .iter()
        .map(|migration| i64::from(migration.version()))
        .max();
    let has_history: Option<i64> = one(
        db,
        "SELECT count(*) FROM sqlite_schema WHERE name = 'refinery_schema_history'",
        [],
        |row| row.col(0),
    )?;
    if has_history == Some(1) {
        let present: Option<i64> = one(
            db,
            "SELECT max(version) FROM refinery_schema_history",
            [],
            |row| row.col::<Option<i64>>(0),
        )?
        .flatten();
        if present > known {
            return Err(newer(
                present.unwrap_or_default(),
                known.unwrap_or_default(),
            ));
        }
    }
    runner.run(db).map(|_| ()).map_err(|error| {
        Error::new(
            ErrorKind::Unexpected,
            "the schema could not be brought up to date",
        )
        .with_operation("sqlite.migrate")
        .with_action("restore the file from a backup, or use the version that wrote it")
        .with_source(error)
    })
}

fn newer(present: i64, known: i64) -> Error {
    Error::new(
        ErrorKind::Config,
        "the database was written by a newer version of this library",
    )
    .with_operation("sqlite.migrate")
    .with_context("schema", present)
    .with_context("known", known)
    .with_action("update this program; the file was not changed")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_schema_is_made_and_noted_together_or_not_at_all() {
        let mut db = Connection::open_in_memory().unwrap();
        db.execute_batch(
            "CREATE TABLE refinery_schema_history (version INT4 PRIMARY KEY, name VARCHAR(255),
                 applied_on VARCHAR(255), checksum VARCHAR(255));
             CREATE TRIGGER cut BEFORE INSERT ON refinery_schema_history
                 BEGIN SELECT RAISE(ABORT, 'ended here'); END;",
        )
        .unwrap();
        assert!(migrate(&mut db).is_err());
        db.execute_batch("DROP TRIGGER cut").unwrap();
        migrate(&mut db).unwrap();
    }

    #[test]
    fn a_file_whose_schema_was_never_finished_is_ours() {
        let db = Connection::open_in_memory().unwrap();
        take_file(&db).unwrap();
        // how far a process came that was killed at its first start
        db.execute_batch("CREATE TABLE refinery_schema_history (version INTEGER)")
            .unwrap();
        assert!(take_file(&db).is_ok());
        let other = Connection::open_in_memory().unwrap();
        other.execute_batch("CREATE TABLE theirs (a)").unwrap();
        assert_eq!(take_file(&other).unwrap_err().kind(), ErrorKind::Config);
    }
}
