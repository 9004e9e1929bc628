//! What was sent, made durable, told and stored; and what must never be so.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use answerback_proto::id::{DeviceId, Position, Sequence, UserId};
use answerback_proto::record::{Batch, Record};

/// A message: who sent it, to whom, from which device, which number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Identity {
    pub(crate) sender: UserId,
    pub(crate) device: DeviceId,
    pub(crate) recipient: UserId,
    pub(crate) sequence: Sequence,
}

impl Identity {
    /// What its payload says, so that none is taken for another.
    pub(crate) fn payload(&self) -> Vec<u8> {
        self.to_string().into_bytes()
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sender, device, recipient, sequence } = self;
        write!(f, "message {sequence} of {sender}.{device} to {recipient}")
    }
}

/// A broken promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach(pub String);

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One device's end of one chat's direction.
#[derive(Debug, Default)]
struct Stored {
    first: u64,
    last: u64,
    positions: BTreeMap<u64, Position>,
}

/// The reference against which every step is held.
#[derive(Debug, Default)]
pub struct Model {
    sent: BTreeSet<Identity>,
    durable: BTreeSet<Identity>,
    accepted: BTreeSet<Identity>,
    /// By recipient, its device, sender, the sender's device.
    stored: BTreeMap<(UserId, DeviceId, UserId, DeviceId), Stored>,
    /// By sender, its device, recipient: the greatest number shown as delivered.
    delivered: BTreeMap<(UserId, DeviceId, UserId), u64>,
}

impl Model {
    pub(crate) fn handle_sent(&mut self, message: Identity) {
        self.sent.insert(message);
    }

    pub(crate) fn handle_durable(&mut self, batch: &Batch) {
        for placed in batch.records().flatten() {
            if let Record::Message(message) = placed.record {
                self.durable.insert(Identity {
                    sender: UserId(message.sender),
                    device: DeviceId(message.device),
                    recipient: UserId(message.recipient),
                    sequence: Sequence(message.sequence),
                });
            }
        }
    }

    /// Accepted means durable.
    pub(crate) fn handle_accepted(&mut self, message: Identity) -> Result<(), Breach> {
        self.accepted.insert(message);
        require(self.durable.contains(&message), || {
            format!("{message} was accepted before it was durable")
        })
    }

    /// In order, whole, and never under two positions.
    pub(crate) fn handle_stored(
        &mut self,
        device: DeviceId,
        message: Identity,
        position: Position,
        payload: &[u8],
    ) -> Result<(), Breach> {
        let key = (message.recipient, device, message.sender, message.device);
        let stored = self.stored.entry(key).or_default();
        let number = message.sequence.0;
        require(payload == message.payload(), || format!("{message} came with another's payload"))?;
        require(self.durable.contains(&message), || {
            format!("{message} came before it was durable")
        })?;
        if let Some(first) = stored.positions.get(&number) {
            return require(*first == position, || {
                format!("{message} came at position {first} and at {position} to device {device}")
            });
        }
        require(stored.last == 0 || number == stored.last + 1, || {
            format!("{message} came to device {device} behind {}", stored.last)
        })?;
        if stored.last == 0 {
            stored.first = number;
        }
        stored.last = number;
        stored.positions.insert(number, position);
        Ok(())
    }

    /// Delivered means stored by a device of the recipient.
    pub(crate) fn handle_delivered(
        &mut self,
        (sender, device, recipient): (UserId, DeviceId, UserId),
        up_to: Sequence,
    ) -> Result<(), Breach> {
        let stored = self.stored_by_any(sender, device, recipient);
        require(up_to.0 <= stored, || {
            format!(
                "{recipient} has {stored} of {sender}.{device}, and {up_to} were told delivered"
            )
        })?;
        let known = self.delivered.entry((sender, device, recipient)).or_default();
        *known = up_to.0.max(*known);
        Ok(())
    }

    /// The faults have ended and nothing moves: all has arrived, and all is told.
    pub(crate) fn check_settled(&self) -> Result<(), Breach> {
        for message in &self.sent {
            require(self.accepted.contains(message), || format!("{message} was never accepted"))?;
            let Identity { sender, device, recipient, sequence } = *message;
            let stored = self.stored_by_any(sender, device, recipient);
            require(sequence.0 <= stored, || format!("{message} is lost"))?;
            let told =
                self.delivered.get(&(sender, device, recipient)).copied().unwrap_or_default();
            require(sequence.0 <= told, || format!("{message} was never told delivered"))?;
        }
        self.check_first_devices()
    }

    /// What reached a user from its first message on, reached one device from its first on.
    fn check_first_devices(&self) -> Result<(), Breach> {
        let mut first = BTreeMap::new();
        for (&(recipient, _, sender, device), stored) in &self.stored {
            let least = first.entry((recipient, sender, device)).or_insert(stored.first);
            *least = stored.first.min(*least);
        }
        for ((recipient, sender, device), first) in first {
            require(first == 1, || {
                format!("{recipient} never got the messages of {sender}.{device} before {first}")
            })?;
        }
        Ok(())
    }

    fn stored_by_any(&self, sender: UserId, device: DeviceId, recipient: UserId) -> u64 {
        let of_recipient = self
            .stored
            .iter()
            .filter(|((to, _, from, of), _)| (*to, *from, *of) == (recipient, sender, device));
        of_recipient.map(|(_, stored)| stored.last).max().unwrap_or_default()
    }
}

fn require(holds: bool, breach: impl FnOnce() -> String) -> Result<(), Breach> {
    if holds { Ok(()) } else { Err(Breach(breach())) }
}
