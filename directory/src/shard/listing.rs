//! Which of a user's chats are treated otherwise than at first: for a device that is new.
//!
//! Chats have rows, few of them settings, and no other row names those: a page is found by
//! walking over rows on the disk. What changed since the last checkpoint is in memory, and
//! counts instead.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};

use answerback_proto::access;
use answerback_proto::code::Code;
use answerback_proto::id::{PartitionId, UserId};
use answerback_proto::kind::{ChatSettings, ListChats, ListedChat};
use answerback_proto::limits::CHATS_PER_PAGE_MAX;

use super::checkpoint::Table;
use super::effect::ChatsPage;
use super::load::{Wanted, unreadable};
use super::rows;
use super::user::User;
use super::{Effect, Origin, Shard};
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

/// A page as memory corrects it.
fn merged(user: &User, behind: UserId, page: &ChatsPage) -> ChatsPage {
    let end = if page.next_behind == UserId(0) { UserId(u128::MAX) } else { page.next_behind };
    let mut chats: BTreeMap<UserId, ChatSettings> =
        page.listed.iter().map(|chat| (chat.peer, chat.settings)).collect();
    if behind < end {
        let range = (Bound::Excluded(behind), Bound::Included(end));
        for (peer, chat) in user.chats.range(range) {
            chats.insert(*peer, chat.settings());
        }
    }
    chats.retain(|_, settings| !settings.is_default());
    let listed = chats.into_iter().map(|(peer, settings)| ListedChat { peer, settings });
    let mut merged = ChatsPage { listed: listed.collect(), next_behind: page.next_behind };
    if merged.listed.len() > CHATS_PER_PAGE_MAX {
        merged.listed.truncate(CHATS_PER_PAGE_MAX);
        merged.next_behind = merged.listed.last().map_or(UserId(0), |last| last.peer);
    }
    merged
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
        let settings = chat.settings();
        if !settings.is_default() {
            page.listed.push(ListedChat { peer, settings });
        }
        walked += 1;
        if walked >= CHATS_WALKED_MAX || page.listed.len() >= CHATS_PER_PAGE_MAX {
            page.next_behind = peer;
            return Ok(ControlFlow::Break(()));
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(page)
}
