//! What mailboxes and sinks look like: on a screen while a run goes, or once for a database at rest.

use std::io::{IsTerminal as _, Write as _};

use nextedge_core::alert::{Alert, AlertRules};
use nextedge_core::engine::{Engine, MailboxStatus, Progress, SinkStatus, Status};
use nextedge_core::store::{RunQuery, RunRow, RunState};
use nextedge_core::{Result, TenantId, Timestamp};

use crate::report::clip;
use crate::say::say;

/// Everything that is shown.
pub(crate) struct Shown {
    pub(crate) status: Status,
    pub(crate) runs: Vec<RunRow>,
    pub(crate) alerts: Vec<Alert>,
}

impl Shown {
    /// Adds the last runs and the alerts to a status.
    pub(crate) async fn of(engine: &Engine, tenant: &TenantId, status: Status) -> Result<Self> {
        let query = RunQuery {
            limit: RUNS,
            ..RunQuery::default()
        };
        let runs = engine.store().runs(tenant, &query).await?;
        let alerts = AlertRules::default().evaluate(&status);
        Ok(Self {
            status,
            runs,
            alerts,
        })
    }

    /// One line for each mailbox, sink, error, run and alert.
    pub(crate) fn lines(&self) -> Vec<String> {
        let status = &self.status;
        let mut lines = Vec::new();
        for mailbox in status.mailboxes.iter().take(PLACES) {
            lines.push(mailbox_line(mailbox));
        }
        for sink in &status.sinks {
            lines.push(sink_line(sink));
        }
        let hidden = status.mailboxes.len().saturating_sub(PLACES);
        if hidden > 0 {
            lines.push(format!("and {hidden} more mailboxes"));
        }
        lines.extend(status.mailboxes.iter().filter_map(error_line).take(ERRORS));
        lines.extend(self.runs.iter().map(run_line));
        lines.extend(self.alerts.iter().map(alert_line));
        lines
    }
}

/// A screen that is drawn again and again; plain lines where there is no terminal.
#[derive(Default)]
pub(crate) struct Screen {
    last: Vec<String>,
}

impl Screen {
    /// Shows it; without a terminal only what differs from the last time.
    pub(crate) fn draw(&mut self, shown: &Shown) {
        let lines = shown.lines();
        if std::io::stdout().is_terminal() {
            draw_over(&lines, self.last.is_empty());
        } else {
            let at = time(shown.status.at);
            let fresh = lines.iter().filter(|line| !self.last.contains(line));
            fresh.for_each(|line| say!("{at}  {line}"));
        }
        self.last = lines;
    }
}

/// Writes over what was shown before. A terminal that went away is no failure of the work.
fn draw_over(lines: &[String], first: bool) {
    let mut text = if first { CLEAR } else { HOME }.to_owned();
    for line in lines {
        text.push_str(line);
        text.push_str(REST_OF_LINE);
    }
    text.push_str(REST_OF_SCREEN);
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

fn mailbox_line(mailbox: &MailboxStatus) -> String {
    let fresh = mailbox.fresh_seconds;
    let fresh = fresh.map_or_else(|| "listing".to_owned(), |age| format!("fresh {age} s"));
    let waits: Vec<String> = mailbox
        .jobs
        .iter()
        .filter(|job| job.progress.pending > 0)
        .map(|job| format!(", {} wait for {}", job.progress.pending, job.kind.as_str()))
        .collect();
    format!(
        "mailbox {:<40} {}, {fresh}{}{}",
        clip(mailbox.mailbox.as_str(), 40),
        progress(&mailbox.progress),
        waits.concat(),
        pause(
            mailbox
                .paused
                .as_ref()
                .map(|(until, e)| (*until, e.text.as_str()))
        ),
    )
}

fn sink_line(sink: &SinkStatus) -> String {
    let lanes = &sink.lanes;
    format!(
        "sink    {:<40} {}, lanes: {} waiting, {} delayed, {} held, {} in review, {} parked{}",
        clip(sink.connection.as_str(), 40),
        progress(&sink.progress),
        lanes.waiting,
        lanes.delayed,
        lanes.held,
        lanes.review,
        lanes.parked,
        pause(
            sink.paused
                .as_ref()
                .map(|(until, e)| (*until, e.text.as_str()))
        ),
    )
}

fn progress(progress: &Progress) -> String {
    let rest = match progress.remaining_seconds {
        Some(0) => String::new(),
        Some(seconds) => format!(", {seconds} s left"),
        None => ", rest unknown".to_owned(),
    };
    let failed = match progress.failed {
        0 => String::new(),
        failed => format!(", {failed} given up"),
    };
    format!(
        "{:>3} % ({}/{}), {:.1}/s{rest}{failed}",
        progress.percent, progress.done, progress.total, progress.rate,
    )
}

fn pause(gate: Option<(Timestamp, &str)>) -> String {
    gate.map_or_else(String::new, |(until, why)| {
        format!(", paused until {}: {}", time(until), clip(why, 80))
    })
}

fn error_line(mailbox: &MailboxStatus) -> Option<String> {
    let last = mailbox.last_error.as_ref()?;
    let at = last.at.map_or_else(|| "unknown time".to_owned(), time);
    let name = clip(mailbox.mailbox.as_str(), 40);
    Some(format!(
        "error   {name:<40} {at}: {}",
        clip(&last.error.text, 120)
    ))
}

fn run_line(row: &RunRow) -> String {
    let run = &row.run;
    let state = match run.state() {
        RunState::Running => "running",
        RunState::Success => "success",
        RunState::Partial => "partial",
        RunState::Failed => "failed",
    };
    let took = run.took().map_or_else(String::new, |took| {
        format!(" in {:.1} s", took.as_secs_f64())
    });
    format!(
        "run     {:<40} {}: {state}{took}, {} pages, {} listed, {} new, {} not readable",
        clip(row.mailbox.as_str(), 40),
        run.started_at.map_or_else(String::new, time),
        run.pages,
        run.listed,
        run.new,
        run.fault_count,
    )
}

fn alert_line(alert: &Alert) -> String {
    let subject = clip(&alert.subject.to_string(), 50);
    format!(
        "ALERT   {} of {subject} since {}: {}; {}",
        alert.rule,
        time(alert.since),
        alert.facts,
        alert.next_step,
    )
}

fn time(at: Timestamp) -> String {
    at.format("%Y-%m-%d %H:%M:%S").to_string()
}

/// Runs, mailboxes and errors that fit on a screen.
const RUNS: usize = 5;
const PLACES: usize = 12;
const ERRORS: usize = 5;
const CLEAR: &str = "\x1b[2J\x1b[H";
const HOME: &str = "\x1b[H";
const REST_OF_LINE: &str = "\x1b[K\r\n";
const REST_OF_SCREEN: &str = "\x1b[J";
