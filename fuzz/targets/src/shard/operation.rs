//! What may happen to a box, out of bytes: a byte says what, the following ones to whom.

use arbitrary::{Arbitrary, Result, Unstructured};

use super::groups::GroupOperation;
use super::own::OwnOperation;
use crate::number::{Number, below};

/// Users of the box, 1 to this.
pub(super) const USERS: u8 = 4;
/// Devices of a user, 1 to this.
pub(super) const DEVICES: u8 = 3;
/// Partitions of the box.
pub(super) const PARTITIONS: u8 = 2;

/// A device of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Who {
    pub(super) user: u8,
    pub(super) device: u8,
}

/// Something that happens.
#[derive(Clone, Copy, Debug)]
pub(super) enum Operation {
    Connect {
        who: Who,
        counter: Number,
        generation: Number,
        cursor: Number,
        credit: u8,
    },
    Close {
        who: Who,
    },
    Send {
        who: Who,
        to: u8,
        sequence: Number,
        life: u8,
        seen: Number,
        bytes: u8,
    },
    Recall {
        who: Who,
        to: u8,
        sequence: Number,
        recalled: Number,
    },
    Skip {
        who: Who,
        to: u8,
        from: Number,
        count: u8,
    },
    Read {
        who: Who,
        peer: Who,
        up_to: Number,
    },
    Ack {
        who: Who,
        up_to: Number,
    },
    Resync {
        who: Who,
        cursor: Number,
    },
    /// Deletes a chat up to a position and, of one device of the user's, a number.
    Delete {
        who: Who,
        peer: u8,
        cursor: Number,
        up_to: Number,
    },
    /// Blocks, hides reads and mutes, or ends that: bits of what changes, and how.
    Treat {
        who: Who,
        peer: u8,
        changes: u8,
    },
    Group(GroupOperation),
    Own(OwnOperation),
    Malformed {
        who: Who,
        kind: u8,
        envelope: [u8; 16],
    },
    Alive {
        who: Who,
    },
    AddUser {
        user: u8,
    },
    Revoke {
        who: Who,
    },
    RevokeUser {
        user: u8,
    },
    PurgeUser {
        user: u8,
    },
    ConfirmClock {
        partition: u8,
    },
    /// Milliseconds, seconds, minutes or hours, on both clocks.
    Pass {
        count: u8,
        unit: u8,
    },
    /// The wall clock alone, also backwards.
    Jump {
        hours: i8,
    },
    Take {
        partition: u8,
    },
    Commit {
        partition: u8,
    },
    Hear {
        partition: u8,
    },
    /// A read under way is done, or handed to its shard.
    ReadOn {
        which: u8,
    },
    /// Mail between partitions arrives, comes twice or is lost.
    Mail {
        which: u8,
        fate: u8,
    },
    Freeze {
        partition: u8,
    },
    Write {
        partition: u8,
    },
    TellWritten {
        partition: u8,
    },
    /// A crash: of what was taken and not yet committed, so many batches are there.
    Crash {
        kept: u8,
        restored: bool,
    },
    /// Everything comes to rest.
    Settle,
}

impl<'a> Arbitrary<'a> for Operation {
    fn arbitrary(input: &mut Unstructured<'a>) -> Result<Self> {
        let partition = |input: &mut Unstructured<'a>| below(input, PARTITIONS);
        Ok(match input.arbitrary::<u8>()? {
            0..24 => Self::Connect {
                who: input.arbitrary()?,
                counter: input.arbitrary()?,
                generation: input.arbitrary()?,
                cursor: input.arbitrary()?,
                credit: input.arbitrary()?,
            },
            24..32 => Self::Close { who: input.arbitrary()? },
            32..80 => Self::Send {
                who: input.arbitrary()?,
                to: below(input, USERS + 1)?,
                sequence: input.arbitrary()?,
                life: input.arbitrary()?,
                seen: input.arbitrary()?,
                bytes: input.arbitrary()?,
            },
            80..90 => Self::Recall {
                who: input.arbitrary()?,
                to: below(input, USERS + 1)?,
                sequence: input.arbitrary()?,
                recalled: input.arbitrary()?,
            },
            90..98 => Self::Skip {
                who: input.arbitrary()?,
                to: below(input, USERS + 1)?,
                from: input.arbitrary()?,
                count: input.arbitrary()?,
            },
            98..106 => Self::Read {
                who: input.arbitrary()?,
                peer: input.arbitrary()?,
                up_to: input.arbitrary()?,
            },
            106..124 => Self::Ack { who: input.arbitrary()?, up_to: input.arbitrary()? },
            124..130 => Self::Resync { who: input.arbitrary()?, cursor: input.arbitrary()? },
            130..134 => Self::Malformed {
                who: input.arbitrary()?,
                kind: input.arbitrary()?,
                envelope: input.arbitrary()?,
            },
            134..138 => Self::Alive { who: input.arbitrary()? },
            138..140 => Self::AddUser { user: below(input, USERS)? },
            140 => Self::RevokeUser { user: below(input, USERS)? },
            141 => Self::PurgeUser { user: below(input, USERS)? },
            142..146 => Self::Revoke { who: input.arbitrary()? },
            146..150 => Self::ConfirmClock { partition: partition(input)? },
            150..162 => Self::Pass { count: input.arbitrary()?, unit: below(input, 4)? },
            162..165 => Self::Jump { hours: input.arbitrary()? },
            165..177 => Self::Take { partition: partition(input)? },
            177..189 => Self::Commit { partition: partition(input)? },
            189..201 => Self::Hear { partition: partition(input)? },
            201..211 => Self::ReadOn { which: input.arbitrary()? },
            211..219 => Self::Mail { which: input.arbitrary()?, fate: input.arbitrary()? },
            219..225 => Self::Freeze { partition: partition(input)? },
            225..231 => Self::Write { partition: partition(input)? },
            231..237 => Self::TellWritten { partition: partition(input)? },
            237..243 => {
                Self::Crash { kept: below(input, 4)?, restored: input.arbitrary::<u8>()? > 224 }
            }
            243..247 => Self::Settle,
            247..249 => Self::Group(input.arbitrary()?),
            249..251 => Self::Own(input.arbitrary()?),
            251..253 => Self::Delete {
                who: input.arbitrary()?,
                peer: below(input, USERS + 1)?,
                cursor: input.arbitrary()?,
                up_to: input.arbitrary()?,
            },
            253.. => Self::Treat {
                who: input.arbitrary()?,
                peer: below(input, USERS + 1)?,
                changes: input.arbitrary()?,
            },
        })
    }
}

impl<'a> Arbitrary<'a> for Who {
    fn arbitrary(input: &mut Unstructured<'a>) -> Result<Self> {
        let both = below(input, USERS * DEVICES)?;
        Ok(Self { user: 1 + both / DEVICES, device: 1 + both % DEVICES })
    }
}
