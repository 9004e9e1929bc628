//! How a user has a chat treated.

use answerback_proto::code::Code;
use answerback_proto::id::UserId;
use answerback_proto::record::ChatChanged;

use super::super::chat::ReceiptKind;
use super::super::effect::{Answer, EntryBody};
use super::{Consequences, Missing, State, Verdict, chat_of};
use crate::limits::SET_CHATS_MAX;

impl State {
    /// Something about a chat changes; the user's devices are told, where there are several: also
    /// the one that said so, since a newer entry takes the place of an older one.
    pub(super) fn change_chat(
        &mut self,
        record: &ChatChanged,
        consequences: &mut Consequences,
    ) -> Result<Verdict, Missing> {
        let (acting, peer) = (UserId(record.user), UserId(record.peer));
        let at_ms = self.clock_ms;
        let done = Ok(Verdict::Answer(Answer::Done { at_ms }));
        let user = self.user(acting)?;
        let (set_chats, has_others) = (user.set_chats(), user.has_several_devices());
        if !user.exists() {
            return Ok(declined(Code::UnknownUser));
        }
        let chat = chat_of(user, peer)?;
        let before = chat.settings();
        let settings = before.with(record.changes, record.flags, record.muted_until_ms);
        if settings == before {
            return done;
        }
        if before.is_default() && set_chats >= SET_CHATS_MAX {
            return Ok(declined(Code::ListFull));
        }
        chat.set_settings(settings);
        let set_chats = set_chats + u16::from(before.is_default());
        user.note_set_chats(set_chats - u16::from(settings.is_default()));
        self.list(acting);
        if settings.is_blocked() != before.is_blocked() {
            consequences.blocks.push((acting, peer));
        }
        self.digest.mix(settings.muted_until_ms ^ u64::from(settings.flags) << 48);
        if has_others {
            let body = EntryBody::ChatSet { settings };
            self.put_receipt(acting, peer, ReceiptKind::ChatSet, body, consequences);
        }
        done
    }
}

fn declined(code: Code) -> Verdict {
    Verdict::Answer(Answer::Declined { code, retry_after_ms: 0 })
}
