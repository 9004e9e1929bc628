//! A box of several shards without sockets or disk: what was committed, applied and
//! checkpointed is kept in lists, so that any crash can be had.

use std::collections::BTreeMap;

use answerback_proto::encode::{Address, append_frame};
use answerback_proto::header::HEADER_BYTES;
use answerback_proto::kind::{Ack, Envelope, Resync, Send, Skip};
use answerback_proto::record::DeliveredPart;

use super::*;
use crate::partition_table::PartitionTable;

const A: UserId = UserId(1);
const B: UserId = UserId(2);
const PHONE: DeviceId = DeviceId(10);
const LAPTOP: DeviceId = DeviceId(11);
const NOW_MS: u64 = 1_790_000_000_000;

type RowsOnDisk = BTreeMap<(Table, Vec<u8>), Vec<u8>>;

/// One box: its shards, its disk, what was said to each session.
struct Box {
    table: PartitionTable,
    shards: Vec<Shard>,
    journal: Vec<Batch>,
    rows: RowsOnDisk,
    applied: BTreeMap<PartitionId, Applied>,
    said: Vec<Effect>,
    monotonic_ms: u64,
    sessions: u32,
}

impl Box {
    fn new() -> Self {
        let table = PartitionTable::new(&[7; 16], 4, 1);
        let mut new = Self {
            table,
            shards: Vec::new(),
            journal: Vec::new(),
            rows: BTreeMap::new(),
            applied: BTreeMap::new(),
            said: Vec::new(),
            monotonic_ms: 1,
            sessions: 0,
        };
        new.restart();
        new
    }

    /// What a crash leaves is what is on disk.
    fn restart(&mut self) {
        let partitions = (0..self.table.partitions()).map(PartitionId);
        self.shards = partitions.map(|partition| self.load(partition)).collect();
        self.said.clear();
    }

    fn load(&self, partition: PartitionId) -> Shard {
        let generation = Generation(1);
        let mut shard = Shard::new(ShardSettings { partition, table: self.table, generation });
        let prefix = partition.0.to_be_bytes();
        for ((table, key), value) in self.rows.iter().filter(|((_, key), _)| key[..2] == prefix) {
            shard.load_row(*table, key, value).unwrap();
        }
        let applied = self.applied.get(&partition).copied().unwrap_or_default();
        shard.handle_loaded(applied);
        let behind = |batch: &&Batch| batch.first_offset() > applied.offset;
        let journal = self.journal.iter().filter(|batch| batch.partition() == partition);
        for batch in journal.filter(behind) {
            shard.replay(batch).unwrap();
        }
        shard
    }

    fn home(&mut self, user: UserId) -> &mut Shard {
        let partition = self.table.partition_of(user);
        &mut self.shards[usize::from(partition.0)]
    }

    /// Journals what waits, without applying it.
    fn journal(&mut self) -> bool {
        let batches: Vec<_> =
            self.shards.iter_mut().filter_map(|shard| shard.take_batch(NOW_MS)).collect();
        let any = !batches.is_empty();
        self.journal.extend(batches);
        any
    }

    /// Commits, applies and passes on until nothing moves, all rounds of parts included.
    fn settle(&mut self) {
        loop {
            let mut moved = self.step();
            for shard in &mut self.shards {
                if let Some(due_ms) = shard.poll_timeout() {
                    self.monotonic_ms = self.monotonic_ms.max(due_ms);
                    shard.handle_timeout(self.monotonic_ms);
                    moved = true;
                }
            }
            if !moved {
                return;
            }
        }
    }

    /// Commits, applies and passes on once.
    fn step(&mut self) -> bool {
        let mut moved = self.journal();
        for at in 0..self.shards.len() {
            let partition = PartitionId(at as u16);
            let of_this = self.journal.iter().rfind(|batch| batch.partition() == partition);
            if let Some(end) = of_this.map(Batch::end) {
                self.shards[at].handle_committed(end).unwrap();
            }
            while let Some(effect) = self.shards[at].poll_effect() {
                moved = true;
                match effect {
                    Effect::Mail { to, mail } => self.shards[usize::from(to.0)].handle_mail(mail),
                    other => self.said.push(other),
                }
            }
        }
        moved
    }

