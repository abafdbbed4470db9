//! The kernel's clocks: one that all processes share, and the CPU time of this process.

use std::time::Duration;

use rustix::time::{ClockId, Timespec, clock_gettime};

/// Time since the machine started; two processes read the same value at the same moment, so an
/// event in one can be set against an event in another.
pub fn monotonic() -> Duration {
    duration(clock_gettime(ClockId::Monotonic))
}

/// User and system time of all threads of this process so far, to the nanosecond.
pub fn cpu() -> Duration {
    duration(clock_gettime(ClockId::ProcessCPUTime))
}

/// User and system time of the calling thread so far; for work without an await in it.
pub fn thread_cpu() -> Duration {
    duration(clock_gettime(ClockId::ThreadCPUTime))
}

fn duration(time: Timespec) -> Duration {
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    let nanos = u32::try_from(time.tv_nsec).unwrap_or_default();
    Duration::new(seconds, nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_moves_both_clocks_forward() {
        let (wall, before) = (monotonic(), cpu());
        let mut sum = 0_u64;
        while cpu() == before || monotonic() == wall {
            sum = std::hint::black_box(sum.wrapping_mul(31).wrapping_add(1));
        }
        assert!(cpu() > before && monotonic() > wall);
    }
}
