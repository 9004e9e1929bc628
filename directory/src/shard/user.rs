//! All that belongs to one user: inbox, devices, chats.

mod device;

pub(crate) use device::{Attempts, Device, Devices, Standing};

use std::collections::BTreeMap;

use answerback_proto::id::{DeviceId, Position, UserId};

use super::by_user::OfUser;
use super::chat::Chat;
use super::grant::Revocations;
use super::group::Group;
use super::inbox::{Inbox, InboxEntry};
use crate::limits::WRITTEN_TO_MAX;

/// Whether there is such a user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Existence {
    /// Nobody has logged in with this id, and no operator added it.
    #[default]
    Unknown,
    /// There is.
    Exists,
    /// Not any more: an operator has it purged, and what it had is leaving.
    Purging,
    /// Not any more, and nothing is left but what was decided.
    Purged,
    /// It is a group, and no user.
    Group,
}

/// All that belongs to one user.
#[derive(Debug)]
pub(crate) struct User {
    pub(crate) id: UserId,
    pub(crate) inbox: Inbox,
    /// The highest cursor that any device ever had, kept when devices go: a new device
    /// starts behind it.
    pub(crate) floor: Position,
    /// Entries of the inbox.
    pub(crate) live: u32,
    /// Those of them that lie above the floor.
    pub(crate) above: u32,
    /// Messages above the floor.
    pub(crate) messages: u32,
    /// Their payload bytes.
    pub(crate) bytes: u64,
    /// When something of the user's is due, receipts of groups aside; `NEVER` for nothing.
    pub(crate) due_ms: u64,
    /// As the row in the table of due times says.
    pub(crate) stored_due_ms: u64,
    pub(crate) devices: Devices,
    /// The chats that are in memory.
    pub(crate) chats: BTreeMap<UserId, Chat>,
    /// Whether it may be sent to.
    pub(crate) existence: Existence,
    rare: Option<Box<Rare>>,
    /// Whether the user is listed for the next checkpoint.
    pub(crate) listed: bool,
    /// Whether the checkpoint under way has something of it.
    pub(crate) freezing: bool,
    /// Since the last look at what may leave the memory.
    pub(crate) used: bool,
}

/// Who may see when a user was there; whom the user does not show himself to, he does not see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Visibility {
    #[default]
    Everybody = 0,
    Contacts = 1,
    Nobody = 2,
}

impl Visibility {
    /// By the number that frames, records and rows have.
    pub(crate) fn of(number: u16) -> Option<Self> {
        match number {
            0 => Some(Self::Everybody),
            1 => Some(Self::Contacts),
            2 => Some(Self::Nobody),
            _ => None,
        }
    }

    /// Whether nobody has to be asked for.
    pub(crate) fn is_everybody(self) -> bool {
        self == Self::Everybody
    }
}

/// What hardly any user has.
#[derive(Debug, Default)]
struct Rare {
    visibility: Visibility,
    /// Only contacts may write to him first.
    is_for_contacts: bool,
    gaps: Box<[UserId]>,
    purged_up_to: Position,
    revocations: Revocations,
    /// Chats that are treated otherwise than at first.
    set_chats: u16,
    /// Other ends of chats in which something is withheld, and when the first of it ends.
    withheld: BTreeMap<UserId, u64>,
    /// Groups in which receipts wait to be told, and when the first of them may be.
    untold: BTreeMap<UserId, u64>,
    contacts: Contacts,
    /// Of a user for contacts: whom he wrote to lately, the newest last.
    written_to: Vec<UserId>,
    group: Option<Box<Group>>,
}

/// Whom a user has among his contacts. Read when somebody asks: few ever need them.
#[derive(Debug, Default)]
struct Contacts {
    count: u16,
    users: Option<Box<[UserId]>>,
    /// Since the last checkpoint.
    is_changed: bool,
}

/// No time at all.
pub(crate) const NEVER: u64 = u64::MAX;
/// Now, whatever the clock says.
pub(crate) const ALWAYS: u64 = 0;

impl OfUser for User {
    fn user(&self) -> UserId {
        self.id
    }
}

