//! The parts of the way, each alone, in the process of the run that they are set against.

use std::sync::Arc;
use std::time::Duration;

use nextedge_benches::Failure;
use nextedge_benches::clock::cpu;
use nextedge_benches::mix::Draft;
use nextedge_benches::receiver;
use nextedge_benches::stages::{Prepared, Stage, Stages};
use nextedge_benches::store::StoreWay;
use nextedge_core::Plan;
use nextedge_core::mail::OpenedMail;
use nextedge_core::store::JobKind;

use crate::peer::Peer;
use crate::run::Opened;
use crate::{Options, SinkChoice};

/// CPU time of each part, by written mails.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    /// Those that `sum_of_parts_us` names.
    summed: Vec<(&'static str, f64)>,
    /// What the way needs beside them.
    beside: Vec<(&'static str, f64)>,
    mails: u64,
}

impl Parts {
    /// The sum of the named parts, in microseconds a written mail.
    pub(crate) fn sum(&self) -> f64 {
        self.summed.iter().map(|(_, us)| us).sum()
    }

    /// The sum of everything that was measured alone.
    pub(crate) fn sum_of_all(&self) -> f64 {
        self.sum() + self.beside.iter().map(|(_, us)| us).sum::<f64>()
    }
}

impl std::fmt::Display for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(
            f,
            "CPU us a written mail, each part alone over {} mails:",
            self.mails
        )?;
        for (name, us) in &self.summed {
            writeln!(f, "{us:>9.1}  {name}")?;
        }
        writeln!(f, "{:>9.1}  sum of parts", self.sum())?;
        writeln!(f, "not in the sum:")?;
        for (name, us) in &self.beside {
            writeln!(f, "{us:>9.1}  {name}")?;
        }
        write!(f, "{:>9.1}  sum with these", self.sum_of_all())
    }
}

/// Measures every part alone, over the first mails of the same mix.
pub(crate) async fn measure(options: &Options) -> Result<Parts, Failure> {
    let mails = MOST_BYTES / options.size().max(1) as u64;
    let mails = mails.min(MOST_MAILS).min(options.mails());
    let stages = Stages::prepare(mails, options.size())?;
    let mut sheet = Sheet {
        parts: Parts {
            mails,
            ..Parts::default()
        },
        written: stages.written().max(1) as f64,
    };
    for stage in Stage::ALL {
        let before = cpu();
        stages.run(stage)?;
        let spent = cpu() - before;
        match stage {
            Stage::Fingerprint | Stage::Open => sheet.beside(stage.as_str(), spent),
            _ => sheet.add(stage.as_str(), spent),
        }
    }
    store(options, &stages, &mut sheet).await?;
    send(options, &stages, &mut sheet).await?;
    let before = cpu();
    for number in 0..mails {
        std::hint::black_box(Draft::of(number).raw(options.size()));
    }
    sheet.beside("making the mails", cpu() - before);
    Ok(sheet.parts)
}

struct Sheet {
    parts: Parts,
    written: f64,
}

impl Sheet {
    fn add(&mut self, name: &'static str, spent: Duration) {
        let us = self.us(spent);
        self.parts.summed.push((name, us));
    }

    fn beside(&mut self, name: &'static str, spent: Duration) {
        let us = self.us(spent);
        self.parts.beside.push((name, us));
    }

    fn us(&self, spent: Duration) -> f64 {
        spent.as_secs_f64() * 1e6 / self.written
    }
}

async fn store(options: &Options, stages: &Stages, sheet: &mut Sheet) -> Result<(), Failure> {
    let opened = Opened::new(options.store, options.dir.clone())?;
    let before = cpu();
    let way = StoreWay::list(Arc::clone(&opened.store), stages, options.engine()).await?;
    sheet.beside("list into the store", cpu() - before);
    for (kind, name) in [
        (JobKind::Fetch, "claim+commit fetch"),
        (JobKind::Process, "claim+commit process"),
        (JobKind::Deliver, "claim+commit deliver"),
    ] {
        sheet.add(name, way.all(kind).await?.cpu);
    }
    Ok(())
}

/// Opens, serialises and posts the mails in groups as a sink gets them; only the post is in the sum.
#[allow(clippy::disallowed_methods)] // the bare send is what everything else is set against
async fn send(options: &Options, stages: &Stages, sheet: &mut Sheet) -> Result<(), Failure> {
    let peer = Peer::start(SinkChoice::Receiver).await?;
    let url = format!("{}/batch", peer.url);
    let client = reqwest::Client::new();
    // one request opens the connection
    client
        .post(&url)
        .body("[]")
        .send()
        .await?
        .error_for_status()?;
    let (mut serialising, mut sending) = (Duration::ZERO, Duration::ZERO);
    for group in groups(options, stages) {
        let opened: Vec<(&Plan, OpenedMail)> = open(stages, &group)?;
        let before = cpu();
        let body = receiver::body(&opened)?;
        let between = cpu();
        let request = client.post(&url).header("x-items", group.len());
        request
            .body(body)
            .send()
            .await?
            .error_for_status()?
            .bytes()
            .await?;
        serialising += between - before;
        sending += cpu() - between;
    }
    sheet.add("bare HTTP send", sending);
    sheet.beside("request bodies", serialising);
    let arrived = peer.mails(SinkChoice::Receiver).await?;
    if arrived != stages.written() {
        return Err(format!("{arrived} of {} bodies arrived", stages.written()).into());
    }
    Ok(())
}

fn open<'a>(
    stages: &'a Stages,
    group: &[&'a Prepared],
) -> Result<Vec<(&'a Plan, OpenedMail)>, Failure> {
    let mut opened = Vec::with_capacity(group.len());
    for mail in group {
        if let (Some(plan), Some(content)) = (&mail.plan, stages.open(mail)?) {
            opened.push((plan, content));
        }
    }
    Ok(opened)
}

/// The written mails in CRM batches, bounded by count and bytes as the engine's claims are.
fn groups<'a>(options: &Options, stages: &'a Stages) -> Vec<Vec<&'a Prepared>> {
    let engine = options.engine();
    let most = engine.deliver_batch.min(receiver::MAX_BATCH);
    let (mut groups, mut group, mut bytes) = (Vec::new(), Vec::new(), 0);
    for mail in stages.mails().iter().filter(|mail| mail.plan.is_some()) {
        let size = mail.raw.len() as u64;
        if !group.is_empty() && (group.len() >= most || bytes + size > engine.batch_bytes) {
            groups.push(std::mem::take(&mut group));
            bytes = 0;
        }
        group.push(mail);
        bytes += size;
    }
    groups.extend((!group.is_empty()).then_some(group));
    groups
}

/// Mails whose parts are measured; they lie in memory with all that was read from them.
const MOST_MAILS: u64 = 2_000;
/// Raw bytes of these mails.
const MOST_BYTES: u64 = 64 << 20;
