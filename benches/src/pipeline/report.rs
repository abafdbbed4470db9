//! What a run prints: one line for programs, the rest for people.

use nextedge_hubspot::RatePreset;
use serde::Serialize;

use crate::parts::Parts;
use crate::run::Figures;
use crate::soak::{Curve, SoakFigures};
use crate::{Options, SinkChoice};

/// What `--json` prints.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    mails_per_second: f64,
    cpu_us_per_mail: f64,
    peak_rss_mib: f64,
    commits_per_mail: Option<f64>,
    crm_calls_per_mail: f64,
    /// With `--parts`: the parts measured alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    sum_of_parts_us: Option<f64>,
    /// `cpu_us_per_mail` by `sum_of_parts_us`.
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu_over_parts: Option<f64>,
    /// With `--soak`.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    soak: Option<SoakFigures>,
}

impl Report {
    /// Rates and calls count delivered mails only.
    pub(crate) fn of(figures: &Figures, parts: Option<&Parts>) -> Self {
        let delivered = figures.counts.delivered.max(1) as f64;
        let cpu = figures.cpu.as_micros() as f64 / delivered;
        Self {
            mails_per_second: round(delivered / figures.elapsed.as_secs_f64(), 1),
            cpu_us_per_mail: round(cpu, 1),
            peak_rss_mib: round(figures.peak_rss_mib, 1),
            commits_per_mail: figures
                .commits
                .map(|commits| round(commits as f64 / delivered, 5)),
            crm_calls_per_mail: round(figures.total_calls() as f64 / delivered, 5),
            sum_of_parts_us: parts.map(|parts| round(parts.sum(), 1)),
            cpu_over_parts: parts.map(|parts| round(cpu / parts.sum(), 3)),
            soak: figures.curve.as_ref().and_then(Curve::figures),
        }
    }

    /// Tells people what the line does not.
    #[allow(clippy::print_stderr)] // its output is its purpose
    pub(crate) fn explain(&self, options: &Options, figures: &Figures, parts: Option<&Parts>) {
        let counts = &figures.counts;
        eprintln!(
            "outcomes: {} delivered, {} parked, {} in review, {} dead, {} pending; {:.2} s",
            counts.delivered,
            counts.parked,
            counts.review,
            counts.dead,
            counts.pending,
            figures.elapsed.as_secs_f64()
        );
        let delivered = counts.delivered.max(1) as f64;
        eprintln!(
            "making the mails is part of the CPU time: {:.1} us a mail",
            figures.making.as_micros() as f64 / delivered
        );
        for (call, count) in &figures.calls {
            eprintln!("{count:>8} {call}");
        }
        if matches!(options.sink, SinkChoice::Hubspot) {
            self.explain_hubspot(figures);
        }
        if let Some(parts) = parts {
            eprintln!("{parts}");
            let whole = self.cpu_us_per_mail / parts.sum_of_all();
            eprintln!("the run's CPU time is {whole:.3} of the sum with these");
        }
    }

    #[allow(clippy::print_stderr)] // its output is its purpose
    fn explain_hubspot(&self, figures: &Figures) {
        let delivered = figures.counts.delivered.max(1) as f64;
        let other = figures.total_calls() - figures.uploads();
        eprintln!(
            "without the uploads of attachments: {:.4} calls a mail",
            other as f64 / delivered
        );
        let calls = f64::from(RatePreset::Professional.calls().unwrap_or_default());
        let per_second = calls / RatePreset::WINDOW.as_secs_f64();
        eprintln!(
            "HubSpot's limit is lifted; at {calls} calls in 10 s this mix would go at {:.1} mails/s",
            per_second / self.crm_calls_per_mail.max(f64::EPSILON)
        );
    }
}

/// Cuts a figure to so many digits behind the point.
pub(crate) fn round(value: f64, digits: i32) -> f64 {
    let scale = 10_f64.powi(digits);
    (value * scale).round() / scale
}
