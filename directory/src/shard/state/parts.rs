//! What other partitions' records caused for users of this one, each part taken once.

use answerback_proto::id::{DeviceId, PartitionId, Sequence, UserId};
use answerback_proto::kind::SequenceRange;
use answerback_proto::record::{CopyPart, DeliveredButPart, DeliveredPart, FailedPart, ReadPart};
use bytes::Bytes;

use super::super::chat::ReceiptKind;
use super::super::effect::EntryBody;
use super::super::parts::{About, PartNumbers};
use super::{Consequences, Missing, State, Verdict, chat_of};

impl State {
    pub(super) fn delivered_part(
        &mut self,
        part: &DeliveredPart,
        consequences: &mut Consequences,
    ) -> Result<Verdict, Missing> {
        let (device, up_to) = (DeviceId(part.device), Sequence(part.up_to));
        let (delivered_at_ms, except) = (part.delivered_at_ms, Vec::new());
        let body = EntryBody::Delivered { device, up_to, delivered_at_ms, except };
        let numbers = (PartitionId(part.source), PartNumbers::from(part));
        self.receipt(About::from(part), numbers, ReceiptKind::Delivered, body, consequences)
    }

    pub(super) fn delivered_but_part(
        &mut self,
        part: &DeliveredButPart,
        ranges: &[u8],
        consequences: &mut Consequences,
    ) -> Result<Verdict, Missing> {
        let (device, up_to) = (DeviceId(part.device), Sequence(part.up_to));
        let (delivered_at_ms, except) = (part.delivered_at_ms, ranges_of(ranges));
        let body = EntryBody::Delivered { device, up_to, delivered_at_ms, except };
        let numbers = (PartitionId(part.source), PartNumbers::from(part));
        self.receipt(About::from(part), numbers, ReceiptKind::Delivered, body, consequences)
    }

    pub(super) fn read_part(
        &mut self,
        part: &ReadPart,
        consequences: &mut Consequences,
    ) -> Result<Verdict, Missing> {
        let (device, up_to) = (DeviceId(part.device), Sequence(part.up_to));
        let body = EntryBody::ReadBy { device, up_to, read_at_ms: part.read_at_ms };
        let numbers = (PartitionId(part.source), PartNumbers::from(part));
        self.receipt(About::from(part), numbers, ReceiptKind::ReadBy, body, consequences)
    }

    pub(super) fn failed_part(
        &mut self,
        part: &FailedPart,
        consequences: &mut Consequences,
    ) -> Result<Verdict, Missing> {
        let (device, sequence) = (DeviceId(part.device), Sequence(part.sequence));
        let body = EntryBody::Failed { device, sequence, code: part.code };
        let numbers = (PartitionId(part.source), PartNumbers::from(part));
        self.entry(About::from(part), numbers, body, consequences)
    }

    pub(super) fn copy_part(
        &mut self,
        part: &CopyPart,
        payload: &Bytes,
        consequences: &mut Consequences,
    ) -> Result<Verdict, Missing> {
        let body = EntryBody::Copied {
            device: DeviceId(part.device),
            sequence: Sequence(part.sequence),
            accepted_at_ms: part.accepted_at_ms,
            content_type: part.content_type,
            payload: payload.clone(),
        };
        let numbers = (PartitionId(part.source), PartNumbers::from(part));
        self.entry(About::from(part), numbers, body, consequences)
    }

    fn receipt(
        &mut self,
        about: About,
        numbers: (PartitionId, PartNumbers),
        kind: ReceiptKind,
        body: EntryBody,
        consequences: &mut Consequences,
    ) -> Result<Verdict, Missing> {
        let About { user, peer, .. } = about;
        let exists = self.user_exists(user)?;
        let is_told = exists && {
            let chat = chat_of(self.user(user)?, peer)?;
            kind != ReceiptKind::ReadBy || chat.tells_reads()
        };
        if self.takes(numbers, consequences) && is_told {
            self.put_receipt(user, peer, kind, body, consequences);
        }
        Ok(Verdict::Silent)
    }

    fn entry(
        &mut self,
        about: About,
        numbers: (PartitionId, PartNumbers),
        body: EntryBody,
        consequences: &mut Consequences,
    ) -> Result<Verdict, Missing> {
        let About { user, peer, .. } = about;
        let exists = self.user_exists(user)?;
        if self.takes(numbers, consequences) && exists {
            self.put(user, peer, body, consequences);
        }
        Ok(Verdict::Silent)
    }

    fn user_exists(&mut self, user: UserId) -> Result<bool, Missing> {
        Ok(self.user(user)?.exists())
    }

    /// Whether a part of a group's is the next of its source's.
    pub(super) fn takes_from(
        &mut self,
        (source, numbers): (u16, PartNumbers),
        consequences: &mut Consequences,
    ) -> bool {
        self.takes((PartitionId(source), numbers), consequences)
    }

    pub(super) fn takes(
        &mut self,
        (source, numbers): (PartitionId, PartNumbers),
        consequences: &mut Consequences,
    ) -> bool {
        if !consequences.parts_from.contains(&source) {
            consequences.parts_from.push(source);
        }
        self.incoming.entry(source).or_default().take(numbers)
    }
}

/// The ranges that a part carries, which the home of the recipient wrote.
fn ranges_of(bytes: &[u8]) -> Vec<SequenceRange> {
    let pairs = bytes.as_chunks::<16>().0.iter().map(|pair| u128::from_le_bytes(*pair));
    let range = |both: u128| SequenceRange {
        first: Sequence(both as u64),
        last: Sequence((both >> 64) as u64),
    };
    pairs.map(range).collect()
}
