//! Where one message is.
//!
//! ```text
//! recipient's home   decisions of the sending device ─► number decided? how?
//!                    inbox ─► still there? who owes it, how often was it offered?
//!                    outgoing ─► is a notice of its failure on its way?
//! sender's home      inbox ─► does the notice wait for the sender?
//! ```
//! A message that left the inbox left no row of its own: that all of its chat up to it was
//! delivered, or that a notice says otherwise, is what remains of it.

use std::ops::ControlFlow;

use answerback_proto::code::Code;
use answerback_proto::id::{DeviceId, PartitionId, Position, Sequence, UserId};

use super::super::chat::Sender;
use super::super::checkpoint::Table;
use super::super::effect::EntryBody;
use super::super::load;
use super::super::parts::PartBody;
use super::super::rows;
use super::super::sequence::{Decision, Standing};
use super::super::user::{Existence, User};
use super::user::each_entry;
use super::{AttemptsView, DeviceStanding, Limits};
use crate::partition_table::PartitionTable;
use crate::ports::{StateReader, StorageFault};

/// What a message is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageName {
    /// Who sent it.
    pub sender: UserId,
    /// From which device.
    pub device: DeviceId,
    /// To whom.
    pub recipient: UserId,
    /// The device's number of it in this chat.
    pub sequence: Sequence,
}

/// Where a message is, and what more there is to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// Where it is.
    pub fate: Fate,
    /// That it failed, where that is still on its way to its sender.
    pub notice: Option<Notice>,
    /// What its recipient may hold, and how often it is tried.
    pub limits: Limits,
}

/// Where a message is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Its recipient does not exist here.
    UnknownRecipient,
    /// Its number has never been here; the one that is expected from this device.
    Unseen {
        /// The next number.
        expected: Sequence,
    },
    /// It came early, and waits for numbers that are missing.
    Parked {
        /// Since when the first of them is missing, ms.
        since_ms: u64,
        /// The first of them.
        missing: Sequence,
    },
    /// It is in the recipient's inbox.
    Waiting {
        /// Its place in the shown order of the chat, ms.
        accepted_at_ms: u64,
        /// When it ends undelivered, ms.
        expires_at_ms: u64,
        /// Its place in the inbox.
        position: Position,
        /// Whether some device has it.
        is_delivered: bool,
        /// The recipient's devices that are not revoked.
        holders: Vec<Holder>,
    },
    /// Its recipient has blocked its sender: it waits for its end, and nobody is offered it.
    Withheld {
        /// Its place in the shown order of the chat, ms.
        accepted_at_ms: u64,
    },
    /// It was delivered and has left.
    Delivered {
        /// As above, where it is still known.
        accepted_at_ms: Option<u64>,
        /// Whether its recipient has read it.
        is_read: bool,
    },
    /// It was accepted and ended without delivery; its sender was told.
    Ended {
        /// As above, where it is still known.
        accepted_at_ms: Option<u64>,
    },
    /// It was not accepted, for good.
    Rejected {
        /// Why.
        code: Code,
    },
    /// Its sender gave the number up.
    Skipped,
}

/// A device of the recipient, and how it stands to a message that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Which.
    pub device: DeviceId,
    /// How it stands to its user.
    pub standing: DeviceStanding,
    /// Whether it has acknowledged the message.
    pub has_it: bool,
    /// How often it was offered and not taken; counted for the first entry of a device only.
    pub attempts: Option<AttemptsView>,
}

/// A notice of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Why the message failed.
    pub code: Option<Code>,
    /// Its place in the sender's inbox; `None` while it is on its way there.
    pub position: Option<Position>,
}

/// Finds a message. Walks the inboxes of both its ends, at most.
///
/// # Errors
/// Where the disk cannot be read, or holds what it should not.
pub fn trace(
    reader: &dyn StateReader,
    table: PartitionTable,
    name: &MessageName,
) -> Result<Trace, StorageFault> {
    let home = table.partition_of(name.recipient);
    let limits = Limits::read(reader, table, home)?;
    let recipient = load::read_head(reader, home, name.recipient)?;
    // A notice on its way leaves the one place only when it is in the other.
    let on_its_way = find_part(reader, home, table.partition_of(name.sender), name)?;
    let notice = match on_its_way {
        Some(notice) => Some(notice),
        None => find_notice(reader, table.partition_of(name.sender), name)?,
    };
    if recipient.existence == Existence::Unknown {
        return Ok(Trace { fate: Fate::UnknownRecipient, notice, limits });
    }
    let chat = load::read_chat(reader, home, name.recipient, name.sender)?;
    let new = Sender::default();
    let known = chat.sender(name.device).unwrap_or(&new);
    let fate = match known.decisions.standing(name.sequence) {
        Standing::Next | Standing::Ahead | Standing::TooFar if !recipient.exists() => {
            Fate::UnknownRecipient
        }
        Standing::Next | Standing::Ahead | Standing::TooFar => undecided(known, name.sequence),
        Standing::Repeat(Some(Decision::Rejected(code))) => Fate::Rejected { code },
        Standing::Repeat(Some(Decision::Skipped)) => Fate::Skipped,
        Standing::Repeat(Some(Decision::Accepted { at_ms }))
            if known.withheld.contains(name.sequence) =>
        {
            Fate::Withheld { accepted_at_ms: at_ms }
        }
        Standing::Repeat(decision) => {
            let accepted_at_ms = match decision {
                Some(Decision::Accepted { at_ms }) => Some(at_ms),
                _ => None,
            };
            match find_waiting(reader, home, &recipient, name)? {
                Some(waiting) => waiting,
                None => left(known, name.sequence, accepted_at_ms, notice.is_some()),
            }
        }
    };
    Ok(Trace { fate, notice, limits })
}

