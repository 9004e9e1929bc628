//! Whom the sessions of a partition's users watch.

use std::collections::BTreeSet;

use answerback_proto::id::UserId;
use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::super::effect::SessionRef;
use crate::limits::WATCH_RENEWED_MS;

/// The lists of a partition's sessions.
#[derive(Debug, Default)]
pub(super) struct Lists {
    by_session: HashMap<SessionRef, List, FixedState>,
    /// When a list is to be told again, monotonic ms.
    due: BTreeSet<(u64, SessionRef)>,
}

/// A session's list.
#[derive(Debug)]
pub(super) struct List {
    /// Whose session it is.
    pub(super) user: UserId,
    /// Whom it watches.
    pub(super) users: Box<[UserId]>,
    due_ms: u64,
}

impl Lists {
    /// The list takes the place of the earlier one, which is given back; an empty one ends it.
    pub(super) fn replace(
        &mut self,
        user: UserId,
        session: SessionRef,
        users: Box<[UserId]>,
        now_ms: u64,
    ) -> Box<[UserId]> {
        let before = self.remove(session).map_or_else(Box::default, |list| list.users);
        if !users.is_empty() {
            let due_ms = now_ms + WATCH_RENEWED_MS;
            self.due.insert((due_ms, session));
            self.by_session.insert(session, List { user, users, due_ms });
        }
        before
    }

    /// A session watches nobody any more.
    pub(super) fn remove(&mut self, session: SessionRef) -> Option<List> {
        let list = self.by_session.remove(&session)?;
        self.due.remove(&(list.due_ms, session));
        Some(list)
    }

    /// A session's list.
    pub(super) fn get(&self, session: SessionRef) -> Option<&List> {
        self.by_session.get(&session)
    }

    /// The next session whose list is to be told again.
    pub(super) fn next_due(&mut self, now_ms: u64) -> Option<SessionRef> {
        let (due_ms, session) = *self.due.first().filter(|(due_ms, _)| *due_ms <= now_ms)?;
        self.due.remove(&(due_ms, session));
        if let Some(list) = self.by_session.get_mut(&session) {
            list.due_ms = now_ms + WATCH_RENEWED_MS;
            self.due.insert((list.due_ms, session));
        }
        Some(session)
    }
}
