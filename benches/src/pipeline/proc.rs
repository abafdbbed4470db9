//! What the kernel tells of this process's memory.

use std::fs;

/// The largest resident set so far, in MiB.
pub(crate) fn peak_rss_mib() -> Option<f64> {
    status("VmHWM:")
}

/// The resident set now, in MiB.
pub(crate) fn rss_mib() -> Option<f64> {
    status("VmRSS:")
}

fn status(name: &str) -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with(name))?;
    let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1024.0)
}
