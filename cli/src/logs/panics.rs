//! A panic is an alarm like any other, and not a text that no log can be searched for.

use std::panic::{self, PanicHookInfo};
use std::thread;

use answerback_directory::recovery::panic_message;
use tracing::error;

/// Panics are events from now on. Whoever catches one says what becomes of it.
pub(super) fn log() {
    panic::set_hook(Box::new(tell));
}

fn tell(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let thread = thread::current();
    let thread = thread.name().unwrap_or_default();
    let message = panic_message(panic.payload());
    error!(alarm = "panic", thread, place, "a thread panicked, which is a bug: {message}");
}
