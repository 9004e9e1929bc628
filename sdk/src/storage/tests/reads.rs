//! What was read, by this user and by others.

use super::*;

const BOBS: DeviceId = DeviceId(22);
const TABLET: DeviceId = DeviceId(12);

fn read(storage: &mut Storage, up_to: u64) -> Option<u64> {
    storage.read(BOB, BOBS, Sequence(up_to)).unwrap().map(|mark| mark.up_to.0)
}

fn unnoted(storage: &Storage) -> Vec<u64> {
    let marks = storage.device_state().unwrap().unnoted_reads;
    marks.iter().map(|mark| mark.up_to.0).collect()
}

fn noted(up_to: u64) -> Event {
    Event::ReadNoted { peer: BOB, device: BOBS, up_to: Sequence(up_to) }
}

fn read_elsewhere(up_to: u64) -> Event {
    let body = EntryBody::ReadElsewhere { device: BOBS, up_to: Sequence(up_to), read_at_ms: 9 };
    Event::Entry(Entry { position: Position(9), peer: BOB, body })
}

/// A file with three messages of Bob's.
fn with_messages(file: &File) -> Storage {
    let mut storage = file.open();
    let messages = (1..=3).map(|number| message(number, 22, number, 5 + number));
    record(&mut storage, &messages.collect::<Vec<_>>());
    storage
}

#[test]
fn what_is_not_noted_survives_a_restart() {
    let file = File::new();
    let mut storage = with_messages(&file);
    assert_eq!(read(&mut storage, 2), Some(2));
    drop(storage);
    let mut storage = file.open();
    assert_eq!(unnoted(&storage), [2]);
    record(&mut storage, &[noted(2)]);
    drop(storage);
    assert_eq!(unnoted(&file.open()), [0; 0]);
}

#[test]
fn an_older_read_says_nothing_new() {
    let file = File::new();
    let mut storage = with_messages(&file);
    assert_eq!([2, 1, 2, 3].map(|up_to| read(&mut storage, up_to)), [Some(2), None, None, Some(3)]);
    record(&mut storage, &[noted(2)]);
    assert_eq!(unnoted(&storage), [3], "the answer to an older one");
}

#[test]
fn only_what_is_here_can_be_read() {
    let file = File::new();
    let mut storage = with_messages(&file);
    assert_eq!(storage.read(BOB, DeviceId(23), Sequence(1)).unwrap(), None);
    assert_eq!(storage.read(UserId(3), BOBS, Sequence(1)).unwrap(), None);
    assert_eq!(read(&mut storage, 0), None);
    assert_eq!(read(&mut storage, u64::MAX), Some(3));
    record(&mut storage, &[message(4, 22, 4, 9)]);
    assert_eq!(read(&mut storage, 4), Some(4), "a number too great does not silence later ones");
}

#[test]
fn what_was_read_elsewhere_is_read_and_need_not_be_said() {
    let file = File::new();
    let mut storage = with_messages(&file);
    read(&mut storage, 1);
    record(&mut storage, &[read_elsewhere(2)]);
    assert_eq!(unnoted(&storage), [0; 0]);
    record(&mut storage, &[noted(1)]);
    assert_eq!(unnoted(&storage), [0; 0], "an answer that comes late");
    assert_eq!(read(&mut storage, 2), None);
    let fates: Vec<_> = storage.chat(BOB, 10).unwrap().iter().map(|one| one.fate).collect();
    assert_eq!(fates, [true, true, false].map(|is_read| Fate::Received { is_read }));
    assert_eq!(storage.device_state().unwrap().cursor, Position(9), "it is an entry");
}

#[test]
fn what_was_read_is_known_of_each_device() {
    let file = File::new();
    let mut storage = with_messages(&file);
    record(&mut storage, &[message(4, 23, 1, 20)]);
    read(&mut storage, 3);
    let fates: Vec<_> = storage.chat(BOB, 10).unwrap().iter().map(|one| one.fate).collect();
    assert_eq!(fates, [true, true, true, false].map(|is_read| Fate::Received { is_read }));
}

