//! A user: an inbox that forgets nothing, devices, chats.

use std::collections::{BTreeMap, BTreeSet};

use answerback_proto::code::Code;
use answerback_proto::id::{DeviceId, UserId};
use answerback_proto::kind::ChatSettings;

use super::delete::Marks;
use super::group_receipts::Tally;
use super::message::MessageNumber;
use super::tokens::Void;
use super::wakes::Waits;
use super::withheld::{Excepted, Withheld};

/// No time at all.
pub(super) const NEVER: u64 = u64::MAX;

#[derive(Debug)]
pub(super) struct Account {
    pub(super) id: UserId,
    pub(super) partition: usize,
    pub(super) exists: bool,
    /// It does not exist any more, and something of it is left.
    pub(super) is_purging: bool,
    /// It did not exist any more at some time.
    pub(super) was_purged: bool,
    /// The highest cursor that any device ever had.
    pub(super) floor: u64,
    pub(super) due_ms: u64,
    /// The first has the position 1.
    pub(super) entries: Vec<Entry>,
    /// All entries up to here have left.
    pub(super) gone_up_to: u64,
    /// In the order in which they came.
    pub(super) devices: Vec<DeviceId>,
    /// By the other end's number.
    pub(super) chats: Vec<Chat>,
    /// Other ends of chats with a missing number.
    pub(super) gaps: Vec<UserId>,
    /// What blocked users have sent, and has not ended.
    pub(super) withheld: Vec<Withheld>,
    /// Who may see when it was there: 0 everybody, 1 contacts, 2 nobody.
    pub(super) visibility: u16,
    /// Whom it has among its contacts.
    pub(super) contacts: BTreeSet<UserId>,
    /// Only they may write to it first.
    pub(super) is_for_contacts: bool,
    /// Whom it wrote to meanwhile, who had nothing of it before.
    pub(super) written_to: Vec<UserId>,
    /// What its devices may not come with any more.
    pub(super) void: Void,
    /// Groups, as the box calls them, in which receipts wait, and until when.
    pub(super) untold: BTreeMap<UserId, u64>,
    /// For how long its messages wait, and when it was woken.
    pub(super) waits: Waits,
}

#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) peer: UserId,
    pub(super) put_at_ms: u64,
    pub(super) expires_at_ms: u64,
    pub(super) payload_bytes: usize,
    pub(super) body: Body,
    /// It came in a chat that was muted: nobody is woken for it.
    pub(super) is_muted: bool,
    pub(super) is_alive: bool,
}

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    Message(MessageNumber),
    Copied(MessageNumber),
    Delivered {
        device: DeviceId,
        up_to: u64,
        at_ms: u64,
        except: Excepted,
    },
    ReadBy {
        device: DeviceId,
        up_to: u64,
        at_ms: u64,
    },
    ReadElsewhere {
        device: DeviceId,
        up_to: u64,
        at_ms: u64,
        reader: DeviceId,
    },
    Failed {
        message: MessageNumber,
        code: u16,
    },
    GroupMessage(MessageNumber),
    GroupCopied(MessageNumber),
    /// Which of the words.
    GroupChange(usize),
    /// Which of the failures.
    GroupFailed(usize),
    /// Who has seen a message, by the list of those.
    GroupReceipt {
        message: MessageNumber,
        seen: usize,
    },
    GroupReadElsewhere {
        reader: DeviceId,
        up_to: u64,
        at_ms: u64,
    },
    ChatDeleted {
        device: DeviceId,
        up_to: u64,
        marks: Marks,
    },
    ChatSet {
        flags: u16,
        muted_until_ms: u64,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReceiptKind {
    Delivered,
    ReadBy,
    ReadElsewhere,
    ChatSet,
    GroupReadElsewhere,
}

/// One chat of a user.
#[derive(Debug, Default)]
pub(super) struct Chat {
    pub(super) last_accepted_ms: u64,
    /// The user has deleted what came up to this position.
    pub(super) deleted_up_to: u64,
    pub(super) settings: ChatSettings,
    /// The newest receipt of each kind and device, and its position.
    pub(super) receipts: Vec<(ReceiptKind, DeviceId, u64)>,
    /// What comes from each of the other end's devices.
    pub(super) directions: Vec<Direction>,
    /// Of a group's: the newest word on each message's failures.
    pub(super) failures: Vec<FailureNote>,
    /// Of a group's: since which version the user is a member.
    pub(super) member_since: Option<u32>,
    /// The user has read what lies up to here.
    pub(super) group_read_up_to: u64,
    /// What he has and has not read, by its position.
    pub(super) unread: BTreeMap<u64, MessageNumber>,
    /// Who has seen what the user sent, by device and number.
    pub(super) tallies: BTreeMap<(DeviceId, u64), Tally>,
}

/// Which message of a group, where the word on its failures lies, whom it names.
pub(super) type FailureNote = ((DeviceId, u64), u64, Vec<(UserId, u16)>);

#[derive(Debug)]
pub(super) struct Direction {
    pub(super) device: DeviceId,
    /// The last number decided.
    pub(super) last: u64,
    pub(super) parked: BTreeMap<u64, Posted>,
    pub(super) gap_since_ms: u64,
    pub(super) delivered_up_to: u64,
    pub(super) read_up_to: u64,
    /// The other end has deleted these.
    pub(super) erased_up_to: u64,
}

/// A message as its record has it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Posted {
    pub(super) message: MessageNumber,
    pub(super) recipient: UserId,
    pub(super) sender: UserId,
    pub(super) device: DeviceId,
    pub(super) sequence: u64,
    pub(super) recalled: u64,
    pub(super) seen_ms: u64,
    pub(super) life_s: u32,
    pub(super) payload_bytes: usize,
    pub(super) is_copied: bool,
    /// Its sender was blocked when it came.
    pub(super) came_blocked: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// The home has never heard of it.
    Unknown,
    Active,
    Lapsed,
    Revoked,
}