impl User {
    /// A user of whom there is no row.
    pub(crate) fn unknown(id: UserId) -> Self {
        Self {
            id,
            inbox: Inbox::default(),
            floor: Position(0),
            live: 0,
            above: 0,
            messages: 0,
            bytes: 0,
            due_ms: NEVER,
            stored_due_ms: NEVER,
            devices: Devices::default(),
            chats: BTreeMap::new(),
            existence: Existence::Unknown,
            rare: None,
            listed: false,
            freezing: false,
            used: true,
        }
    }

    /// Whether it may be sent to.
    pub(crate) fn exists(&self) -> bool {
        self.existence == Existence::Exists
    }

    /// Whether a chat would have to be read first: who never was has none.
    pub(crate) fn lacks_chat(&self, peer: UserId) -> bool {
        self.existence != Existence::Unknown && !self.chats.contains_key(&peer)
    }

    /// Adds a device.
    pub(crate) fn add_device(&mut self, device: Device) {
        self.devices.push(device);
    }

    /// Other ends of chats in which a number is missing.
    pub(crate) fn gaps(&self) -> &[UserId] {
        self.rare.as_ref().map_or(&[], |rare| &rare.gaps)
    }

    /// As a row says.
    pub(crate) fn set_gaps(&mut self, gaps: Vec<UserId>) {
        if !(gaps.is_empty() && self.rare.is_none()) {
            self.rare.get_or_insert_default().gaps = gaps.into();
        }
    }

    /// Of a user who is being purged: all entries up to here have left.
    pub(crate) fn purged_up_to(&self) -> Position {
        self.rare.as_ref().map_or(Position(0), |rare| rare.purged_up_to)
    }

    /// Of a user who is being purged.
    pub(crate) fn set_purged_up_to(&mut self, position: Position) {
        self.rare.get_or_insert_default().purged_up_to = position;
    }

    /// Who may see when the user was there.
    pub(crate) fn visibility(&self) -> Visibility {
        self.rare.as_ref().map_or(Visibility::default(), |rare| rare.visibility)
    }

    /// As above, from now on.
    pub(crate) fn set_visibility(&mut self, visibility: Visibility) {
        if visibility != self.visibility() {
            self.rare.get_or_insert_default().visibility = visibility;
        }
    }

    /// Whether only contacts may write to the user first.
    pub(crate) fn is_for_contacts(&self) -> bool {
        self.rare.as_ref().is_some_and(|rare| rare.is_for_contacts)
    }

    /// As above, from now on.
    pub(crate) fn set_for_contacts(&mut self, is_for_contacts: bool) {
        if is_for_contacts != self.is_for_contacts() {
            let rare = self.rare.get_or_insert_default();
            rare.is_for_contacts = is_for_contacts;
            rare.written_to = Vec::new();
        }
    }

    /// Of a user for contacts: whom he wrote to lately, the newest last.
    pub(crate) fn written_to(&self) -> &[UserId] {
        self.rare.as_ref().map_or(&[], |rare| &rare.written_to)
    }

    /// He writes to another.
    pub(crate) fn note_written_to(&mut self, peer: UserId) {
        let written_to = &mut self.rare.get_or_insert_default().written_to;
        if written_to.len() >= WRITTEN_TO_MAX {
            written_to.remove(0);
        }
        written_to.push(peer);
    }

    /// What is void of its tokens, where anything ever was.
    pub(crate) fn revocations(&self) -> Option<&Revocations> {
        self.rare.as_ref().map(|rare| &rare.revocations).filter(|void| !void.is_empty())
    }

    /// As above, to change it.
    pub(crate) fn revocations_mut(&mut self) -> &mut Revocations {
        &mut self.rare.get_or_insert_default().revocations
    }

    /// Void tokens that nobody can bring any more are forgotten.
    pub(crate) fn forget_revocations(&mut self, now_ms: u64) {
        if let Some(rare) = &mut self.rare {
            rare.revocations.forget(now_ms);
        }
    }

    /// Chats that are treated otherwise than at first.
    pub(crate) fn set_chats(&self) -> u16 {
        self.rare.as_ref().map_or(0, |rare| rare.set_chats)
    }

    /// As a row says, or one more or less.
    pub(crate) fn note_set_chats(&mut self, count: u16) {
        if count > 0 || self.rare.is_some() {
            self.rare.get_or_insert_default().set_chats = count;
        }
    }

