//! The layouts of groups' records, each frozen and with a golden vector.

use rkyv::{Archive, Serialize};

use super::layout::layout;
use super::{FixedRecord, RecordKind};

layout! {
    /// A device sent a message to a group of this partition. Payload: the message.
    GroupPost / ArchivedGroupPost {
        /// Which group.
        group: u128,
        /// Who sent it.
        sender: u128,
        /// The sender's device.
        device: u128,
        /// That device's number of it in this group.
        sequence: u64,
        /// Greatest `accepted_at_ms` of the group that the device had.
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
    /// A device gives numbers up.
    GroupSkipRange / ArchivedGroupSkipRange {
        /// Which group, of this partition.
        group: u128,
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
    /// A user makes a group. Payload: the other members, u128 each, ascending; then the name.
    GroupCreation / ArchivedGroupCreation {
        /// Its id.
        group: u128,
        /// Who makes it, and owns it.
        creator: u128,
        /// The creator's device.
        device: u128,
        /// Members in the payload.
        members_count: u16,
    }
}

layout! {
    /// A member adds others, removes them, or gives them a role. Payload: u128 each, ascending.
    MembersChange / ArchivedMembersChange {
        /// Which group.
        group: u128,
        /// Who does it.
        actor: u128,
        /// The actor's device.
        device: u128,
        /// As in `ChangeMembers`.
        action: u16,
        /// As in `ChangeMembers`.
        role: u16,
    }
}

layout! {
    /// A member gives a group another name. Payload: the name.
    GroupRenaming / ArchivedGroupRenaming {
        /// Which group.
        group: u128,
        /// Who does it.
        actor: u128,
        /// The actor's device.
        device: u128,
    }
}

layout! {
    /// A part for members of this partition: a message of a group, or what changed in it.
    /// Payload: the members, u128 each, ascending; then the message, or the tail of a
    /// `GroupChanged`.
    GroupPart / ArchivedGroupPart {
        /// The partition that the part comes from.
        source: u16,
        /// That partition's generation.
        generation: u64,
        /// The part's number in the queue from there to here.
        number: u64,
        /// The number before it in the queue.
        previous: u64,
        /// Which group.
        group: u128,
        /// Who sent it, or did it; 0 for nobody.
        sender: u128,
        /// The sender's device; 0 for a change.
        device: u128,
        /// That device's number of it; 0 for a change.
        sequence: u64,
        /// Its place in the shown order.
        at_ms: u64,
        /// When it ends undelivered; 0 for a change.
        expires_at_ms: u64,
        /// Of the list of members.
        version: u32,
        /// Opaque; of a change, members in the tail.
        content_type: u16,
        /// 0 for a message; else what has changed, as in `GroupChanged`.
        change: u16,
        /// Of a change: bytes of the name.
        name_length: u16,
        /// Bit 0 `COPIES`: the sender has other devices, which get a copy. Bit 1 `RECEIPTS`: the
        /// group has them, at this place.
        flags: u16,
        /// Members in the payload.
        members_count: u16,
    }
}

layout! {
    /// A part for a user of this partition: members that a message of his to a group will not
    /// be delivered to. Payload: (u128 member, u16 code) each, ascending.
    GroupFailedPart / ArchivedGroupFailedPart {
        /// The partition that the part comes from.
        source: u16,
        /// That partition's generation.
        generation: u64,
        /// The part's number in the queue from there to here.
        number: u64,
        /// The number before it in the queue.
        previous: u64,
        /// Who had sent it.
        user: u128,
        /// To which group.
        group: u128,
        /// The device that had sent it.
        device: u128,
        /// That device's number of it.
        sequence: u64,
    }
}

layout! {
    /// A part for a group of this partition: members do not exist. Payload: who, u128 each,
    /// ascending.
    GroupGonePart / ArchivedGroupGonePart {
        /// The partition that the part comes from.
        source: u16,
        /// That partition's generation.
        generation: u64,
        /// The part's number in the queue from there to here.
        number: u64,
        /// The number before it in the queue.
        previous: u64,
        /// Which group.
        group: u128,
    }
}

layout! {
    /// A member turns a group's receipts on or off.
    GroupReceiptsChange / ArchivedGroupReceiptsChange {
        /// Which group.
        group: u128,
        /// Who does it.
        actor: u128,
        /// The actor's device.
        device: u128,
        /// As in `SetGroupReceipts`.
        on: u16,
    }
}

layout! {
    /// A user of this partition has read a group.
    GroupReadUpTo / ArchivedGroupReadUpTo {
        /// Who has read.
        user: u128,
        /// On which device.
        reader_device: u128,
        /// Which group.
        group: u128,
        /// What lies up to this position of the user's inbox.
        up_to: u64,
    }
}

layout! {
    /// A part for a user of this partition: members who have a message of his to a group, and
    /// who have read it. Payload: the bits of both, as in a `GroupReceipt`.
    GroupReceiptPart / ArchivedGroupReceiptPart {
        /// The partition that the part comes from.
        source: u16,
        /// That partition's generation.
        generation: u64,
        /// The part's number in the queue from there to here.
        number: u64,
        /// The number before it in the queue.
        previous: u64,
        /// Who had sent it.
        user: u128,
        /// To which group.
        group: u128,
        /// The device that had sent it.
        device: u128,
        /// That device's number of it.
        sequence: u64,
        /// Of the list of members that it went to.
        version: u32,
        /// Bytes of those who have it; the others are of those who have read it.
        delivered_bytes: u16,
    }
}
