//! What the file keeps over a restart, and what it refuses.

mod chat;
mod chat_settings;
mod deletion;
mod group_receipts;
mod groups;
mod migration;
mod reads;
mod repeats;
mod ticket;

use std::path::PathBuf;

use super::*;
use crate::session::{Entry, EntryBody, Event};

const ALICE: UserId = UserId(1);
const BOB: UserId = UserId(2);
const PHONE: DeviceId = DeviceId(11);

struct File {
    _directory: tempfile::TempDir,
    path: PathBuf,
}

impl File {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("device.sqlite");
        Self { _directory: directory, path }
    }

    fn open(&self) -> Storage {
        Storage::open(&self.path, ALICE, PHONE).unwrap()
    }
}

fn message(position: u64, device: u128, sequence: u64, accepted_at_ms: u64) -> Event {
    let body = EntryBody::Message {
        device: DeviceId(device),
        sequence: Sequence(sequence),
        accepted_at_ms,
        content_type: 3,
        payload: b"hello".to_vec(),
    };
    Event::Entry(Entry { position: Position(position), peer: BOB, body })
}

fn copied(position: u64, device: u128, sequence: u64, accepted_at_ms: u64) -> Event {
    let body = EntryBody::Copied {
        device: DeviceId(device),
        sequence: Sequence(sequence),
        accepted_at_ms,
        content_type: 3,
        payload: b"a copy".to_vec(),
    };
    Event::Entry(Entry { position: Position(position), peer: BOB, body })
}

fn delivered(device: DeviceId, up_to: u64, except: &[(u64, u64)]) -> Event {
    let except = except.iter().map(|&(a, b)| (Sequence(a), Sequence(b))).collect();
    let body = EntryBody::Delivered { device, up_to: Sequence(up_to), except, delivered_at_ms: 9 };
    Event::Entry(Entry { position: Position(1), peer: BOB, body })
}

fn read_by(device: DeviceId, up_to: u64) -> Event {
    let body = EntryBody::ReadBy { device, up_to: Sequence(up_to), read_at_ms: 9 };
    Event::Entry(Entry { position: Position(1), peer: BOB, body })
}

fn opened(generation: u64, cursor: u64) -> Event {
    Event::Opened {
        generation: Generation(generation),
        cursor: Position(cursor),
        pending_count: 0,
        lapsed: false,
        server_time_ms: 0,
    }
}

fn record(storage: &mut Storage, events: &[Event]) -> Option<Position> {
    let mut burst = storage.burst().unwrap();
    events.iter().for_each(|event| burst.record(event).unwrap());
    burst.commit().unwrap()
}

fn queue(storage: &mut Storage, count: usize) -> Vec<u64> {
    let messages = (0..count).map(|_| (BOB, 1, b"text".to_vec()));
    storage.queue(messages).unwrap().iter().map(|message| message.sequence.0).collect()
}

fn state(storage: &Storage, sequence: u64) -> SentState {
    storage.sent(BOB, Sequence(sequence)).unwrap().unwrap().state
}

#[test]
fn numbers_go_on_after_a_restart() {
    let file = File::new();
    let mut storage = file.open();
    assert_eq!(queue(&mut storage, 2), [1, 2]);
    assert_eq!(storage.raise_connection_counter().unwrap(), 1);
    drop(storage);
    let mut storage = file.open();
    assert_eq!(storage.raise_connection_counter().unwrap(), 2);
    assert_eq!(queue(&mut storage, 1), [3]);
    let undecided = storage.device_state().unwrap().undecided;
    assert_eq!(undecided.iter().map(|message| message.sequence.0).collect::<Vec<_>>(), [1, 2, 3]);
}

#[test]
fn an_uncommitted_burst_leaves_nothing() {
    let file = File::new();
    let mut storage = file.open();
    let mut burst = storage.burst().unwrap();
    burst.record(&message(1, 22, 1, 5)).unwrap();
    drop(burst);
    drop(storage);
    let storage = file.open();
    assert_eq!(storage.to_hand_over(10).unwrap(), []);
    assert_eq!(storage.device_state().unwrap().cursor, Position(0));
}

