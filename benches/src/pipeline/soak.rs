//! Memory and file size while very many mails stream through, as a curve.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nextedge_benches::Failure;
use nextedge_core::engine::Engine;
use nextedge_core::store::Store;
use nextedge_core::{Clock, SystemClock};
use serde::Serialize;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::report::round;
use crate::run::tenant;
use crate::{Options, proc};

/// One row of the curve.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Sample {
    pub(crate) seconds: f64,
    /// Mails that came to their end.
    pub(crate) mails: u64,
    pub(crate) rss_mib: f64,
    /// The database with its log.
    pub(crate) file_mib: f64,
}

/// All rows, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Curve(pub(crate) Vec<Sample>);

/// What `--soak` adds to the report.
#[derive(Debug, Serialize)]
pub(crate) struct SoakFigures {
    /// The resident set when a tenth of the mails was done.
    rss_at_tenth_mib: f64,
    /// The largest less the smallest resident set from there on.
    rss_spread_mib: f64,
    file_mib: f64,
    /// Growth of the file from a tenth on, by mails.
    file_bytes_per_mail: f64,
}

impl Curve {
    /// Summarises the curve; none without two rows behind the first tenth.
    pub(crate) fn figures(&self) -> Option<SoakFigures> {
        let last = self.0.last()?;
        let flat: Vec<&Sample> = self
            .0
            .iter()
            .filter(|s| s.mails * 10 >= last.mails)
            .collect();
        let first = flat.first().filter(|first| first.mails < last.mails)?;
        let least = flat.iter().map(|s| s.rss_mib).fold(f64::MAX, f64::min);
        let most = flat.iter().map(|s| s.rss_mib).fold(0.0, f64::max);
        let bytes = (last.file_mib - first.file_mib) * f64::from(1 << 20);
        Some(SoakFigures {
            rss_at_tenth_mib: round(first.rss_mib, 1),
            rss_spread_mib: round(most - least, 1),
            file_mib: round(last.file_mib, 1),
            file_bytes_per_mail: round(bytes / (last.mails - first.mails) as f64, 0),
        })
    }

    /// Reads a curve that a run wrote.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let text = fs::read_to_string(path)?;
        let row = |line: &str| {
            let mut fields = line.split(',').map(str::parse::<f64>);
            let mut next = || fields.next()?.ok();
            Some(Sample {
                seconds: next()?,
                mails: next()? as u64,
                rss_mib: next()?,
                file_mib: next()?,
            })
        };
        let rows = text.lines().skip(1);
        let rows: Option<Vec<Sample>> = rows.map(row).collect();
        Ok(Self(rows.ok_or("a row of the curve is not four numbers")?))
    }
}

/// Samples until it is told to stop; each row is in the file at once.
#[derive(Debug)]
pub(crate) struct Sampler {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<Curve, Failure>>,
}

impl Sampler {
    /// Starts sampling if the options ask for a soak.
    pub(crate) fn start(
        engine: &Engine,
        file: Option<PathBuf>,
        options: &Options,
    ) -> Result<Option<Self>, Failure> {
        if !options.soak {
            return Ok(None);
        }
        let mut out = options.curve.as_ref().map(File::create).transpose()?;
        if let Some(out) = &mut out {
            writeln!(out, "seconds,mails,rss_mib,file_mib")?;
        }
        let sampling = Sampling {
            store: Arc::clone(engine.store()),
            file,
            every: options.every(),
            started: Instant::now(),
            out,
        };
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(sampling.run(stopped));
        Ok(Some(Self { stop, task }))
    }

    /// Takes the last sample and returns all.
    pub(crate) async fn finish(self) -> Result<Curve, Failure> {
        drop(self.stop);
        self.task.await?
    }
}

struct Sampling {
    store: Arc<dyn Store>,
    file: Option<PathBuf>,
    every: u64,
    started: Instant,
    out: Option<File>,
}

impl Sampling {
    async fn run(mut self, mut stopped: oneshot::Receiver<()>) -> Result<Curve, Failure> {
        let mut curve = Curve::default();
        let mut next = self.every;
        loop {
            let last = tokio::select! {
                _ = &mut stopped => true,
                () = SystemClock.sleep(LOOK) => false,
            };
            let counts = self.store.counts(&tenant()?, None).await?;
            let done = counts.total() - counts.pending;
            if done >= next || last {
                next = done - done % self.every + self.every;
                curve.0.push(self.sample(done)?);
            }
            if last {
                return Ok(curve);
            }
        }
    }

    fn sample(&mut self, mails: u64) -> Result<Sample, Failure> {
        let sample = Sample {
            seconds: self.started.elapsed().as_secs_f64(),
            mails,
            rss_mib: proc::rss_mib().ok_or("no /proc to read memory from")?,
            file_mib: self.file.as_deref().map_or(0.0, file_mib),
        };
        if let Some(out) = &mut self.out {
            let Sample {
                seconds,
                mails,
                rss_mib,
                file_mib,
            } = sample;
            writeln!(out, "{seconds:.1},{mails},{rss_mib:.2},{file_mib:.2}")?;
        }
        Ok(sample)
    }
}

fn file_mib(path: &Path) -> f64 {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let bytes = |path: &Path| fs::metadata(path).map_or(0, |data| data.len());
    (bytes(path) + bytes(Path::new(&log))) as f64 / f64::from(1 << 20)
}

/// How often the number of mails is looked at.
const LOOK: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_first_tenth_may_grow_and_the_rest_is_told_by_its_spread() {
        let row = |mails, rss_mib, file_mib| Sample {
            mails,
            rss_mib,
            file_mib,
            ..Sample::default()
        };
        let curve = Curve(vec![
            row(50, 20.0, 1.0),
            row(100, 60.0, 2.0),
            row(500, 63.0, 6.0),
            row(1_000, 61.0, 11.0),
        ]);
        let figures = curve.figures().unwrap();
        assert_eq!(figures.rss_at_tenth_mib.to_string(), "60");
        assert_eq!(figures.rss_spread_mib.to_string(), "3");
        let bytes: f64 = 9.0 * 1_048_576.0 / 900.0;
        assert_eq!(
            figures.file_bytes_per_mail.to_string(),
            bytes.round().to_string()
        );
        assert!(Curve(curve.0[..1].to_vec()).figures().is_none());
    }

    #[test]
    fn a_curve_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("curve.csv");
        fs::write(
            &path,
            "seconds,mails,rss_mib,file_mib\n1.5,200,60.25,3.00\n",
        )
        .unwrap();
        let row = Sample {
            seconds: 1.5,
            mails: 200,
            rss_mib: 60.25,
            file_mib: 3.0,
        };
        assert_eq!(Curve::read(&path).unwrap().0, [row]);
        fs::write(
            &path,
            "seconds,mails,rss_mib,file_mib\n1.5,many,60.25,3.00\n",
        )
        .unwrap();
        assert!(Curve::read(&path).is_err());
    }
}
