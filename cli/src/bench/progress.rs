//! What a run says while it goes on, where somebody looks.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::exit::Failure;

/// A stage with its bar, the time that it still takes, and a note.
const TEMPLATE: &str = "{prefix:>12} [{bar:30}] {percent:>3} %, {eta} left  {msg}";

/// A line on a terminal that is written over: stages, one after the other.
pub(super) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// Shown only on a terminal, and only where it is wanted.
    pub(super) fn new(is_wanted: bool) -> Result<Self, Failure> {
        let target = match is_wanted {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        let style = ProgressStyle::with_template(TEMPLATE)?.progress_chars("#>-");
        Ok(Self { bar: ProgressBar::with_draw_target(Some(0), target).with_style(style) })
    }

    /// A new stage.
    pub(super) fn begin(&self, stage: &'static str, whole: u64) {
        self.bar.reset();
        self.bar.set_length(whole);
        self.bar.set_prefix(stage);
        self.bar.set_message("");
    }

    /// How much of the stage is done.
    pub(super) fn set(&self, done: u64) {
        self.bar.set_position(done);
    }

    /// What is to be said about it.
    pub(super) fn note(&self, note: String) {
        self.bar.set_message(note);
    }

    /// A line that stays, above the bar.
    pub(super) fn say(&self, line: &str) {
        self.bar.suspend(|| println!("{line}"));
    }

    /// Removes the bar.
    pub(super) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}
