//! What a partition's journal makes: the same records make the same state, anywhere.
//!
//! Nothing here knows who is online, what time it is outside, what is in memory and what is
//! not, or what comes next in the journal. Maps are never walked in an order that the records
//! did not make.
//!
//! A record whose users are not in memory is not applied: [`Missing`] says what has to be
//! read first, and nothing was changed. Each `apply` therefore looks up all that it needs
//! before it changes anything.

mod accept;
mod acknowledge;
mod chat_settings;
mod contacts;
mod delete;
mod devices;
mod due;
mod entries;
mod group;
mod login;
mod message;
mod parts;
mod purge;
mod read;
mod repair;
mod tokens;
mod visibility;
mod withheld;

use std::collections::{BTreeMap, VecDeque};

use answerback_proto::code::Code;
use answerback_proto::id::{Generation, Offset, PartNumber, PartitionId, Position, UserId};
use answerback_proto::record::{ChainHash, Corrupt, PlacedRecord, Record, Settings, StateDigest};

use super::by_user::ByUser;
use super::chat::Chat;
use super::digest::Digest;
use super::effect::{Administered, Alarm, Answer, EntryBody};
use super::group::Bodies;
use super::load::{Found, Wanted};
use super::outstanding::Outstanding;
use super::parts::{Incoming, Outgoing};
use super::report::Totals;
use super::user::User;
use crate::limits::{DIGESTS_KEPT, SETTINGS};
use crate::partition_table::PartitionTable;
use crate::ports::Applied;

pub(crate) use accept::over_quota;
pub(crate) use contacts::may_write;

/// The version of the rules that a new partition's first records are applied by.
pub(crate) const FIRST_VERSION: u16 = 1;
/// The version that an owner switches to. Version 1 keeps no early number, and knows no
/// quotas.
pub(crate) const VERSION: u16 = 2;

/// What a record's asker is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nobody asked.
    Silent,
    /// The answer to a request.
    Answer(Answer),
    /// The login took effect.
    Connected {
        /// The device starts at the floor, having been away too long.
        lapsed: bool,
    },
    /// The login did not, for this reason.
    Refused(Code),
    /// What became of an operator's command.
    Administered(Administered),
}

/// What has to be read before a record can be applied.
pub(crate) type Missing = Wanted;

/// Why a record was not applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// This has to be read first.
    Missing(Missing),
    /// The state is not what it was when these records were applied before.
    Corrupt(Corrupt),
}

impl From<Missing> for Held {
    fn from(missing: Missing) -> Self {
        Self::Missing(missing)
    }
}

/// What a record caused outside its own target, for the driver's eyes: nothing of it is
/// decided by it.
#[derive(Debug, Default)]
pub(crate) struct Consequences {
    /// Users whose inbox got an entry.
    pub(crate) touched: Vec<UserId>,
    /// Messages that came for users and wait, each user's newest: user, position.
    pub(crate) waiting: Vec<(UserId, Position)>,
    /// Receipts that a live sender may see at once: user, peer, what.
    pub(crate) shown: Vec<(UserId, UserId, EntryBody)>,
    /// Partitions whose parts were taken or repeated.
    pub(crate) parts_from: Vec<PartitionId>,
    /// Users whose devices changed, or what is done with all that they send.
    pub(crate) devices_changed: Vec<UserId>,
    /// Users whose sessions have to show again what they stand on.
    pub(crate) rechecked: Vec<UserId>,
    /// Users of whom a purge began or went on, and whether anything of them is left.
    pub(crate) purges: Vec<(UserId, bool)>,
    /// Users who show themselves to others than before.
    pub(crate) visibility: Vec<UserId>,
    /// Who has blocked whom, or no longer does.
    pub(crate) blocks: Vec<(UserId, UserId)>,
    /// For the operator.
    pub(crate) alarms: Vec<Alarm>,
    /// Partitions whose parts should not wait for the next round.
    pub(crate) hurried: Vec<PartitionId>,
}

impl Consequences {
    /// A user's inbox got an entry. Messages come in runs, and one look at an inbox pushes all
    /// of it.
    fn touch(&mut self, user: UserId) {
        if self.touched.last() != Some(&user) {
            self.touched.push(user);
        }
    }

    /// As above, a message that its user wants to be woken for.
    fn wait(&mut self, user: UserId, position: Position) {
        match self.waiting.last_mut() {
            Some((last, newest)) if *last == user => *newest = position,
            _ => self.waiting.push((user, position)),
        }
    }