    fn checkpoint(&mut self) {
        for shard in &mut self.shards {
            let checkpoint = shard.freeze();
            for row in checkpoint.rows.iter() {
                let key = (row.table, row.key.to_vec());
                match row.value {
                    Some(value) => self.rows.insert(key, value.to_vec()),
                    None => self.rows.remove(&key),
                };
            }
            let applied = checkpoint.applied;
            self.applied.insert(checkpoint.partition, applied);
            self.journal.retain(|batch| {
                batch.partition() != checkpoint.partition || batch.first_offset() > applied.offset
            });
        }
    }

    fn connect(&mut self, user: UserId, device: DeviceId, cursor: u64) -> Origin {
        self.connect_with(user, device, cursor, 1024)
    }

    fn connect_with(
        &mut self,
        user: UserId,
        device: DeviceId,
        cursor: u64,
        credit_frames: u32,
    ) -> Origin {
        self.sessions += 1;
        let session = SessionRef { core: 0, slot: self.sessions, generation: 1 };
        let origin = Origin { session, tag: 1, user, device };
        self.home(user).handle_opening(Opening {
            origin,
            connection_counter: 1000 + u64::from(session.slot),
            generation: Generation(u64::from(cursor > 0)),
            cursor: Position(cursor),
            credit_frames,
            credit_bytes: 1 << 20,
        });
        self.settle();
        origin
    }

    fn send(&mut self, from: Origin, to: UserId, sequence: u64) {
        let send = Send { sequence, seen_ms: 0, life_s: 0, content_type: 1 };
        let payload = format!("{}:{sequence}", from.user);
        self.home(to).handle_send(from, to, &envelope(&send), payload.as_bytes());
    }

    fn ack(&mut self, of: Origin, up_to: u64) {
        self.home(of.user).handle_ack(of, &envelope(&Ack { up_to }));
    }

    /// The answers to a session since the last call.
    fn answers(&mut self, of: Origin) -> Vec<Answer> {
        let (answers, rest) = std::mem::take(&mut self.said)
            .into_iter()
            .partition(|effect| matches!(effect, Effect::Answer { to, .. } if *to == of.session));
        self.said = rest;
        let answer = |effect| match effect {
            Effect::Answer { answer, .. } => Some(answer),
            _ => None,
        };
        Vec::into_iter(answers).filter_map(answer).collect()
    }

    /// The entries pushed to a session since the last call: (position, after, what).
    fn entries(&mut self, of: Origin) -> Vec<(u64, u64, String)> {
        let (entries, rest) = std::mem::take(&mut self.said)
            .into_iter()
            .partition(|effect| matches!(effect, Effect::Entry { to, .. } if *to == of.session));
        self.said = rest;
        let told = |effect| match effect {
            Effect::Entry { entry, .. } => {
                Some((entry.position.0, entry.after.0, tell(&entry.body)))
            }
            _ => None,
        };
        Vec::into_iter(entries).filter_map(told).collect()
    }

    fn closed(&self, of: Origin) -> Option<Code> {
        self.said.iter().find_map(|effect| match effect {
            Effect::Close { to, code, .. } if *to == of.session => Some(*code),
            _ => None,
        })
    }

    fn opened(&self, of: Origin) -> Opened {
        let opened = self.said.iter().find_map(|effect| match effect {
            Effect::Opened { to, opened, .. } if *to == of.session => Some(*opened),
            _ => None,
        });
        opened.unwrap()
    }
}

fn envelope<E: Envelope>(value: &E) -> Vec<u8> {
    let mut frame = Vec::new();
    append_frame(&mut frame, Address::default(), value, &[], &[]);
    frame.split_off(HEADER_BYTES)
}

