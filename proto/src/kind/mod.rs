//! The kinds of frames. A layout is frozen once released: a change is a new kind.

mod chat_settings;
mod check;
mod contacts;
mod delete;
mod device;
mod group;
mod group_receipts;
mod group_tail;
mod inbox;
mod outcome;
mod report;
mod send;
mod session;
mod signal;
mod tail;

pub use chat_settings::*;
pub use contacts::*;
pub use delete::*;
pub use device::*;
pub use group::*;
pub use group_receipts::*;
pub use group_tail::*;
pub use inbox::*;
pub use outcome::*;
pub use report::*;
pub use send::*;
pub use session::*;
pub use signal::*;
pub use tail::*;

use rkyv::Portable;
use rkyv::api::high::HighValidator;
use rkyv::bytecheck::CheckBytes;
use rkyv::rancor::Failure;

use crate::code::Code;

/// Which end may send a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// Only the client.
    Client,
    /// Only the server.
    Server,
    /// Both.
    Either,
}

/// One end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The device.
    Client,
    /// The box.
    Server,
}

/// Whether a kind carries a request's tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tag {
    /// A request: never 0, answered exactly once.
    Request,
    /// The answer to a request: its tag.
    Answer,
    /// Always 0.
    None,
    /// The answer to a request, or 0 where the server speaks first.
    AnswerOrNone,
}

/// The envelope of a kind: fixed-size fields, then a packed tail that it counts.
pub trait Envelope: Sized {
    /// The kind that this is the envelope of.
    const KIND: Kind;
    /// Bytes of the fixed part.
    const BYTES: usize = size_of::<Self::Archived>();
    /// The fixed part in place.
    type Archived: Portable + for<'a> CheckBytes<HighValidator<'a, Failure>> + 'static;

    /// The native values.
    fn from_archived(archived: &Self::Archived) -> Self;
    /// Appends the fixed part.
    fn append_to(&self, out: &mut Vec<u8>);

    /// Checks the range of every field.
    ///
    /// # Errors
    /// `FrameMalformed`; `RangeInvalid` for the numbers of a `Skip` or a `Skipped`.
    fn check(&self) -> Result<(), Code>;
}

/// Above the number of every kind.
const NUMBERS_END: usize = 0x200;

/// What is fixed for each kind.
#[derive(Clone, Copy)]
struct Rule {
    kind: Option<Kind>,
    from: From,
    tag: Tag,
    carries_payload: bool,
    envelope_bytes: u16,
}

impl Rule {
    const NONE: Self = Self {
        kind: None,
        from: From::Either,
        tag: Tag::None,
        carries_payload: false,
        envelope_bytes: 0,
    };
}