    /// What waits for a partition should leave soon.
    fn hurry(&mut self, destination: PartitionId) {
        if !self.hurried.contains(&destination) {
            self.hurried.push(destination);
        }
    }
}

/// The state of one partition, as of one record.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) partition: PartitionId,
    /// Of the parts' numbers.
    pub(crate) generation: Generation,
    pub(crate) table: PartitionTable,
    /// The last record applied; the chain hash is that of the last whole batch.
    pub(crate) applied: Applied,
    /// The time of the last tick.
    pub(crate) clock_ms: u64,
    /// The clock jumped, and nobody confirmed it: nothing expires.
    pub(crate) is_clock_doubted: bool,
    pub(crate) settings: Settings,
    /// Of the rules.
    pub(crate) version: u16,
    pub(crate) digest: Digest,
    /// Digests behind the last batches.
    digests: VecDeque<(Offset, Digest)>,
    /// The users that are in memory.
    pub(crate) users: ByUser<User>,
    /// The senders' counts that are in memory.
    pub(crate) outstanding: ByUser<Outstanding>,
    /// What groups' members were sent, as far as it is in memory.
    pub(crate) bodies: Bodies,
    pub(crate) outgoing: BTreeMap<PartitionId, Outgoing>,
    pub(crate) incoming: BTreeMap<PartitionId, Incoming>,
    /// Users who changed since the last checkpoint, each once.
    pub(crate) changed_users: Vec<UserId>,
    /// Senders whose count did.
    pub(crate) changed_senders: Vec<UserId>,
    /// Chats in memory, about: each counts while it is there.
    pub(crate) chats_in_memory: usize,
    /// Members of the groups that are there, about.
    pub(crate) members_in_memory: usize,
    /// For the operator: no part of the state.
    pub(crate) totals: Totals,
}

impl State {
    pub(crate) fn new(partition: PartitionId, table: PartitionTable) -> Self {
        Self {
            partition,
            generation: Generation(0),
            table,
            applied: Applied::default(),
            clock_ms: 0,
            is_clock_doubted: false,
            settings: SETTINGS,
            version: FIRST_VERSION,
            digest: Digest::default(),
            digests: VecDeque::new(),
            users: ByUser::default(),
            outstanding: ByUser::default(),
            bodies: Bodies::default(),
            outgoing: BTreeMap::new(),
            incoming: BTreeMap::new(),
            changed_users: Vec::new(),
            changed_senders: Vec::new(),
            chats_in_memory: 0,
            members_in_memory: 0,
            totals: Totals::default(),
        }
    }

    /// Applies the next record of the journal.
    pub(crate) fn apply(
        &mut self,
        placed: &PlacedRecord,
        consequences: &mut Consequences,
    ) -> Result<Verdict, Held> {
        debug_assert_eq!(placed.offset, self.applied.offset.plus(1), "records come in order");
        let verdict = self.decide(placed, consequences)?;
        self.applied.offset = placed.offset;
        Ok(verdict)
    }

