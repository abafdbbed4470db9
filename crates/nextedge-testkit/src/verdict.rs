//! A check, how it ends, and how a suite reports it.

use std::fmt;
use std::io::Write as _;
use std::pin::Pin;

/// One check of a suite, over harnesses of one kind.
pub struct Check<H: ?Sized> {
    pub(crate) name: &'static str,
    pub(crate) run: for<'a> fn(&'a H) -> Running<'a>,
}

/// A check under way.
pub(crate) type Running<'a> = Pin<Box<dyn Future<Output = Verdict> + 'a>>;

impl<H: ?Sized> Check<H> {
    /// Returns the name, which is also that of the check's function and of its test.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Runs the check.
    ///
    /// # Errors
    ///
    /// [`Stop`] tells whether it was skipped or failed, and why.
    pub async fn run(&self, harness: &H) -> Verdict {
        (self.run)(harness).await
    }
}

impl<H: ?Sized> fmt::Debug for Check<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Check").field(&self.name).finish()
    }
}

/// Runs every check and reports all of them, also after a failure.
pub async fn run_all<H: ?Sized>(checks: &[Check<H>], harness: &H) -> Report {
    let mut report = Report::default();
    for check in checks {
        report.rows.push((check.name, check.run(harness).await));
    }
    report
}

/// Runs one check as the body of a test; the macros' tests call it.
///
/// # Panics
///
/// If the check fails.
#[doc(hidden)]
pub fn run_as_test<H: ?Sized>(checks: &[Check<H>], name: &str, harness: &H) {
    match checks.iter().find(|check| check.name == name) {
        Some(check) => settle(name, block_on(check.run(harness))),
        None => panic!("no check is named {name}"),
    }
}

/// How a check ends: passed, or stopped with a reason.
pub type Verdict = Result<(), Stop>;

/// Why a check did not pass.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // a check passes, is skipped or fails
pub enum Stop {
    /// It does not apply: a capability is not declared, or the harness declares a fault missing.
    Skipped(String),
    /// The connector breaks the rule, or the harness cannot show that it keeps it.
    Failed(String),
}

impl Stop {
    /// Starts a failure.
    pub fn failed(why: impl Into<String>) -> Self {
        Self::Failed(why.into())
    }

    /// Starts a skip.
    pub fn skipped(why: impl Into<String>) -> Self {
        Self::Skipped(why.into())
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Skipped(why) => write!(f, "skipped: {why}"),
            Self::Failed(why) => write!(f, "failed: {why}"),
        }
    }
}

impl std::error::Error for Stop {}

/// What became of every check of a suite.
#[derive(Clone, Debug, Default)]
pub struct Report {
    rows: Vec<(&'static str, Verdict)>,
}

impl Report {
    /// Returns each check with its end, in the order of the suite.
    pub fn rows(&self) -> &[(&'static str, Verdict)] {
        &self.rows
    }

    /// Returns the checks that were skipped, each with the reason.
    pub fn skipped(&self) -> Vec<(&'static str, &str)> {
        let skips = self
            .rows
            .iter()
            .filter_map(|(name, verdict)| match verdict {
                Err(Stop::Skipped(why)) => Some((*name, why.as_str())),
                _ => None,
            });
        skips.collect()
    }

    /// Returns the checks that failed, each with what is wrong.
    pub fn failed(&self) -> Vec<(&'static str, &str)> {
        let failures = self
            .rows
            .iter()
            .filter_map(|(name, verdict)| match verdict {
                Err(Stop::Failed(why)) => Some((*name, why.as_str())),
                _ => None,
            });
        failures.collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, verdict) in &self.rows {
            match verdict {
                Ok(()) => writeln!(f, "{name}: passed")?,
                Err(stop) => writeln!(f, "{name}: {stop}")?,
            }
        }
        Ok(())
    }
}

/// Ends a test: a failure panics, a skip is printed past the test's captured output.
fn settle(name: &str, verdict: Verdict) {
    match verdict {
        Ok(()) => {}
        Err(Stop::Skipped(why)) => {
            // a runner hides what a passing test prints; a skip must be seen
            let _ = writeln!(std::io::stderr(), "skipped {name}: {why}");
        }
        Err(Stop::Failed(why)) => panic!("{name}: {why}"),
    }
}

/// Runs a check to its end on a runtime of its own.
fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    match runtime {
        Ok(runtime) => runtime.block_on(work),
        Err(error) => panic!("no runtime for the check: {error}"),
    }
}

/// Stops a check whose own input was refused: a defect of the kit.
#[allow(clippy::needless_pass_by_value)] // for `map_err`
pub(crate) fn own_input(error: nextedge_core::Error) -> Stop {
    Stop::failed(format!("the kit's own input was refused: {error}"))
}

/// Ends the check with a failure unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($text:tt)+) => {{
        let holds: bool = $condition;
        if !holds {
            return Err($crate::verdict::Stop::failed(format!($($text)+)));
        }
    }};
}
pub(crate) use ensure;
