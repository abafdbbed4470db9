//! What the kernel counted for this process.

use std::fs;
use std::time::Duration;

/// User and system time of all threads so far.
pub(crate) fn cpu() -> Option<Duration> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // the command name may hold spaces; the fields after it do not
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks: u64 = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    Some(Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND))
}

/// The largest resident set so far, in MiB.
pub(crate) fn peak_rss_mib() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1024.0)
}

/// `USER_HZ`, which Linux fixes at 100 for what it shows in `/proc`.
const TICKS_PER_SECOND: u64 = 100;