    #[inline]
    fn decide(
        &mut self,
        placed: &PlacedRecord,
        consequences: &mut Consequences,
    ) -> Result<Verdict, Held> {
        let payload = &placed.payload;
        Ok(match &placed.record {
            Record::Tick(tick) => self.tick(tick.now_ms, consequences),
            Record::Post(post) => self.post(&post.into(), payload, consequences)?,
            Record::Message(message) => self.post(&message.into(), payload, consequences)?,
            Record::RecallPost(recall) => self.post(&recall.into(), payload, consequences)?,
            Record::SkipRange(range) => self.skip(&range.into(), consequences)?,
            Record::Acknowledge(record) => self.acknowledge(record, consequences)?,
            Record::ReadUpTo(read) => self.read(read, consequences)?,
            Record::Connect(connect) => self.connect(connect, consequences)?,
            Record::Login(login) => self.login(login, consequences)?,
            Record::RevokeTokens(record) => self.revoke_tokens(record, consequences)?,
            Record::RevokeToken(record) => self.revoke_token(record, consequences)?,
            Record::ContactsChange(change) => {
                self.change_contacts(change, payload, consequences)?
            }
            Record::WritersChange(change) => self.set_writers(change, consequences)?,
            Record::WroteTo(wrote) => self.wrote_to(wrote)?,
            Record::VisibilityChange(change) => self.set_visibility(change, consequences)?,
            Record::AddUser(add) => self.add_user(UserId(add.user))?,
            Record::Revoke(revoke) => self.revoke(revoke, consequences)?,
            Record::DeviceNamed(named) => self.name_device(named, payload)?,
            Record::ChatChanged(changed) => self.change_chat(changed, consequences)?,
            Record::RevokeUser(record) => self.revoke_user(UserId(record.user), consequences)?,
            Record::PurgeUser(record) => self.purge(UserId(record.user), consequences)?,
            Record::Due(due) => self.due(due, consequences)?,
            Record::Attempt(attempt) => self.attempt(attempt, consequences)?,
            Record::Confirmed(confirmed) => {
                let destination = PartitionId(confirmed.destination);
                if let Some(outgoing) = self.outgoing.get_mut(&destination) {
                    outgoing.confirm(PartNumber(confirmed.up_to));
                }
                Verdict::Silent
            }
            Record::DeliveredPart(part) => self.delivered_part(part, consequences)?,
            Record::DeliveredButPart(part) => {
                self.delivered_but_part(part, payload, consequences)?
            }
            Record::ReadPart(part) => self.read_part(part, consequences)?,
            Record::FailedPart(part) => self.failed_part(part, consequences)?,
            Record::CopyPart(part) => self.copy_part(part, payload, consequences)?,
            Record::EraseChat(record) => self.erase_chat(record, payload)?,
            Record::ErasePart(part) => self.erase_part(part, payload, consequences)?,
            Record::ErasedPart(part) => self.erased_part(part, payload, consequences)?,
            Record::GroupPost(post) => self.post(&post.into(), payload, consequences)?,
            Record::GroupSkipRange(range) => self.skip(&range.into(), consequences)?,
            Record::GroupCreation(record) => self.create_group(record, payload, consequences)?,
            Record::MembersChange(record) => self.change_members(record, payload, consequences)?,
            Record::GroupRenaming(record) => self.rename_group(record, payload, consequences)?,
            Record::GroupReceiptsChange(record) => self.change_receipts(record, consequences)?,
            Record::GroupReadUpTo(read) => self.read_group(read, consequences)?,
            Record::GroupReceiptPart(part) => {
                self.group_receipt_part(part, payload, consequences)?
            }
            Record::GroupPart(part) => {
                self.group_part(part, placed.offset, payload, consequences)?
            }
            Record::GroupFailedPart(part) => self.group_failed_part(part, payload, consequences)?,
            Record::GroupGonePart(part) => self.group_gone_part(part, payload, consequences)?,
            Record::Settings(settings) => {
                self.settings = settings.clone();
                Verdict::Silent
            }
            Record::ApplyVersion(record) => {
                if record.version > VERSION {
                    return Err(Held::Corrupt(Corrupt::Unknown));
                }
                self.version = record.version;
                Verdict::Silent
            }
            Record::StateDigest(record) => self.compare_digest(record)?,
            Record::ConfirmClock(_) => {
                let was_doubted = std::mem::take(&mut self.is_clock_doubted);
                let outcome = if was_doubted { Administered::Done } else { Administered::WasSo };
                Verdict::Administered(outcome)
            }
            Record::Repair(_) => Verdict::Silent,
            Record::NewGeneration(record) => {
                self.generation = Generation(record.generation);
                self.outgoing.values_mut().for_each(Outgoing::forget_confirmed);
                Verdict::Silent
            }
        })
    }

    /// A batch has been applied to its end.
    pub(crate) fn finish_batch(&mut self, end: Offset, chain: ChainHash) {
        debug_assert_eq!(self.applied.offset.plus(1), end);
        self.applied.chain = chain;
        if self.digests.len() >= DIGESTS_KEPT {
            self.digests.pop_front();
        }
        self.digests.push_back((self.applied.offset, self.digest));
    }

    /// The last batch's end, and the digest behind it.
    pub(crate) fn last_digest(&self) -> Option<(Offset, Digest)> {
        self.digests.back().copied()
    }

