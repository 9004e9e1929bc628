//! The log of a box: events on stderr, a line each, for people or as JSON.
//!
//! ```text
//! any thread ── event ──► bounded queue ──► thread "log" ──► stderr
//! ```
//! A core must not wait for whoever reads stderr, so a full queue drops lines and counts
//! them. Events carry no payload and no token; at `info` and above no id of a user.

mod panics;

use std::io::{self, IsTerminal};
use std::sync::Arc;

use tracing::{Subscriber, warn};
use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, Registry, fmt, reload};

use crate::config::{LogFilter, LogFormat};
use crate::exit::Failure;

/// Lines that wait for stderr; more are dropped.
const LINES_MAX: usize = 16 * 1024;

/// The log at work. Dropping it writes what waits.
#[derive(Debug)]
pub(crate) struct Logs {
    level: LogLevel,
    dropped: ErrorCounter,
    _writer: WorkerGuard,
}

/// Changes what is logged.
#[derive(Clone, Debug)]
pub(crate) struct LogLevel(Arc<reload::Handle<Targets, Registry>>);

impl Logs {
    /// Events of all threads are written from now on, and panics as well.
    pub(crate) fn start(filter: &LogFilter, format: LogFormat) -> Result<Self, Failure> {
        let (writer, guard) = NonBlockingBuilder::default()
            .lossy(true)
            .buffered_lines_limit(LINES_MAX)
            .thread_name("log")
            .finish(io::stderr());
        let dropped = writer.error_counter();
        let (level, handle) = reload::Layer::new(targets(filter)?);
        let subscriber = tracing_subscriber::registry().with(level).with(lines(format, writer));
        tracing::subscriber::set_global_default(subscriber)?;
        panics::log();
        Ok(Self { level: LogLevel(Arc::new(handle)), dropped, _writer: guard })
    }

    /// What changes its level.
    pub(crate) fn level(&self) -> LogLevel {
        self.level.clone()
    }
}

impl Drop for Logs {
    fn drop(&mut self) {
        let lines = self.dropped.dropped_lines();
        if lines > 0 {
            warn!(lines, "log lines were dropped: whoever reads stderr is too slow");
        }
    }
}

impl LogLevel {
    /// Logs by another filter from now on.
    pub(crate) fn set(&self, filter: &LogFilter) -> Result<(), Failure> {
        Ok(self.0.reload(targets(filter)?)?)
    }
}

fn targets(filter: &LogFilter) -> Result<Targets, Failure> {
    filter.text().parse().map_err(|error| Failure::new(format_args!("log.level: {error}")))
}

fn lines<S>(format: LogFormat, writer: NonBlocking) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let is_terminal = io::stderr().is_terminal();
    let lines = fmt::layer().with_writer(writer).with_ansi(is_terminal);
    let is_human = match format {
        LogFormat::Auto => is_terminal,
        LogFormat::Human => true,
        LogFormat::Json => false,
    };
    if is_human {
        lines.boxed()
    } else {
        lines.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed()
    }
}