#[test]
fn what_others_have_read_is_known_of_each_device() {
    let file = File::new();
    let mut storage = file.open();
    queue(&mut storage, 3);
    record(&mut storage, &[copied(1, 12, 1, 5), copied(2, 12, 2, 6)]);
    record(&mut storage, &[delivered(PHONE, 3, &[]), delivered(TABLET, 1, &[])]);
    record(&mut storage, &[read_by(PHONE, 2), read_by(TABLET, 1)]);
    use SentState::{Accepted, Delivered, Read};
    assert_eq!([1, 2, 3].map(|sequence| state(&storage, sequence)), [Read, Read, Delivered]);
    let fates = |storage: &Storage| {
        let chat = storage.chat(BOB, 10).unwrap();
        let of_tablet = chat.iter().filter(|one| one.device == TABLET);
        of_tablet.map(|one| one.fate).collect::<Vec<_>>()
    };
    assert_eq!(fates(&storage), [Read, Accepted].map(Fate::Sent));
    record(&mut storage, &[delivered(TABLET, 2, &[]), read_by(TABLET, 2), read_by(TABLET, 1)]);
    assert_eq!(fates(&storage), [Read, Read].map(Fate::Sent), "the newest counts");
}

/// Receipts are folded: the one of delivery may come behind the one of reading. Only that one
/// says which numbers were delivered.
#[test]
fn receipts_may_come_in_any_order() {
    use SentState::{Delivered, Queued, Read};
    let file = File::new();
    let mut storage = file.open();
    queue(&mut storage, 4);
    record(&mut storage, &[read_by(PHONE, 2)]);
    assert_eq!([1, 2, 3].map(|sequence| state(&storage, sequence)), [Queued; 3]);
    record(&mut storage, &[delivered(PHONE, 3, &[])]);
    assert_eq!([1, 2, 3].map(|sequence| state(&storage, sequence)), [Read, Read, Delivered]);
}

/// A number without an outcome stays so, whatever is read behind it.
#[test]
fn what_was_excepted_is_not_read() {
    use SentState::{Accepted, Delivered, Failed, Read};
    let file = File::new();
    let mut storage = file.open();
    queue(&mut storage, 4);
    let accepted = (1..=4).map(|sequence| Event::Accepted {
        peer: BOB,
        sequence: Sequence(sequence),
        accepted_at_ms: sequence,
    });
    record(&mut storage, &accepted.collect::<Vec<_>>());
    record(&mut storage, &[delivered(PHONE, 3, &[(2, 2)]), read_by(PHONE, 3)]);
    let states = |storage: &Storage| [1, 2, 3, 4].map(|sequence| state(storage, sequence));
    assert_eq!(states(&storage), [Read, Accepted, Read, Accepted]);
    let failed = Event::Failed { peer: BOB, sequence: Sequence(2), code: 6004 };
    record(&mut storage, &[failed, delivered(PHONE, 4, &[]), read_by(PHONE, 3)]);
    assert_eq!(states(&storage), [Read, Failed, Read, Delivered], "a failure is final");
}

#[test]
fn unread_is_what_lies_beyond_the_mark_of_its_device() {
    let file = File::new();
    let mut storage = file.open();
    let unread = |storage: &Storage| storage.open_counts(BOB).unwrap().0;
    assert_eq!(unread(&storage), 0);
    let messages = [message(1, 22, 1, 5), message(2, 22, 2, 6), message(3, 22, 5, 7)];
    record(&mut storage, &messages);
    record(&mut storage, &[message(4, 23, 1, 8), message(5, 23, 2, 9)]);
    assert_eq!(unread(&storage), 5);
    storage.read(BOB, DeviceId(22), Sequence(2)).unwrap();
    assert_eq!(unread(&storage), 3);
    storage.read(BOB, DeviceId(23), Sequence(1)).unwrap();
    assert_eq!(unread(&storage), 2);
    assert_eq!(storage.read_all(BOB).unwrap().len(), 2);
    assert_eq!((unread(&storage), storage.read_all(BOB).unwrap().len()), (0, 0));
}
