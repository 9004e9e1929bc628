//! What a run is asked for, by environment variables.

use std::env;
use std::fmt;
use std::str::FromStr;
use std::time::{Duration, Instant};

/// Enough for every fault, and soon over.
const KILLS: u32 = 15;
/// More than most machines that run the tests have processors.
const CORES: u16 = 4;

/// One run.
pub(crate) struct Settings {
    /// `ANSWERBACK_SEED`, else drawn.
    pub(crate) seed: u64,
    pub(crate) cores: u16,
    /// `ANSWERBACK_LONG_PAUSES=1`: hold the box up for longer than anybody waits for it.
    pub(crate) has_long_pauses: bool,
    /// `ANSWERBACK_KILLS`: at least so many.
    kills: u32,
    /// `ANSWERBACK_SECONDS`: and at least so long.
    duration: Duration,
    begun: Instant,
}

/// `ANSWERBACK_CORES`.
pub(crate) fn cores() -> u16 {
    asked("ANSWERBACK_CORES").unwrap_or(CORES)
}

impl Settings {
    #[expect(clippy::disallowed_methods, reason = "how long a run goes on")]
    pub(crate) fn from_environment(cores: u16) -> Self {
        Self {
            seed: asked("ANSWERBACK_SEED").unwrap_or_else(|| fastrand::u64(..)),
            cores,
            has_long_pauses: asked::<u8>("ANSWERBACK_LONG_PAUSES").is_some_and(|asked| asked > 0),
            kills: asked("ANSWERBACK_KILLS").unwrap_or(KILLS),
            duration: Duration::from_secs(asked("ANSWERBACK_SECONDS").unwrap_or(0)),
            begun: Instant::now(),
        }
    }

    /// Whether so many kills will do.
    pub(crate) fn is_enough(&self, kills: u32) -> bool {
        kills >= self.kills && self.begun.elapsed() >= self.duration
    }
}

impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ANSWERBACK_SEED={} on {} cores", self.seed, self.cores)
    }
}

fn asked<T: FromStr>(name: &str) -> Option<T> {
    let text = env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}: {text} is no such number")))
}
