//! Layouts of records about a user's own things, frozen as the others are.

use rkyv::{Archive, Serialize};

use super::layout::layout;
use super::{FixedRecord, RecordKind};

layout! {
    /// A user's device has a name. Payload: the name, UTF-8; empty for none.
    DeviceNamed / ArchivedDeviceNamed {
        /// Whose.
        user: u128,
        /// Which device.
        device: u128,
    }
}

layout! {
    /// A user treats a chat otherwise.
    ChatChanged / ArchivedChatChanged {
        /// Whose chat.
        user: u128,
        /// The device that said so.
        device: u128,
        /// The other end.
        peer: u128,
        /// What is changed, as in `SetChat`.
        changes: u16,
        /// The new values of those bits.
        flags: u16,
        /// Until when it is muted, ms since 1970, where that is changed.
        muted_until_ms: u64,
    }
}

layout! {
    /// A user has others among his contacts. Payload: their ids, u128, little-endian, rising.
    ContactsChange / ArchivedContactsChange {
        /// Whose.
        user: u128,
        /// What becomes of them, as in `SetContacts`.
        mode: u16,
    }
}

layout! {
    /// Who may write to a user first has changed.
    WritersChange / ArchivedWritersChange {
        /// Whose.
        user: u128,
        /// 0 everybody, 1 contacts.
        who: u16,
    }
}

layout! {
    /// A user whom only contacts may write to first writes to another, who may answer.
    WroteTo / ArchivedWroteTo {
        /// Who writes.
        user: u128,
        /// To whom.
        peer: u128,
    }
}

layout! {
    /// A part for a user of this partition: messages of a device were delivered, but for some
    /// ranges. Payload: each range's first and last number, u64, little-endian, rising.
    DeliveredButPart / ArchivedDeliveredButPart {
        /// The partition that the part comes from.
        source: u16,
        /// That partition's generation.
        generation: u64,
        /// The part's number in the queue from there to here.
        number: u64,
        /// The number before it in that queue.
        previous: u64,
        /// Who had sent them.
        user: u128,
        /// Who they were for.
        peer: u128,
        /// The device that had sent them.
        device: u128,
        /// The greatest sequence that was delivered.
        up_to: u64,
        /// When the last of them was, ms since 1970.
        delivered_at_ms: u64,
    }
}
