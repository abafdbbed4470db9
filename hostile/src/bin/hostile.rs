//! `hostile`: takes every shape the whole way, one after the other, and says what each cost.
//!
//! Without `--no-cpu-limit` it is the bench that bounds processor time: it fails if one mail takes
//! more than 500 ms. It always fails if a mail holds more than 128 MiB, ends wrong or hangs.
#![allow(clippy::print_stdout, clippy::print_stderr)] // a command-line program talks to its user

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use clap::Parser;
use nextedge_core::Outcome;
use nextedge_core::mail::work_done;
use nextedge_hostile::shapes::{Shape, shapes};
use nextedge_hostile::targets::TARGETS;
use nextedge_hostile::way::{Course, check_outcome, read, run};
use nextedge_hostile::{MemorySink, measure, seeds};
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Takes hostile mail the whole way and bounds what it costs.
#[derive(Debug, Parser)]
#[command(name = "hostile", version)]
struct Cli {
    /// Only shapes whose name contains this text
    #[arg(long)]
    only: Option<String>,
    /// Do not fail when a mail takes more than 500 ms of processor time: for debug builds
    #[arg(long)]
    no_cpu_limit: bool,
    /// Write the corpus as .eml files into this folder and do nothing else
    #[arg(long)]
    write: Option<PathBuf>,
    /// Write the seeds of a fuzz target into a folder and do nothing else
    #[arg(long, num_args = 2, value_names = ["TARGET", "FOLDER"])]
    seeds: Vec<String>,
    /// Show this many of the costliest mails
    #[arg(long, default_value_t = 15)]
    top: usize,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let mut corpus = shapes();
    if let Some(only) = &cli.only {
        corpus.retain(|shape| shape.name().contains(only.as_str()));
    }
    if let Some(folder) = &cli.write {
        let mails = corpus.iter().map(Shape::raw);
        return write(folder, "eml", mails);
    }
    if let [name, folder] = cli.seeds.as_slice() {
        let Some(target) = TARGETS.iter().find(|target| target.name == name) else {
            eprintln!("hostile: no target is named {name}");
            return ExitCode::from(2);
        };
        return write(Path::new(folder), "seed", seeds::of(target).inputs);
    }
    let watch = Watch::start();
    let costs: Vec<Cost> = corpus.iter().map(|shape| cost(shape, &watch)).collect();
    let faults = report(&cli, &costs);
    match faults {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// What one shape cost and what was wrong with it.
struct Cost {
    name: String,
    raw: usize,
    cpu: Duration,
    memory: usize,
    ended: String,
    fault: Option<String>,
}

fn cost(shape: &Shape, watch: &Watch) -> Cost {
    watch.begin(shape.name());
    let raw = Bytes::from(shape.raw());
    let mut worst = Cost {
        name: shape.name().to_owned(),
        raw: raw.len(),
        cpu: Duration::ZERO,
        memory: 0,
        ended: String::new(),
        fault: None,
    };
    for step in [
        Step::Read,
        Step::Way(Course::Default),
        Step::Way(Course::WriteAll),
    ] {
        watch.begin(shape.name());
        let before = MEMORY.current_usage();
        MEMORY.reset_peak_usage();
        let start = measure::processor_time();
        let looked = work_done();
        let ended = step.take(&raw);
        let looked = work_done() - looked;
        let cpu = measure::processor_time().saturating_sub(start);
        let peak = MEMORY.peak_usage().saturating_sub(before) + raw.len();
        if looked > MOST_LOOKS * raw.len() as u64 + FEW_LOOKS {
            worst.fault = Some(format!("{looked} bytes looked at of {}", raw.len()));
        }
        worst.cpu = worst.cpu.max(cpu);
        worst.memory = worst.memory.max(peak);
        match ended {
            Ok(None) => (),
            Ok(Some(outcome)) => {
                worst.ended = format!(
                    "{} {} {}",
                    worst.ended,
                    outcome.kind().as_str(),
                    outcome.reason()
                );
                if let Err(fault) = check_outcome(shape.expect(), &outcome) {
                    worst.fault = Some(fault);
                }
            }
            Err(fault) => worst.fault = Some(fault),
        }
    }
    worst
}

/// One of the ways a mail is taken.
#[derive(Clone, Copy)]
enum Step {
    /// Read, opened and sanitised.
    Read,
    /// Through the engine.
    Way(Course),
}

impl Step {
    fn take(self, raw: &Bytes) -> Result<Option<Outcome>, String> {
        match self {
            Self::Read => read(raw).map(|_| None),
            Self::Way(course) => {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_time()
                    .build();
                let runtime = runtime.map_err(|error| error.to_string())?;
                runtime
                    .block_on(run(raw, course, MemorySink::default()))
                    .map(Some)
            }
        }
    }
}

/// Prints the costliest mails and every fault; answers how many faults there were.
fn report(cli: &Cli, costs: &[Cost]) -> usize {
    let mut by_cpu: Vec<&Cost> = costs.iter().collect();
    by_cpu.sort_by_key(|cost| std::cmp::Reverse(cost.cpu));
    println!(
        "{:<52} {:>9} {:>9} {:>9}  ended",
        "costliest by processor time", "raw KiB", "CPU ms", "MiB held"
    );
    by_cpu.iter().take(cli.top).for_each(|cost| row(cost));
    let mut by_memory: Vec<&Cost> = costs.iter().collect();
    by_memory.sort_by_key(|cost| std::cmp::Reverse(cost.memory));
    println!("{:<52}", "costliest by memory");
    by_memory
        .iter()
        .take(cli.top.min(8))
        .for_each(|cost| row(cost));
    let mut faults = 0;
    for cost in costs {
        let slow = !cli.no_cpu_limit && cost.cpu > MAX_CPU;
        let slow = slow.then(|| format!("{} ms of processor time", cost.cpu.as_millis()));
        let large =
            (cost.memory > MAX_MEMORY).then(|| format!("{} MiB of memory", cost.memory >> 20));
        for fault in [cost.fault.clone(), slow, large].into_iter().flatten() {
            println!("FAULT {}: {fault}", cost.name);
            faults += 1;
        }
    }
    let resident = measure::peak_resident() >> 20;
    println!(
        "{} shapes, {faults} faults, largest resident memory of the process {resident} MiB",
        costs.len()
    );
    faults
}

fn row(cost: &Cost) {
    let (cpu, memory) = (
        cost.cpu.as_secs_f64() * 1e3,
        cost.memory as f64 / f64::from(1 << 20),
    );
    println!(
        "{:<52} {:>9} {:>9.1} {:>9.1} {}",
        cost.name,
        cost.raw >> 10,
        cpu,
        memory,
        cost.ended
    );
}

fn write(folder: &Path, ending: &str, all: impl IntoIterator<Item = Vec<u8>>) -> ExitCode {
    let written = std::fs::create_dir_all(folder).and_then(|()| {
        let mut numbered = all.into_iter().enumerate();
        numbered
            .try_for_each(|(n, raw)| std::fs::write(folder.join(format!("{n:04}.{ending}")), raw))
    });
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hostile: {}: {error}", folder.display());
            ExitCode::from(2)
        }
    }
}