fn tell(body: &EntryBody) -> String {
    match body {
        EntryBody::Message { payload, .. } => String::from_utf8(payload.to_vec()).unwrap(),
        EntryBody::Delivered { device, up_to, .. } => format!("delivered {device}:{up_to}"),
        EntryBody::Failed { sequence, code, .. } => format!("failed {sequence}: {code}"),
    }
}

fn accepted(sequence: u64) -> Answer {
    Answer::Accepted { sequence: Sequence(sequence), accepted_at_ms: NOW_MS }
}

fn message(position: u64, after: u64, sequence: u64) -> (u64, u64, String) {
    (position, after, format!("1:{sequence}"))
}

/// Two users who are online.
fn pair() -> (Box, Origin, Origin) {
    let mut at = Box::new();
    let a = at.connect(A, PHONE, 0);
    let b = at.connect(B, PHONE, 0);
    (at, a, b)
}

#[test]
fn nothing_is_answered_or_pushed_before_its_commit() {
    let (mut at, a, b) = pair();
    at.send(a, B, 1);
    assert_eq!(at.home(B).poll_effect(), None);
    at.settle();
    assert_eq!(at.answers(a), [accepted(1)]);
    assert_eq!(at.entries(b), [message(1, 0, 1)]);
}

#[test]
fn a_receipt_is_shown_at_once_and_comes_again_as_an_entry() {
    let (mut at, a, b) = pair();
    for sequence in 1..=3 {
        at.send(a, B, sequence);
    }
    at.settle();
    at.ack(b, 2);
    at.settle();
    at.ack(b, 3);
    at.settle();
    let receipts = at.entries(a);
    let shown = (0, 0, "delivered 10:2".to_owned());
    assert_eq!(receipts[0], shown);
    let last = receipts.last().unwrap();
    assert_eq!((last.0 > 0, last.2.as_str()), (true, "delivered 10:3"));
    assert_eq!(at.home(A).state.users[&A].inbox.behind(Position(0)).count(), 1, "folded");
    at.ack(a, last.0);
    at.settle();
    assert_eq!(at.home(A).state.users[&A].inbox.behind(Position(0)).count(), 0);
}

#[test]
fn a_repeat_is_answered_as_before_and_delivered_once() {
    let (mut at, a, b) = pair();
    at.send(a, B, 1);
    at.send(a, B, 1);
    at.settle();
    at.send(a, B, 1);
    at.settle();
    assert_eq!(at.answers(a), [accepted(1), accepted(1), accepted(1)]);
    assert_eq!(at.entries(b), [message(1, 0, 1)]);
}

#[test]
fn a_missing_number_is_asked_for_and_one_too_far_refused() {
    let (mut at, a, b) = pair();
    at.send(a, B, 2);
    at.send(a, B, 65);
    at.settle();
    let (sequence, expected) = (Sequence(2), Sequence(1));
    let refused =
        Answer::Refused { sequence: Sequence(65), code: Code::SequenceTooFar, retry_after_ms: 0 };
    assert_eq!(at.answers(a), [refused, Answer::OutOfOrder { sequence, expected }]);
    assert_eq!(at.entries(b), []);
}

#[test]
fn a_skipped_number_is_decided_and_its_late_copy_fails() {
    let (mut at, a, b) = pair();
    at.send(a, B, 1);
    at.home(B).handle_skip(a, B, &envelope(&Skip { from: 1, to: 3 }));
    at.send(a, B, 2);
    at.send(a, B, 4);
    at.settle();
    let skipped = Answer::Skipped { from: Sequence(1), to: Sequence(3), accepted: 0b001 };
    let failed = Answer::Failed { device: PHONE, sequence: Sequence(2), code: Code::Skipped };
    assert_eq!(at.answers(a), [accepted(1), skipped, failed, accepted(4)]);
    assert_eq!(at.entries(b), [message(1, 0, 1), message(2, 1, 4)]);
}

