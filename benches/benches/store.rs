//! One claim, its commit and its release, on SQLite with `synchronous=FULL` in a fresh folder:
//! `cargo bench -p nextedge-benches --bench store`.
//!
//! A group is what the engine claims at once: 100 mails to fetch or decide, 256 to deliver. Each
//! measured group lies in a store of its own, filled before the clock is read.

use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use nextedge_benches::Failure;
use nextedge_benches::stages::Stages;
use nextedge_benches::store::StoreWay;
use nextedge_core::engine::EngineOptions;
use nextedge_core::store::JobKind;
use nextedge_sqlite::{SqliteOptions, SqliteStore};

fn store(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap_or_else(|error| panic!("no runtime: {error}"));
    let mut group = criterion.benchmark_group("store");
    group
        .sample_size(10)
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_secs(1));
    let options = EngineOptions::default();
    for (kind, mails) in [
        (JobKind::Fetch, options.fetch_batch),
        (JobKind::Process, options.process_batch),
        (JobKind::Deliver, options.deliver_batch),
    ] {
        // of 20 mails 19 are written, so 14 more fill the CRM batch
        let stages = Stages::prepare(mails as u64 + 14, SIZE)
            .unwrap_or_else(|error| panic!("the mix is broken: {error}"));
        group.throughput(Throughput::Elements(mails as u64));
        group.bench_function(kind.as_str(), |bencher| {
            bencher.iter_custom(|times| {
                let groups = (0..times).map(|_| {
                    let group = runtime.block_on(one_group(&stages, kind, mails));
                    group.unwrap_or_else(|error| panic!("the store failed: {error}"))
                });
                groups.sum()
            });
        });
    }
    group.finish();
}

async fn one_group(stages: &Stages, kind: JobKind, mails: usize) -> Result<Duration, Failure> {
    let folder = tempfile::tempdir()?;
    let store = SqliteStore::open(folder.path().join("store.db"), SqliteOptions::default())?;
    let way = StoreWay::list(Arc::new(store), stages, EngineOptions::default()).await?;
    if kind != JobKind::Fetch {
        way.all(JobKind::Fetch).await?;
    }
    if kind == JobKind::Deliver {
        way.all(JobKind::Process).await?;
    }
    let step = way.step(kind).await?.ok_or("nothing to claim")?;
    if step.mails != mails as u64 {
        return Err(format!("a group of {} mails, not {mails}", step.mails).into());
    }
    Ok(step.wall)
}

const SIZE: usize = 20 << 10;

criterion_group!(all, store);
criterion_main!(all);
