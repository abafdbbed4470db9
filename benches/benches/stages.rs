//! Each pure stage alone, over 100 mails of 20 KiB: `cargo bench -p nextedge-benches --bench stages`.

use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use nextedge_benches::stages::{Stage, Stages};

fn stages(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("stages");
    group
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .throughput(Throughput::Elements(MAILS));
    let prepared = Stages::prepare(MAILS, SIZE);
    let prepared = prepared.unwrap_or_else(|error| panic!("the mix is broken: {error}"));
    for stage in Stage::ALL {
        group.bench_function(stage.as_str(), |bencher| {
            bencher.iter(|| prepared.run(stage).is_ok());
        });
    }
    group.finish();
}

const MAILS: u64 = 100;
const SIZE: usize = 20 << 10;

criterion_group!(all, stages);
criterion_main!(all);
