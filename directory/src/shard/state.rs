//! What a partition's journal makes: the same records make the same state, anywhere.
//!
//! Nothing here knows who is online, what time it is outside, or what comes next in the
//! journal. Maps are never walked in an order that the records did not make.

use std::collections::BTreeMap;

use answerback_proto::code::Code;
use answerback_proto::id::{
    DeviceId, Generation, Offset, PartNumber, PartitionId, Position, Sequence, UserId,
};
use answerback_proto::record::{
    Acknowledge, ChainHash, Connect, DeliveredPart, FailedPart, Message, PlacedRecord, Record,
    SkipRange,
};
use bytes::Bytes;

use super::by_user::ByUser;
use super::effect::{Answer, EntryBody};
use super::inbox::InboxEntry;
use super::parts::{Incoming, Outgoing, PartBody, PartNumbers};
use super::sequence::{Decision, Decisions, Standing};
use super::user::{NewlyDelivered, User};
use crate::partition_table::PartitionTable;
use crate::ports::Applied;

/// What a record's asker is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nobody asked.
    Silent,
    /// The answer to a request.
    Answer(Answer),
    /// The login took effect.
    Connected,
    /// The login's counter was not above the stored one.
    RolledBack,
}

/// What a record caused outside its own target, for the driver's eyes: nothing of it is
/// decided by it.
#[derive(Debug, Default)]
pub(crate) struct Consequences {
    /// Users whose inbox got an entry.
    pub(crate) touched: Vec<UserId>,
    /// Receipts that a live sender may see at once: user, peer, what.
    pub(crate) shown: Vec<(UserId, UserId, EntryBody)>,
    /// Partitions whose parts were taken or repeated.
    pub(crate) parts_from: Vec<PartitionId>,
}

/// The state of one partition, as of one record.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) partition: PartitionId,
    pub(crate) generation: Generation,
    pub(crate) table: PartitionTable,
    /// The last record applied.
    pub(crate) applied: Applied,
    /// The time of the last tick.
    pub(crate) clock_ms: u64,
    pub(crate) users: ByUser<User>,
    pub(crate) outgoing: BTreeMap<PartitionId, Outgoing>,
    pub(crate) incoming: BTreeMap<PartitionId, Incoming>,
    /// Users who changed since the last checkpoint, each once.
    pub(crate) changed_users: Vec<UserId>,
}

impl State {
    pub(crate) fn new(
        partition: PartitionId,
        generation: Generation,
        table: PartitionTable,
    ) -> Self {
        Self {
            partition,
            generation,
            table,
            applied: Applied::default(),
            clock_ms: 0,
            users: ByUser::default(),
            outgoing: BTreeMap::new(),
            incoming: BTreeMap::new(),
            changed_users: Vec::new(),
        }
    }

    /// Applies the next record of the journal.
    pub(crate) fn apply(
        &mut self,
        placed: PlacedRecord,
        consequences: &mut Consequences,
    ) -> Verdict {
        debug_assert_eq!(placed.offset, self.applied.offset.plus(1), "records come in order");
        self.applied.offset = placed.offset;
        match placed.record {
            Record::Tick(tick) => {
                self.clock_ms = self.clock_ms.max(tick.now_ms);
                Verdict::Silent
            }
            Record::Connect(connect) => self.connect(&connect),
            Record::Message(message) => self.message(&message, placed.payload, consequences),
            Record::SkipRange(range) => self.skip(&range),
            Record::Acknowledge(acknowledge) => self.acknowledge(&acknowledge, consequences),
            Record::Confirmed(confirmed) => {
                let destination = PartitionId(confirmed.destination);
                if let Some(outgoing) = self.outgoing.get_mut(&destination) {
                    outgoing.confirm(PartNumber(confirmed.up_to));
                }
                Verdict::Silent
            }
            Record::DeliveredPart(part) => self.delivered(&part, consequences),
            Record::FailedPart(part) => self.failed(&part, consequences),
            _ => Verdict::Silent,
        }
    }

    /// A batch has been applied to its end.
    pub(crate) fn finish_batch(&mut self, end: Offset, chain: ChainHash) {
        debug_assert_eq!(self.applied.offset.plus(1), end);
        self.applied.chain = chain;
    }

    /// A checkpoint has all that changed.
    pub(crate) fn forget_changes(&mut self) {
        for user_id in std::mem::take(&mut self.changed_users) {
            if let Some(user) = self.users.get_mut(user_id) {
                user.forget_changes();
            }
        }
        self.outgoing.values_mut().for_each(Outgoing::forget_changes);
        self.incoming.values_mut().for_each(|incoming| incoming.changed = false);
    }

    fn connect(&mut self, connect: &Connect) -> Verdict {
        let user = self.users.get_or_insert_with(UserId(connect.user), User::new);
        let connected = user.connect(DeviceId(connect.device), connect.connection_counter);
        self.list(UserId(connect.user));
        if connected { Verdict::Connected } else { Verdict::RolledBack }
    }

    fn message(
        &mut self,
        message: &Message,
        payload: Bytes,
        consequences: &mut Consequences,
    ) -> Verdict {
        let (peer, device) = (UserId(message.sender), DeviceId(message.device));
        let sequence = Sequence(message.sequence);
        let Some(user) = self.users.get_mut(UserId(message.recipient)) else {
            return self.reject(message, Code::UnknownUser);
        };
        let standing = match user.decisions(peer, device) {
            Some(decisions) => decisions.standing(sequence),
            None => Decisions::default().standing(sequence),
        };
        if standing != Standing::Next {
            let expected = user.decisions(peer, device).map_or(Sequence(1), Decisions::expected);
            return Verdict::Answer(answer(device, sequence, expected, standing));
        }
        let accepted_at_ms = user.accept(peer, device, self.clock_ms, message.seen_ms);
        let content_type = message.content_type;
        let body = EntryBody::Message { device, sequence, accepted_at_ms, content_type, payload };
        self.put(UserId(message.recipient), InboxEntry { peer, body }, consequences);
        Verdict::Answer(Answer::Accepted { sequence, accepted_at_ms })
    }

