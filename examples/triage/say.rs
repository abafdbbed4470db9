//! What the program says on standard output.

use std::fmt::Arguments;
use std::io::Write as _;

/// Prints a line. A reader that went away, as `| head` does, is no failure of the work.
pub(crate) fn line(text: Arguments<'_>) {
    let mut out = std::io::stdout().lock();
    let _ = out
        .write_fmt(text)
        .and_then(|()| out.write_all(b"\n"))
        .and_then(|()| out.flush());
}

/// [`line()`] with the arguments of `println!`.
macro_rules! say {
    ($($part:tt)*) => {
        $crate::say::line(format_args!($($part)*))
    };
}

pub(crate) use say;