    /// How many users this one has among his contacts.
    pub(crate) fn contacts_count(&self) -> u16 {
        self.rare.as_ref().map_or(0, |rare| rare.contacts.count)
    }

    /// They, rising, as far as they are in memory.
    pub(crate) fn contacts(&self) -> Option<&[UserId]> {
        match &self.rare {
            Some(rare) if rare.contacts.count > 0 => rare.contacts.users.as_deref(),
            _ => Some(&[]),
        }
    }

    /// They, where no row has them.
    pub(crate) fn changed_contacts(&self) -> Option<&[UserId]> {
        let rare = self.rare.as_ref().filter(|rare| rare.contacts.is_changed)?;
        rare.contacts.users.as_deref()
    }

    /// As a row says.
    pub(crate) fn note_contacts(&mut self, count: u16) {
        if count > 0 {
            self.rare.get_or_insert_default().contacts.count = count;
        }
    }

    /// As a row says, where nothing newer is known.
    pub(crate) fn load_contacts(&mut self, users: Vec<UserId>) {
        if let Some(rare) = &mut self.rare {
            rare.contacts.users.get_or_insert_with(|| users.into());
        }
    }

    /// These, rising, and no others from now on.
    pub(crate) fn set_contacts(&mut self, users: Vec<UserId>) {
        let contacts = &mut self.rare.get_or_insert_default().contacts;
        contacts.count = u16::try_from(users.len()).unwrap_or(u16::MAX);
        contacts.users = Some(users.into());
        contacts.is_changed = true;
    }

    /// Other ends of chats in which something is withheld, and when the first of it ends.
    pub(crate) fn withheld(&self) -> impl Iterator<Item = (UserId, u64)> {
        let withheld = self.rare.iter().flat_map(|rare| &rare.withheld);
        withheld.map(|(peer, due_ms)| (*peer, *due_ms))
    }

    /// Notes when the first of what is withheld in a chat ends; none where nothing is.
    pub(crate) fn note_withheld(&mut self, peer: UserId, due_ms: Option<u64>) {
        match due_ms {
            Some(due_ms) => {
                self.rare.get_or_insert_default().withheld.insert(peer, due_ms);
            }
            None => {
                if let Some(rare) = &mut self.rare {
                    rare.withheld.remove(&peer);
                }
            }
        }
    }

    /// When the first of all that is withheld ends.
    pub(crate) fn withheld_due_ms(&self) -> Option<u64> {
        if planted!(WithheldStays) {
            return None;
        }
        self.withheld().map(|(_, due_ms)| due_ms).min()
    }

    /// Groups in which receipts wait to be told, and when the first of them may be.
    pub(crate) fn untold(&self) -> impl Iterator<Item = (UserId, u64)> {
        let untold = self.rare.iter().flat_map(|rare| &rare.untold);
        untold.map(|(group, due_ms)| (*group, *due_ms))
    }

    /// Notes when the first of what waits in a group may be told; none where nothing waits.
    pub(crate) fn note_untold(&mut self, group: UserId, due_ms: Option<u64>) {
        match due_ms {
            Some(due_ms) => {
                self.rare.get_or_insert_default().untold.insert(group, due_ms);
            }
            None => {
                if let Some(rare) = &mut self.rare {
                    rare.untold.remove(&group);
                }
            }
        }
    }

    /// Whatever waits is told to nobody.
    pub(crate) fn forget_untold(&mut self) {
        if let Some(rare) = &mut self.rare {
            rare.untold.clear();
        }
    }

    /// When to look at this user again, receipts of groups included: these come every second,
    /// and are told without a look at the inbox.
    pub(crate) fn next_due_ms(&self) -> u64 {
        self.untold().map(|(_, due_ms)| due_ms).fold(self.due_ms, u64::min)
    }

    /// How much is withheld of a peer's, where the chat is in memory: messages and bytes.
    pub(crate) fn withheld_of(&self, peer: UserId) -> (u32, u64) {
        let has_any = self.rare.as_ref().is_some_and(|rare| !rare.withheld.is_empty());
        let chat = self.chats.get(&peer).filter(|_| has_any);
        chat.map_or((0, 0), Chat::withheld)
    }