/// A device: what its home knows of it, and what it was told.
#[derive(Debug)]
pub(super) struct Device {
    pub(super) id: DeviceId,
    pub(super) user: UserId,
    pub(super) standing: Standing,
    /// As its user called it.
    pub(super) name: String,
    pub(super) last_login_ms: u64,
    pub(super) cursor: u64,
    pub(super) counter: u64,
    /// The oldest of its tickets that is good.
    pub(super) ticket: u64,
    /// The counter of its last login, and what became of it.
    pub(super) last_login: Option<(u64, Result<(), Code>)>,
    /// Where it started, or started again after it had lapsed.
    pub(super) start: u64,
    pub(super) attempts: Option<(u64, u16, u64)>,
    /// What it sent to each user, in order.
    pub(super) sent: Vec<Vec<MessageNumber>>,
    /// The greatest position that it ever stored.
    pub(super) stored: u64,
    /// How far its session is.
    pub(super) session_cursor: u64,
    /// Its app's database went back to an older copy.
    pub(super) is_rolled_back: bool,
    /// The greatest delivered number of its own messages that it has an entry of, by
    /// recipient.
    pub(super) told_delivered: Vec<u64>,
    /// Receipts that it has stored, with their positions.
    pub(super) receipts: Vec<Receipt>,
}

/// Messages of a device to a user were delivered up to a number, says an entry.
#[derive(Clone, Copy, Debug)]
pub(super) struct Receipt {
    pub(super) position: u64,
    pub(super) device: DeviceId,
    pub(super) recipient: UserId,
    pub(super) up_to: u64,
    pub(super) except: Excepted,
}

impl Device {
    pub(super) fn new(id: DeviceId, user: UserId, users: usize) -> Self {
        Self {
            id,
            user,
            standing: Standing::Unknown,
            name: String::new(),
            last_login_ms: 0,
            cursor: 0,
            counter: 0,
            ticket: 0,
            last_login: None,
            start: 0,
            attempts: None,
            sent: vec![Vec::new(); users],
            stored: 0,
            session_cursor: 0,
            is_rolled_back: false,
            told_delivered: vec![0; users],
            receipts: Vec::new(),
        }
    }
}

impl Device {
    /// It is the user's no more; its name is forgotten.
    pub(super) fn revoke(&mut self) {
        self.standing = Standing::Revoked;
        self.name.clear();
    }
}

