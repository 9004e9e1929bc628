//! Which of a user's chats are treated otherwise than at first, or groups: for a device that is
//! new. And who is in one of those; and whom a user has among his contacts.
//!
//! Chats have rows, few of them settings, and no other row names those: a page is found by
//! walking over rows on the disk. What changed since the last checkpoint is in memory, and
//! counts instead.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};

use answerback_proto::access;
use answerback_proto::code::Code;
use answerback_proto::id::{PartitionId, UserId};
use answerback_proto::kind::{
    DescribeGroup, ListChats, ListContacts, ListedChat, WRITERS_CONTACTS, WRITERS_EVERYBODY,
};
use answerback_proto::limits::{CHATS_PER_PAGE_MAX, CONTACTS_PER_FRAME_MAX};

use super::chat::Chat;
use super::checkpoint::Table;
use super::effect::{ChatsPage, ContactsPage, DescribedGroup};
use super::load::{Wanted, unreadable};
use super::rows;
use super::user::User;
use super::{Answer, Effect, Origin, Shard};
use crate::limits::{CHATS_WALKED_MAX, LISTINGS_MAX};
use crate::ports::{StateReader, StorageFault};

impl Shard {
    /// Answered once the rows are read.
    pub(super) fn list_chats(&mut self, origin: Origin, envelope: &[u8]) -> Result<(), Code> {
        let ListChats { behind } = access::read(envelope)?;
        if self.listings.len() >= LISTINGS_MAX {
            self.decline(origin, Code::Busy);
            return Ok(());
        }
        let what = Wanted::SetChats { user: origin.user, behind: UserId(behind) };
        self.listings.push((origin, what));
        self.load(what);
        Ok(())
    }

    /// The rows are read: whoever waits for them is answered.
    pub(super) fn answer_listings(&mut self, what: Wanted, page: &ChatsPage) {
        let Wanted::SetChats { user, behind } = what else { return };
        let page = match self.state.users.get(user) {
            Some(user) => merged(user, behind, page),
            None => page.clone(),
        };
        let is_it = |listing: &mut (Origin, Wanted)| listing.1 == what;
        for (origin, _) in self.listings.extract_if(.., is_it) {
            let (to, tag, page) = (origin.session, origin.tag, page.clone());
            self.effects.push_back(Effect::Chats { to, tag, user, page });
        }
    }
}

impl Shard {
    /// Whom a user of this partition has among his contacts: answered from what is applied, and
    /// so is durable, once they are in memory.
    pub(super) fn list_contacts(&mut self, origin: Origin, envelope: &[u8]) -> Result<(), Code> {
        let ListContacts { behind } = access::read(envelope)?;
        let behind = UserId(behind);
        if let Some(page) = self.contacts_of(origin.user, behind) {
            self.tell_contacts(origin, page);
        } else if self.contact_lists.len() >= LISTINGS_MAX {
            self.decline(origin, Code::Busy);
        } else {
            self.contact_lists.push((origin, behind));
            self.load(Wanted::Contacts(origin.user));
        }
        Ok(())
    }

    /// A user's contacts are read: whoever waits for them is answered.
    pub(super) fn answer_contact_lists(&mut self, user: UserId) {
        let is_it = |asked: &mut (Origin, UserId)| asked.0.user == user;
        let asked: Vec<_> = self.contact_lists.extract_if(.., is_it).collect();
        for (origin, behind) in asked {
            match self.contacts_of(user, behind) {
                Some(page) => self.tell_contacts(origin, page),
                None => self.decline(origin, Code::Busy),
            }
        }
    }

    fn tell_contacts(&mut self, origin: Origin, page: ContactsPage) {
        let (to, tag, user) = (origin.session, origin.tag, origin.user);
        self.effects.push_back(Effect::Contacts { to, tag, user, page });
    }

    /// A page of contacts, where they are in memory.
    fn contacts_of(&self, user: UserId, behind: UserId) -> Option<ContactsPage> {
        let user = self.state.users.get(user)?;
        let contacts = user.contacts()?;
        let (_, rest) = contacts.split_at(contacts.partition_point(|contact| *contact <= behind));
        let (page, more) = rest.split_at(rest.len().min(CONTACTS_PER_FRAME_MAX));
        let last = page.last().filter(|_| !more.is_empty());
        let is_for_contacts = user.is_for_contacts();
        Some(ContactsPage {
            users: page.to_vec(),
            visibility: user.visibility() as u16,
            writers: if is_for_contacts { WRITERS_CONTACTS } else { WRITERS_EVERYBODY },
            next_behind: last.copied().unwrap_or(UserId(0)),
        })
    }

