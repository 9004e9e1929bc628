//! Messages: what was decided of each, how it ended, what was told of it.

use std::fmt;

use answerback_proto::code::Code;
use answerback_proto::id::{DeviceId, Sequence, UserId};

use super::group_receipts::Seen;
use super::{Breach, Model, require};

/// Every message of a world has one, and carries it as its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct MessageNumber(pub(crate) u32);

/// What an app wants sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewMessage {
    pub(crate) sender: UserId,
    pub(crate) device: DeviceId,
    pub(crate) recipient: UserId,
    pub(crate) recalled: Option<Sequence>,
    pub(crate) life_s: u32,
    pub(crate) payload_bytes: usize,
    /// The number is used up, and the message lost before it was stored.
    pub(crate) is_lost: bool,
}

/// What became of a number at the recipient's home.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    Accepted { at_ms: u64 },
    Rejected(Code),
    Skipped,
}

/// How an accepted message ends: the exits of the second invariant, and no others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// A device has acknowledged it.
    Delivered,
    /// Its life ran out before any device had.
    Expired,
    /// It was offered often enough to a device that was there.
    Undeliverable,
    /// Its sender took it back before any device had acknowledged it.
    Recalled,
    /// The operator had its recipient purged before any device had acknowledged it.
    Purged,
    /// It is for a group, and ends for each member alone.
    FannedOut,
}

/// How a message to a group ends for a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MemberFate {
    Waiting,
    Delivered,
    /// The sender is told, by a code's number.
    Failed(u16),
}

impl Exit {
    /// What its sender is told; none where that is a receipt.
    pub(super) fn code(self) -> Option<Code> {
        match self {
            Self::Delivered | Self::FannedOut => None,
            Self::Expired => Some(Code::Expired),
            Self::Undeliverable => Some(Code::Undeliverable),
            Self::Recalled => Some(Code::Recalled),
            Self::Purged => Some(Code::UserPurged),
        }
    }
}

/// A message: who sent it, to whom, from which device, which number; and its fate.
#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) number: MessageNumber,
    pub(super) sender: UserId,
    pub(super) device: DeviceId,
    pub(super) recipient: UserId,
    pub(super) sequence: Sequence,
    pub(super) recalled: Option<Sequence>,
    pub(super) life_s: u32,
    pub(super) payload_bytes: usize,
    pub(super) is_lost: bool,
    pub(super) decision: Option<Decision>,
    pub(super) exit: Option<Exit>,
    /// Its sending device was told that it is accepted.
    pub(super) told_accepted: bool,
    /// Somebody was told that it failed.
    pub(super) told_failed: Option<u16>,
    /// It was refused for good before the journal.
    pub(super) told_refused: bool,
    /// A device of the recipient has it.
    pub(super) is_stored: bool,
    /// Its recipient had blocked its sender: nobody is to see it.
    pub(super) is_withheld: bool,
    /// Of a message to a group.
    pub(super) members: Vec<(UserId, MemberFate)>,
    /// Members that devices of the sender were told to get nothing.
    pub(super) told_members: Vec<(UserId, u16)>,
    /// Members who have it.
    pub(super) stored_by: Vec<UserId>,
    /// Of the list of members that it went to, where it went to a group.
    pub(super) version: u32,
    pub(super) has_receipts: bool,
    /// Who has seen it, as its sender's home heard, and as his devices did.
    pub(super) counted: Seen,
    pub(super) told_seen: Seen,
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, sender, device, recipient, sequence, .. } = self;
        write!(
            f,
            "message {} (number {sequence} of user {sender}'s device {device} to user {recipient})",
            number.0
        )
    }
}

impl MessageNumber {
    /// What its payload says.
    pub(crate) fn payload(self, payload_bytes: usize) -> Vec<u8> {
        let mut payload = self.0.to_le_bytes().to_vec();
        payload.resize(payload_bytes.max(4), self.0 as u8);
        payload
    }

    /// The number that a payload begins with.
    pub(super) fn of(payload: &[u8]) -> Option<Self> {
        Some(Self(u32::from_le_bytes(*payload.first_chunk()?)))
    }
}

impl Model {
    /// An app sends a message, or loses it with its number used up.
    pub(crate) fn add_message(&mut self, new: NewMessage) -> (MessageNumber, Sequence) {
        let number = MessageNumber(self.messages.len() as u32);
        let numbers = &mut self.device_mut(new.device).sent[new.recipient.0 as usize - 1];
        numbers.push(number);
        let sequence = Sequence(numbers.len() as u64);
        self.messages.push(Message {
            number,
            sender: new.sender,
            device: new.device,
            recipient: new.recipient,
            sequence,
            recalled: new.recalled,
            life_s: new.life_s,
            payload_bytes: new.payload_bytes.max(4),
            is_lost: new.is_lost,
            decision: None,
            exit: None,
            told_accepted: false,
            told_failed: None,
            told_refused: false,
            is_stored: false,
            is_withheld: false,
            members: Vec::new(),
            told_members: Vec::new(),
            stored_by: Vec::new(),
            version: 0,
            has_receipts: false,
            counted: Seen::default(),
            told_seen: Seen::default(),
        });
        (number, sequence)
    }

    /// The message that a device has sent under a number.
    pub(crate) fn sent(
        &self,
        device: DeviceId,
        recipient: UserId,
        sequence: Sequence,
    ) -> Result<MessageNumber, Breach> {
        let recipient = self.alias(recipient);
        let known = self.devices.get((device.0 as usize).wrapping_sub(1));
        let numbers = known.and_then(|known| known.sent.get(recipient.0 as usize - 1));
        let index = (sequence.0 as usize).wrapping_sub(1);
        let found = numbers.and_then(|numbers| numbers.get(index)).copied();
        found.ok_or_else(|| {
            Breach(format!("device {device} never sent number {sequence} to user {recipient}"))
        })
    }

    /// A number is decided, once.
    pub(super) fn decide(
        &mut self,
        number: MessageNumber,
        decision: Decision,
    ) -> Result<(), Breach> {
        let message = self.message_mut(number);
        let before = message.decision.replace(decision);
        require(before.is_none(), || {
            format!("{message} was decided {before:?}, and again {decision:?}")
        })
    }

    /// A message ends, once.
    pub(super) fn end(&mut self, number: MessageNumber, exit: Exit) -> Result<(), Breach> {
        let message = self.message_mut(number);
        let before = message.exit.replace(exit);
        let is_accepted = matches!(message.decision, Some(Decision::Accepted { .. }));
        require(before.is_none() && is_accepted, || {
            format!("{message} ended {exit:?} after {before:?}")
        })
    }
}
