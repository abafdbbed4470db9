//! What an operator sees: per mailbox, sink and kind of work, what is done, what waits and why.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::Engine;
use super::rate::{Pace, Rates};
use crate::clock::Timestamp;
use crate::context::{Connection, ConnectionRole, ConnectionState};
use crate::domain::{ConnectionId, MailboxId, MessageUid, TenantId};
use crate::error::{ErrorReport, Result};
use crate::store::{
    Counts, Gate, JobKind, LaneCounts, Listed, Mailbox, MailboxWork, Phase, SinkWork, SyncRun,
};

/// The state of one tenant.
#[derive(Clone, Debug, Serialize)]
#[allow(clippy::exhaustive_structs)] // plain data
pub struct Status {
    /// Whose.
    pub tenant: TenantId,
    /// When it was read.
    pub at: Timestamp,
    /// All sightings by outcome.
    pub counts: Counts,
    /// How far all mailboxes together are.
    pub progress: Progress,
    /// Each mailbox, the first [`Status::MAX_MAILBOXES`] in id order.
    pub mailboxes: Vec<MailboxStatus>,
    /// Each sink.
    pub sinks: Vec<SinkStatus>,
}

impl Status {
    /// Mailboxes that are listed; the counts are complete.
    pub const MAX_MAILBOXES: usize = 1000;
}

/// How far some work is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[allow(clippy::exhaustive_structs)] // plain data
pub struct Progress {
    /// Items known so far; a listing may show more.
    pub total: u64,
    /// Items that are no longer pending, whatever became of them.
    pub done: u64,
    /// Items that wait.
    pub pending: u64,
    /// Items that were given up.
    pub failed: u64,
    /// Share of the items that is done, 0 to 100, rounded down; 100 if there are none.
    pub percent: u8,
    /// Items done a second by this engine over the last minute.
    pub rate: f64,
    /// Seconds until nothing is pending at this rate; none if nothing moves.
    pub remaining_seconds: Option<u64>,
}

impl Progress {
    fn new(total: u64, pending: u64, failed: u64, rate: f64) -> Self {
        let done = total.saturating_sub(pending);
        let percent = (done * 100).checked_div(total).unwrap_or(100);
        let remaining_seconds = match pending {
            0 => Some(0),
            _ if rate > 0.0 => Some((pending as f64 / rate).ceil() as u64),
            _ => None,
        };
        Self {
            total,
            done,
            pending,
            failed,
            percent: u8::try_from(percent).unwrap_or(100),
            rate: (rate * 10.0).round() / 10.0,
            remaining_seconds,
        }
    }

    fn of(counts: &Counts, rate: f64) -> Self {
        Self::new(counts.total(), counts.pending, counts.dead, rate)
    }
}

/// How far one kind of work is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[allow(clippy::exhaustive_structs)] // plain data
pub struct JobStatus {
    /// Which kind.
    pub kind: JobKind,
    /// How far it is; `failed` is told by mailbox and sink, not by fetch and process.
    pub progress: Progress,
}

/// The state of one mailbox.
#[derive(Clone, Debug, Serialize)]
#[allow(clippy::exhaustive_structs)] // plain data
pub struct MailboxStatus {
    /// Which.
    pub mailbox: MailboxId,
    /// Its source connection.
    pub connection: ConnectionId,
    /// Whether that connection is used.
    pub state: ConnectionState,
    /// A person switched the mailbox off.
    pub switched_off: bool,
    /// It is read once, as files are; it does not become stale.
    pub once: bool,
    /// Until when its connection pauses, and why.
    pub paused: Option<(Timestamp, ErrorReport)>,
    /// Its sightings by outcome.
    pub counts: Counts,
    /// How far it is.
    pub progress: Progress,
    /// Fetch and process; deliver is told by sink.
    pub jobs: Vec<JobStatus>,
    /// What is being done.
    pub phase: Phase,
    /// When it was last proven complete; none while the first listing goes on.
    pub complete_at: Option<Timestamp>,
    /// Seconds since then.
    pub fresh_seconds: Option<i64>,
    /// The present or last run.
    pub run: SyncRun,
    /// Runs that failed since the last one that ended well.
    pub failed_runs: u64,
    /// When the first of these started.
    pub failing_since: Option<Timestamp>,
    /// What the last two complete listings showed.
    pub listed: Option<Listed>,
    /// The latest error: of the run if it failed, else of a message.
    pub last_error: Option<LastError>,
}

