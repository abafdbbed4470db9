//! One seed from its start to its end: set up, run and kill, run to the end, check.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use nextedge_sandbox::{RateLimit, Sandbox};
use serde_json::json;
use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};

use crate::kills::Moment;
use crate::ledger::{Past, check_ended, check_opened};
use crate::rng::Rng;
use crate::spec::{Line, Spec, TenantPicture, TenantSpec, Tuning};
use crate::world::World;
use crate::{Failure, account, layout};

/// Runs seeds.
#[derive(Clone, Debug)]
#[allow(clippy::exhaustive_structs)] // built by the program and by tests
pub struct Harness {
    /// The program that works when it is started as `PROGRAM worker SPEC`.
    pub program: PathBuf,
    /// Where the folders of seeds are made.
    pub folder: PathBuf,
}

/// What a seed showed.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Report {
    /// Which seed.
    pub seed: u64,
    /// What was found wrong; empty if everything held.
    pub faults: Vec<String>,
    /// Moments at which a worker really died.
    pub kills: Vec<Moment>,
    /// Mails in all mailboxes, copies included.
    pub sightings: usize,
    /// Work whose outcome a kill left unknown, summed over the openings.
    pub interrupted: usize,
    /// How often the worker that ran to the end reached each named place.
    pub reached: BTreeMap<String, u32>,
    /// How long the last worker took from its start to its end, recovery included.
    pub last_run: Duration,
    /// The folder that was kept because something was wrong.
    pub kept: Option<PathBuf>,
}

impl Harness {
    /// Runs a seed with the kills it chooses itself.
    ///
    /// # Errors
    ///
    /// What keeps the seed from being run at all, such as a full disk.
    pub async fn run(&self, seed: u64) -> Result<Report, Failure> {
        self.run_with(seed, &Moment::of(seed)).await
    }

    /// Runs a seed with given kills.
    ///
    /// # Errors
    ///
    /// What keeps the seed from being run at all, such as a full disk.
    pub async fn run_with(&self, seed: u64, kills: &[Moment]) -> Result<Report, Failure> {
        let mut run = SeedRun::new(self, seed).await?;
        for (number, moment) in kills.iter().enumerate() {
            // the last kills see all mail
            run.arrive(100 * (number + 1) / kills.len().max(1))?;
            run.work(Some(moment)).await?;
        }
        run.arrive(100)?;
        run.work(None).await?;
        run.finish().await
    }
}

struct SeedRun<'a> {
    harness: &'a Harness,
    world: World,
    tuning: Tuning,
    folder: TempDir,
    crms: Vec<Sandbox>,
    past: Past,
    ended: Option<Vec<TenantPicture>>,
    report: Report,
}

impl<'a> SeedRun<'a> {
    async fn new(harness: &'a Harness, seed: u64) -> Result<Self, Failure> {
        let world = World::of(seed);
        let (tuning, lag) = tuning(seed);
        let folder = tempfile::Builder::new()
            .prefix(&format!("seed-{seed}-"))
            .tempdir_in(&harness.folder)?;
        let mut crms = Vec::new();
        for tenant in &world.tenants {
            layout::write(folder.path(), tenant)?;
            let builder = Sandbox::builder().rate_limit(RateLimit::None);
            let crm = builder.search_lag(lag).start().await?;
            trouble(&mut Rng::of(seed, 4), &crm)?;
            crms.push(crm);
        }
        let report = Report {
            seed,
            sightings: world.sightings(),
            ..Report::default()
        };
        Ok(Self {
            harness,
            world,
            tuning,
            folder,
            crms,
            past: Past::default(),
            ended: None,
            report,
        })
    }

    fn arrive(&self, share: usize) -> Result<(), Failure> {
        let mut tenants = self.world.tenants.iter();
        tenants.try_for_each(|tenant| layout::arrive(self.folder.path(), tenant, share))
    }

    /// Starts a worker, lets it die at a moment if that comes, and checks what it found.
    async fn work(&mut self, moment: Option<&Moment>) -> Result<(), Failure> {
        let spec = self.spec(moment);
        let file = self.folder.path().join("spec.json");
        std::fs::write(&file, serde_json::to_vec(&spec)?)?;
        let started = Instant::now();
        let end = end_of(self.start(&file)?, moment).await?;
        self.report.last_run = started.elapsed();
        match (&end.fate, moment) {
            (Fate::Killed, Some(moment)) => self.report.kills.push(moment.clone()),
            (Fate::Whole, _) => {}
            (Fate::Killed, None) => self.fault("it was killed, but not by us"),
            (Fate::Failed, _) => self.fault(&format!("it failed: {}", end.errors)),
            (Fate::Hung, _) => self.fault("it did not come to its end"),
        }
        for line in end.output.lines() {
            match serde_json::from_str(line) {
                Ok(line) => self.take(line)?,
                // cut off by the kill
                Err(_) => break,
            }
        }
        Ok(())
    }

    fn fault(&mut self, text: &str) {
        self.report.faults.push(text.to_owned());
    }

    fn start(&self, spec: &Path) -> Result<Child, Failure> {
        Ok(Command::new(&self.harness.program)
            .arg("worker")
            .arg(spec)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?)
    }

