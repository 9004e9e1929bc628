//! How a command ends.

use std::fmt;
use std::io;
use std::process::ExitCode;

/// Why a command did not do what it was asked to.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Exit code 1, with a line for the person at the terminal.
    Failed(String),
    /// Exit code 3: the time that was given ran out.
    TimedOut(String),
    /// Exit code 1, and where its line belongs, as in a box's log, it stands already.
    Told,
    /// Exit code 0: the reader of our output is gone, as in `answerback recv | head -1`.
    NobodyReads,
}

impl Failure {
    /// A failure with its line.
    pub(crate) fn new(line: impl fmt::Display) -> Self {
        Self::Failed(line.to_string())
    }

    /// A failed write to stdout.
    pub(crate) fn of_output(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::NobodyReads,
            _ => Self::new(format_args!("cannot write the output: {error}")),
        }
    }

    /// Says the line and gives the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        match self {
            Self::Failed(line) => {
                line.lines().for_each(|line| eprintln!("answerback: {line}"));
                ExitCode::from(1)
            }
            Self::Told => ExitCode::from(1),
            Self::TimedOut(line) => {
                eprintln!("answerback: {line}");
                ExitCode::from(3)
            }
            Self::NobodyReads => ExitCode::SUCCESS,
        }
    }
}

impl Failure {
    /// The line, where there is one.
    pub(crate) fn line(&self) -> &str {
        match self {
            Self::Failed(line) | Self::TimedOut(line) => line,
            Self::Told => "see the log",
            Self::NobodyReads => "nobody reads the output",
        }
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::new(error)
    }
}
