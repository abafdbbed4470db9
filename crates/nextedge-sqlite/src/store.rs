//! The store: one writer, some readers.

use std::path::Path;
use std::sync::Arc;

use nextedge_core::failpoint::reached;
use nextedge_core::{Clock, Result, Timestamp};
use rusqlite::Connection;

use crate::claims;
use crate::error::sql;
use crate::lock::{self, StoreLock};
use crate::open;
use crate::options::SqliteOptions;
use crate::raw_cache::RawCache;
use crate::reader::Readers;
use crate::tx::Tx;
use crate::writer::Writer;

/// Keeps everything in one SQLite file.
///
/// Calls may come from any number of tasks; they need a tokio runtime and never block it. Dropping
/// the store waits for the writes under way and frees the file.
#[derive(Debug)]
pub struct SqliteStore {
    // Before the writer, so that its read connections are closed first.
    readers: Option<Arc<Readers>>,
    writer: Writer,
    raws: Arc<RawCache>,
    clock: Arc<dyn Clock>,
}

impl SqliteStore {
    /// Opens the file, or makes it; brings its schema up to date and ends what a dead owner held.
    ///
    /// This call blocks, usually for a few milliseconds: call it before the runtime is busy, or in
    /// `spawn_blocking`. Work that the dead owner had started is next handed out as
    /// `outcome_unknown`, without waiting for its leases.
    ///
    /// # Errors
    ///
    /// `AlreadyRunning` if another store has the file open; `Config` if the path is wrong, the file
    /// is another program's, or was written by a newer version; `StoreFull` if it cannot be written.
    pub fn open(path: impl AsRef<Path>, options: SqliteOptions) -> Result<Self> {
        let path = lock::resolved(path.as_ref())?;
        let lock = StoreLock::take(&path)?;
        let db = open::writer(&path, &options)?;
        reached("sqlite.before_recovery");
        recover(&db, &options)?;
        reached("sqlite.recovered");
        let readers = Arc::new(Readers::open(&path, &options)?);
        Self::start(db, Some(lock), Some(readers), options)
    }

    /// Opens a store that lives in memory and is gone when dropped, for tests; it reads and writes
    /// one after the other.
    ///
    /// # Errors
    ///
    /// `Unavailable` if the writer thread cannot start.
    pub fn open_in_memory(options: SqliteOptions) -> Result<Self> {
        let db = open::in_memory(&options)?;
        Self::start(db, None, None, options)
    }

    /// Returns how many transactions changed something since the store was opened; a group of
    /// requests counts once.
    pub fn commits(&self) -> u64 {
        self.writer.commits()
    }

    #[allow(clippy::needless_pass_by_value)] // the clock moves into the store
    fn start(
        db: Connection,
        lock: Option<StoreLock>,
        readers: Option<Arc<Readers>>,
        options: SqliteOptions,
    ) -> Result<Self> {
        let raws = Arc::new(RawCache::new(options.raw_cache_bytes));
        Ok(Self {
            readers,
            writer: Writer::start(db, lock, &options, Arc::clone(&raws))?,
            raws,
            clock: options.clock,
        })
    }

    pub(crate) async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx<'_>) -> Result<T> + Send + 'static,
    {
        self.writer.run(work).await
    }

    pub(crate) async fn read<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        match &self.readers {
            Some(readers) => readers.run(work).await,
            None => self.writer.run(move |tx| work(tx.db)).await,
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn raws(&self) -> &RawCache {
        &self.raws
    }
}

/// Ends every lease: the lock proves that their owner is gone.
fn recover(db: &Connection, options: &SqliteOptions) -> Result<()> {
    let transaction = db.unchecked_transaction().map_err(sql)?;
    let mut tx = Tx::new(&transaction, options.clock.now());
    claims::end_all(&mut tx)?;
    tx.finish()?;
    transaction.commit().map_err(sql)
}