impl Account {
    pub(super) fn new(id: UserId, partition: usize, users: usize) -> Self {
        Self {
            id,
            partition,
            exists: false,
            is_purging: false,
            was_purged: false,
            floor: 0,
            due_ms: NEVER,
            entries: Vec::new(),
            gone_up_to: 0,
            devices: Vec::new(),
            chats: (0..users).map(|_| Chat::default()).collect(),
            gaps: Vec::new(),
            withheld: Vec::new(),
            visibility: 0,
            contacts: BTreeSet::new(),
            is_for_contacts: false,
            written_to: Vec::new(),
            void: Void::default(),
            untold: BTreeMap::new(),
            waits: Waits::default(),
        }
    }

    pub(super) fn chat(&mut self, peer: UserId) -> &mut Chat {
        &mut self.chats[peer.0 as usize - 1]
    }

    pub(super) fn last_position(&self) -> u64 {
        self.entries.len() as u64
    }

    pub(super) fn entry(&self, position: u64) -> Option<&Entry> {
        self.entries.get((position as usize).wrapping_sub(1))
    }

    /// The living entries of `(after, up_to]`.
    pub(super) fn alive(&self, after: u64, up_to: u64) -> impl Iterator<Item = (u64, &Entry)> {
        let begin = (after.max(self.gone_up_to) as usize).min(self.entries.len());
        let end = (up_to as usize).clamp(begin, self.entries.len());
        let entries = self.entries[begin..end].iter();
        let placed = (begin as u64 + 1..).zip(entries);
        placed.filter(|(_, entry)| entry.is_alive)
    }

    /// The living messages that no device has acknowledged.
    pub(super) fn waiting(&self) -> impl Iterator<Item = (u64, &Entry, MessageNumber)> {
        let above = self.alive(self.floor, self.last_position());
        above.filter_map(|(position, entry)| match entry.body {
            Body::Message(number) | Body::GroupMessage(number) => Some((position, entry, number)),
            _ => None,
        })
    }

    /// Messages behind a position, not muted, that have ended.
    pub(super) fn ended_messages(&self, behind: u64) -> Vec<u64> {
        let is_message =
            |entry: &Entry| matches!(entry.body, Body::Message(_) | Body::GroupMessage(_));
        let behind_it = (1..).zip(&self.entries).skip(behind as usize);
        let ended =
            behind_it.filter(|(_, entry)| !entry.is_alive && !entry.is_muted && is_message(entry));
        ended.map(|(position, _)| position).collect()
    }

    pub(super) fn die(&mut self, position: u64) {
        if let Some(entry) = self.entries.get_mut(position as usize - 1) {
            entry.is_alive = false;
        }
    }

    pub(super) fn due_by(&mut self, at_ms: u64) {
        self.due_ms = self.due_ms.min(at_ms);
    }

    pub(super) fn note_gap(&mut self, peer: UserId, is_open: bool) {
        if self.gaps.contains(&peer) != is_open {
            self.gaps.retain(|known| *known != peer);
            self.gaps.extend(is_open.then_some(peer));
        }
    }
}

impl Chat {
    pub(super) fn direction(&mut self, device: DeviceId) -> &mut Direction {
        let found = self.directions.iter().position(|known| known.device == device);
        let index = found.unwrap_or(self.directions.len());
        if found.is_none() {
            self.directions.push(Direction {
                device,
                last: 0,
                parked: BTreeMap::new(),
                gap_since_ms: 0,
                delivered_up_to: 0,
                read_up_to: 0,
                erased_up_to: 0,
            });
        }
        &mut self.directions[index]
    }

    pub(super) fn has_gap(&self) -> bool {
        self.directions.iter().any(|direction| !direction.parked.is_empty())
    }
}

impl Body {
    /// The device that this is no news to.
    pub(super) fn is_own_of(
        self,
        device: DeviceId,
        sent_by: impl Fn(MessageNumber) -> DeviceId,
    ) -> bool {
        match self {
            Self::Copied(number) | Self::GroupCopied(number) => sent_by(number) == device,
            Self::ReadElsewhere { reader, .. } | Self::GroupReadElsewhere { reader, .. } => {
                reader == device
            }
            Self::ChatDeleted { device: of, .. } => of == device,
            _ => false,
        }
    }
}
