//! What is in memory of what is on the disk: whoever has a session, a fresh change, or
//! something under way; and of the others as much as there is room for.

use std::collections::BTreeSet;

use answerback_proto::id::UserId;

use super::load::{Found, Load, Loaded, Wanted};
use super::{Effect, Shard};
use crate::limits::{CHAT_BYTES, MEMBER_BYTES, SENDER_BYTES, USER_BYTES};

/// How much of the disk's may stay in a shard's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Residency {
    /// Bytes of users at rest, about.
    pub bytes_max: usize,
}

/// What is not in memory of what a message concerns.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lacks {
    /// The recipient; the chat then counts as there.
    pub(super) head: bool,
    /// The chat.
    pub(super) chat: bool,
    /// The sender's count.
    pub(super) sender: bool,
}

impl Default for Residency {
    fn default() -> Self {
        Self { bytes_max: 64 * 1024 * 1024 }
    }
}

impl Shard {
    /// The checkpoint under way is written: what it holds may leave the memory.
    pub fn handle_checkpointed(&mut self) {
        for user_id in self.freezing.take().unwrap_or_default() {
            if let Some(user) = self.state.users.get_mut(user_id) {
                user.freezing = false;
                user.inbox.handle_stored(self.sessions.has_any(user_id));
            }
        }
        let mut reading = self.loading.iter();
        let is_being_read = reading.any(|wanted| matches!(wanted, Wanted::Holders { .. }));
        self.state.bodies.handle_stored(is_being_read);
        self.make_room();
    }

    /// Users in memory, chats among them, and bytes that they take, about.
    pub fn resident(&self) -> (usize, usize, usize) {
        let (users, chats) = (self.state.users.count(), self.state.chats_in_memory);
        (users, chats, self.resident_bytes())
    }

    fn resident_bytes(&self) -> usize {
        self.state.users.count() * USER_BYTES
            + self.state.chats_in_memory * CHAT_BYTES
            + self.state.members_in_memory * MEMBER_BYTES
            + self.state.outstanding.count() * SENDER_BYTES
    }

    /// First goes what was not used since the last time, then whatever may.
    fn make_room(&mut self) {
        for spares_used in [true, false] {
            if self.resident_bytes() > self.residency.bytes_max {
                self.let_go(spares_used);
            }
        }
    }

    fn let_go(&mut self, spares_used: bool) {
        let reading = self.users_being_read();
        let (sessions, chats_in_memory) = (&self.sessions, &mut self.state.chats_in_memory);
        let members_in_memory = &mut self.state.members_in_memory;
        self.state.users.retain(|user| {
            let was_used = std::mem::take(&mut user.used) && spares_used;
            let has_session = sessions.has_any(user.id);
            let is_needed = user.listed && !planted!(ChangedUserEvicted)
                || user.freezing
                || user.inbox.is_being_read()
                || reading.contains(&user.id);
            if is_needed || was_used {
                return true;
            }
            if !has_session {
                *chats_in_memory -= user.chats.len();
                let members = user.group().map_or(0, |group| group.members().len());
                *members_in_memory = members_in_memory.saturating_sub(members);
                return false;
            }
            user.chats.retain(|_, chat| {
                let is_kept = std::mem::take(&mut chat.used) && spares_used;
                *chats_in_memory -= usize::from(!is_kept);
                is_kept
            });
            true
        });
        self.state.outstanding.retain(|counted| {
            counted.changed || (std::mem::take(&mut counted.used) && spares_used)
        });
    }

    /// Users of whom a chat, or the contacts, are being read: what is read must not come behind a change that
    /// has left the memory meanwhile.
    fn users_being_read(&self) -> BTreeSet<UserId> {
        let users = self.loading.iter().filter_map(|wanted| match wanted {
            Wanted::Chat(user, _)
            | Wanted::Chats { user, .. }
            | Wanted::SetChats { user, .. }
            | Wanted::Contacts(user) => Some(*user),
            _ => None,
        });
        users.collect()
    }

    /// Has something read, unless it is being read already.
    pub(super) fn load(&mut self, what: Wanted) {
        if self.loading.insert(what) {
            self.handle_reading(what);
            let partition = self.state.partition;
            self.effects.push_back(Effect::Load(Load { partition, what }));
        }
    }

    /// What leaves an inbox from here on is not in what is about to be read of it.
    pub(super) fn handle_reading(&mut self, what: Wanted) {
        if let Wanted::Page { user, .. } | Wanted::Heads { user, .. } = what
            && let Some(user) = self.state.users.get_mut(user)
        {
            user.inbox.handle_reading();
        }
    }

    /// An input was appended that concerns a user, and a chat: whatever of them is not in
    /// memory is read while the input is committed.
    pub(super) fn preload(&mut self, user_id: UserId, peer: Option<UserId>) {
        match self.state.users.get(user_id) {
            None => self.load(Wanted::Head(user_id)),
            Some(user) => {
                if let Some(peer) = peer.filter(|peer| user.lacks_chat(*peer)) {
                    self.load(Wanted::Chat(user_id, peer));
                }
            }
        }
        if let Some(sender) = peer.filter(|peer| self.state.outstanding.get(*peer).is_none()) {
            self.load(Wanted::Outstanding(sender));
        }
    }

    /// As above, without the count of a sender: a group has none.
    pub(super) fn preload_chat(&mut self, user_id: UserId, peer: UserId) {
        match self.state.users.get(user_id) {
            None => self.load(Wanted::Head(user_id)),
            Some(user) if user.exists() && !user.chats.contains_key(&peer) => {
                self.load(Wanted::Chat(user_id, peer));
            }
            Some(_) => {}
        }
    }

    /// As above, where it was already looked what there is.
    pub(super) fn load_lacking(&mut self, lacks: Lacks, user: UserId, peer: UserId) {
        let Lacks { head, chat, sender } = lacks;
        let wanted = [
            (head, Wanted::Head(user)),
            (chat, Wanted::Chat(user, peer)),
            (sender, Wanted::Outstanding(peer)),
        ];
        for (_, what) in wanted.into_iter().filter(|(is_lacking, _)| *is_lacking) {
            self.load(what);
        }
    }

    pub(super) fn take_loaded(&mut self, loaded: Loaded) {
        match (loaded.load.what, loaded.found) {
            (Wanted::Due { up_to_ms }, Found::Due(users)) => self.handle_due(users, up_to_ms),
            (what, Found::SetChats(page)) => self.answer_listings(what, &page),
            (Wanted::Presence(user), Found::Presence(last_ms)) => {
                self.take_last_action(user, last_ms);
            }
            (what, found) => {
                self.state.handle_loaded(what, found);
                match what {
                    Wanted::Page { user, .. } => self.sessions.touch(user),
                    Wanted::Heads { user, .. } => self.heads_of.push(user),
                    Wanted::Head(user) => {
                        self.handle_read_for_wake(user);
                        self.handle_read_for_reports(user);
                        self.answer_descriptions(user);
                        self.tell_who_waited(what);
                    }
                    Wanted::Chat(..) => self.tell_who_waited(what),
                    Wanted::Contacts(user) => {
                        self.answer_contact_lists(user);
                        self.tell_who_waited(what);
                    }
                    _ => {}
                }
            }
        }
    }
}
