//! What is told once something was read.

use std::collections::BTreeMap;

use answerback_proto::id::UserId;

use super::super::effect::SessionRef;
use super::super::load::Wanted;
use super::Look;
use crate::limits::LOOKS_WAITING_MAX;

/// Who is told of whom, and which lists are told, once what they need is in memory.
#[derive(Debug, Default)]
pub(super) struct Waits {
    by_wanted: BTreeMap<Wanted, Vec<Waiting>>,
    count: usize,
    lists: BTreeMap<u64, (Listing, usize)>,
    last_list: u64,
}

/// A list that is told to the homes of those in it.
#[derive(Debug)]
pub(super) struct Listing {
    /// Who watches.
    pub(super) user: UserId,
    /// On which session.
    pub(super) session: SessionRef,
    /// Whom a single look is at; none for the session's list, as it is then.
    pub(super) looks_at: Option<Box<[UserId]>>,
}

/// What can be told now.
#[derive(Debug)]
pub(super) enum Ready {
    Look(UserId, Look),
    List(Listing),
}

#[derive(Clone, Copy, Debug)]
enum Waiting {
    Look(UserId, Look),
    List(u64),
}

impl Waits {
    /// A word about a user waits for something to be read, where there is room.
    pub(super) fn push_look(&mut self, wanted: Wanted, whose: UserId, look: Look) -> bool {
        self.push(wanted, Waiting::Look(whose, look))
    }

    /// A list waits until all of these were read, where there is room for it.
    pub(super) fn push_list(&mut self, wanted: &[Wanted], listing: Listing) -> bool {
        if self.count + wanted.len() > LOOKS_WAITING_MAX {
            return false;
        }
        self.last_list += 1;
        self.lists.insert(self.last_list, (listing, wanted.len()));
        for &what in wanted {
            self.push(what, Waiting::List(self.last_list));
        }
        true
    }

    /// What had waited for this, and for nothing else.
    pub(super) fn take(&mut self, read: Wanted) -> Vec<Ready> {
        let waiting = self.by_wanted.remove(&read).unwrap_or_default();
        self.count -= waiting.len();
        waiting.into_iter().filter_map(|one| self.ready(one)).collect()
    }

    fn ready(&mut self, waiting: Waiting) -> Option<Ready> {
        match waiting {
            Waiting::Look(whose, look) => Some(Ready::Look(whose, look)),
            Waiting::List(number) => {
                let (_, left) = self.lists.get_mut(&number)?;
                *left -= 1;
                if *left > 0 {
                    return None;
                }
                self.lists.remove(&number).map(|(listing, _)| Ready::List(listing))
            }
        }
    }

    fn push(&mut self, wanted: Wanted, waiting: Waiting) -> bool {
        let has_room = self.count < LOOKS_WAITING_MAX;
        if has_room {
            self.count += 1;
            self.by_wanted.entry(wanted).or_default().push(waiting);
        }
        has_room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_waits_for_all_that_it_needs() {
        let session = SessionRef { core: 0, slot: 1, generation: 1 };
        let (user, peer) = (UserId(1), UserId(2));
        let mut waits = Waits::default();
        let wanted = [Wanted::Head(user), Wanted::Chat(user, peer)];
        assert!(waits.push_list(&wanted, Listing { user, session, looks_at: None }));
        let look = Look { watcher: peer, session, tells_hidden: true };
        assert!(waits.push_look(Wanted::Head(user), user, look));
        assert!(matches!(waits.take(Wanted::Head(user))[..], [Ready::Look(..)]));
        assert!(matches!(waits.take(Wanted::Chat(user, peer))[..], [Ready::List(_)]));
        assert_eq!((waits.count, waits.lists.len(), waits.by_wanted.len()), (0, 0, 0));
    }
}
