//! The one thread that writes: it takes what waits, runs each request under its own savepoint and
//! commits once for all.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use nextedge_core::failpoint::reached;
use nextedge_core::{Clock, Error, ErrorKind, Result};
use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::error::{closed, sql};
use crate::lock::StoreLock;
use crate::options::SqliteOptions;
use crate::raw_cache::{Fresh, RawCache};
use crate::tx::Tx;

/// Sends requests to the writer thread; dropping it ends the thread after the requests that wait.
#[derive(Debug)]
pub(crate) struct Writer {
    queue: Option<Sender<Queued>>,
    room: Arc<Semaphore>,
    thread: Option<JoinHandle<()>>,
    commits: Arc<AtomicU64>,
}

impl Writer {
    /// Starts the thread on a connection; the lock is freed when the thread has ended.
    pub(crate) fn start(
        db: Connection,
        lock: Option<StoreLock>,
        options: &SqliteOptions,
        raws: Arc<RawCache>,
    ) -> Result<Self> {
        let (queue, requests) = channel();
        let commits = Arc::new(AtomicU64::new(0));
        let group = Group {
            db,
            clock: Arc::clone(&options.clock),
            raws,
            commits: Arc::clone(&commits),
            most: options.group_requests,
            wait: options.group_wait,
            _lock: lock,
        };
        let thread = std::thread::Builder::new()
            .name("nextedge-sqlite".to_owned())
            .spawn(move || group.serve(&requests))
            .map_err(|error| {
                Error::new(ErrorKind::Unavailable, "the writer thread cannot start")
                    .with_operation("sqlite.open")
                    .with_source(error)
            })?;
        Ok(Self {
            queue: Some(queue),
            room: Arc::new(Semaphore::new(options.max_queue)),
            thread: Some(thread),
            commits,
        })
    }

    /// Runs work in the next transaction; returns after its commit.
    ///
    /// A caller that goes away before its work began takes it back.
    pub(crate) async fn run<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx<'_>) -> Result<T> + Send + 'static,
    {
        let room = Arc::clone(&self.room);
        let room = room.acquire_owned().await.map_err(|_| closed())?;
        let (reply, answer) = oneshot::channel();
        let request = Box::new(Pending {
            work: Some(work),
            done: None,
            reply,
        });
        let queue = self.queue.as_ref().ok_or_else(closed)?;
        let queued = Queued {
            request,
            _room: room,
        };
        queue.send(queued).map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }

    /// Returns the number of transactions that changed something.
    pub(crate) fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }
}

impl Drop for Writer {
    /// Waits for the requests under way, so that the file can be opened again at once.
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the writer thread of the store panicked");
        }
    }
}

struct Queued {
    request: Box<dyn Request>,
    _room: OwnedSemaphorePermit,
}