fn undecided(known: &Sender, sequence: Sequence) -> Fate {
    let expected = known.decisions.expected();
    if known.parked.contains_key(&sequence) {
        Fate::Parked { since_ms: known.gap_since_ms, missing: expected }
    } else {
        Fate::Unseen { expected }
    }
}

/// What became of a decided number that is not in the inbox.
fn left(known: &Sender, sequence: Sequence, accepted_at_ms: Option<u64>, has_failed: bool) -> Fate {
    if has_failed || sequence > known.delivered_up_to {
        Fate::Ended { accepted_at_ms }
    } else {
        Fate::Delivered { accepted_at_ms, is_read: sequence <= known.read_up_to }
    }
}

fn find_waiting(
    reader: &dyn StateReader,
    home: PartitionId,
    recipient: &User,
    name: &MessageName,
) -> Result<Option<Fate>, StorageFault> {
    let mut found = None;
    each_entry(reader, home, recipient, &mut |position, entry| {
        let EntryBody::Message { device, sequence, accepted_at_ms, .. } = entry.body else {
            return ControlFlow::Continue(());
        };
        if (entry.peer, device, sequence) != (name.sender, name.device, name.sequence) {
            return ControlFlow::Continue(());
        }
        found = Some(Fate::Waiting {
            accepted_at_ms,
            expires_at_ms: entry.expires_at_ms,
            position,
            is_delivered: position <= recipient.floor,
            holders: holders(recipient, position),
        });
        ControlFlow::Break(())
    })?;
    Ok(found)
}

fn holders(recipient: &User, position: Position) -> Vec<Holder> {
    let devices = recipient.devices.iter().map(|device| Holder {
        device: device.id,
        standing: device.standing.into(),
        has_it: device.cursor >= position,
        attempts: device.attempts.as_deref().filter(|attempts| attempts.position == position).map(
            |attempts| AttemptsView {
                position,
                count: attempts.count,
                first_ms: attempts.first_ms,
            },
        ),
    });
    devices.filter(|holder| holder.standing != DeviceStanding::Revoked).collect()
}

/// A notice that the recipient's home has for the sender's.
fn find_part(
    reader: &dyn StateReader,
    from: PartitionId,
    to: PartitionId,
    name: &MessageName,
) -> Result<Option<Notice>, StorageFault> {
    let (first, end) = rows::range(from, &[&to.0.to_be_bytes()]);
    let mut found = None;
    reader.range(Table::Outgoing, &first, &end, &mut |key, value| {
        // The queue's own row has no number.
        if key.len() == first.len() {
            return Ok(ControlFlow::Continue(()));
        }
        let part = rows::read_part(&mut rows::Fields(value))
            .ok_or_else(|| load::unreadable(Table::Outgoing, from))?;
        let PartBody::Failed { about, sequence, code } = part else {
            return Ok(ControlFlow::Continue(()));
        };
        let named = MessageName {
            sender: about.user,
            device: about.device,
            recipient: about.peer,
            sequence: Sequence(sequence),
        };
        if named != *name {
            return Ok(ControlFlow::Continue(()));
        }
        found = Some(Notice { code: Code::from_number(code), position: None });
        Ok(ControlFlow::Break(()))
    })?;
    Ok(found)
}

/// A notice in the sender's inbox.
fn find_notice(
    reader: &dyn StateReader,
    home: PartitionId,
    name: &MessageName,
) -> Result<Option<Notice>, StorageFault> {
    let sender = User::unknown(name.sender);
    let mut found = None;
    each_entry(reader, home, &sender, &mut |position, entry| {
        let EntryBody::Failed { device, sequence, code } = entry.body else {
            return ControlFlow::Continue(());
        };
        if (entry.peer, device, sequence) != (name.recipient, name.device, name.sequence) {
            return ControlFlow::Continue(());
        }
        found = Some(Notice { code: Code::from_number(code), position: Some(position) });
        ControlFlow::Break(())
    })?;
    Ok(found)
}
