//! A device has stored its inbox up to a position: what any device has is delivered, what
//! every device has leaves.

use std::sync::Arc;

use answerback_proto::id::{DeviceId, Position, Sequence, UserId};
use answerback_proto::record::Acknowledge;
use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::super::effect::EntryBody;
use super::super::group::GroupWord;
use super::super::parts::{About, PartBody};
use super::super::user::{NEVER, Standing, User};
use super::{Consequences, Missing, State, Verdict, chat_of, require_known};

/// Messages of a device that have just been delivered for the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Newly {
    peer: UserId,
    device: DeviceId,
    up_to: Sequence,
    count: u32,
    bytes: u64,
    /// The peer is a group: whether anybody is told is said message by message.
    of_group: bool,
}

impl State {
    pub(super) fn acknowledge(
        &mut self,
        record: &Acknowledge,
        consequences: &mut Consequences,
    ) -> Result<Verdict, Missing> {
        let (acting, device) = (UserId(record.user), DeviceId(record.device));
        let user = self.user(acting)?;
        let up_to = Position(record.up_to).min(user.inbox.last_position());
        let known = user.device(device).filter(|known| known.is_active());
        let Some(cursor) = known.map(|known| known.cursor).filter(|cursor| *cursor < up_to) else {
            return Ok(Verdict::Silent);
        };
        let left_up_to = user.left_up_to();
        require_known(user, cursor, up_to)?;
        let (newly, receipted) = newly_delivered(user, up_to);
        require_chats(user, &newly)?;
        self.require_bodies(acting, left_up_to, up_to)?;
        for Newly { peer, of_group, .. } in &newly {
            chat_of(self.user(acting)?, *peer)?;
            if !of_group {
                self.require_outstanding(*peer)?;
            }
        }
        self.take_cursor(acting, device, up_to);
        for newly in newly {
            self.deliver(acting, newly, consequences);
        }
        for (position, word) in receipted {
            self.tell_has(acting, position, &word);
        }
        self.digest.mix(up_to.0);
        self.let_leave(acting, left_up_to);
        Ok(Verdict::Silent)
    }

    /// The device's cursor and the floor rise, over a range that is known.
    fn take_cursor(&mut self, acting: UserId, device: DeviceId, up_to: Position) {
        let (now_ms, lag_max) = (self.clock_ms, self.settings.device_lag_max);
        let Some(user) = self.users.get_mut(acting) else { return };
        if let Some(known) = user.device_mut(device) {
            known.cursor = up_to;
            known.standing = Standing::Active;
            known.changed = true;
            known.attempts.take_if(|attempts| attempts.position <= up_to);
        }
        if up_to > user.floor {
            user.above -= user.inbox.known(user.floor, up_to).count() as u32;
        }
        if user.live - user.above > lag_max {
            user.due_by(now_ms);
        }
        self.list(acting);
    }

    /// Tells the sender what was delivered, and that it waits no more.
    fn deliver(&mut self, acting: UserId, newly: Newly, consequences: &mut Consequences) {
        let Newly { peer, device, up_to, count, bytes, of_group } = newly;
        let Some(user) = self.users.get_mut(acting) else { return };
        user.messages -= count;
        user.bytes -= bytes;
        let (mut up_to, mut except) = (up_to, Vec::new());
        if let Some(chat) = user.chats.get_mut(&peer) {
            chat.waiting -= count;
            chat.changed = true;
            if !of_group {
                let sender = chat.sender_or_new(device);
                sender.delivered_up_to = sender.delivered_up_to.max(up_to);
                sender.changed = true;
                (up_to, except) = sender.withheld.receipt(up_to);
            }
        }
        self.totals.delivered += u64::from(count);
        if of_group {
            return;
        }
        self.count_out(peer, count);
        let delivered_at_ms = self.clock_ms;
        let about = About { user: peer, peer: acting, device };
        let body = EntryBody::Delivered { device, up_to, delivered_at_ms, except: except.clone() };
        let part = PartBody::Delivered { about, up_to: up_to.0, delivered_at_ms, except };
        self.outgoing_to(peer).push(part);
        consequences.shown.push((peer, acting, body));
    }

    /// Entries leave once every device that owes an acknowledgement has given it: those behind
    /// what had left before. They are known.
    pub(super) fn let_leave(&mut self, acting: UserId, left_before: Position) {
        let Some(user) = self.users.get_mut(acting) else { return };
        let cursors = user.devices.iter().map(|device| device.cursor);
        user.floor = cursors.max().map_or(user.floor, |greatest| greatest.max(user.floor));
        let up_to = user.left_up_to();
        user.live -= user.inbox.leave(left_before, up_to, |entry| {
            if let Some(word) = entry.body.word() {
                self.bodies.release(word.place, acting);
            }
        });
        if user.live == 0 && user.gaps().is_empty() {
            user.due_ms = user.withheld_due_ms().unwrap_or(NEVER);
        }
    }
}

/// Where several chats are missing, as when a user drains an inbox, they are read together.
fn require_chats(user: &User, newly: &[Newly]) -> Result<(), Missing> {
    let missing = newly.iter().map(|new| new.peer).filter(|peer| !user.chats.contains_key(peer));
    let first_and_last = missing.clone().min().zip(missing.max());
    match first_and_last.filter(|(first, last)| first != last) {
        Some((from, _)) => Err(Missing::Chats { user: user.id, from }),
        None => Ok(()),
    }
}

/// As many senders are searched one by one.
const FEW_SENDERS: usize = 8;

/// A group's message that has receipts, and its place in the inbox.
type Receipted = (Position, Arc<GroupWord>);

/// The messages between the floor and a position, by sender and device, in the order of the
/// first of each; and those of groups with receipts.
fn newly_delivered(user: &User, up_to: Position) -> (Vec<Newly>, Vec<Receipted>) {
    let (mut found, mut receipted) = (Vec::<Newly>::new(), Vec::new());
    // Where each is in `found`, once there are many.
    let mut index_of = HashMap::with_hasher(FixedState::default());
    for (position, entry) in user.inbox.known(user.floor, up_to) {
        let (device, up_to, of_group) = match &entry.body {
            EntryBody::Message { device, sequence, .. } => (*device, *sequence, false),
            EntryBody::GroupMessage(word) => {
                receipted.extend(word.receipts.then(|| (position, Arc::clone(word))));
                (DeviceId(0), Sequence(0), true)
            }
            _ => continue,
        };
        let (peer, bytes) = (entry.peer, u64::from(entry.payload_bytes));
        let new = Newly { peer, device, up_to, count: 1, bytes, of_group };
        let index = match found.len() {
            0..=FEW_SENDERS => found.iter().rposition(|known| known.is_of(peer, device)),
            _ => index_of.get(&(peer, device)).copied(),
        };
        if let Some(known) = index.and_then(|index| found.get_mut(index)) {
            known.add(&new);
            continue;
        }
        found.push(new);
        if found.len() > FEW_SENDERS {
            let from = if index_of.is_empty() { 0 } else { found.len() - 1 };
            let unlisted = found.iter().enumerate().skip(from);
            index_of.extend(unlisted.map(|(index, known)| ((known.peer, known.device), index)));
        }
    }
    (found, receipted)
}

impl Newly {
    fn is_of(&self, peer: UserId, device: DeviceId) -> bool {
        self.peer == peer && self.device == device
    }

    fn add(&mut self, later: &Self) {
        self.up_to = self.up_to.max(later.up_to);
        self.count += later.count;
        self.bytes += later.bytes;
    }
}
