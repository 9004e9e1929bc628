//! The numbered queues between partitions: what was made, what was taken.

use answerback_proto::id::{DeviceId, PartitionId, Sequence, UserId};

use super::account::{Body, ReceiptKind};
use super::delete::Marks;
use super::message::MessageNumber;
use super::withheld::Excepted;
use super::{Breach, Model, require};

/// A part as it was made; a newer one may contain it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    pub(super) body: PartBody,
    is_folded: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PartBody {
    Delivered {
        about: About,
        up_to: u64,
        at_ms: u64,
        except: Excepted,
    },
    Read {
        about: About,
        up_to: u64,
        at_ms: u64,
    },
    Failed {
        message: MessageNumber,
        code: u16,
    },
    Copy {
        message: MessageNumber,
        at_ms: u64,
    },
    /// Which of the words.
    Group {
        word: usize,
    },
    /// Which of the failures.
    GroupFailed {
        failures: usize,
    },
    /// Which of the lists of those who have seen it.
    GroupReceipt {
        message: MessageNumber,
        seen: usize,
    },
    /// Which of the lists of those who do not exist; the group as the model calls it.
    GroupGone {
        group: UserId,
        gone: usize,
    },
    Erase {
        about: About,
        marks: Marks,
    },
    Erased {
        about: About,
        marks: Marks,
    },
}

/// Whose messages a part speaks of: who sent them and gets the part, to whom they went, and
/// from which device they came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct About {
    pub(super) user: UserId,
    pub(super) peer: UserId,
    pub(super) device: DeviceId,
}

/// The numbers that a part came with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Numbers {
    pub(super) source: u16,
    pub(super) number: u64,
    pub(super) previous: u64,
}

impl PartBody {
    fn contains(&self, older: &Self) -> bool {
        match (self, older) {
            (Self::Delivered { about, .. }, Self::Delivered { about: of, .. })
            | (Self::Read { about, .. }, Self::Read { about: of, .. }) => about == of,
            (Self::GroupReceipt { message, .. }, Self::GroupReceipt { message: of, .. }) => {
                message == of
            }
            _ => false,
        }
    }
}

impl Model {
    /// A part for a user's home gets the next number there.
    pub(super) fn make_part(&mut self, source: usize, user: UserId, body: PartBody) {
        self.make_part_to(source, self.account(user).partition, body);
    }

    /// As above, for any partition.
    pub(super) fn make_part_to(&mut self, source: usize, destination: usize, body: PartBody) {
        let confirmed = self.homes[source].confirmed[destination] as usize;
        let made = &mut self.homes[source].made[destination];
        let older = made.iter().rposition(|older| body.contains(&older.body));
        let older = older.map(|index| {
            made[index].is_folded = true;
            (index, made[index].body)
        });
        made.push(Part { body, is_folded: false });
        if let Some((_, older)) = older.filter(|(index, _)| *index >= confirmed) {
            self.join_seen(older, body);
        }
    }

    /// A part's record is durable at its destination: it is one that was made, and is taken
    /// where it is the next one.
    pub(super) fn take_part(
        &mut self,
        at: usize,
        numbers: Numbers,
        body: PartBody,
        user: UserId,
    ) -> Result<(), Breach> {
        if !self.takes(at, numbers, &body)? {
            return Ok(());
        }
        match body {
            PartBody::Erase { about, marks } => self.take_erase(about, marks),
            _ if self.account(user).exists => self.put_part(user, body),
            _ => Ok(()),
        }
    }

    /// The part that was made under a number.
    pub(super) fn made(&self, at: usize, source: u16, number: u64) -> Option<PartBody> {
        let made = &self.homes[usize::from(source)].made[at];
        made.get((number as usize).wrapping_sub(1)).map(|part| part.body)
    }

    /// Whether a part that was made is the next one; it counts as taken then.
    pub(super) fn takes(
        &mut self,
        at: usize,
        numbers: Numbers,
        body: &PartBody,
    ) -> Result<bool, Breach> {
        let Numbers { source, number, previous } = numbers;
        let made = &self.homes[usize::from(source)].made[at];
        let index = (number as usize).wrapping_sub(1);
        require(made.get(index).is_some_and(|part| part.body == *body), || {
            let made = made.get(index).map(|part| part.body);
            format!(
                "part {number} from partition {source} to {at} is {body:?}, and {made:?} was made"
            )
        })?;
        let taken = self.homes[at].taken[usize::from(source)];
        if previous > taken || taken >= number {
            return Ok(false);
        }
        let between = made.get(taken as usize..index).unwrap_or_default();
        if let Some(lost) = between.iter().find(|part| !part.is_folded) {
            return Err(Breach(format!(
                "part {number} from partition {source} is taken behind {taken}, and {:?} is lost",
                lost.body
            )));
        }
        self.homes[at].taken[usize::from(source)] = number;
        Ok(true)
    }

    /// Parts leave only once the destination has committed them.
    pub(super) fn confirm(
        &mut self,
        at: usize,
        destination: PartitionId,
        up_to: u64,
    ) -> Result<(), Breach> {
        let taken = self.homes[usize::from(destination.0)].taken[at];
        require(up_to <= taken, || {
            format!(
                "partition {destination} confirmed part {up_to} of {at} to itself, \
                 and has {taken}"
            )
        })?;
        let confirmed = &mut self.homes[at].confirmed[usize::from(destination.0)];
        *confirmed = up_to.max(*confirmed);
        Ok(())
    }

    fn put_part(&mut self, user: UserId, body: PartBody) -> Result<(), Breach> {
        match body {
            PartBody::Delivered { about, up_to, at_ms, except } => {
                let body = Body::Delivered { device: about.device, up_to, at_ms, except };
                self.put_receipt(user, about.peer, ReceiptKind::Delivered, about.device, body);
            }
            PartBody::Read { about, .. } if !self.tells_reads(user, about.peer) => {}
            PartBody::Read { about, up_to, at_ms } => {
                let body = Body::ReadBy { device: about.device, up_to, at_ms };
                self.put_receipt(user, about.peer, ReceiptKind::ReadBy, about.device, body);
            }
            PartBody::Failed { message, code } => {
                let peer = self.message(message).recipient;
                self.put(user, peer, Body::Failed { message, code }, 0, 0);
            }
            PartBody::Copy { message, .. } => {
                let (peer, bytes) =
                    (self.message(message).recipient, self.message(message).payload_bytes);
                self.put(user, peer, Body::Copied(message), bytes, 0);
            }
            PartBody::Erased { about, marks } => self.take_erased(about, marks),
            PartBody::Erase { .. } => {}
            PartBody::Group { .. }
            | PartBody::GroupFailed { .. }
            | PartBody::GroupReceipt { .. }
            | PartBody::GroupGone { .. } => {
                return Err(Breach(format!("{body:?} as a part for one user")));
            }
        }
        Ok(())
    }

    /// The sender is told durably that a message will not be delivered.
    pub(super) fn tell_failed(&mut self, message: MessageNumber, code: u16) {
        let (sender, recipient) = (self.message(message).sender, self.message(message).recipient);
        let source = self.account(recipient).partition;
        self.make_part(source, sender, PartBody::Failed { message, code });
    }

    /// A failed part's message.
    pub(super) fn failed_message(
        &self,
        about: About,
        sequence: u64,
    ) -> Result<MessageNumber, Breach> {
        self.sent(about.device, about.peer, Sequence(sequence))
    }
}
