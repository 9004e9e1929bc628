//! What users do with groups: out of bytes, and to the box.

use answerback_directory::shard::Origin;
use answerback_proto::encode::Address;
use answerback_proto::header::HEADER_BYTES;
use answerback_proto::id::{Sequence, UserId};
use answerback_proto::kind::{
    ChangeMembers, CreateGroup, DescribeGroup, GroupSend, GroupSkip, Kind, ReadGroup, RenameGroup,
    SetGroupReceipts, action::SET_ROLE,
};
use arbitrary::{Arbitrary, Result, Unstructured};

use super::operation::{USERS, Who};
use super::requests::{envelope, listed, place, user};
use super::watch::Asked;
use super::world::World;
use crate::number::{Number, below};

/// Groups that a user may make, each by a nonce of its own.
const GROUPS_OF_A_USER: u8 = 2;

/// Something that a user asks of a group, by its number: of whom, then which of his.
#[derive(Clone, Copy, Debug)]
pub(super) enum GroupOperation {
    Create {
        who: Who,
        nonce: u8,
        members: u8,
    },
    Post {
        who: Who,
        group: u8,
        sequence: Number,
        life: u8,
        bytes: u8,
    },
    Skip {
        who: Who,
        group: u8,
        from: Number,
        count: u8,
    },
    /// Adds, removes or gives roles.
    Change {
        who: Who,
        group: u8,
        how: u8,
        members: u8,
    },
    Rename {
        who: Who,
        group: u8,
        length: u8,
    },
    Describe {
        who: Who,
        group: u8,
        version: u8,
    },
    Receipts {
        who: Who,
        group: u8,
        on: u8,
    },
    Read {
        who: Who,
        group: u8,
        up_to: Number,
    },
}

impl<'a> Arbitrary<'a> for GroupOperation {
    fn arbitrary(input: &mut Unstructured<'a>) -> Result<Self> {
        let group = |input: &mut Unstructured<'a>| below(input, USERS * GROUPS_OF_A_USER + 1);
        Ok(match below(input, 20)? {
            0..3 => Self::Create {
                who: input.arbitrary()?,
                nonce: below(input, GROUPS_OF_A_USER)?,
                members: input.arbitrary()?,
            },
            3..10 => Self::Post {
                who: input.arbitrary()?,
                group: group(input)?,
                sequence: input.arbitrary()?,
                life: input.arbitrary()?,
                bytes: input.arbitrary()?,
            },
            10 => Self::Skip {
                who: input.arbitrary()?,
                group: group(input)?,
                from: input.arbitrary()?,
                count: input.arbitrary()?,
            },
            11..14 => Self::Change {
                who: input.arbitrary()?,
                group: group(input)?,
                how: input.arbitrary()?,
                members: input.arbitrary()?,
            },
            14 => Self::Rename {
                who: input.arbitrary()?,
                group: group(input)?,
                length: input.arbitrary()?,
            },
            15 => Self::Describe {
                who: input.arbitrary()?,
                group: group(input)?,
                version: below(input, 8)?,
            },
            16 => Self::Receipts {
                who: input.arbitrary()?,
                group: group(input)?,
                on: below(input, 2)?,
            },
            _ => Self::Read {
                who: input.arbitrary()?,
                group: group(input)?,
                up_to: input.arbitrary()?,
            },
        })
    }
}