    /// The group that this is, where it is one.
    pub(crate) fn group(&self) -> Option<&Group> {
        self.rare.as_ref()?.group.as_deref()
    }

    /// As above, to change it.
    pub(crate) fn group_mut(&mut self) -> Option<&mut Group> {
        self.rare.as_mut()?.group.as_deref_mut()
    }

    /// This is a group.
    pub(crate) fn set_group(&mut self, group: Group) {
        self.rare.get_or_insert_default().group = Some(Box::new(group));
    }

    /// The device, where the user has it.
    pub(crate) fn device(&self, id: DeviceId) -> Option<&Device> {
        self.devices.iter().find(|device| device.id == id)
    }

    /// As above, to change it.
    pub(crate) fn device_mut(&mut self, id: DeviceId) -> Option<&mut Device> {
        self.devices.iter_mut().find(|device| device.id == id)
    }

    /// No device is the user's any more; whether any was.
    pub(crate) fn revoke_all_devices(&mut self) -> bool {
        let held = self.devices.iter_mut().filter(|device| device.standing != Standing::Revoked);
        held.map(Device::revoke).count() > 0
    }

    /// The devices that owe acknowledgements.
    pub(crate) fn active_devices(&self) -> impl Iterator<Item = &Device> {
        self.devices.iter().filter(|device| device.is_active())
    }

    /// What sessions of the user's devices are told: whether there are others to copy to.
    pub(crate) fn has_several_devices(&self) -> bool {
        self.active_devices().count() > 1
    }

    /// All entries up to here have left: every device that owes an acknowledgement has given
    /// it, and at least one has.
    pub(crate) fn left_up_to(&self) -> Position {
        let cursors = self.active_devices().map(|device| device.cursor);
        if planted!(LeavesAtFirstAck) {
            return self.floor;
        }
        cursors.min().map_or(self.floor, |least| least.min(self.floor))
    }

    /// Something is due at a time, if not earlier.
    pub(crate) fn due_by(&mut self, at_ms: u64) {
        self.due_ms = self.due_ms.min(at_ms);
    }

    /// Puts an entry at the end of the inbox, where a device owes an acknowledgement of it for
    /// `lapse_ms`.
    pub(crate) fn put(&mut self, entry: InboxEntry, lapse_ms: u64) -> Position {
        self.live += 1;
        self.above += 1;
        self.due_by(entry.put_at_ms.saturating_add(lapse_ms));
        if entry.is_message() {
            self.messages += 1;
            self.bytes += u64::from(entry.payload_bytes);
            self.due_by(entry.expires_at_ms);
        }
        self.inbox.push(entry)
    }

    /// Notes whether a chat has a gap.
    pub(crate) fn note_gap(&mut self, peer: UserId, is_open: bool) {
        if self.gaps().contains(&peer) != is_open {
            let others = self.gaps().iter().copied().filter(|known| *known != peer);
            self.set_gaps(others.chain(is_open.then_some(peer)).collect());
        }
    }

    /// A checkpoint has all of it.
    pub(crate) fn forget_changes(&mut self) {
        self.listed = false;
        self.freezing = true;
        self.stored_due_ms = self.next_due_ms();
        self.devices.iter_mut().for_each(|device| device.changed = false);
        self.chats.values_mut().for_each(Chat::forget_changes);
        self.inbox.handle_frozen();
        if let Some(rare) = &mut self.rare {
            rare.contacts.is_changed = false;
        }
        if let Some(group) = self.group_mut() {
            group.changed = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::session::Session;
    use super::*;

    #[test]
    fn a_user_at_rest_is_small() {
        let sizes = (size_of::<User>(), size_of::<Session>());
        assert_eq!(sizes, (176, 104), "each of a million costs it");
    }

    #[test]
    fn one_device_or_several_are_the_users() {
        let mut user = User::unknown(UserId(1));
        assert_eq!(user.devices.len(), 0);
        for id in 1..=3 {
            user.add_device(Device { id: DeviceId(id), ..Device::default() });
            user.device_mut(DeviceId(id)).unwrap().connection_counter = id as u64;
            let known = user.devices.iter().map(|device| device.connection_counter);
            assert_eq!(known.collect::<Vec<_>>(), (1..=id as u64).collect::<Vec<_>>());
        }
    }
}
