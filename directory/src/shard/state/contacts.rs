//! Whom a user has among his contacts, and whether only they may write to him first.

use answerback_proto::code::Code;
use answerback_proto::id::UserId;
use answerback_proto::kind::{CONTACTS_ADDED, CONTACTS_REMOVED, WRITERS_CONTACTS};
use answerback_proto::limits::CONTACTS_MAX;
use answerback_proto::record::{ContactsChange, WritersChange, WroteTo};

use super::super::effect::Answer;
use super::super::user::{User, Visibility};
use super::{Consequences, Missing, State, Verdict, chat_of};

impl State {
    /// Some are contacts now, or no longer; not one of them where that would be too many.
    pub(super) fn change_contacts(
        &mut self,
        record: &ContactsChange,
        payload: &[u8],
        consequences: &mut Consequences,
    ) -> Result<Verdict, Missing> {
        let (acting, at_ms) = (UserId(record.user), self.clock_ms);
        let user = self.user(acting)?;
        if !user.exists() {
            return Ok(declined(Code::UnknownUser));
        }
        let before = user.contacts().ok_or(Missing::Contacts(acting))?;
        let (ids, _) = payload.as_chunks();
        let named: Vec<_> = ids.iter().map(|id| UserId(u128::from_le_bytes(*id))).collect();
        let mut contacts: Vec<UserId> = match record.mode {
            CONTACTS_ADDED => before.iter().copied().chain(named).collect(),
            CONTACTS_REMOVED => {
                let is_kept = |contact: &UserId| named.binary_search(contact).is_err();
                before.iter().copied().filter(is_kept).collect()
            }
            _ => named,
        };
        contacts.sort_unstable();
        contacts.dedup();
        if contacts.len() > CONTACTS_MAX {
            return Ok(declined(Code::ListFull));
        }
        if contacts != before {
            if user.visibility() == Visibility::Contacts {
                consequences.visibility.push(acting);
            }
            let count = contacts.len() as u64;
            user.set_contacts(contacts);
            self.digest.mix(count);
            self.list(acting);
        }
        Ok(Verdict::Answer(Answer::Done { at_ms }))
    }

    /// Everybody may write to a user first, or only contacts.
    pub(super) fn set_writers(
        &mut self,
        record: &WritersChange,
        consequences: &mut Consequences,
    ) -> Result<Verdict, Missing> {
        let (acting, at_ms) = (UserId(record.user), self.clock_ms);
        let user = self.user(acting)?;
        if !user.exists() {
            return Ok(declined(Code::UnknownUser));
        }
        let is_for_contacts = record.who == WRITERS_CONTACTS;
        if user.is_for_contacts() != is_for_contacts {
            user.set_for_contacts(is_for_contacts);
            self.digest.mix(u64::from(record.who));
            self.list(acting);
            consequences.devices_changed.push(acting);
        }
        Ok(Verdict::Answer(Answer::Done { at_ms }))
    }

    /// A user writes to another: where only contacts may write first, that one may answer. Which
    /// chats have begun needs no note.
    pub(super) fn wrote_to(&mut self, record: &WroteTo) -> Result<Verdict, Missing> {
        let (acting, peer) = (UserId(record.user), UserId(record.peer));
        let user = self.user(acting)?;
        let is_noted = user.written_to().contains(&peer);
        if user.is_for_contacts() && !is_noted && !chat_of(user, peer)?.has_begun() {
            user.note_written_to(peer);
            self.digest.mix(peer.0 as u64);
            self.list(acting);
        }
        Ok(Verdict::Silent)
    }

    /// Before messages of a sender are decided or kept: the sender's count, and what says
    /// whether he may write.
    pub(super) fn require_writer(
        &mut self,
        recipient: UserId,
        sender: UserId,
    ) -> Result<(), Missing> {
        self.require_outstanding(sender)?;
        may_write(self.user(recipient)?, sender).map(|_| ())
    }
}

/// Whether a user takes messages of a peer: anybody's mostly, which needs no look. A user for
/// contacts takes theirs, and those of whom he took some before, or has written to.
pub(crate) fn may_write(user: &User, peer: UserId) -> Result<bool, Missing> {
    if !user.is_for_contacts() || planted!(StrangerTaken) {
        return Ok(true);
    }
    let chat = user.chats.get(&peer).ok_or(Missing::Chat(user.id, peer))?;
    if chat.has_begun() || user.written_to().contains(&peer) {
        return Ok(true);
    }
    let contacts = user.contacts().ok_or(Missing::Contacts(user.id))?;
    Ok(contacts.binary_search(&peer).is_ok())
}

fn declined(code: Code) -> Verdict {
    Verdict::Answer(Answer::Declined { code, retry_after_ms: 0 })
}