impl World {
    pub(super) fn ask_of_group(&mut self, operation: GroupOperation) {
        match operation {
            GroupOperation::Create { who, nonce, members } => {
                let nonce = 1 + u128::from(nonce);
                let create = CreateGroup { nonce, members_count: 0, name_length: 0 };
                let mut frame = Vec::new();
                let members = listed(members);
                let appended = create.append(&mut frame, Address::default(), &members, b"group");
                assert_eq!(appended, Ok(()));
                let creator = UserId(who.user.into());
                self.ask_home(who, Kind::CreateGroup, creator, Asked::Group, &frame);
            }
            GroupOperation::Post { who, group, sequence, life, bytes } => {
                self.post(who, self.group(group), sequence, (life, bytes));
            }
            GroupOperation::Skip { who, group, from, count } => {
                let to = self.group(group);
                let from = Sequence(from.of(self.watch.next(place(who), to).0));
                let last = Sequence(from.0.saturating_add(u64::from(count & 127)));
                let Some(origin) = self.ask(place(who), Asked::Skip { to, from, last }) else {
                    return;
                };
                let skip = envelope(&GroupSkip { from: from.0, to: last.0 });
                self.hand(Kind::GroupSkip, origin, to, &skip, &[]);
            }
            GroupOperation::Change { who, group, how, members } => {
                let action = 1 + u16::from(how % 3);
                let role = if action == SET_ROLE { u16::from(how / 3 % 3) } else { 0 };
                let change = ChangeMembers { action, role, members_count: 0 };
                let (mut frame, members) = (Vec::new(), listed(members));
                if change.append(&mut frame, Address::default(), &members).is_ok() {
                    let group = self.group(group);
                    self.ask_home(who, Kind::ChangeMembers, group, Asked::Group, &frame);
                }
            }
            GroupOperation::Rename { who, group, length } => {
                let name = vec![b'n'; usize::from(length).max(1)];
                let mut frame = Vec::new();
                let appended = RenameGroup::append(&mut frame, Address::default(), &name);
                assert_eq!(appended, Ok(()));
                let group = self.group(group);
                self.ask_home(who, Kind::RenameGroup, group, Asked::Group, &frame);
            }
            GroupOperation::Describe { who, group, version } => {
                let group = self.group(group);
                let Some(origin) = self.ask(place(who), Asked::Group) else { return };
                let describe = envelope(&DescribeGroup { version: version.into() });
                self.hand(Kind::DescribeGroup, origin, group, &describe, &[]);
            }
            GroupOperation::Receipts { who, group, on } => {
                let group = self.group(group);
                let Some(origin) = self.ask(place(who), Asked::Group) else { return };
                let set = envelope(&SetGroupReceipts { on: on.into() });
                self.hand(Kind::SetGroupReceipts, origin, group, &set, &[]);
            }
            GroupOperation::Read { who, group, up_to } => {
                self.read_group(who, self.group(group), up_to);
            }
        }
    }

    /// A user has read a group: up to a position, mostly the last that he was sent.
    fn read_group(&mut self, who: Who, group: UserId, up_to: Number) {
        let Some(session) = self.watch.open(place(who)) else { return };
        let Some(known) = self.watch.sessions.get(&session) else { return };
        let read = ReadGroup { group: group.0, up_to: up_to.of(known.acknowledged.0) };
        if let Some(origin) = self.ask(place(who), Asked::Own) {
            self.own(Kind::ReadGroup, origin, &envelope(&read));
        }
    }

    fn post(&mut self, who: Who, to: UserId, sequence: Number, (life, bytes): (u8, u8)) {
        let sequence = Sequence(sequence.of(self.watch.next(place(who), to).0));
        let send = GroupSend {
            sequence: sequence.0,
            seen_ms: self.wall_ms,
            life_s: u32::from(life) * 60,
            content_type: u16::from(bytes),
        };
        let Some(origin) = self.ask(place(who), Asked::Message { to, sequence }) else { return };
        self.watch.sent(place(who), to, sequence);
        let payload = vec![bytes; usize::from(bytes)];
        self.hand(Kind::GroupSend, origin, to, &envelope(&send), &payload);
    }

    /// A whole frame's envelope goes where its request belongs.
    fn ask_home(&mut self, who: Who, kind: Kind, target: UserId, asked: Asked, frame: &[u8]) {
        let Some(origin) = self.ask(place(who), asked) else { return };
        self.hand(kind, origin, target, frame.get(HEADER_BYTES..).unwrap_or_default(), &[]);
    }

    fn hand(&mut self, kind: Kind, origin: Origin, to: UserId, envelope: &[u8], payload: &[u8]) {
        let home = self.table.home_of_request(kind, origin.user, to, envelope);
        if let Some(shard) = self.shard(home) {
            shard.handle_group_request(kind, origin, to, envelope, payload);
        }
    }

    /// One of the groups that there may be; a user stands for one that cannot be.
    fn group(&self, number: u8) -> UserId {
        let creator = number / GROUPS_OF_A_USER + 1;
        if creator > USERS {
            return user(1);
        }
        let nonce = 1 + u128::from(number % GROUPS_OF_A_USER);
        self.table.group_of(UserId(creator.into()), nonce).as_peer()
    }
}