/// The latest error of a place.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(clippy::exhaustive_structs)] // plain data
pub struct LastError {
    /// When, as far as it is known.
    pub at: Option<Timestamp>,
    /// Which message, if it concerns one.
    pub message: Option<MessageUid>,
    /// What went wrong.
    pub error: ErrorReport,
}

/// The state of one sink.
#[derive(Clone, Debug, Serialize)]
#[allow(clippy::exhaustive_structs)] // plain data
pub struct SinkStatus {
    /// Which.
    pub connection: ConnectionId,
    /// Whether it is used.
    pub state: ConnectionState,
    /// Until when it pauses, and why.
    pub paused: Option<(Timestamp, ErrorReport)>,
    /// Its deliveries by outcome.
    pub counts: Counts,
    /// How far they are.
    pub progress: Progress,
    /// What its delivery lanes wait for.
    pub lanes: LaneCounts,
}

impl Engine {
    /// Returns the state of a tenant, read from the store; rates are those of this engine.
    ///
    /// It costs five reads; their cost does not grow with the history. The parts are read one after the
    /// other, so counts may differ by what was committed in between.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn status(&self, tenant: &TenantId) -> Result<Status> {
        let (deps, store) = (&self.deps, &self.deps.store);
        let mailboxes = store.mailboxes(tenant, None, Status::MAX_MAILBOXES).await?;
        let overview = store.overview(tenant, Status::MAX_MAILBOXES).await?;
        let connections = store.connections(tenant).await?;
        let view = View {
            tenant,
            now: deps.clock.now(),
            rates: deps.events.rates(),
            gates: store.gates(tenant).await?,
            connections: &connections,
        };
        let mut work: BTreeMap<MailboxId, MailboxWork> = overview
            .mailboxes
            .into_iter()
            .map(|work| (work.mailbox.clone(), work))
            .collect();
        let mailboxes: Vec<MailboxStatus> = mailboxes
            .into_iter()
            .filter_map(|row| work.remove(&row.id).map(|work| view.mailbox(row, &work)))
            .collect();
        let counts = store.counts(tenant, None).await?;
        let rate = mailboxes.iter().map(|mailbox| mailbox.progress.rate).sum();
        Ok(Status {
            tenant: tenant.clone(),
            at: view.now,
            counts,
            progress: Progress::of(&counts, rate),
            mailboxes,
            sinks: view.sinks(overview.sinks),
        })
    }

    /// Returns the state of a tenant again and again, `every` so often.
    ///
    /// Nothing runs or is kept between two looks: a caller that does not ask costs nothing. It looks
    /// never more often than each [`StatusStream::MIN_EVERY`], and rests for at least
    /// [`StatusStream::REST`] times as long as a look took, so that watching a large backlog stays
    /// cheap.
    pub fn status_stream(&self, tenant: &TenantId, every: Duration) -> StatusStream {
        StatusStream {
            engine: self.clone(),
            tenant: tenant.clone(),
            every: every.max(StatusStream::MIN_EVERY),
            rest: None,
        }
    }
}

/// The state of a tenant, again and again; see [`Engine::status_stream`].
#[derive(Debug)]
pub struct StatusStream {
    engine: Engine,
    tenant: TenantId,
    every: Duration,
    rest: Option<Duration>,
}

impl StatusStream {
    /// A good pace for a person who watches: 1 s.
    pub const EVERY: Duration = Duration::from_secs(1);
    /// The shortest time between two looks: 250 ms.
    pub const MIN_EVERY: Duration = Duration::from_millis(250);
    /// How many times as long as a look took it rests afterwards: 20.
    pub const REST: u32 = 20;