#[test]
fn message_and_cursor_are_stored_together() {
    let file = File::new();
    let mut storage = file.open();
    assert_eq!(
        record(&mut storage, &[message(4, 22, 1, 5), message(6, 22, 2, 6)]),
        Some(Position(6))
    );
    drop(storage);
    let storage = file.open();
    assert_eq!(storage.device_state().unwrap().cursor, Position(6));
    assert_eq!(storage.to_hand_over(10).unwrap().len(), 2);
}

#[test]
fn a_repeat_is_dropped_by_its_identity_whatever_its_position() {
    let file = File::new();
    let mut storage = file.open();
    record(&mut storage, &[message(1, 22, 1, 5), message(2, 22, 1, 5)]);
    record(&mut storage, &[message(3, 22, 1, 5), message(4, 23, 1, 5), message(5, 22, 2, 5)]);
    let all = storage.to_hand_over(10).unwrap();
    let identities: Vec<_> = all.iter().map(|one| (one.device.0, one.sequence.0)).collect();
    assert_eq!(identities, [(22, 1), (23, 1), (22, 2)]);
    assert_eq!(
        storage.device_state().unwrap().cursor,
        Position(5),
        "the cursor moves all the same"
    );
}

#[test]
fn a_repeat_from_another_place_is_counted() {
    let file = File::new();
    let mut storage = file.open();
    let doubled = |storage: &mut Storage, position| {
        let mut burst = storage.burst().unwrap();
        burst.record(&message(position, 22, 1, 5)).unwrap();
        let count = burst.doubled_count();
        burst.commit().unwrap();
        count
    };
    assert_eq!([1, 1, 2].map(|position| doubled(&mut storage, position)), [0, 0, 1]);
}

#[test]
fn what_failed_is_sent_again_once_and_shown_under_its_new_number() {
    let file = File::new();
    let mut storage = file.open();
    let drafts =
        [Draft::new(BOB, 7, b"one".to_vec()).with_life_s(60), Draft::new(BOB, 1, b"two".to_vec())];
    storage.queue(drafts).unwrap();
    record(&mut storage, &[Event::Failed { peer: BOB, sequence: Sequence(1), code: 2004 }]);
    let again = storage.resend(BOB, Sequence(1)).unwrap();
    assert_eq!((again.sequence, again.content_type, again.life_s), (Sequence(3), 7, 60));
    assert_eq!(again.payload, b"one");
    for not_failed in [1, 2, 3, 9] {
        let refused = storage.resend(BOB, Sequence(not_failed));
        assert!(matches!(refused, Err(StorageError::NotFailed { .. })), "{not_failed}");
    }
    drop(storage);
    let storage = file.open();
    let shown: Vec<_> = storage.chat(BOB, 9).unwrap().iter().map(|one| one.sequence.0).collect();
    assert_eq!(shown, [2, 3]);
    assert_eq!(storage.device_state().unwrap().undecided.len(), 2);
}

/// Whatever a chat holds, its end is read by its indexes: nothing is sorted but what is shown.
#[test]
fn the_end_of_a_chat_is_read_through_an_index_for_each_side() {
    let file = File::new();
    let storage = file.open();
    let plan = crate::storage::chat::plan(&storage.connection, ALICE, BOB);
    for index in ["inbound_shown", "outbound_shown"] {
        assert!(plan.contains(index), "{plan}");
    }
    assert_eq!(plan.matches("USE TEMP B-TREE").count(), 2, "of what is merged: {plan}");
}

#[test]
fn a_message_is_handed_over_until_the_app_is_done() {
    let file = File::new();
    let mut storage = file.open();
    record(&mut storage, &[message(1, 22, 1, 5), message(2, 22, 2, 6), message(3, 22, 3, 6)]);
    let first = storage.to_hand_over(2).unwrap();
    storage.handed_over(first[1].row).unwrap();
    drop(storage);
    let rest = file.open().to_hand_over(10).unwrap();
    assert_eq!(rest.iter().map(|one| one.sequence.0).collect::<Vec<_>>(), [3]);
}

