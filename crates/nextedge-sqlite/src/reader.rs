//! A small pool of connections that only read, each call in one snapshot.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use nextedge_core::Result;
use rusqlite::Connection;
use tokio::sync::Semaphore;

use crate::error::{closed, sql};
use crate::open;
use crate::options::SqliteOptions;

/// Read connections; a read takes one and runs on tokio's blocking threads.
#[derive(Debug)]
pub(crate) struct Readers {
    idle: Mutex<Vec<Connection>>,
    free: Arc<Semaphore>,
}

impl Readers {
    pub(crate) fn open(path: &Path, options: &SqliteOptions) -> Result<Self> {
        let idle = (0..options.readers)
            .map(|_| open::reader(path, options))
            .collect::<Result<Vec<_>>>()?;
        Ok(Self {
            idle: Mutex::new(idle),
            free: Arc::new(Semaphore::new(options.readers)),
        })
    }

    pub(crate) async fn run<T, F>(self: &Arc<Self>, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        let permit = Arc::clone(&self.free).acquire_owned().await;
        let permit = permit.map_err(|_| closed())?;
        let pool = Arc::clone(self);
        let read = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let db = pool.take().ok_or_else(closed)?;
            let answer = snapshot(&db, work);
            pool.give_back(db);
            answer
        });
        read.await.map_err(|error| closed().with_source(error))?
    }

    fn take(&self) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.pop()
    }

    fn give_back(&self, db: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push(db);
    }
}

fn snapshot<T>(db: &Connection, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
    let transaction = db.unchecked_transaction().map_err(sql)?;
    work(&transaction)
}
