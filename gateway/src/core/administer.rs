//! The operator's commands, handed to the shards that they concern.

use std::collections::BTreeMap;
use std::sync::mpsc::Sender;

use answerback_directory::shard::{Administered, Shard};
use answerback_proto::id::UserId;

use super::Core;
use crate::control::{Asked, Command};

/// Who waits for which command.
#[derive(Default)]
pub(super) struct Tickets {
    last: u64,
    waiting: BTreeMap<u64, Sender<Administered>>,
}

impl Tickets {
    fn add(&mut self, answer: Sender<Administered>) -> u64 {
        self.last += 1;
        self.waiting.insert(self.last, answer);
        self.last
    }
}

impl Core {
    /// Takes the commands of this tick.
    pub(super) fn handle_commands(&mut self) {
        for Asked { command, answer } in self.desk.take() {
            match command {
                Command::AddUser(user) => {
                    self.command(user, answer, |shard, ticket| shard.handle_add_user(user, ticket));
                }
                Command::Revoke(user, device) => self.command(user, answer, |shard, ticket| {
                    shard.handle_revoke(user, device, ticket);
                }),
                Command::ConfirmClock => {
                    for partition in self.shared.table.partitions_of(self.core) {
                        match self.shards.touch(partition) {
                            Some(shard) => {
                                shard.handle_confirm_clock(self.tickets.add(answer.clone()));
                            }
                            // Out of service: whoever repairs it is alarmed at its start.
                            None => drop(answer.send(Administered::WasSo)),
                        }
                    }
                }
            }
        }
    }

    fn command(
        &mut self,
        user: UserId,
        answer: Sender<Administered>,
        tell: impl FnOnce(&mut Shard, u64),
    ) {
        let partition = self.shared.table.partition_of(user);
        if let Some(shard) = self.shards.touch(partition) {
            tell(shard, self.tickets.add(answer));
        }
    }

    /// A command is done, and durable. Whoever asked may be gone.
    pub(super) fn handle_administered(&mut self, ticket: u64, outcome: Administered) {
        if let Some(answer) = self.tickets.waiting.remove(&ticket) {
            let _ = answer.send(outcome);
        }
    }
}