#[test]
fn an_opened_session_sets_generation_and_cursor_also_backwards() {
    let file = File::new();
    let mut storage = file.open();
    record(&mut storage, &[message(9, 22, 1, 5)]);
    assert_eq!(record(&mut storage, &[opened(2, 3)]), None);
    let state = storage.device_state().unwrap();
    assert_eq!((state.generation, state.cursor), (Generation(2), Position(3)));
}

#[test]
fn receipts_are_cumulative_but_for_exceptions_and_failures() {
    let file = File::new();
    let mut storage = file.open();
    queue(&mut storage, 6);
    let failed = Event::Failed { peer: BOB, sequence: Sequence(2), code: 3011 };
    record(
        &mut storage,
        &[failed, delivered(PHONE, 5, &[(3, 4)]), delivered(DeviceId(12), 6, &[])],
    );
    use SentState::{Accepted, Delivered, Failed, Queued};
    let states: Vec<_> = (1..=6).map(|sequence| state(&storage, sequence)).collect();
    assert_eq!(states, [Delivered, Failed, Queued, Queued, Delivered, Queued]);
    let accepted =
        |sequence| Event::Accepted { peer: BOB, sequence: Sequence(sequence), accepted_at_ms: 7 };
    record(&mut storage, &[accepted(1), accepted(3)]);
    assert_eq!((state(&storage, 1), state(&storage, 3)), (Delivered, Accepted));
    assert_eq!(storage.sent(BOB, Sequence(1)).unwrap().unwrap().accepted_at_ms, Some(7));
    let kept = storage.kept(BOB, Sequence(1), Sequence(4)).unwrap();
    assert_eq!(kept.iter().map(|one| one.sequence.0).collect::<Vec<_>>(), [3, 4]);
}

#[test]
fn a_message_names_the_latest_that_its_sender_had_seen() {
    let file = File::new();
    let mut storage = file.open();
    record(&mut storage, &[message(1, 22, 1, 500), message(2, 22, 2, 400)]);
    let sent = storage.queue([(BOB, 1, Vec::new()), (UserId(3), 1, Vec::new())]).unwrap();
    assert_eq!((sent[0].seen_ms, sent[0].sequence.0), (500, 1));
    assert_eq!(sent[1].seen_ms, 0);
}

#[test]
fn numbers_beyond_sqlites_do_not_turn_negative() {
    let file = File::new();
    let mut storage = file.open();
    record(&mut storage, &[message(u64::MAX, 22, 1, 5)]);
    assert_eq!(storage.device_state().unwrap().cursor, Position(i64::MAX as u64));
}

#[test]
fn a_file_in_use_is_refused() {
    let file = File::new();
    let _storage = file.open();
    let second = Storage::open(&file.path, ALICE, PHONE);
    assert!(matches!(second, Err(StorageError::InUse { .. })), "{second:?}");
}

#[test]
fn a_newer_file_is_refused() {
    let file = File::new();
    drop(file.open());
    Connection::open(&file.path).unwrap().pragma_update(None, "user_version", 7).unwrap();
    let newer = Storage::open(&file.path, ALICE, PHONE);
    assert!(matches!(newer, Err(StorageError::Newer { found: 7, known: 6, .. })), "{newer:?}");
}

#[test]
fn another_devices_file_is_refused() {
    let file = File::new();
    drop(file.open());
    let other = Storage::open(&file.path, ALICE, DeviceId(12));
    assert!(matches!(other, Err(StorageError::OtherDevice { .. })), "{other:?}");
    std::fs::write(&file.path, "no database, but a text of some length".repeat(100)).unwrap();
    let text = Storage::open(&file.path, ALICE, PHONE);
    assert!(matches!(text, Err(StorageError::OtherDevice { .. })), "{text:?}");
}

#[test]
fn an_unwritable_place_is_refused() {
    let file = File::new();
    let nowhere = file.path.join("below");
    std::fs::write(&file.path, "a file").unwrap();
    let error = Storage::open(&nowhere, ALICE, PHONE);
    assert!(matches!(error, Err(StorageError::Unwritable { .. })), "{error:?}");
}