/// One caller's work: run inside a transaction, answered after its commit.
trait Request: Send {
    fn is_abandoned(&self) -> bool;
    fn run(&mut self, tx: &mut Tx<'_>) -> Ran;
    fn answer(self: Box<Self>, committed: Result<()>);
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ran {
    Done,
    Failed,
}

struct Pending<T, F> {
    work: Option<F>,
    done: Option<Result<T>>,
    reply: oneshot::Sender<Result<T>>,
}

impl<T, F> Request for Pending<T, F>
where
    T: Send,
    F: FnOnce(&mut Tx<'_>) -> Result<T> + Send,
{
    fn is_abandoned(&self) -> bool {
        self.reply.is_closed()
    }

    fn run(&mut self, tx: &mut Tx<'_>) -> Ran {
        let Some(work) = self.work.take() else {
            return Ran::Failed;
        };
        let done = work(tx).and_then(|value| tx.finish().map(|()| value));
        let ran = if done.is_ok() { Ran::Done } else { Ran::Failed };
        self.done = Some(done);
        ran
    }

    fn answer(self: Box<Self>, committed: Result<()>) {
        let answer = match (self.done, committed) {
            (Some(Err(error)), _) | (Some(Ok(_)) | None, Err(error)) => Err(error),
            (Some(Ok(value)), Ok(())) => Ok(value),
            (None, Ok(())) => Err(closed()),
        };
        // The caller may have gone away; its work is committed all the same.
        let _gone = self.reply.send(answer);
    }
}

struct Group {
    db: Connection,
    clock: Arc<dyn Clock>,
    raws: Arc<RawCache>,
    commits: Arc<AtomicU64>,
    most: usize,
    wait: Duration,
    _lock: Option<StoreLock>,
}

impl Group {
    fn serve(mut self, requests: &Receiver<Queued>) {
        while let Ok(first) = requests.recv() {
            self.one_group(first, requests);
        }
        if let Err(error) = self.db.execute_batch("PRAGMA optimize") {
            tracing::debug!(%error, "the database was not optimised");
        }
    }

    fn one_group(&mut self, first: Queued, requests: &Receiver<Queued>) {
        if let Err(error) = self.db.execute_batch("BEGIN IMMEDIATE") {
            first.request.answer(Err(sql(error)));
            return;
        }
        let before = self.db.total_changes();
        let mut ran = Vec::new();
        let mut fresh = Vec::new();
        let mut next = Some(first);
        let mut broken = None;
        while let Some(mut queued) = next.take() {
            if !queued.request.is_abandoned() {
                let guard = Guard::of(&ran);
                let request = queued.request.as_mut();
                broken = self.one_request(request, guard, &mut fresh).err();
                ran.push(queued);
            }
            if broken.is_none() {
                next = self.next(ran.len(), requests);
            }
        }
        let end = match broken {
            Some(error) => Err(error),
            None => {
                reached("sqlite.before_commit");
                self.db.execute_batch("COMMIT").map_err(sql)
            }
        };
        reached("sqlite.committed");
        self.settle(end, before, ran, fresh);
    }

    /// Runs one request; fails only if the whole transaction is lost.
    fn one_request(
        &mut self,
        request: &mut dyn Request,
        guard: Guard,
        fresh: &mut Vec<Fresh>,
    ) -> Result<()> {
        self.db.execute_batch(guard.begin()).map_err(sql)?;
        let mut tx = Tx::new(&self.db, self.clock.now());
        match request.run(&mut tx) {
            Ran::Done => {
                fresh.append(&mut tx.fresh);
                self.db.execute_batch(guard.keep()).map_err(sql)
            }
            Ran::Failed if self.db.is_autocommit() => Err(lost()),
            Ran::Failed => self.db.execute_batch(guard.undo()).map_err(sql),
        }
    }

    fn next(&self, ran: usize, requests: &Receiver<Queued>) -> Option<Queued> {
        if ran >= self.most {
            return None;
        }
        match requests.try_recv() {
            Ok(queued) => Some(queued),
            Err(TryRecvError::Disconnected) => None,
            Err(TryRecvError::Empty) if self.wait.is_zero() => None,
            Err(TryRecvError::Empty) => requests.recv_timeout(self.wait).ok(),
        }
    }

    fn settle(&mut self, end: Result<()>, before: u64, ran: Vec<Queued>, fresh: Vec<Fresh>) {
        if let Err(error) = end {
            if !self.db.is_autocommit()
                && let Err(error) = self.db.execute_batch("ROLLBACK")
            {
                tracing::error!(%error, "a transaction could not be rolled back");
            }
            for queued in ran {
                queued.request.answer(Err(copy(&error)));
            }
            return;
        }
        if self.db.total_changes() != before {
            self.commits.fetch_add(1, Ordering::Relaxed);
        }
        self.raws.keep(fresh);
        for queued in ran {
            queued.request.answer(Ok(()));
        }
    }
}

/// How a failed request is undone alone.
#[derive(Clone, Copy)]
enum Guard {
    /// Nothing ran before it: the transaction itself can be begun again. Savepoints cost a copy of
    /// every page they touch.
    Transaction,
    Savepoint,
}

impl Guard {
    fn of(ran: &[Queued]) -> Self {
        if ran.is_empty() {
            Self::Transaction
        } else {
            Self::Savepoint
        }
    }

    fn begin(self) -> &'static str {
        match self {
            Self::Transaction => "",
            Self::Savepoint => "SAVEPOINT request",
        }
    }

    fn keep(self) -> &'static str {
        match self {
            Self::Transaction => "",
            Self::Savepoint => "RELEASE request",
        }
    }

    fn undo(self) -> &'static str {
        match self {
            Self::Transaction => "ROLLBACK; BEGIN IMMEDIATE",
            Self::Savepoint => "ROLLBACK TO request; RELEASE request",
        }
    }
}

/// SQLite gave the whole transaction up, as it may when the disk is full.
fn lost() -> Error {
    Error::new(
        ErrorKind::StoreFull,
        "the transaction was given up by the database",
    )
    .with_operation("sqlite")
    .with_action("free disk space and memory")
}

/// Every request of a lost transaction gets its own copy of the failure.
fn copy(error: &Error) -> Error {
    Error::new(error.kind(), error.message().to_owned())
        .with_operation("sqlite.commit")
        .with_retry(error.retry())
        .with_action(error.action().unwrap_or_default().to_owned())
}