#[test]
fn a_skip_beyond_the_next_number_is_out_of_order() {
    let (mut at, a, _) = pair();
    at.home(B).handle_skip(a, B, &envelope(&Skip { from: 3, to: 4 }));
    at.settle();
    let (sequence, expected) = (Sequence(3), Sequence(1));
    assert_eq!(at.answers(a), [Answer::OutOfOrder { sequence, expected }]);
}

#[test]
fn nobody_is_refused_before_the_journal() {
    let (mut at, a, _) = pair();
    at.send(a, UserId(99), 1);
    at.settle();
    let (sequence, code) = (Sequence(1), Code::UnknownUser);
    assert_eq!(at.answers(a), [Answer::Refused { sequence, code, retry_after_ms: 0 }]);
}

#[test]
fn credit_bounds_what_is_under_way() {
    let mut at = Box::new();
    let a = at.connect(A, PHONE, 0);
    let b = at.connect_with(B, PHONE, 0, 2);
    for sequence in 1..=5 {
        at.send(a, B, sequence);
    }
    at.settle();
    assert_eq!(at.entries(b), [message(1, 0, 1), message(2, 1, 2)]);
    at.ack(b, 1);
    at.settle();
    assert_eq!(at.entries(b), [message(3, 2, 3)]);
}

#[test]
fn an_ack_beyond_what_was_sent_closes_the_session_alone() {
    let (mut at, a, b) = pair();
    at.send(a, B, 1);
    at.settle();
    at.ack(b, 2);
    at.settle();
    assert_eq!((at.closed(b), at.closed(a)), (Some(Code::AckBeyondSent), None));
    let user = &at.home(B).state.users[&B];
    assert_eq!((user.devices[0].cursor, user.inbox.behind(Position(0)).count()), (Position(0), 1));
}

#[test]
fn what_was_not_acknowledged_is_offered_again_from_the_lower_cursor() {
    let (mut at, a, b) = pair();
    for sequence in 1..=3 {
        at.send(a, B, sequence);
    }
    at.settle();
    at.ack(b, 1);
    at.settle();
    let again = at.connect(B, PHONE, 2);
    assert_eq!(at.closed(b), Some(Code::SessionReplaced));
    assert_eq!(at.opened(again).cursor, Position(1));
    assert_eq!(at.entries(again), [message(2, 1, 2), message(3, 2, 3)]);
}

#[test]
fn a_resync_offers_what_lies_behind_it() {
    let (mut at, a, b) = pair();
    at.send(a, B, 1);
    at.send(a, B, 2);
    at.settle();
    at.entries(b);
    at.home(B).handle_resync(b, &envelope(&Resync { cursor: 1 }));
    at.settle();
    assert_eq!(at.entries(b), [message(2, 1, 2)]);
}

#[test]
fn caught_up_is_said_once_behind_what_waited() {
    let (mut at, a, b) = pair();
    at.home(B).handle_closed(B, b.session);
    at.send(a, B, 1);
    at.settle();
    at.said.clear();
    let b = at.connect(B, PHONE, 0);
    at.send(a, B, 2);
    at.settle();
    let to_b: Vec<_> = at
        .said
        .iter()
        .filter_map(|effect| match effect {
            Effect::Entry { to, entry } if *to == b.session => Some(entry.position.0),
            Effect::CaughtUp { to, .. } if *to == b.session => Some(0),
            _ => None,
        })
        .collect();
    assert_eq!(to_b, [1, 0, 2]);
}

#[test]
fn an_entry_leaves_when_every_device_has_it_and_counts_as_delivered_with_the_first() {
    let (mut at, a, b) = pair();
    let laptop = at.connect(B, LAPTOP, 0);
    at.send(a, B, 1);
    at.settle();
    at.ack(b, 1);
    at.settle();
    assert!(at.entries(a).iter().any(|(_, _, what)| what == "delivered 10:1"));
    assert_eq!(at.home(B).state.users[&B].inbox.behind(Position(0)).count(), 1);
    at.ack(laptop, 1);
    at.settle();
    assert_eq!(at.home(B).state.users[&B].inbox.behind(Position(0)).count(), 0);
    assert_eq!(at.entries(a), [], "the second device causes no receipt");
}

