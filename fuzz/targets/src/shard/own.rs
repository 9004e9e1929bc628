//! What users say of themselves, and who looks: out of bytes, and to the box.

use answerback_directory::shard::Mail;
use answerback_proto::encode::Address;
use answerback_proto::header::HEADER_BYTES;
use answerback_proto::id::UserId;
use answerback_proto::kind::{
    Kind, ListChats, ListContacts, ListDevices, SetContacts, SetVisibility, SetWriters, Watch,
};
use arbitrary::{Arbitrary, Result, Unstructured};

use super::operation::{USERS, Who};
use super::requests::{envelope, listed, place, user};
use super::watch::Asked;
use super::world::World;
use crate::number::below;

/// Something about contacts, or who is there.
#[derive(Clone, Copy, Debug)]
pub(super) enum OwnOperation {
    Contacts {
        who: Who,
        mode: u8,
        users: u8,
    },
    Writers {
        who: Who,
        whom: u8,
    },
    Visibility {
        who: Who,
        whom: u8,
    },
    Watch {
        who: Who,
        users: u8,
        once: u8,
    },
    /// A person does something.
    Act {
        user: u8,
    },
    /// A user writes to another just now.
    Type {
        user: u8,
        peer: u8,
    },
    /// Asks for the contacts, the chats or the devices.
    List {
        who: Who,
        what: u8,
    },
}

impl<'a> Arbitrary<'a> for OwnOperation {
    fn arbitrary(input: &mut Unstructured<'a>) -> Result<Self> {
        Ok(match below(input, 16)? {
            0..4 => Self::Contacts {
                who: input.arbitrary()?,
                mode: below(input, 3)?,
                users: input.arbitrary()?,
            },
            4..8 => Self::Writers { who: input.arbitrary()?, whom: below(input, 2)? },
            8 => Self::Visibility { who: input.arbitrary()?, whom: below(input, 3)? },
            9..11 => Self::Watch {
                who: input.arbitrary()?,
                users: input.arbitrary()?,
                once: below(input, 2)?,
            },
            11..13 => Self::Act { user: below(input, USERS)? },
            13 => Self::Type { user: below(input, USERS)?, peer: below(input, USERS + 1)? },
            _ => Self::List { who: input.arbitrary()?, what: below(input, 3)? },
        })
    }
}

impl World {
    pub(super) fn say_of_oneself(&mut self, operation: OwnOperation) {
        match operation {
            OwnOperation::Contacts { who, mode, users } => {
                let set = SetContacts { mode: mode.into(), users_count: 0 };
                let mut frame = Vec::new();
                let appended = set.append(&mut frame, Address::default(), &listed(users));
                assert_eq!(appended, Ok(()));
                self.ask_own(who, Kind::SetContacts, frame.get(HEADER_BYTES..).unwrap_or(&[]));
            }
            OwnOperation::Writers { who, whom } => {
                let set = SetWriters { who: whom.into() };
                self.ask_own(who, Kind::SetWriters, &envelope(&set));
            }
            OwnOperation::Visibility { who, whom } => {
                let set = SetVisibility { visibility: whom.into() };
                self.ask_own(who, Kind::SetVisibility, &envelope(&set));
            }
            OwnOperation::Watch { who, users, once } => {
                let mut frame = Vec::new();
                let watch = Watch { once: once.into(), users_count: 0 };
                let appended = watch.append(&mut frame, Address::default(), &listed(users));
                assert_eq!(appended, Ok(()));
                self.ask_own(who, Kind::Watch, frame.get(HEADER_BYTES..).unwrap_or(&[]));
            }
            OwnOperation::Act { user } => {
                let (user, wall_ms) = (UserId(u128::from(user) + 1), self.wall_ms);
                if let Some(home) = self.home(user) {
                    home.handle_action(user, wall_ms);
                }
            }
            OwnOperation::Type { user: whose, peer } => {
                let (whose, peer) = (UserId(u128::from(whose) + 1), user(peer));
                if let Some(home) = self.home(whose) {
                    home.handle_mail(Mail::Typing { user: whose, peer, state: 1 });
                }
            }
            OwnOperation::List { who, what } => {
                let behind = u128::from(what & 1);
                match what {
                    0 => self.ask_own(who, Kind::ListContacts, &envelope(&ListContacts { behind })),
                    1 => self.ask_own(who, Kind::ListChats, &envelope(&ListChats { behind })),
                    _ => self.ask_own(who, Kind::ListDevices, &envelope(&ListDevices { behind })),
                }
            }
        }
    }

    fn ask_own(&mut self, who: Who, kind: Kind, envelope: &[u8]) {
        if let Some(origin) = self.ask(place(who), Asked::Own) {
            self.own(kind, origin, envelope);
        }
    }
}