/// By number: each frame asks for it several times, and kinds are many.
static RULES: [Rule; NUMBERS_END] = Kind::rules();

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $from:ident, $tag:ident;)*) => {
        /// A kind of frame; its number on the wire.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u16)]
        pub enum Kind {
            $($(#[$doc])* $name = $number,)*
        }

        impl Kind {
            /// All kinds, by number.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The name used in documents and vectors.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }

            const fn rules() -> [Rule; NUMBERS_END] {
                let mut rules = [Rule::NONE; NUMBERS_END];
                $(
                    rules[$number] = Rule {
                        kind: Some(Self::$name),
                        from: From::$from,
                        tag: Tag::$tag,
                        carries_payload: matches!(
                            Self::$name,
                            Self::Send
                                | Self::Recall
                                | Self::GroupSend
                                | Self::Deliver
                                | Self::Copied
                                | Self::GroupDeliver
                        ),
                        envelope_bytes: <$name as Envelope>::BYTES as u16,
                    };
                )*
                rules
            }
        }
    };
}

kinds! {
    /// Opens a session: version, device, token, cursor, credit.
    Hello = 0x0001, Client, Request;
    /// Asks for a `Pong`.
    Ping = 0x0002, Client, Request;
    /// Answers a `Ping`; or, from a client, a `Probe`.
    Pong = 0x0003, Either, AnswerOrNone;
    /// A new token for an open session.
    Renew = 0x0004, Client, Request;
    /// Opens a session without a token, by the ticket of an earlier one.
    Resume = 0x0005, Client, Request;

    /// A message for the target.
    Send = 0x0010, Client, Request;
    /// Gives numbers of a chat up.
    Skip = 0x0011, Client, Request;
    /// All entries up to a position are stored.
    Ack = 0x0012, Client, None;
    /// Asks for the entries behind a position again.
    Resync = 0x0013, Client, None;
    /// The user has read messages of a chat.
    Read = 0x0014, Client, Request;
    /// A message that takes an earlier one back.
    Recall = 0x0015, Client, Request;
    /// The user has deleted a chat.
    DeleteChat = 0x0016, Client, Request;

    /// Asks for the user's devices.
    ListDevices = 0x0020, Client, Request;
    /// A device of the user gets a name.
    NameDevice = 0x0021, Client, Request;
    /// A device is the user's no more.
    RevokeDevice = 0x0022, Client, Request;
    /// Changes how a chat is treated.
    SetChat = 0x0023, Client, Request;
    /// Asks for the chats that are treated otherwise than at first.
    ListChats = 0x0024, Client, Request;
    /// Changes whom the user has among his contacts.
    SetContacts = 0x0025, Client, Request;
    /// Who may write to the user first.
    SetWriters = 0x0026, Client, Request;
    /// Asks for the user's contacts, and what is theirs alone.
    ListContacts = 0x0027, Client, Request;

    /// Reports a user to the operator.
    Report = 0x0028, Client, Request;

    /// A message for the group.
    GroupSend = 0x0030, Client, Request;
    /// Gives numbers of a group's chat up.
    GroupSkip = 0x0031, Client, Request;
    /// Makes a group.
    CreateGroup = 0x0032, Client, Request;
    /// Adds members, removes them, or changes their role.
    ChangeMembers = 0x0033, Client, Request;
    /// Gives a group another name.
    RenameGroup = 0x0034, Client, Request;
    /// Asks who is in a group.
    DescribeGroup = 0x0035, Client, Request;
    /// Turns a group's receipts on or off.
    SetGroupReceipts = 0x0036, Client, Request;
    /// The user has read a group.
    ReadGroup = 0x0037, Client, Request;

    /// What a user does in a chat just now; shown or lost.
    Typing = 0x0040, Either, None;
    /// Whom the user wants to see being there.
    Watch = 0x0041, Client, Request;
    /// Who may see when the user was there.
    SetVisibility = 0x0042, Client, Request;

    /// The session is open.
    Welcome = 0x0101, Server, Answer;
    /// The server asks whether anybody is there; any frame answers it.
    Probe = 0x0103, Server, None;
    /// The server is going away.
    GoAway = 0x0104, Server, None;
    /// The connection, or the request with this tag, failed.
    Error = 0x0105, Server, AnswerOrNone;
    /// The session goes on until the new token expires.
    Renewed = 0x0106, Server, Answer;

    /// The message is durable.
    Accepted = 0x0110, Server, Answer;
    /// The message was not taken; nothing of it is kept.
    Refused = 0x0111, Server, Answer;
    /// An earlier message of the chat is missing.
    OutOfOrder = 0x0112, Server, Answer;
    /// The numbers are given up, but for those that had been accepted.
    Skipped = 0x0113, Server, Answer;
    /// What was read is durable.
    ReadNoted = 0x0114, Server, Answer;

    /// An entry: a message.
    Deliver = 0x0120, Server, None;
    /// An entry, or a first word of one: messages that were delivered.
    Delivered = 0x0121, Server, None;
    /// An entry, or an answer: a message that will not be delivered.
    Failed = 0x0122, Server, AnswerOrNone;
    /// All entries that waited at `Hello` have been sent.
    CaughtUp = 0x0123, Server, None;
    /// An entry, or a first word of one: messages that the other user has read.
    ReadBy = 0x0124, Server, None;
    /// An entry: messages that the user has read on another device.
    ReadElsewhere = 0x0125, Server, None;
    /// An entry: a message that another device of the user has sent.
    Copied = 0x0126, Server, None;
    /// An entry: the user has deleted a chat on another device.
    ChatDeleted = 0x0127, Server, None;
    /// An entry: another device has changed how a chat is treated.
    ChatSet = 0x0129, Server, None;

    /// What was asked for is durable.
    Done = 0x0130, Server, Answer;
    /// What was asked for is not done.
    Declined = 0x0131, Server, Answer;
    /// A page of the user's devices.
    Devices = 0x0132, Server, Answer;
    /// A page of chats that are treated otherwise than at first.
    Chats = 0x0133, Server, Answer;
    /// A page of the user's contacts, and what is theirs alone.
    Contacts = 0x0134, Server, Answer;

    /// The group is there.
    GroupCreated = 0x0140, Server, Answer;
    /// An entry: a message to a group.
    GroupDeliver = 0x0141, Server, None;
    /// An entry: a group has other members, roles or another name.
    GroupChanged = 0x0142, Server, None;
    /// An entry: members that a message to a group will not be delivered to.
    GroupFailed = 0x0143, Server, None;
    /// The group as it is now.
    GroupDescribed = 0x0144, Server, Answer;
    /// An entry: members who have a message to a group, or have read it.
    GroupReceipt = 0x0145, Server, None;
    /// An entry: the user has read a group on another device.
    GroupReadElsewhere = 0x0146, Server, None;

    /// When a user was there last; shown or lost.
    Presence = 0x0160, Server, None;
}

impl Kind {
    /// The kind with this number.
    #[inline]
    pub fn from_number(number: u16) -> Option<Self> {
        RULES.get(usize::from(number))?.kind
    }

    /// The number on the wire.
    #[inline]
    pub fn number(self) -> u16 {
        self as u16
    }

    /// Who may send it.
    #[inline]
    pub fn from(self) -> From {
        self.rule().from
    }

    /// Whether it carries a tag.
    #[inline]
    pub fn tag(self) -> Tag {
        self.rule().tag
    }

    /// Whether a frame of this kind may carry a payload.
    #[inline]
    pub fn carries_payload(self) -> bool {
        self.rule().carries_payload
    }

    /// Bytes of the fixed part of its envelope.
    #[inline]
    pub fn envelope_bytes(self) -> usize {
        usize::from(self.rule().envelope_bytes)
    }

    /// Whether it is a signal: shown now or never, and sent by a server only to a client
    /// that said in `Hello` that it understands it. A session needs none of them.
    pub fn is_signal(self) -> bool {
        matches!(self, Self::Typing | Self::Presence)
    }

    /// Whether a person may have caused a frame of this kind: of others, which apps send by
    /// themselves, `USER_ACTION` says nothing.
    pub fn may_be_user_action(self) -> bool {
        let is_by_itself = matches!(
            self,
            Self::Hello
                | Self::Resume
                | Self::Renew
                | Self::Ping
                | Self::Pong
                | Self::Ack
                | Self::Resync
                | Self::Read
                | Self::ReadGroup
        );
        self.is_sent_by(End::Client) && !is_by_itself
    }

    #[inline]
    fn rule(self) -> &'static Rule {
        RULES.get(usize::from(self.number())).unwrap_or(&Rule::NONE)
    }

    /// Whether it is a request about the acting user's own things, which goes to the user's own
    /// home and is refused by a `Declined`.
    pub fn is_about_own(self) -> bool {
        matches!(
            self,
            Self::DeleteChat
                | Self::ListDevices
                | Self::NameDevice
                | Self::RevokeDevice
                | Self::SetChat
                | Self::ListChats
                | Self::SetContacts
                | Self::SetWriters
                | Self::ListContacts
                | Self::Watch
                | Self::SetVisibility
                | Self::ReadGroup
        )
    }

    /// Whether this end may send it.
    #[inline]
    pub fn is_sent_by(self, end: End) -> bool {
        match self.from() {
            From::Client => end == End::Client,
            From::Server => end == End::Server,
            From::Either => true,
        }
    }

    /// Whether it is a request about a group, or for one.
    #[inline]
    pub fn is_of_groups(self) -> bool {
        matches!(
            self,
            Self::GroupSend
                | Self::GroupSkip
                | Self::CreateGroup
                | Self::ChangeMembers
                | Self::RenameGroup
                | Self::DescribeGroup
                | Self::SetGroupReceipts
        )
    }

    /// Whether a frame of this kind may carry this tag. A client answers a `Probe`, which
    /// has none; a server answers a `Ping`, which has one.
    #[inline]
    pub fn fits_tag(self, sender: End, tag: u32) -> bool {
        match (self, self.tag()) {
            (Self::Pong, _) => (tag == 0) == (sender == End::Client),
            (_, Tag::Request | Tag::Answer) => tag != 0,
            (_, Tag::None) => tag == 0,
            (_, Tag::AnswerOrNone) => true,
        }
    }
}

/// Ties an envelope's struct to its kind and its archive. Where a field's range is
/// narrower than its type, the method that checks it comes last.
macro_rules! envelope {
    ($name:ident, $archived:ident, { $($field:ident),* $(,)? } $(, $checked:ident)?) => {
        impl $crate::kind::Envelope for $name {
            const KIND: $crate::kind::Kind = $crate::kind::Kind::$name;
            type Archived = $archived;

            #[inline]
            fn from_archived(archived: &$archived) -> Self {
                Self { $($field: $crate::fixed::Native::native(&archived.$field)),* }
            }

            #[inline]
            fn append_to(&self, out: &mut Vec<u8>) {
                $crate::fixed::append(self, out);
            }

            #[inline]
            fn check(&self) -> Result<(), $crate::code::Code> {
                $(self.$checked()?;)?
                Ok(())
            }
        }
    };
}
pub(crate) use envelope;
