//! A user deletes a chat: the request is checked, declined without a trace, or journaled.

use answerback_proto::code::Code;
use answerback_proto::id::{Position, UserId};
use answerback_proto::kind::{DeleteChat, DeviceMarks};
use answerback_proto::record::{Acknowledge, EraseChat};

use super::{Asked, Origin, Shard};

impl Shard {
    /// A `DeleteChat` of a user of this partition. What its session has acknowledged is
    /// journaled before it: only what is acknowledged counts as deleted.
    pub(super) fn delete_chat(&mut self, origin: Origin, envelope: &[u8]) -> Result<(), Code> {
        let (delete, marks) = DeleteChat::read(envelope)?;
        if !self.sessions.was_sent(origin.user, origin.session, Position(delete.cursor)) {
            self.decline(origin, Code::CursorBeyondSent);
            return Ok(());
        }
        if let Some(up_to) = self.sessions.take_acknowledgement(origin.user, origin.session) {
            let (user, device) = (origin.user.0, origin.device.0);
            self.builder().push(&Acknowledge { user, device, up_to: up_to.0 }, &[]);
        }
        let record = EraseChat {
            user: origin.user.0,
            device: origin.device.0,
            peer: delete.peer,
            cursor: delete.cursor,
        };
        let marks = DeviceMarks::pack(marks.iter());
        self.append(&record, &marks, Asked::Request { origin, peer: origin.user });
        self.preload(origin.user, Some(UserId(delete.peer)));
        Ok(())
    }
}
