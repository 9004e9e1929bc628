//! Who is whose contact, and who may write to whom first.

use answerback_directory::limits::WRITTEN_TO_MAX;
use answerback_proto::id::UserId;
use answerback_proto::kind::{CONTACTS_ADDED, CONTACTS_REMOVED, WRITERS_CONTACTS};
use answerback_proto::record::{ContactsChange, WritersChange, WroteTo};

use super::Model;
use super::account::ReceiptKind;

impl Model {
    /// A user has other contacts; no world has as many users as would be too many.
    pub(super) fn change_contacts(&mut self, record: &ContactsChange, payload: &[u8]) {
        let account = self.account_mut(UserId(record.user));
        if !account.exists {
            return;
        }
        let ids = payload.as_chunks().0.iter().map(|id| UserId(u128::from_le_bytes(*id)));
        match record.mode {
            CONTACTS_ADDED => account.contacts.extend(ids),
            CONTACTS_REMOVED => ids.for_each(|id| {
                account.contacts.remove(&id);
            }),
            _ => account.contacts = ids.collect(),
        }
    }

    /// Everybody may write to a user first, or only contacts.
    pub(super) fn set_writers(&mut self, record: &WritersChange) {
        let account = self.account_mut(UserId(record.user));
        let is_for_contacts = record.who == WRITERS_CONTACTS;
        if account.exists && account.is_for_contacts != is_for_contacts {
            account.is_for_contacts = is_for_contacts;
            account.written_to.clear();
        }
    }

    /// A user writes to another, who may answer: the newest so many of those who have nothing yet.
    pub(super) fn wrote_to(&mut self, record: &WroteTo) {
        let (user, peer) = (UserId(record.user), UserId(record.peer));
        let account = self.account(user);
        let is_known = account.written_to.contains(&peer) || self.has_begun(user, peer);
        if is_known || !account.is_for_contacts {
            return;
        }
        let account = self.account_mut(user);
        account.written_to.push(peer);
        let excess = account.written_to.len().saturating_sub(WRITTEN_TO_MAX);
        account.written_to.drain(..excess);
    }

    /// Whether a user takes nothing of a peer: no contact, of whom nothing was ever accepted, who
    /// has had nothing of the user's, and was not written to lately.
    pub(super) fn is_stranger(&self, user: UserId, peer: UserId) -> bool {
        let account = self.account(user);
        account.is_for_contacts
            && !self.has_begun(user, peer)
            && !account.contacts.contains(&peer)
            && !account.written_to.contains(&peer)
    }

    fn has_begun(&self, user: UserId, peer: UserId) -> bool {
        let chat = &self.account(user).chats[peer.0 as usize - 1];
        let mut receipts = chat.receipts.iter();
        chat.last_accepted_ms > 0 || receipts.any(|(kind, ..)| *kind == ReceiptKind::Delivered)
    }
}
