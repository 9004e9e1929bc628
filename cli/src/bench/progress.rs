//! What a run says while it goes on, where somebody looks.

use std::io::{self, IsTerminal};

/// Signs of a full bar.
const BAR_WIDTH: usize = 30;

/// A line on a terminal that is written over.
pub(super) struct Progress {
    is_shown: bool,
}

impl Progress {
    /// Shown only where somebody looks.
    pub(super) fn new() -> Self {
        Self { is_shown: io::stderr().is_terminal() }
    }

    /// Replaces the line.
    pub(super) fn say(&mut self, line: &str) {
        if self.is_shown {
            eprint!("\r\x1b[K{line}");
        }
    }

    /// Removes the line.
    pub(super) fn clear(&mut self) {
        self.say("");
    }
}

/// How much of a known whole is done: `[######------]  50 %`.
pub(super) fn bar(done: u64, whole: u64) -> String {
    let share = done as f64 / whole.max(1) as f64;
    let filled = ((share * BAR_WIDTH as f64) as usize).min(BAR_WIDTH);
    let (full, empty) = ("#".repeat(filled), "-".repeat(BAR_WIDTH - filled));
    format!("[{full}{empty}] {:3.0} %", share.min(1.0) * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_fills_up_and_never_overflows() {
        assert_eq!(bar(0, 0), format!("[{}]   0 %", "-".repeat(30)));
        assert_eq!(bar(1, 2), format!("[{}{}]  50 %", "#".repeat(15), "-".repeat(15)));
        assert_eq!(bar(9, 2), format!("[{}] 100 %", "#".repeat(30)));
    }
}
