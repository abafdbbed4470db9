//! Which seeds are done: one line each in a file that is only appended to.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;

use nextedge_crash::{Failure, Moment, Report};

/// The done seeds and their sums.
#[derive(Debug)]
pub(crate) struct Progress {
    file: File,
    done: BTreeSet<u64>,
    failed: BTreeSet<u64>,
    kills: u64,
    mails: u64,
    interrupted: u64,
    slowest_ms: u64,
    points: BTreeMap<String, u64>,
}

impl Progress {
    /// Reads what earlier runs did; a line that a kill cut off is no line.
    pub(crate) fn open(folder: &Path) -> Result<Self, Failure> {
        fs::create_dir_all(folder)?;
        let path = folder.join("seeds");
        let known = fs::read_to_string(&path).unwrap_or_default();
        let mut progress = Self {
            file: OpenOptions::new().append(true).create(true).open(path)?,
            done: BTreeSet::new(),
            failed: BTreeSet::new(),
            kills: 0,
            mails: 0,
            interrupted: 0,
            slowest_ms: 0,
            points: BTreeMap::new(),
        };
        if !known.is_empty() && !known.ends_with('\n') {
            progress.file.write_all(b"\n")?;
        }
        known.lines().for_each(|line| progress.read(line));
        Ok(progress)
    }

    fn read(&mut self, line: &str) {
        let fields: Vec<&str> = line.split('\t').collect();
        let [seed, end, mails, interrupted, ms, kills] = fields.as_slice() else {
            return;
        };
        let Ok(seed) = seed.parse() else {
            return;
        };
        if !self.done.insert(seed) {
            return;
        }
        if *end != "ok" {
            self.failed.insert(seed);
        }
        let number = |text: &str| text.parse().unwrap_or(0_u64);
        self.mails += number(mails);
        self.interrupted += number(interrupted);
        self.slowest_ms = self.slowest_ms.max(number(ms));
        for point in kills.split(';').filter(|point| !point.is_empty()) {
            self.kills += 1;
            *self.points.entry(point.to_owned()).or_default() += 1;
        }
    }

    /// Notes a seed; a failed one is done too, and is named at the end of every run.
    pub(crate) fn note(&mut self, report: &Report) -> Result<(), Failure> {
        let end = if report.faults.is_empty() {
            "ok"
        } else {
            "failed"
        };
        let name = |moment: &Moment| match moment {
            Moment::Point(point, _) => point.clone(),
            Moment::After(_) => "random moment".to_owned(),
        };
        let kills: Vec<String> = report.kills.iter().map(name).collect();
        let line = format!(
            "{}\t{end}\t{}\t{}\t{}\t{}",
            report.seed,
            report.sightings,
            report.interrupted,
            report.last_run.as_millis(),
            kills.join(";")
        );
        self.file.write_all(format!("{line}\n").as_bytes())?;
        self.read(&line);
        Ok(())
    }

    pub(crate) fn is_done(&self, seed: u64) -> bool {
        self.done.contains(&seed)
    }

    pub(crate) fn done(&self) -> usize {
        self.done.len()
    }

    pub(crate) fn failed(&self) -> usize {
        self.failed.len()
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} seeds done, {} failed {:?}; {} kills, {} mails, {} interrupted attempts, slowest last run {} ms",
            self.done(),
            self.failed(),
            self.failed,
            self.kills,
            self.mails,
            self.interrupted,
            self.slowest_ms
        )?;
        for (point, count) in &self.points {
            write!(f, "\n{count:>8} {point}")?;
        }
        Ok(())
    }
}