    /// Takes what was read.
    pub(crate) fn handle_loaded(&mut self, what: Wanted, found: Found) {
        match (what, found) {
            (Wanted::Head(user), Found::Head(found)) => {
                self.members_in_memory += found.group().map_or(0, |group| group.members().len());
                self.users.get_or_insert_with(user, |_| *found);
            }
            (Wanted::Chat(user, peer), Found::Chat(chat)) => {
                if let Some(user) = self.users.get_mut(user)
                    && !user.chats.contains_key(&peer)
                {
                    user.chats.insert(peer, *chat);
                    self.chats_in_memory += 1;
                }
            }
            (Wanted::Chats { user, .. }, Found::Chats(chats)) => {
                let Some(user) = self.users.get_mut(user) else { return };
                for (peer, chat) in chats {
                    user.chats.entry(peer).or_insert_with(|| {
                        self.chats_in_memory += 1;
                        chat
                    });
                }
            }
            (Wanted::Outstanding(sender), Found::Outstanding(count)) => {
                self.outstanding.get_or_insert_with(sender, |sender| Outstanding {
                    sender,
                    count: count.unwrap_or(0),
                    is_stored: count.is_some(),
                    changed: false,
                    used: true,
                });
            }
            (Wanted::Page { user, .. }, Found::Entries(page)) => {
                if let Some(user) = self.users.get_mut(user) {
                    user.inbox.handle_page(page);
                }
            }
            (Wanted::Heads { user, .. }, Found::Entries(heads)) => {
                if let Some(user) = self.users.get_mut(user) {
                    user.inbox.handle_heads(heads);
                }
            }
            (Wanted::Contacts(user), Found::Contacts(users)) => {
                if let Some(user) = self.users.get_mut(user) {
                    user.load_contacts(users);
                }
            }
            (Wanted::Holders { .. }, Found::Holders(found)) => {
                for (place, holders) in found {
                    self.bodies.load(place, holders);
                }
            }
            _ => {}
        }
    }

    /// A checkpoint has all that changed of these users, and of everything else.
    pub(crate) fn handle_frozen(&mut self, users: &[UserId]) {
        for user in users {
            if let Some(user) = self.users.get_mut(*user) {
                user.forget_changes();
            }
        }
        for sender in self.changed_senders.drain(..) {
            if let Some(counted) = self.outstanding.get_mut(sender) {
                counted.changed = false;
                counted.is_stored = counted.count > 0;
            }
        }
        self.bodies.handle_frozen();
        self.outgoing.values_mut().for_each(Outgoing::forget_changes);
        self.incoming.values_mut().for_each(|incoming| incoming.changed = false);
    }

    fn tick(&mut self, now_ms: u64, consequences: &mut Consequences) -> Verdict {
        let before_ms = self.clock_ms;
        self.clock_ms = before_ms.max(now_ms);
        let jump_ms = u64::from(self.settings.clock_jump_s) * 1000;
        if before_ms > 0 && self.clock_ms - before_ms > jump_ms && !planted!(JumpIgnored) {
            self.is_clock_doubted = true;
            let (from_ms, to_ms) = (before_ms, self.clock_ms);
            consequences.alarms.push(Alarm::ClockJumped { from_ms, to_ms });
        }
        Verdict::Silent
    }

    /// Holds what the state had come to against what was journaled of it.
    fn compare_digest(&self, record: &StateDigest) -> Result<Verdict, Held> {
        let known = self.digests.iter().rev().find(|(offset, _)| offset.0 == record.offset);
        match known {
            Some((_, digest)) if digest.value() != record.digest => {
                Err(Held::Corrupt(Corrupt::Diverged))
            }
            _ => Ok(Verdict::Silent),
        }
    }

    fn outgoing_to(&mut self, user: UserId) -> &mut Outgoing {
        self.outgoing.entry(self.table.partition_of(user)).or_default()
    }

    fn user(&mut self, user: UserId) -> Result<&mut User, Missing> {
        if planted!(AppliedUnread) {
            self.users.get_or_insert_with(user, User::unknown);
        }
        self.users.get_mut(user).ok_or(Missing::Head(user))
    }

    fn require_outstanding(&mut self, sender: UserId) -> Result<u32, Missing> {
        let counted = self.outstanding.get_mut(sender).ok_or(Missing::Outstanding(sender))?;
        counted.used = true;
        Ok(counted.count)
    }
}

/// A user's chat that has to be in memory.
fn chat_of(user: &mut User, peer: UserId) -> Result<&mut Chat, Missing> {
    let id = user.id;
    let chat = user.chats.get_mut(&peer).ok_or(Missing::Chat(id, peer))?;
    chat.used = true;
    Ok(chat)
}

/// The entries of `(after, up_to]` have to be known.
fn require_known(user: &User, after: Position, up_to: Position) -> Result<(), Missing> {
    require_range(user, after.max(user.left_up_to()), up_to)
}

/// As above, of an inbox whose entries may be there from any position on.
fn require_range(user: &User, after: Position, up_to: Position) -> Result<(), Missing> {
    if after >= up_to || user.live == 0 || user.inbox.knows(after, up_to) {
        return Ok(());
    }
    let to = up_to.min(Position(user.inbox.fresh_from().0 - 1));
    Err(Missing::Heads { user: user.id, after, to })
}
