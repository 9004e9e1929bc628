//! What an operator has a box do: commands that a shard journals, whether the box runs or not.

pub(crate) mod clock;
pub(crate) mod device;
pub(crate) mod user;

use std::path::Path;

use answerback_gateway::Command;

use super::data::{open_existing, open_or_make};
use crate::control::{Administration, Outcome, Request, ask};
use crate::exit::Failure;
use crate::stopped_box::StoppedBox;

/// One command after the other, for the box of a data directory.
struct Operator<'a> {
    data: &'a Path,
    /// Whether a directory that is missing is made.
    makes_data: bool,
    /// Kept open from the first command on that no running box took.
    stopped: Option<StoppedBox>,
}

impl<'a> Operator<'a> {
    fn new(data: &'a Path) -> Self {
        Self { data, makes_data: false, stopped: None }
    }

    fn perform(&mut self, command: Command) -> Result<Outcome, Failure> {
        if self.stopped.is_none()
            && let Some(answer) = ask(self.data, &Request::from(command))?
        {
            let Administration { outcome } = serde_json::from_value(answer)?;
            return Ok(outcome);
        }
        Ok(self.stopped()?.perform(command)?.into())
    }

    fn stopped(&mut self) -> Result<&mut StoppedBox, Failure> {
        let opened = match self.stopped.take() {
            Some(stopped) => stopped,
            None if self.makes_data => StoppedBox::new(&open_or_make(self.data)?),
            None => StoppedBox::new(&open_existing(self.data)?),
        };
        Ok(self.stopped.insert(opened))
    }
}
