//! What an operator has a box do: commands that a shard journals, whether the box runs or not.

pub(crate) mod clock;
pub(crate) mod device;
pub(crate) mod user;

use std::path::Path;

use answerback_gateway::Command;
use answerback_proto::id::UserId;

use super::data::{open_existing, open_or_make};
use crate::control::{Administration, Outcome, Request, ask};
use crate::exit::Failure;
use crate::stopped_box::StoppedBox;
use crate::users::{UserLine, UserPage};

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

    /// The users behind an id, at most as many as a page holds.
    fn users(&mut self, after: Option<UserId>, count: usize) -> Result<Vec<UserLine>, Failure> {
        let request = Request::ListUsers { after: after.map(|after| after.to_string()), count };
        let page = match ask(self.data, &request)? {
            Some(answer) => serde_json::from_value(answer)?,
            None => UserPage::read(&open_existing(self.data)?, after, count)?,
        };
        Ok(page.users)
    }

    /// One user, where there is one, or something is left of it.
    fn user(&mut self, user: UserId) -> Result<Option<UserLine>, Failure> {
        let before = user.0.checked_sub(1).filter(|before| *before > 0).map(UserId);
        let found = self.users(before, 1)?.pop();
        Ok(found.filter(|line| line.user == user.to_string()))
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
