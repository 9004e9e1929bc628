//! The layouts of records, each frozen and with a golden vector.

use rkyv::{Archive, Serialize};

use super::{FixedRecord, RecordKind};

macro_rules! layout {
    ($(#[$doc:meta])* $name:ident / $archived:ident {
        $($(#[$field_doc:meta])* $field:ident: $type:ty,)*
    }) => {
        $(#[$doc])*
        #[derive(Archive, Serialize, Clone, Debug, PartialEq, Eq)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $type,)*
        }

        impl FixedRecord for $name {
            const KIND: RecordKind = RecordKind::$name;
            type Archived = $archived;

            #[inline]
            fn from_archived(archived: &$archived) -> Self {
                Self { $($field: crate::fixed::Native::native(&archived.$field),)* }
            }

            #[inline]
            fn append_to(&self, out: &mut Vec<u8>) {
                crate::fixed::append(self, out);
            }
        }
    };
}

layout! {
    /// The clock moves: the first record of each batch of the owner.
    Tick / ArchivedTick {
        /// max(last tick, the owner's clock), ms since 1970.
        now_ms: u64,
    }
}

layout! {
    /// A device logged in with a valid token.
    Connect / ArchivedConnect {
        /// The user; exists from now on.
        user: u128,
        /// The device; exists from now on, at the floor where it is new.
        device: u128,
        /// Only a counter above the stored one takes the session over.
        connection_counter: u64,
    }
}

layout! {
    /// A device sent a message to a user of this partition. Payload: the message.
    Message / ArchivedMessage {
        /// Whose inbox it is for.
        recipient: u128,
        /// Who sent it.
        sender: u128,
        /// The sender's device.
        device: u128,
        /// That device's number of it in this chat.
        sequence: u64,
        /// Greatest `accepted_at_ms` of the chat that the device had.
        seen_ms: u64,
        /// How long it may wait; never 0 here.
        life_s: u32,
        /// Opaque.
        content_type: u16,
    }
}

layout! {
    /// A device gives numbers up.
    SkipRange / ArchivedSkipRange {
        /// The other end of the chat, of this partition.
        recipient: u128,
        /// Who gives up.
        sender: u128,
        /// The sender's device.
        device: u128,
        /// First number.
        from: u64,
        /// Last number.
        to: u64,
    }
}

layout! {
    /// A device has stored its inbox up to a position.
    Acknowledge / ArchivedAcknowledge {
        /// Whose inbox.
        user: u128,
        /// Which device.
        device: u128,
        /// The greatest position stored.
        up_to: u64,
    }
}

layout! {
    /// Another partition has committed all parts up to a number.
    Confirmed / ArchivedConfirmed {
        /// The partition that took them.
        destination: u16,
        /// The greatest number that it has.
        up_to: u64,
    }
}

layout! {
    /// A part for a user of this partition: messages of a device were delivered.
    DeliveredPart / ArchivedDeliveredPart {
        /// The partition that the part comes from.
        source: u16,
        /// That partition's generation.
        generation: u64,
        /// The part's number in the queue from there to here.
        number: u64,
        /// The number before it that was still queued, else the last confirmed.
        previous: u64,
        /// Who had sent the messages.
        user: u128,
        /// Who has received them.
        peer: u128,
        /// The device that had sent them.
        device: u128,
        /// The greatest number that was delivered.
        up_to: u64,
        /// When the last of them was.
        delivered_at_ms: u64,
    }
}

layout! {
    /// A part for a user of this partition: a message will not be delivered.
    FailedPart / ArchivedFailedPart {
        /// The partition that the part comes from.
        source: u16,
        /// That partition's generation.
        generation: u64,
        /// The part's number in the queue from there to here.
        number: u64,
        /// The number before it that was still queued, else the last confirmed.
        previous: u64,
        /// Who had sent the message.
        user: u128,
        /// Who will not receive it.
        peer: u128,
        /// The device that had sent it.
        device: u128,
        /// That device's number of it.
        sequence: u64,
        /// Why, a code.
        code: u16,
    }
}
