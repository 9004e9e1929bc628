//! A record that could not be applied, applied as a rejection: whatever it would have decided
//! is decided, so that what follows it goes on.

use answerback_proto::code::Code;
use answerback_proto::id::PartitionId;
use answerback_proto::record::{GroupPart, PlacedRecord, Record};
use bytes::Bytes;

use super::super::group::{GroupWord, split_users};
use super::super::parts::PartNumbers;
use super::super::sequence::{Decision, Standing};
use super::message::{Posted, takes_from};
use super::{Consequences, Held, Missing, State, Verdict, chat_of};

impl State {
    pub(crate) fn reject(
        &mut self,
        placed: &PlacedRecord,
        consequences: &mut Consequences,
    ) -> Result<Verdict, Held> {
        match &placed.record {
            Record::Tick(tick) => {
                self.tick(tick.now_ms, consequences);
            }
            Record::Post(post) => self.reject_post(&post.into())?,
            Record::Message(message) => self.reject_post(&message.into())?,
            Record::RecallPost(recall) => self.reject_post(&recall.into())?,
            Record::DeliveredPart(part) => self.drop_part(part.source, part.into(), consequences),
            Record::DeliveredButPart(part) => {
                self.drop_part(part.source, part.into(), consequences);
            }
            Record::ReadPart(part) => self.drop_part(part.source, part.into(), consequences),
            Record::FailedPart(part) => self.drop_part(part.source, part.into(), consequences),
            Record::CopyPart(part) => self.drop_part(part.source, part.into(), consequences),
            Record::ErasePart(part) => self.drop_part(part.source, part.into(), consequences),
            Record::ErasedPart(part) => self.drop_part(part.source, part.into(), consequences),
            Record::GroupPost(post) => self.reject_post(&post.into())?,
            Record::GroupPart(part) => self.reject_group_part(part, &placed.payload, consequences),
            Record::GroupFailedPart(part) => self.drop_part(part.source, part.into(), consequences),
            Record::GroupReceiptPart(part) => {
                self.drop_part(part.source, part.into(), consequences);
            }
            Record::GroupGonePart(part) => self.drop_part(part.source, part.into(), consequences),
            _ => {}
        }
        self.applied.offset = placed.offset;
        Ok(Verdict::Silent)
    }

    fn reject_post(&mut self, posted: &Posted) -> Result<(), Missing> {
        let (recipient, sender) = (posted.recipient, posted.sender);
        let user = self.user(recipient)?;
        if !takes_from(user, sender, posted.to_group) {
            return Ok(());
        }
        let chat = chat_of(user, sender)?;
        if chat.standing(posted.device, posted.sequence) == Standing::Next {
            chat.decide(posted.device, Decision::Rejected(Code::Repaired));
            let (device, sequence) = (posted.device, posted.sequence);
            self.tell_failed(recipient, sender, device, sequence, Code::Repaired);
            self.list(recipient);
        }
        Ok(())
    }

    fn drop_part(&mut self, source: u16, numbers: PartNumbers, consequences: &mut Consequences) {
        self.takes((PartitionId(source), numbers), consequences);
    }

    /// Its members do not get a message, and its sender is told so.
    fn reject_group_part(
        &mut self,
        part: &GroupPart,
        payload: &Bytes,
        consequences: &mut Consequences,
    ) {
        let numbers = (PartitionId(part.source), PartNumbers::from(part));
        let word = GroupWord::of_part(part, 0, 0, Bytes::new());
        if self.takes(numbers, consequences) && word.is_message() {
            let (members, _) = split_users(payload, part.members_count);
            let others = members.into_iter().filter(|member| *member != word.sender);
            let code = Code::Repaired.number();
            self.tell_group_failed(&word, others.map(|member| (member, code)).collect());
        }
    }
}