    /// A durable failure; its sender is told by a part, and at once where it waits.
    fn reject(&mut self, message: &Message, code: Code) -> Verdict {
        let (user, device) = (UserId(message.sender), DeviceId(message.device));
        self.outgoing_to(user).push(PartBody::Failed {
            user,
            peer: UserId(message.recipient),
            device,
            sequence: message.sequence,
            code: code.number(),
        });
        Verdict::Answer(Answer::Failed { device, sequence: Sequence(message.sequence), code })
    }

    fn skip(&mut self, range: &SkipRange) -> Verdict {
        let (peer, device) = (UserId(range.sender), DeviceId(range.device));
        let (from, to) = (Sequence(range.from), Sequence(range.to));
        let Some(user) = self.users.get_mut(UserId(range.recipient)) else {
            let code = Code::UnknownUser;
            return Verdict::Answer(Answer::Refused { sequence: from, code, retry_after_ms: 0 });
        };
        let expected = user.decisions(peer, device).map_or(Sequence(1), Decisions::expected);
        if from > expected {
            return Verdict::Answer(Answer::OutOfOrder { sequence: from, expected });
        }
        for _ in expected.0..=to.0 {
            user.skip(peer, device);
        }
        let accepted = user
            .decisions(peer, device)
            .map_or(0, |decisions| decisions.accepted_between(from, to));
        self.list(UserId(range.recipient));
        Verdict::Answer(Answer::Skipped { from, to, accepted })
    }

    fn acknowledge(
        &mut self,
        acknowledge: &Acknowledge,
        consequences: &mut Consequences,
    ) -> Verdict {
        let acting = UserId(acknowledge.user);
        let Some(user) = self.users.get_mut(acting) else { return Verdict::Silent };
        let delivered_at_ms = self.clock_ms;
        for newly in user.acknowledge(DeviceId(acknowledge.device), Position(acknowledge.up_to)) {
            let NewlyDelivered { peer: sender, device, up_to } = newly;
            self.outgoing_to(sender).push(PartBody::Delivered {
                user: sender,
                peer: acting,
                device,
                up_to: up_to.0,
                delivered_at_ms,
            });
            let body = EntryBody::Delivered { device, up_to, delivered_at_ms };
            consequences.shown.push((sender, acting, body));
        }
        self.list(acting);
        Verdict::Silent
    }

    fn delivered(&mut self, part: &DeliveredPart, consequences: &mut Consequences) -> Verdict {
        if self.takes(PartitionId(part.source), PartNumbers::from(part), consequences) {
            let body = EntryBody::Delivered {
                device: DeviceId(part.device),
                up_to: Sequence(part.up_to),
                delivered_at_ms: part.delivered_at_ms,
            };
            let entry = InboxEntry { peer: UserId(part.peer), body };
            self.put(UserId(part.user), entry, consequences);
        }
        Verdict::Silent
    }

    fn failed(&mut self, part: &FailedPart, consequences: &mut Consequences) -> Verdict {
        if self.takes(PartitionId(part.source), PartNumbers::from(part), consequences) {
            let body = EntryBody::Failed {
                device: DeviceId(part.device),
                sequence: Sequence(part.sequence),
                code: part.code,
            };
            let entry = InboxEntry { peer: UserId(part.peer), body };
            self.put(UserId(part.user), entry, consequences);
        }
        Verdict::Silent
    }

    fn takes(
        &mut self,
        source: PartitionId,
        numbers: PartNumbers,
        consequences: &mut Consequences,
    ) -> bool {
        if !consequences.parts_from.contains(&source) {
            consequences.parts_from.push(source);
        }
        self.incoming.entry(source).or_default().take(numbers)
    }

    /// Puts an entry into a user's inbox; nobody's, where there is no such user.
    fn put(&mut self, user_id: UserId, entry: InboxEntry, consequences: &mut Consequences) {
        if let Some(user) = self.users.get_mut(user_id) {
            user.inbox.push(entry);
            self.list(user_id);
            consequences.touched.push(user_id);
        }
    }

    fn outgoing_to(&mut self, user: UserId) -> &mut Outgoing {
        self.outgoing.entry(self.table.partition_of(user)).or_default()
    }

    /// Lists a user for the next checkpoint.
    fn list(&mut self, user_id: UserId) {
        if let Some(user) = self.users.get_mut(user_id)
            && !std::mem::replace(&mut user.listed, true)
        {
            self.changed_users.push(user_id);
        }
    }
}

/// The answer to a message that is not the next one.
fn answer(device: DeviceId, sequence: Sequence, expected: Sequence, standing: Standing) -> Answer {
    let refused = |code| Answer::Refused { sequence, code, retry_after_ms: 0 };
    match standing {
        Standing::Repeat(Some(Decision::Accepted { at_ms })) => {
            Answer::Accepted { sequence, accepted_at_ms: at_ms }
        }
        Standing::Repeat(Some(Decision::Rejected(code))) => {
            Answer::Failed { device, sequence, code }
        }
        Standing::Repeat(Some(Decision::Skipped)) => {
            Answer::Failed { device, sequence, code: Code::Skipped }
        }
        Standing::Repeat(None) => refused(Code::DecisionForgotten),
        Standing::TooFar => refused(Code::SequenceTooFar),
        Standing::Next | Standing::Ahead => Answer::OutOfOrder { sequence, expected },
    }
}