#[test]
fn a_new_device_starts_behind_what_any_device_had() {
    let (mut at, a, b) = pair();
    at.send(a, B, 1);
    at.send(a, B, 2);
    at.settle();
    at.ack(b, 1);
    at.settle();
    let laptop = at.connect(B, LAPTOP, 0);
    assert_eq!(at.entries(laptop), [message(2, 1, 2)]);
}

#[test]
fn a_new_device_starts_there_after_a_restart_too() {
    let (mut at, a, b) = pair();
    at.send(a, B, 1);
    at.send(a, B, 2);
    at.settle();
    at.ack(b, 2);
    at.settle();
    at.checkpoint();
    at.restart();
    let laptop = at.connect(B, LAPTOP, 0);
    assert_eq!(at.opened(laptop).cursor, Position(2));
}

#[test]
fn a_part_that_was_taken_is_confirmed_again_and_not_journaled() {
    let (mut at, a, b) = pair();
    at.send(a, B, 1);
    at.settle();
    at.ack(b, 1);
    at.settle();
    let part = DeliveredPart {
        source: at.table.partition_of(B).0,
        generation: 1,
        number: 1,
        previous: 0,
        user: A.0,
        peer: B.0,
        device: PHONE.0,
        up_to: 1,
        delivered_at_ms: 0,
    };
    at.home(A).handle_mail(Mail::Delivered(part));
    assert_eq!(at.home(A).pending().records, 0);
    let (by, up_to) = (at.table.partition_of(A), PartNumber(1));
    let mail = Mail::Confirm { by, up_to };
    let to = at.table.partition_of(B);
    assert_eq!(at.home(A).poll_effect(), Some(Effect::Mail { to, mail }));
}

#[test]
fn a_counter_that_went_back_is_a_copied_device() {
    let (mut at, _, b) = pair();
    let copy = Origin { session: SessionRef { slot: 77, ..b.session }, ..b };
    at.home(B).handle_opening(Opening {
        origin: copy,
        connection_counter: 5,
        generation: Generation(1),
        cursor: Position(0),
        credit_frames: 1,
        credit_bytes: 1,
    });
    at.settle();
    assert_eq!((at.closed(copy), at.closed(b)), (Some(Code::DeviceRolledBack), None));
}

#[test]
fn a_connection_that_went_before_its_login_committed_leaves_no_session() {
    let (mut at, a, b) = pair();
    at.home(B).handle_closed(B, b.session);
    let late = Origin { session: SessionRef { slot: 78, ..b.session }, ..b };
    at.home(B).handle_opening(Opening {
        origin: late,
        connection_counter: 5000,
        generation: Generation(1),
        cursor: Position(0),
        credit_frames: 1,
        credit_bytes: 1,
    });
    at.journal();
    at.home(B).handle_closed(B, late.session);
    at.send(a, B, 1);
    at.settle();
    assert_eq!(at.entries(late), []);
}

#[test]
fn an_acknowledgement_survives_the_end_of_its_connection() {
    let (mut at, a, b) = pair();
    at.send(a, B, 1);
    at.settle();
    at.ack(b, 1);
    at.home(B).handle_closed(B, b.session);
    at.settle();
    assert_eq!(at.home(B).state.users[&B].inbox.behind(Position(0)).count(), 0);
}

#[test]
fn an_answer_never_sorts_above_its_question() {
    let (mut at, a, b) = pair();
    let seen_ms = NOW_MS + 5_000;
    let send = Send { sequence: 1, seen_ms, life_s: 0, content_type: 1 };
    at.home(A).handle_send(b, A, &envelope(&send), b"answer");
    let far = Send { sequence: 1, seen_ms: NOW_MS * 2, life_s: 0, content_type: 1 };
    at.home(B).handle_send(a, B, &envelope(&far), b"liar");
    at.settle();
    let (sequence, after_ms) = (Sequence(1), seen_ms + 1);
    assert_eq!(at.answers(b), [Answer::Accepted { sequence, accepted_at_ms: after_ms }]);
    let capped_ms = NOW_MS + 10_000;
    assert_eq!(at.answers(a), [Answer::Accepted { sequence, accepted_at_ms: capped_ms }]);
}