    /// Who is in a group of this partition: answered from what is applied, and so is durable,
    /// once the group is in memory.
    pub(super) fn describe_group(
        &mut self,
        origin: Origin,
        group: UserId,
        envelope: &[u8],
    ) -> Result<(), Code> {
        let DescribeGroup { version } = access::read(envelope)?;
        if self.state.users.get(group).is_some() {
            self.tell_group(origin, group, version);
        } else if self.is_busy() || self.descriptions.len() >= LISTINGS_MAX {
            self.decline_group(origin, group, Code::Busy);
        } else {
            self.descriptions.push((origin, group, version));
            self.load(Wanted::Head(group));
        }
        Ok(())
    }

    /// A group, or a user, is read: whoever waits for it is answered.
    pub(super) fn answer_descriptions(&mut self, group: UserId) {
        if self.descriptions.is_empty() {
            return;
        }
        let is_it = |asked: &mut (Origin, UserId, u32)| asked.1 == group;
        let asked: Vec<_> = self.descriptions.extract_if(.., is_it).collect();
        for (origin, group, version) in asked {
            self.tell_group(origin, group, version);
        }
    }

    fn tell_group(&mut self, origin: Origin, group: UserId, version: u32) {
        let known = self.state.users.get(group).and_then(User::group);
        let role = known.and_then(|known| known.role(origin.user));
        let (Some(known), Some(_)) = (known, role) else {
            let code = if known.is_some() { Code::NotMember } else { Code::UnknownGroup };
            return self.decline_group(origin, group, code);
        };
        let (to, tag, peer) = (origin.session, origin.tag, group);
        if known.version <= version {
            let answer = Answer::Done { at_ms: self.state.clock_ms };
            return self.effects.push_back(Effect::Answer { to, tag, peer, answer });
        }
        let described = DescribedGroup {
            version: known.version,
            members_count: known.members().len() as u16,
            roles: known.roles(),
            receipts: known.receipts,
            name: known.name.clone(),
        };
        self.effects.push_back(Effect::GroupDescribed { to, tag, group, described });
    }
}

/// A page as memory corrects it.
fn merged(user: &User, behind: UserId, page: &ChatsPage) -> ChatsPage {
    let end = if page.next_behind == UserId(0) { UserId(u128::MAX) } else { page.next_behind };
    let mut chats: BTreeMap<UserId, ListedChat> =
        page.listed.iter().map(|chat| (chat.peer, *chat)).collect();
    if behind < end {
        let range = (Bound::Excluded(behind), Bound::Included(end));
        for (peer, chat) in user.chats.range(range) {
            chats.insert(*peer, listed(*peer, chat));
        }
    }
    chats.retain(|_, chat| is_listed(chat));
    let listed = chats.into_values().collect();
    let mut merged = ChatsPage { listed, next_behind: page.next_behind };
    if merged.listed.len() > CHATS_PER_PAGE_MAX {
        merged.listed.truncate(CHATS_PER_PAGE_MAX);
        merged.next_behind = merged.listed.last().map_or(UserId(0), |last| last.peer);
    }
    merged
}

fn listed(peer: UserId, chat: &Chat) -> ListedChat {
    ListedChat { peer, settings: chat.settings(), is_group: chat.is_member() }
}

fn is_listed(chat: &ListedChat) -> bool {
    chat.is_group || !chat.settings.is_default()
}

/// Walks over the chats of a user behind one.
pub(super) fn read_set_chats(
    reader: &dyn StateReader,
    partition: PartitionId,
    user: UserId,
    behind: UserId,
) -> Result<ChatsPage, StorageFault> {
    let id = user.0.to_be_bytes();
    let mut from = rows::key(partition, &[&id, &behind.0.to_be_bytes()]);
    // The least key behind it.
    from.push(0);
    let (_, end) = rows::range(partition, &[&id]);
    let mut page = ChatsPage { listed: Vec::new(), next_behind: UserId(0) };
    let mut walked = 0;
    reader.range(Table::Chat, &from, &end, &mut |key, value| {
        let row = rows::peer_of(key).zip(rows::read_chat(value));
        let (peer, (chat, _)) = row.ok_or_else(|| unreadable(Table::Chat, partition))?;
        page.listed.extend(Some(listed(peer, &chat)).filter(is_listed));
        walked += 1;
        if walked >= CHATS_WALKED_MAX || page.listed.len() >= CHATS_PER_PAGE_MAX {
            page.next_behind = peer;
            return Ok(ControlFlow::Break(()));
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(page)
}
