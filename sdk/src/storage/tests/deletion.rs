//! What a deleted chat leaves in the file.

use answerback_proto::id::GroupId;
use answerback_proto::kind::DeviceMark;

use super::*;

const LAPTOP: DeviceId = DeviceId(12);
const GROUP: GroupId = GroupId(77);

fn mark(device: DeviceId, up_to: u64) -> DeviceMark {
    DeviceMark { device, up_to: Sequence(up_to) }
}

fn deleted(position: u64, up_to: u64, marks: Vec<DeviceMark>) -> Event {
    let body = EntryBody::ChatDeleted { up_to: Position(up_to), marks };
    Event::Entry(Entry { position: Position(position), peer: BOB, body })
}

fn accepted(sequence: u64) -> Event {
    Event::Accepted { peer: BOB, sequence: Sequence(sequence), accepted_at_ms: 5 }
}

fn payloads(storage: &Storage) -> Vec<Vec<u8>> {
    storage.chat(BOB, 100).unwrap().into_iter().map(|message| message.payload).collect()
}

/// Two that came, one that was sent, one copy.
fn chat(file: &File) -> Storage {
    let mut storage = file.open();
    queue(&mut storage, 1);
    let came = [message(1, 22, 1, 5), message(2, 22, 2, 6), copied(3, 12, 7, 8)];
    record(&mut storage, &[opened(1, 0), accepted(1)]);
    record(&mut storage, &came);
    storage
}

#[test]
fn the_chat_is_erased_and_what_is_to_be_told_outlives_a_restart() {
    let file = File::new();
    let mut storage = chat(&file);
    let deletions = storage.delete_chat(BOB).unwrap();
    let [deletion] = &deletions[..] else { panic!("{deletions:?}") };
    assert_eq!((deletion.peer, deletion.cursor), (BOB, Position(3)));
    assert_eq!(deletion.generation, Generation(1));
    assert_eq!(deletion.marks, [mark(PHONE, 1), mark(LAPTOP, 7)]);
    drop(storage);
    let mut storage = file.open();
    assert_eq!(payloads(&storage), Vec::<Vec<u8>>::new());
    assert_eq!(storage.to_hand_over(10).unwrap(), []);
    assert_eq!(storage.unnoted_deletions().unwrap(), deletions);
    record(&mut storage, &[Event::DeletionNoted { number: deletion.number }]);
    assert_eq!(storage.unnoted_deletions().unwrap(), []);
    assert_eq!(queue(&mut storage, 1), [2], "numbers go on");
}

#[test]
fn its_bytes_are_overwritten_in_the_file() {
    let file = File::new();
    let mut storage = chat(&file);
    let text = b"a text that is easily found";
    storage.queue([(BOB, 1, text.to_vec())]).unwrap();
    record(&mut storage, &[accepted(2)]);
    let holds = |path: &Path| {
        let bytes = std::fs::read(path).unwrap();
        bytes.windows(text.len()).any(|window| window == text)
    };
    drop(storage);
    assert!(holds(&file.path));
    file.open().delete_chat(BOB).unwrap();
    assert!(!holds(&file.path));
}

#[test]
fn what_is_not_decided_stays_and_lies_beyond_the_mark() {
    let file = File::new();
    let mut storage = chat(&file);
    queue(&mut storage, 2);
    let deletion = storage.delete_chat(BOB).unwrap().remove(0);
    assert_eq!(deletion.marks[0], mark(PHONE, 1));
    assert_eq!(payloads(&storage).len(), 2);
    assert_eq!(storage.device_state().unwrap().undecided.len(), 2);
}

#[test]
fn repeats_of_what_was_erased_are_dropped_and_what_comes_later_is_not() {
    let file = File::new();
    let mut storage = chat(&file);
    storage.delete_chat(BOB).unwrap();
    let mut burst = storage.burst().unwrap();
    for event in [message(1, 22, 1, 5), message(9, 22, 2, 6), copied(3, 12, 7, 8)] {
        burst.record(&event).unwrap();
    }
    assert_eq!((burst.doubled_count(), burst.commit().unwrap()), (0, Some(Position(3))));
    assert_eq!(payloads(&storage).len(), 0);
    let later = [message(10, 22, 3, 9), message(11, 23, 1, 9), copied(12, 12, 8, 9)];
    record(&mut storage, &later);
    assert_eq!(payloads(&storage).len(), 3, "the chat is open again");
    assert_eq!(storage.to_hand_over(10).unwrap().len(), 2);
}