/// Ends the process if one mail takes longer than the watchdog allows.
struct Watch {
    now: Arc<(AtomicU64, std::sync::Mutex<String>)>,
    started: Instant,
}

impl Watch {
    fn start() -> Self {
        let watch = Self {
            now: Arc::new((AtomicU64::new(0), std::sync::Mutex::new(String::new()))),
            started: Instant::now(),
        };
        let (now, started) = (Arc::clone(&watch.now), watch.started);
        std::thread::spawn(move || {
            loop {
                std::thread::park_timeout(Duration::from_millis(200));
                let since = Duration::from_millis(now.0.load(Ordering::Relaxed));
                if started.elapsed().saturating_sub(since) > WATCHDOG {
                    let name = now.1.lock().map(|name| name.clone()).unwrap_or_default();
                    eprintln!("HANG {name}: more than {} s", WATCHDOG.as_secs());
                    std::process::exit(3);
                }
            }
        });
        watch
    }

    fn begin(&self, name: &str) {
        let since = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.now.0.store(since, Ordering::Relaxed);
        if let Ok(mut now) = self.now.1.lock() {
            name.clone_into(&mut now);
        }
    }
}

/// The promise for one mail.
const MAX_CPU: Duration = Duration::from_millis(500);
/// The promise for one mail.
const MAX_MEMORY: usize = 128 << 20;
/// How often each byte may be looked at while a mail is read, over all readers that count. Encoded
/// words that never end are the worst: each start looks up to 2,000 bytes ahead, 267 looks a byte.
const MOST_LOOKS: u64 = 400;
/// For small mails, whose fixed work is large beside them.
const FEW_LOOKS: u64 = 200_000;
/// Longest one step of one mail may take, whatever the machine does beside it.
const WATCHDOG: Duration = Duration::from_secs(30);
