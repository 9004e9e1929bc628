//! A user has read messages: the sender is told, and so are the reader's other devices.

use answerback_proto::id::{DeviceId, Sequence, UserId};
use answerback_proto::record::ReadUpTo;

use super::super::chat::ReceiptKind;
use super::super::effect::{Answer, EntryBody};
use super::super::parts::{About, PartBody};
use super::{Consequences, Missing, State, Verdict, chat_of};

impl State {
    pub(super) fn read(
        &mut self,
        record: &ReadUpTo,
        consequences: &mut Consequences,
    ) -> Result<Verdict, Missing> {
        let (acting, peer) = (UserId(record.user), UserId(record.peer));
        let (device, reader) = (DeviceId(record.device), DeviceId(record.reader_device));
        let read_at_ms = self.clock_ms;
        let user = self.user(acting)?;
        let has_others = user.has_several_devices();
        let noted = |up_to| Ok(Verdict::Answer(Answer::ReadNoted { up_to }));
        if !user.exists() {
            return noted(Sequence(0));
        }
        let chat = chat_of(user, peer)?;
        let is_told = chat.tells_reads();
        let Some(sender) = chat.sender_mut(device) else {
            return noted(Sequence(0));
        };
        let up_to = Sequence(record.up_to).min(sender.delivered_up_to);
        if up_to <= sender.read_up_to {
            return noted(sender.read_up_to);
        }
        sender.read_up_to = up_to;
        sender.changed = true;
        let about = About { user: peer, peer: acting, device };
        if is_told {
            self.outgoing_to(peer).push(PartBody::Read { about, up_to: up_to.0, read_at_ms });
            let body = EntryBody::ReadBy { device, up_to, read_at_ms };
            consequences.shown.push((peer, acting, body));
        }
        if has_others {
            let body = EntryBody::ReadElsewhere { device, up_to, read_at_ms, reader };
            self.put_receipt(acting, peer, ReceiptKind::ReadElsewhere, body, consequences);
        }
        self.digest.mix(up_to.0);
        self.list(acting);
        noted(up_to)
    }
}