#[test]
fn receipts_reads_and_recalls_of_what_is_erased_change_nothing() {
    let file = File::new();
    let mut storage = chat(&file);
    storage.delete_chat(BOB).unwrap();
    let failed = EntryBody::Failed { device: PHONE, sequence: Sequence(1), code: 6004 };
    let failed = Event::Entry(Entry { position: Position(4), peer: BOB, body: failed });
    record(&mut storage, &[accepted(1), delivered(PHONE, 1, &[]), read_by(PHONE, 1), failed]);
    assert_eq!(storage.read(BOB, DeviceId(22), Sequence(2)).unwrap(), None);
    assert_eq!(storage.read_all(BOB).unwrap(), []);
    assert_eq!(storage.open_counts(BOB).unwrap(), (0, 0));
    assert_eq!(storage.kept(BOB, Sequence(1), Sequence(9)).unwrap(), []);
    assert!(storage.resend(BOB, Sequence(1)).is_err());
    let recall = Draft::recall(BOB, Sequence(1), 2, Vec::new());
    assert_eq!(storage.queue([recall]).unwrap()[0].recalled, Some(Sequence(1)));
}

#[test]
fn a_deletion_on_another_device_erases_up_to_its_marks() {
    let file = File::new();
    let mut storage = chat(&file);
    queue(&mut storage, 1);
    record(&mut storage, &[accepted(2), message(4, 22, 3, 9), copied(5, 12, 8, 9)]);
    record(&mut storage, &[deleted(6, 2, vec![mark(PHONE, 1), mark(LAPTOP, 7)])]);
    let left: Vec<_> = storage
        .chat(BOB, 100)
        .unwrap()
        .into_iter()
        .map(|message| (message.device, message.sequence.0))
        .collect();
    assert_eq!(left, [(PHONE, 2), (LAPTOP, 8), (DeviceId(22), 3)]);
    record(&mut storage, &[message(7, 22, 2, 6), copied(8, 12, 7, 8)]);
    assert_eq!(storage.chat(BOB, 100).unwrap().len(), 3, "repeats are dropped");
    assert_eq!(storage.unnoted_deletions().unwrap(), [], "nobody is to be told");
}

/// Places of another generation mean nothing; all that it had lies before this one.
#[test]
fn what_came_before_a_restore_is_covered_too() {
    let file = File::new();
    let mut storage = file.open();
    record(&mut storage, &[opened(1, 0), message(900, 22, 1, 5)]);
    record(&mut storage, &[opened(2, 500), message(501, 22, 2, 6), message(503, 22, 3, 7)]);
    record(&mut storage, &[deleted(504, 502, Vec::new())]);
    let left: Vec<_> =
        storage.chat(BOB, 9).unwrap().into_iter().map(|message| message.sequence.0).collect();
    assert_eq!(left, [3]);
}

#[test]
fn more_devices_than_a_frame_takes_are_several_deletions() {
    let file = File::new();
    let mut storage = file.open();
    let copies: Vec<_> = (1..=11).map(|device| copied(device, device as u128 + 50, 1, 5)).collect();
    record(&mut storage, &copies);
    let deletions = storage.delete_chat(BOB).unwrap();
    let counts: Vec<_> = deletions.iter().map(|deletion| deletion.marks.len()).collect();
    assert_eq!(counts, [10, 1]);
    assert_eq!(storage.delete_chat(UserId(9)).unwrap()[0].marks, [], "there is no such chat");
}

#[test]
fn what_one_has_said_in_groups_stays() {
    let file = File::new();
    let mut storage = chat(&file);
    record(&mut storage, &[in_group(4, 1)]);
    storage.delete_chat(BOB).unwrap();
    let peer = GROUP.as_peer();
    assert_eq!((storage.chat(BOB, 9).unwrap().len(), storage.chat(peer, 9).unwrap().len()), (0, 1));
    record(&mut storage, &[in_group(5, 2)]);
    assert_eq!(storage.chat(peer, 9).unwrap().len(), 2, "its numbers are others");
}

#[test]
fn a_group_s_chat_is_deleted_here_alone() {
    let file = File::new();
    let mut storage = chat(&file);
    record(&mut storage, &[in_group(4, 1)]);
    let peer = GROUP.as_peer();
    assert_eq!(storage.delete_chat(peer).unwrap(), [], "the server is told nothing");
    assert_eq!((storage.chat(BOB, 9).unwrap().len(), storage.chat(peer, 9).unwrap().len()), (4, 0));
    record(&mut storage, &[in_group(5, 1), in_group(6, 2)]);
    assert_eq!(storage.chat(peer, 9).unwrap().len(), 1, "of these one is a repeat");
    assert_eq!(storage.unnoted_deletions().unwrap(), []);
}

/// A message of Bob's first device to a group, where its numbers are those of that.
fn in_group(position: u64, sequence: u64) -> Event {
    let body = EntryBody::GroupMessage {
        sender: BOB,
        device: DeviceId(22),
        sequence: Sequence(sequence),
        accepted_at_ms: 100 + position,
        version: 1,
        content_type: 1,
        payload: b"hello all".to_vec(),
    };
    Event::Entry(Entry { position: Position(position), peer: GROUP.as_peer(), body })
}