#[test]
fn a_malformed_envelope_closes_its_session() {
    let (mut at, a, _) = pair();
    at.home(B).handle_send(a, B, &[1, 2, 3], b"");
    at.settle();
    assert_eq!(at.closed(a), Some(Code::FrameMalformed));
}

#[test]
fn what_was_journaled_and_not_applied_is_there_after_a_crash() {
    let (mut at, a, _) = pair();
    at.send(a, B, 1);
    at.journal();
    at.restart();
    let b = at.connect(B, PHONE, 0);
    assert_eq!(at.entries(b), [message(1, 0, 1)]);
    let a = at.connect(A, PHONE, 0);
    at.send(a, B, 1);
    at.settle();
    assert_eq!(at.answers(a), [accepted(1)], "the stored decision");
    assert_eq!(at.entries(b), [], "and no second entry");
}

#[test]
fn a_receipt_that_was_only_shown_comes_after_a_crash() {
    let (mut at, a, b) = pair();
    at.send(a, B, 1);
    at.settle();
    at.ack(b, 1);
    at.step();
    at.restart();
    at.settle();
    let a = at.connect(A, PHONE, 0);
    assert_eq!(at.entries(a), [(1, 0, "delivered 10:1".to_owned())]);
}

/// Whatever was checkpointed when, a restart finds the state that a box without any
/// checkpoint has.
#[test]
fn checkpoints_anywhere_change_nothing() {
    let played = |checkpoint_every: usize| {
        let (mut at, mut a, mut b) = pair();
        let mut steps = 0;
        let mut tick = |at: &mut Box| {
            steps += 1;
            if steps % checkpoint_every == 0 {
                at.checkpoint();
                at.restart();
                return true;
            }
            false
        };
        for sequence in 1..=40 {
            at.send(a, B, sequence);
            at.settle();
            if sequence % 3 == 0 {
                at.ack(b, sequence - 1);
                at.settle();
            }
            if tick(&mut at) {
                a = at.connect(A, PHONE, 0);
                b = at.connect(B, PHONE, 0);
            }
        }
        at.restart();
        let b = at.connect(B, PHONE, 0);
        let a = at.connect(A, PHONE, 0);
        let receipt = at.entries(a).pop().map(|(_, _, what)| what);
        let entries: Vec<_> =
            at.entries(b).into_iter().map(|(position, _, what)| (position, what)).collect();
        (entries, receipt)
    };
    let without = played(usize::MAX);
    assert_eq!(without.0.len(), 2);
    for every in [1, 2, 3, 7, 20] {
        assert_eq!(played(every), without, "a checkpoint and restart every {every} messages");
    }
}

#[test]
fn a_row_or_batch_that_does_not_belong_is_a_fault() {
    let (mut at, a, _) = pair();
    at.send(a, B, 1);
    at.settle();
    let partition = at.table.partition_of(B);
    let batches: Vec<_> =
        at.journal.iter().filter(|batch| batch.partition() == partition).cloned().collect();
    let settings = ShardSettings { partition, table: at.table, generation: Generation(1) };
    let mut shard = Shard::new(settings);
    assert_eq!(shard.replay(batches.last().unwrap()), Err(Corrupt::Checksum));
    let foreign = (partition.0 + 1).to_be_bytes();
    assert!(shard.load_row(Table::Partition, &foreign, &[0; 8]).is_err());
    assert!(shard.load_row(Table::Partition, &partition.0.to_be_bytes(), &[0; 7]).is_err());
    assert!(shard.load_row(Table::Inbox, &[0; 26], &[9; 40]).is_err());
}
