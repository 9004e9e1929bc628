//! Whom a user has among his contacts.

use answerback_proto::code::Code;
use answerback_proto::id::UserId;
use answerback_proto::kind::{CONTACTS_ADDED, CONTACTS_REMOVED};
use answerback_proto::limits::CONTACTS_MAX;
use answerback_proto::record::ContactsChange;

use super::super::effect::Answer;
use super::super::user::Visibility;
use super::{Consequences, Missing, State, Verdict};

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
}

fn declined(code: Code) -> Verdict {
    Verdict::Answer(Answer::Declined { code, retry_after_ms: 0 })
}