    /// Returns the state now for the first call, then waits for the next look. It has no end.
    ///
    /// # Errors
    ///
    /// Those of the store; the next call tries again.
    pub async fn next(&mut self) -> Result<Status> {
        let clock = &self.engine.deps.clock;
        if let Some(rest) = self.rest {
            clock.sleep(rest).await;
        }
        let started = clock.now();
        let status = self.engine.status(&self.tenant).await;
        let took = (clock.now() - started).to_std().unwrap_or_default();
        self.rest = Some(self.every.max(took * Self::REST));
        status
    }
}

/// What every part of a status is made from.
struct View<'a> {
    tenant: &'a TenantId,
    now: Timestamp,
    rates: &'a Rates,
    gates: Vec<Gate>,
    connections: &'a [Connection],
}

impl View<'_> {
    fn mailbox(&self, row: Mailbox, work: &MailboxWork) -> MailboxStatus {
        let id = &row.id;
        let total = work.counts.total();
        let written = self.rate(Pace::Written(id.clone())) / self.sink_count() as f64;
        let rate = self.rate(Pace::Ended(id.clone())) + written;
        let job = |kind, pending, pace| JobStatus {
            kind,
            progress: Progress::new(total, pending, 0, self.rate(pace)),
        };
        let (fetched, decided) = (Pace::Fetched(id.clone()), Pace::Decided(id.clone()));
        let jobs = vec![
            job(JobKind::Fetch, work.fetch, fetched),
            job(JobKind::Process, work.fetch + work.process, decided),
        ];
        let sync = row.sync;
        MailboxStatus {
            mailbox: row.id,
            state: self.state(&row.connection),
            paused: self.pause(&row.connection),
            connection: row.connection,
            switched_off: row.paused,
            once: row.list_first,
            counts: work.counts,
            progress: Progress::of(&work.counts, rate),
            jobs,
            phase: sync.phase,
            complete_at: sync.complete_at,
            fresh_seconds: sync.complete_at.map(|at| (self.now - at).num_seconds()),
            failed_runs: work.failed_runs,
            failing_since: work.failing_since,
            listed: work.listed,
            last_error: last_error(&sync.run, work),
            run: sync.run,
        }
    }

    fn sinks(&self, work: Vec<SinkWork>) -> Vec<SinkStatus> {
        let mut work: BTreeMap<ConnectionId, SinkWork> = work
            .into_iter()
            .map(|work| (work.connection.clone(), work))
            .collect();
        let sinks = self.connections.iter();
        sinks
            .filter(|connection| connection.role == ConnectionRole::Sink)
            .map(|connection| {
                let work = work.remove(&connection.id);
                let (counts, lanes) = work.map(|w| (w.counts, w.lanes)).unwrap_or_default();
                let rate = self.rate(Pace::Delivered(connection.id.clone()));
                SinkStatus {
                    connection: connection.id.clone(),
                    state: connection.state,
                    paused: self.pause(&connection.id),
                    counts,
                    progress: Progress::of(&counts, rate),
                    lanes,
                }
            })
            .collect()
    }

    fn rate(&self, pace: Pace) -> f64 {
        self.rates.rate(self.tenant, pace, self.now)
    }

    /// A mail is written to each sink, and settled once.
    fn sink_count(&self) -> usize {
        let connections = self.connections.iter();
        let sinks = connections.filter(|c| c.role == ConnectionRole::Sink);
        sinks.count().max(1)
    }

    fn state(&self, id: &ConnectionId) -> ConnectionState {
        let connection = self.connections.iter().find(|c| c.id == *id);
        connection.map(|c| c.state).unwrap_or_default()
    }

    fn pause(&self, id: &ConnectionId) -> Option<(Timestamp, ErrorReport)> {
        let mut gates = self.gates.iter();
        let gate = gates.find(|gate| gate.connection == *id && gate.until > self.now);
        gate.map(|gate| (gate.until, gate.error.clone()))
    }
}

fn last_error(run: &SyncRun, work: &MailboxWork) -> Option<LastError> {
    if let Some(error) = &run.error {
        return Some(LastError {
            at: run.ended_at,
            message: None,
            error: error.clone(),
        });
    }
    work.last_error.as_ref().map(|last| LastError {
        at: Some(last.at),
        message: Some(last.message),
        error: last.error.clone(),
    })
}
