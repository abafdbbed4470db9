//! One mail at a time through an idle engine: from its arrival in a live mailbox to the moment the
//! receiver has read the request that carries it.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use nextedge_ai::OfflineClassifier;
use nextedge_benches::Failure;
use nextedge_benches::clock::monotonic;
use nextedge_core::engine::{Engine, EngineEvent, EventStream};
use nextedge_core::store::Mailbox;
use nextedge_core::{Clock, OutcomeKind, SystemClock};
use serde::Serialize;
use tokio::sync::oneshot;

use crate::peer::Peer;
use crate::report::round;
use crate::run::{Opened, add_mailbox, tenant, with_receiver};
use crate::source::{Arrivals, MixSource};
use crate::{Options, SinkChoice};

/// What `--latency` prints.
#[derive(Debug, Serialize)]
pub(crate) struct Latency {
    mails: usize,
    latency_p50_ms: f64,
    latency_p99_ms: f64,
    latency_max_ms: f64,
    /// Median of an append of 4 KiB and `fdatasync` in the database's folder; before and after.
    fsync_ms: f64,
    /// The goal of the median: 3 ms, or two of these and 2 ms.
    goal_p50_ms: f64,
    /// Transactions a mail; each waits for the disk.
    commits_per_mail: Option<f64>,
}

/// Lets so many mails arrive, one after the other.
pub(crate) async fn measure(options: &Options, mails: u64) -> Result<Latency, Failure> {
    if !matches!(options.sink, SinkChoice::Receiver) {
        return Err("only the receiver tells when a request arrived: --sink receiver".into());
    }
    let folder = options.dir.clone().unwrap_or_else(std::env::temp_dir);
    let mut syncs = sync_times(&folder)?;
    let peer = Peer::start(options.sink).await?;
    let opened = Opened::new(options.store, options.dir.clone())?;
    let source = MixSource::live(options.size());
    let arrivals = source.arrivals();
    let builder = Engine::builder()
        .shared_store(Arc::clone(&opened.store))
        .options(options.engine())
        .source(source)
        .classifier(OfflineClassifier::embedded()?);
    let engine = with_receiver(builder, &peer).await?;
    let mailbox = add_mailbox(&engine).await?;
    let set_up = opened.commits();
    let mut live = Live {
        events: engine.events(),
        engine,
        mailbox,
        arrivals,
    };
    let (stop, stopped) = oneshot::channel::<()>();
    let runner = live.engine.clone();
    let run = runner.run(async {
        let _ = stopped.await;
    });
    let measured = async {
        let sent = live.one_by_one(mails).await;
        drop(stop);
        sent
    };
    let (ran, sent) = tokio::join!(run, measured);
    ran?;
    let waits = waits(&sent?, &peer.arrivals().await?)?;
    syncs.extend(sync_times(&folder)?);
    let commits = opened
        .commits()
        .zip(set_up)
        .map(|(all, set_up)| all - set_up);
    let commits = commits.map(|commits| commits as f64 / (mails + WARM_UP) as f64);
    Ok(report(waits, syncs, commits))
}

struct Live {
    engine: Engine,
    events: EventStream,
    mailbox: Mailbox,
    arrivals: Arrivals,
}

impl Live {
    /// Returns when each written mail arrived; the first [`WARM_UP`] are told as none.
    async fn one_by_one(&mut self, mails: u64) -> Result<Vec<Option<Duration>>, Failure> {
        let mut sent = Vec::new();
        for number in 0..mails + WARM_UP {
            SystemClock.sleep(IDLE).await;
            let arrived = monotonic();
            self.arrivals.next();
            self.engine.notify(&tenant()?, &self.mailbox.id).await?;
            let outcome = tokio::select! {
                outcome = self.outcome() => outcome?,
                () = SystemClock.sleep(PATIENCE) => return Err("a mail did not come to its end".into()),
            };
            if outcome == OutcomeKind::Delivered {
                sent.push((number >= WARM_UP).then_some(arrived));
            }
        }
        Ok(sent)
    }

    async fn outcome(&mut self) -> Result<OutcomeKind, Failure> {
        while let Some(event) = self.events.next().await {
            match event {
                EngineEvent::Outcomes { outcome, .. } if outcome != OutcomeKind::Pending => {
                    return match outcome {
                        OutcomeKind::Delivered | OutcomeKind::Parked => Ok(outcome),
                        _ => Err(format!("a mail ended in {outcome:?}").into()),
                    };
                }
                _ => {}
            }
        }
        Err("the engine ended".into())
    }
}

/// Sets each mail against its request; there is exactly one request a written mail, in order.
fn waits(sent: &[Option<Duration>], arrivals: &[Duration]) -> Result<Vec<Duration>, Failure> {
    if sent.len() != arrivals.len() {
        let (mails, requests) = (sent.len(), arrivals.len());
        return Err(format!("{mails} mails made {requests} requests").into());
    }
    let pairs = sent.iter().zip(arrivals);
    let waits = pairs.filter_map(|(sent, arrived)| arrived.checked_sub((*sent)?));
    Ok(waits.collect())
}

fn report(mut waits: Vec<Duration>, mut syncs: Vec<Duration>, commits: Option<f64>) -> Latency {
    waits.sort_unstable();
    syncs.sort_unstable();
    let fsync = percentile(&syncs, 50);
    Latency {
        mails: waits.len(),
        latency_p50_ms: percentile(&waits, 50),
        latency_p99_ms: percentile(&waits, 99),
        latency_max_ms: percentile(&waits, 100),
        fsync_ms: fsync,
        goal_p50_ms: round((2.0 * fsync + 2.0).max(3.0), 3),
        commits_per_mail: commits.map(|commits| round(commits, 2)),
    }
}

/// The smallest value that so many of a hundred do not exceed, in milliseconds.
fn percentile(sorted: &[Duration], percent: usize) -> f64 {
    let place = (sorted.len() * percent).div_ceil(100).max(1) - 1;
    let value = sorted.get(place).copied().unwrap_or_default();
    round(value.as_secs_f64() * 1e3, 3)
}

/// Appends and syncs a file as a store's log does.
fn sync_times(folder: &Path) -> std::io::Result<Vec<Duration>> {
    let folder = tempfile::tempdir_in(folder)?;
    let mut file = File::create(folder.path().join("sync"))?;
    let mut one = || {
        let started = monotonic();
        file.write_all(&[7; 4096])?;
        file.sync_data()?;
        Ok(monotonic() - started)
    };
    (0..SYNCS).map(|_| one()).collect()
}

/// Mails that are not counted: connections open, the policy is compiled.
const WARM_UP: u64 = 10;
/// Before each mail, so that every worker found nothing and rests.
const IDLE: Duration = Duration::from_millis(50);
/// A mail that takes longer ends the run as failed.
const PATIENCE: Duration = Duration::from_secs(60);
/// Syncs that are timed before and after the run.
const SYNCS: usize = 50;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn each_mail_is_set_against_its_own_request_and_the_first_are_left_out() {
        let sent = [None, Some(ms(10)), Some(ms(20))];
        let waits = waits(&sent, &[ms(9), ms(13), ms(21)]).unwrap();
        assert_eq!(waits, [ms(3), ms(1)]);
        assert!(super::waits(&sent, &[ms(9)]).is_err());
    }

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let sorted: Vec<Duration> = (1..=200).map(ms).collect();
        assert_eq!(percentile(&sorted, 50).to_string(), "100");
        assert_eq!(percentile(&sorted, 99).to_string(), "198");
        assert_eq!(percentile(&[], 99).to_string(), "0");
    }
}
