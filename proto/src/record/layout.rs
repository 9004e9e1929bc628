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
pub(super) use layout;

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

/// A flag of `Post` and `RecallPost`: the sender has other devices, which get a copy.
pub const COPIES: u16 = 1;
/// Flag of a group's part: the group has receipts.
pub const RECEIPTS: u16 = 2;

layout! {
    /// A device sent a message to a user of this partition. Payload: the message.
    Post / ArchivedPost {
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
        /// Bit 0 `COPIES`: the sender has other devices, which get a copy.
        flags: u16,
    }
}

layout! {
    /// A device sent a message that takes an earlier one of its own in this chat back.
    /// Payload: the message.
    RecallPost / ArchivedRecallPost {
        /// Whose inbox it is for.
        recipient: u128,
        /// Who sent it.
        sender: u128,
        /// The sender's device.
        device: u128,
        /// That device's number of it in this chat.
        sequence: u64,
        /// The number that is taken back.
        recalled: u64,
        /// Greatest `accepted_at_ms` of the chat that the device had.
        seen_ms: u64,
        /// How long it may wait; never 0 here.
        life_s: u32,
        /// Opaque.
        content_type: u16,
        /// Bit 0 `COPIES`: the sender has other devices, which get a copy.
        flags: u16,
    }
}

layout! {
    /// A user of this partition has read a device's messages.
    ReadUpTo / ArchivedReadUpTo {
        /// Who has read.
        user: u128,
        /// On which device.
        reader_device: u128,
        /// Who had sent them.
        peer: u128,
        /// From which device.
        device: u128,
        /// The greatest number that was read.
        up_to: u64,
    }
}

layout! {
    /// A part for a user of this partition: messages of a device were read.
    ReadPart / ArchivedReadPart {
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
        /// Who has read them.
        peer: u128,
        /// The device that had sent them.
        device: u128,
        /// The greatest number that was read.
        up_to: u64,
        /// When it was.
        read_at_ms: u64,
    }
}

layout! {
    /// A part for a user of this partition: what a device of the user has sent, for the
    /// others. Payload: the message.
    CopyPart / ArchivedCopyPart {
        /// The partition that the part comes from.
        source: u16,
        /// That partition's generation.
        generation: u64,
        /// The part's number in the queue from there to here.
        number: u64,
        /// The number before it that was still queued, else the last confirmed.
        previous: u64,
        /// Who has sent the message.
        user: u128,
        /// Who it is for.
        peer: u128,
        /// The device that has sent it.
        device: u128,
        /// That device's number of it.
        sequence: u64,
        /// Its place in the shown order.
        accepted_at_ms: u64,
        /// Opaque.
        content_type: u16,
    }
}

layout! {
    /// Something of a user's is due.
    Due / ArchivedDue {
        /// Whose.
        user: u128,
        /// All that was due by then.
        up_to_ms: u64,
    }
}

layout! {
    /// An entry was offered to a session that was alive afterwards, and was not acknowledged.
    Attempt / ArchivedAttempt {
        /// Whose inbox.
        user: u128,
        /// Which device.
        device: u128,
        /// The first entry that it has not acknowledged.
        position: u64,
    }
}

layout! {
    /// The settings that apply reads, from here on.
    Settings / ArchivedSettings {
        /// Messages that wait in an inbox above its floor.
        inbox_messages_max: u32,
        /// Payload bytes of those.
        inbox_bytes_max: u64,
        /// Messages of one sender that wait in one partition.
        sender_messages_max: u32,
        /// Entries that a device may owe.
        device_lag_max: u32,
        /// Devices of a user.
        devices_max: u16,
        /// Age of the oldest owed entry at which a device lapses, s.
        lapse_s: u32,
        /// How long a gap in a device's numbers stays open, s.
        gap_s: u32,
        /// Attempts after which a message is undeliverable.
        retry_limit: u16,
        /// And how much time must lie between the first and the last of them, s.
        retry_span_s: u32,
        /// A jump of the clock that pauses expiry and lapse, s.
        clock_jump_s: u32,
    }
}

layout! {
    /// From here on records are applied by this version of the rules.
    ApplyVersion / ArchivedApplyVersion {
        /// Which.
        version: u16,
    }
}

layout! {
    /// A user exists from now on.
    AddUser / ArchivedAddUser {
        /// Who.
        user: u128,
    }
}

layout! {
    /// A device is no longer the user's, and cannot become so again.
    Revoke / ArchivedRevoke {
        /// Whose.
        user: u128,
        /// Which.
        device: u128,
    }
}

layout! {
    /// What the state had come to behind an earlier batch; another digest there means that
    /// two applications of the same records differ.
    StateDigest / ArchivedStateDigest {
        /// The last record of that batch.
        offset: u64,
        /// The digest behind it.
        digest: u64,
    }
}

layout! {
    /// The operator says that the clock is right, however far it jumped.
    ConfirmClock / ArchivedConfirmClock {
        /// What the clock said.
        now_ms: u64,
    }
}

layout! {
    /// A record that cannot be applied; a replay applies it as a rejection.
    Repair / ArchivedRepair {
        /// Which record.
        offset: u64,
    }
}

layout! {
    /// The data was restored: from here on parts are numbered in this generation, and those
    /// that wait count as never confirmed.
    NewGeneration / ArchivedNewGeneration {
        /// Which.
        generation: u64,
    }
}

layout! {
    /// No device that a user has is the user's any more, and none can become so again; the
    /// user goes on.
    RevokeUser / ArchivedRevokeUser {
        /// Whose devices.
        user: u128,
    }
}

layout! {
    /// A user does not exist from here on; what waits ends, in steps that are due.
    PurgeUser / ArchivedPurgeUser {
        /// Who.
        user: u128,
    }
}

layout! {
    /// A device logged in with a valid token, or with a ticket that was made from one.
    Login / ArchivedLogin {
        /// The user; exists from now on.
        user: u128,
        /// The device; exists from now on, at the floor where it is new.
        device: u128,
        /// Only a counter above the stored one takes the session over.
        connection_counter: u64,
        /// When the token was made, s since 1970.
        issued_s: u64,
        /// When the token expires, s since 1970.
        expires_s: u64,
        /// The token's id; 0 for one without.
        token: u128,
        /// The counter of the session in which the ticket was made; 0 for a token.
        ticket: u64,
    }
}

layout! {
    /// Tokens of a user that were made before this are void, and so are their tickets.
    RevokeTokens / ArchivedRevokeTokens {
        /// Whose.
        user: u128,
        /// The second, since 1970, from which on they are good.
        issued_before_s: u64,
    }
}

layout! {
    /// One token of a user is void, and so are its tickets.
    RevokeToken / ArchivedRevokeToken {
        /// Whose.
        user: u128,
        /// The token's id; never 0.
        token: u128,
        /// When it expires, s since 1970: from then on nobody needs to remember it.
        expires_s: u64,
    }
}

layout! {
    /// Who may see when a user was there has changed.
    VisibilityChange / ArchivedVisibilityChange {
        /// Whose.
        user: u128,
        /// 0 everybody, 1 contacts, 2 nobody.
        visibility: u16,
    }
}
