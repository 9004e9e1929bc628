//! Whether a box takes messages, and why not.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// In which part of its life a box is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It reads its keys and its data, and replays its journal.
    #[default]
    Starting,
    /// It takes messages.
    Serving,
    /// It was told to stop, and ends what is under way.
    Draining,
    /// It stops by itself, for this reason.
    Failed(String),
}

/// The phase of a box; clones are of the same one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Readiness {
    phase: Arc<Mutex<Phase>>,
}

impl Readiness {
    /// The phase now.
    pub(crate) fn phase(&self) -> Phase {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// It is a later one. A box that ends does not serve again.
    pub(crate) fn enter(&self, phase: Phase) {
        let mut now = self.phase.lock().unwrap_or_else(PoisonError::into_inner);
        if phase.order() > now.order() {
            *now = phase;
        }
    }
}

impl Phase {
    fn order(&self) -> u8 {
        match self {
            Self::Starting => 0,
            Self::Serving => 1,
            Self::Draining => 2,
            Self::Failed(_) => 3,
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Starting => {
                f.write_str("starting: keys and data are read, the journal is replayed")
            }
            Self::Serving => f.write_str("serving"),
            Self::Draining => {
                f.write_str("draining: what was taken is committed, clients are told to go")
            }
            Self::Failed(reason) => write!(f, "failed: {reason}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_that_ends_never_serves_again() {
        let readiness = Readiness::default();
        assert_eq!(readiness.phase(), Phase::Starting);
        for (entered, phase) in [
            (Phase::Serving, Phase::Serving),
            (Phase::Starting, Phase::Serving),
            (Phase::Draining, Phase::Draining),
            (Phase::Serving, Phase::Draining),
            (Phase::Failed("the disk".into()), Phase::Failed("the disk".into())),
            (Phase::Draining, Phase::Failed("the disk".into())),
        ] {
            readiness.enter(entered);
            assert_eq!(readiness.phase(), phase);
        }
    }
}
