//! Codes: what went wrong, and the class that a client may act on alone.

/// What a client should do; the number range of a code says which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// 1000–1999: send the same frame again.
    RetrySame,
    /// 2000–2999: send it again after the time that the frame names.
    RetryAfter,
    /// 3000–3999: the request is wrong; the same one will be refused again.
    FixRequest,
    /// 4000–4999: get a new token.
    Reauthenticate,
    /// 5000–5999: this app is too old for the server.
    UpgradeApp,
    /// 6000–6999: what was asked for is gone for good.
    Gone,
}

impl Class {
    /// The class of a code's number, known or not.
    pub fn of(number: u16) -> Option<Self> {
        Some(match number {
            1000..=1999 => Self::RetrySame,
            2000..=2999 => Self::RetryAfter,
            3000..=3999 => Self::FixRequest,
            4000..=4999 => Self::Reauthenticate,
            5000..=5999 => Self::UpgradeApp,
            6000..=6999 => Self::Gone,
            _ => return None,
        })
    }

    /// The name used in documents and messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::RetrySame => "retry_same",
            Self::RetryAfter => "retry_after",
            Self::FixRequest => "fix_request",
            Self::Reauthenticate => "reauthenticate",
            Self::UpgradeApp => "upgrade_app",
            Self::Gone => "gone",
        }
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $number:literal,)*) => {
        /// A code of the protocol.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u16)]
        pub enum Code {
            $($(#[$doc])* $name = $number,)*
        }

        impl Code {
            /// All codes, by number.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The code with this number.
            pub fn from_number(number: u16) -> Option<Self> {
                match number {
                    $($number => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// The name used in documents and messages.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }
        }
    };
}

codes! {
    /// An earlier message of the chat is missing; send from the expected one on.
    OutOfOrder = 1001,
    /// The session's place is being moved; connect again and send the same.
    SessionMoved = 1002,
    /// A probe was not answered; connect again.
    ProbeUnanswered = 1003,
    /// Whether this session may be is checked anew; connect again.
    SessionRecheck = 1004,
    /// A frame took too long to arrive; connect again and send the same.
    FrameTooSlow = 1005,

    /// The server has more to do than it may queue.
    Busy = 2001,
    /// The server is going away; connect again after the time named.
    Draining = 2002,
    /// The journal's disk is nearly full; nothing new is taken, acknowledgements are.
    DiskReserve = 2003,
    /// The recipient's inbox holds as much as it may.
    InboxFull = 2004,
    /// The sender has as much waiting for this recipient, or near him, as he may.
    SenderQuota = 2005,
    /// More in a time than a device, a user or an address may.
    RateLimited = 2006,
    /// The server's memory is nearly full; nothing new is taken, acknowledgements are.
    MemoryReserve = 2007,

    /// Lengths that cannot be, a reserved bit set, a field outside its range.
    FrameMalformed = 3001,
    /// The frame is longer than the limit in `Welcome`.
    FrameTooLarge = 3002,
    /// A kind that this server does not know, without the `IGNORABLE` flag.
    UnknownKind = 3003,
    /// A kind that this connection may not send now.
    KindNotAllowed = 3004,
    /// A request without a tag, or a tag where none belongs.
    TagMismatch = 3005,
    /// Nobody with this id has ever logged in.
    UnknownUser = 3006,
    /// An acknowledgement beyond what this session was sent.
    AckBeyondSent = 3007,
    /// A sequence more than 64 beyond the last decided one: not kept.
    SequenceTooFar = 3008,
    /// A range that is empty, starts at 0 or is longer than 64.
    RangeInvalid = 3009,
    /// A request for another user than the one that is logged in.
    NotYours = 3010,
    /// The sender gave this number up with `Skip`.
    Skipped = 3011,
    /// A repeat of a number decided more than 64 numbers ago: its outcome was told then.
    DecisionForgotten = 3012,
    /// The user has as many devices as he may; one must be revoked first.
    TooManyDevices = 3013,
    /// A deletion up to a position beyond what this session was sent.
    CursorBeyondSent = 3014,
    /// A message that may wait for less than 5 s.
    LifeTooShort = 3015,
    /// The user has no such device.
    UnknownDevice = 3016,
    /// The request is about oneself, and cannot be: a chat, a report.
    NotYourself = 3017,
    /// A list of the user's holds as much as it may.
    ListFull = 3018,
    /// This server takes no reports.
    ReportsUnavailable = 3019,
    /// A first message to a user whom only contacts may write to first.
    ContactsOnly = 3020,
    /// There is no such group.
    UnknownGroup = 3030,
    /// The user is no member of the group.
    NotMember = 3031,
    /// The user's role in the group does not allow it.
    NotAdmin = 3032,
    /// The group would have more members than it may.
    GroupFull = 3033,
    /// A user cannot add himself: he is a member, or somebody else adds him.
    AddsOneself = 3034,
    /// What only a session in active mode may ask for.
    NotActive = 3050,

    /// The token's signature, form or audience is wrong.
    TokenInvalid = 4001,
    /// The token has expired, or is not valid yet.
    TokenExpired = 4002,
    /// The first frame was neither `Hello` nor `Resume`, or came too late.
    HelloExpected = 4003,
    /// The token, or the one behind the ticket, was revoked.
    TokenRevoked = 4004,
    /// The resume ticket is of no use, or its proof is wrong; a token is needed.
    TicketInvalid = 4005,
    /// The token of this session has expired, and no other came in time.
    SessionExpired = 4006,

    /// No version in common.
    VersionUnsupported = 5001,

    /// A newer connection of the same device took over.
    SessionReplaced = 6001,
    /// The device's connection counter went back: its database is a copy. Become a new device.
    DeviceRolledBack = 6002,
    /// The device was revoked.
    DeviceRevoked = 6003,
    /// The message was not delivered within its life.
    Expired = 6004,
    /// The message was offered often enough, to a device that was there and never took it.
    Undeliverable = 6005,
    /// The sender took the message back before anybody had it.
    Recalled = 6006,
    /// The number was missing for an hour, while later ones waited for it.
    GapClosed = 6007,
    /// The operator had the record skipped, since it could not be applied.
    Repaired = 6008,
    /// The operator had the recipient purged, with all that nobody had acknowledged.
    UserPurged = 6009,
}

impl Code {
    /// The number on the wire.
    pub fn number(self) -> u16 {
        self as u16
    }

    /// What a client should do.
    pub fn class(self) -> Class {
        Class::of(self.number()).unwrap_or(Class::FixRequest)
    }
}
