//! What an app, a clock, a network or a server may do to a session, out of bytes.

use answerback_proto::kind::{End, Kind};
use arbitrary::{Arbitrary, Result, Unstructured};

use crate::number::{Number, below};

/// Users whom the app writes to, 2 to this.
const PEERS: u8 = 2;

/// What the server says; each kind takes of it what it needs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Words {
    pub(super) kind: Kind,
    /// Which of the requests it answers; 255: none of them.
    pub(super) which: u8,
    pub(super) code: u16,
    pub(super) first: Number,
    pub(super) second: Number,
    pub(super) device: u8,
}

/// Something that happens.
#[derive(Clone, Copy, Debug)]
pub(super) enum Operation<'a> {
    Say(Words),
    /// As it comes from a socket, in chunks of this length.
    Bytes {
        bytes: &'a [u8],
        chunk: u8,
    },
    Send {
        peer: u8,
        sequence: Number,
        recalled: Option<Number>,
        bytes: u8,
    },
    Skip {
        peer: u8,
        sequence: Number,
    },
    Read {
        peer: u8,
        device: u8,
        up_to: Number,
    },
    /// The app stores what it was told.
    Store,
    Pass {
        hundredths: u16,
    },
    Transmit,
    Connect {
        welcome: Welcomed,
    },
    Disconnect,
    Use(u8),
}

/// What the server answers to `Hello`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Welcomed {
    pub(super) generation: Number,
    pub(super) cursor: Number,
    pub(super) undecided_max: u8,
    /// Bit 0: takes reads; bit 1: takes recalls; bit 2: longer frames; bit 3: never comes.
    pub(super) choice: u8,
    pub(super) heartbeats_s: (u8, u8),
}

impl<'a> Arbitrary<'a> for Operation<'a> {
    fn arbitrary(input: &mut Unstructured<'a>) -> Result<Self> {
        Ok(match input.arbitrary::<u8>()? {
            0..96 => Self::Say(input.arbitrary()?),
            96..104 => {
                let chunk = input.arbitrary()?;
                let length = usize::from(below(input, 80)?).min(input.len());
                Self::Bytes { bytes: input.bytes(length)?, chunk }
            }
            104..144 => Self::Send {
                peer: below(input, PEERS)?,
                sequence: input.arbitrary()?,
                recalled: match below(input, 4)? {
                    0 => Some(input.arbitrary()?),
                    _ => None,
                },
                bytes: input.arbitrary()?,
            },
            144..152 => Self::Skip { peer: below(input, PEERS)?, sequence: input.arbitrary()? },
            152..164 => Self::Read {
                peer: below(input, PEERS)?,
                device: below(input, 4)?,
                up_to: input.arbitrary()?,
            },
            164..184 => Self::Store,
            184..200 => Self::Pass { hundredths: input.arbitrary()? },
            200..232 => Self::Transmit,
            232..242 => Self::Connect { welcome: input.arbitrary()? },
            242..248 => Self::Disconnect,
            248.. => Self::Use(input.arbitrary()?),
        })
    }
}

impl<'a> Arbitrary<'a> for Words {
    fn arbitrary(input: &mut Unstructured<'a>) -> Result<Self> {
        let kinds: Vec<Kind> =
            Kind::ALL.iter().copied().filter(|kind| kind.is_sent_by(End::Server)).collect();
        Ok(Self {
            kind: spoken(*input.choose(&kinds)?),
            which: input.arbitrary()?,
            code: match input.arbitrary::<u8>()? {
                // The codes of a class are few, and lie at its beginning.
                byte @ 0..240 => 1000 * (1 + u16::from(byte) % 6) + u16::from(byte) / 16,
                _ => input.arbitrary()?,
            },
            first: input.arbitrary()?,
            second: input.arbitrary()?,
            device: below(input, 4)?,
        })
    }
}

/// What this server has no words for is a failure.
fn spoken(kind: Kind) -> Kind {
    let has_words = kind.number() < Kind::Deliver.number()
        || matches!(
            kind,
            Kind::Deliver
                | Kind::Copied
                | Kind::Delivered
                | Kind::ReadBy
                | Kind::ReadElsewhere
                | Kind::ChatDeleted
                | Kind::CaughtUp
                | Kind::Done
                | Kind::Declined
                | Kind::Devices
                | Kind::Presence
        );
    if has_words { kind } else { Kind::Failed }
}

impl<'a> Arbitrary<'a> for Welcomed {
    fn arbitrary(input: &mut Unstructured<'a>) -> Result<Self> {
        Ok(Self {
            generation: input.arbitrary()?,
            cursor: input.arbitrary()?,
            undecided_max: below(input, 64)? + 1,
            choice: input.arbitrary()?,
            heartbeats_s: input.arbitrary()?,
        })
    }
}
