//! One line a step, in words, where somebody wants to read what a world does.

use std::fmt;

/// Where the lines go: nowhere, mostly.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trace {
    pub(crate) is_on: bool,
    pub(crate) step: u32,
    pub(crate) now_ms: u64,
}

impl Trace {
    pub(crate) fn say(&self, what: fmt::Arguments<'_>) {
        if self.is_on {
            println!("{:>6} {:>9} ms  {what}", self.step, self.now_ms);
        }
    }
}