    fn spec(&self, moment: Option<&Moment>) -> Spec {
        let root = self.folder.path();
        let tenants = self.world.tenants.iter().zip(&self.crms);
        Spec {
            db: root.join("store.db"),
            tenants: tenants
                .map(|(tenant, crm)| TenantSpec {
                    name: tenant.name.clone(),
                    crm: crm.hubspot_url(),
                    boxes: layout::specs(root, tenant),
                })
                .collect(),
            tuning: self.tuning,
            kill: moment.and_then(Moment::at),
        }
    }

    fn take(&mut self, line: Line) -> Result<(), Failure> {
        match line {
            Line::Opened(pictures) => {
                let root = self.folder.path();
                for (tenant, picture) in self.world.tenants.iter().zip(&pictures) {
                    check_opened(
                        root,
                        tenant,
                        picture,
                        &self.tuning,
                        &mut self.past,
                        &mut self.report.faults,
                    )?;
                }
            }
            Line::Ended(pictures) => {
                self.report.interrupted = pictures.iter().map(|one| one.interrupted).sum();
                self.ended = Some(pictures);
            }
            Line::Reached(reached) => self.report.reached = reached,
        }
        Ok(())
    }

    async fn finish(mut self) -> Result<Report, Failure> {
        let names: Vec<String> = self
            .world
            .tenants
            .iter()
            .map(|one| one.name.clone())
            .collect();
        let pictures = self.ended.take().unwrap_or_default();
        for ((tenant, picture), crm) in self.world.tenants.iter().zip(&pictures).zip(&self.crms) {
            let faults = &mut self.report.faults;
            let root = self.folder.path();
            check_opened(root, tenant, picture, &self.tuning, &mut self.past, faults)?;
            check_ended(tenant, picture, faults);
            let others = names.iter().map(String::as_str);
            let others: Vec<&str> = others.filter(|name| *name != tenant.name).collect();
            let kills = self.report.kills.len();
            faults.extend(account::check(tenant, &others, crm, picture, kills));
        }
        for crm in self.crms {
            if let Err(error) = crm.finish().await {
                self.report.faults.push(error.to_string());
            }
        }
        if !self.report.faults.is_empty() {
            self.report.kept = Some(self.folder.keep());
        }
        Ok(self.report)
    }
}

/// How a worker ended, and what it said.
struct End {
    fate: Fate,
    output: String,
    errors: String,
}

enum Fate {
    Whole,
    Killed,
    Failed,
    Hung,
}

async fn end_of(mut child: Child, moment: Option<&Moment>) -> Result<End, Failure> {
    let (mut output, mut errors) = (String::new(), String::new());
    let out = child.stdout.take();
    let err = child.stderr.take();
    let reading = async {
        if let Some(mut out) = out {
            out.read_to_string(&mut output).await?;
        }
        if let Some(mut err) = err {
            err.read_to_string(&mut errors).await?;
        }
        Ok::<(), std::io::Error>(())
    };
    let ending = async {
        let wait = match moment {
            Some(Moment::After(ms)) => Duration::from_millis(*ms),
            Some(Moment::Point(..)) | None => LONGEST,
        };
        if let Ok(status) = tokio::time::timeout(wait, child.wait()).await {
            let fate = match status?.code() {
                Some(0) => Fate::Whole,
                Some(_) => Fate::Failed,
                None => Fate::Killed,
            };
            return Ok::<Fate, std::io::Error>(fate);
        }
        child.kill().await?;
        Ok(if wait == LONGEST {
            Fate::Hung
        } else {
            Fate::Killed
        })
    };
    let (read, fate) = tokio::join!(reading, ending);
    read?;
    Ok(End {
        fate: fate?,
        output,
        errors,
    })
}

/// The sizes of a seed's engine, and how long its CRM's search shows the past.
fn tuning(seed: u64) -> (Tuning, Duration) {
    let mut rng = Rng::of(seed, 3);
    let lags = rng.chance(25);
    let tuning = Tuning {
        page: rng.size(2, 6),
        fetch: rng.size(1, 6),
        process: rng.size(1, 8),
        deliver: rng.size(1, 6),
        settle_ms: if lags { 400 } else { 80 },
    };
    let lag = if lags { 150 } else { 0 };
    (tuning, Duration::from_millis(lag))
}

/// Lets some accounts lose answers or throttle a few times: a kill seldom comes alone. Calls that make
/// leads are spared: a contact whose lead was refused looks like one known before.
fn trouble(rng: &mut Rng, crm: &Sandbox) -> Result<(), Failure> {
    if !rng.chance(35) {
        return Ok(());
    }
    let times = rng.from(1, 3);
    let after = rng.from(0, 3);
    let path = *rng.pick(&["contacts", "companies", "tickets", "deals", "emails"]);
    let path = format!("{path}/batch/create");
    let fault = if rng.chance(60) {
        json!({"name": "lose_response", "path_contains": path, "times": times, "after": after})
    } else {
        json!({"name": "rate_limit", "retry_after": 1, "path_contains": path, "times": 1, "after": after})
    };
    crm.fault(fault).map(|_| ()).map_err(Failure::from)
}

/// After this time a worker is taken to hang.
const LONGEST: Duration = Duration::from_secs(60);
