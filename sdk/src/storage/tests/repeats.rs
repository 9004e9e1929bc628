//! A repeat moves the cursor and nothing else, under whatever position it comes.

use super::*;

/// The same identity with other words: no server does that, so only a test can see what
/// became of the row.
fn changed(position: u64, device: u128, sequence: u64) -> Event {
    let body = EntryBody::Message {
        device: DeviceId(device),
        sequence: Sequence(sequence),
        accepted_at_ms: 99,
        content_type: 4,
        payload: b"other words".to_vec(),
    };
    Event::Entry(Entry { position: Position(position), peer: BOB, body })
}

#[test]
fn a_repeat_leaves_the_stored_row_as_it_is() {
    let file = File::new();
    let mut storage = file.open();
    record(&mut storage, &[message(1, 22, 1, 5), message(2, 22, 2, 6)]);
    let before = storage.to_hand_over(10).unwrap();
    assert_eq!(record(&mut storage, &[changed(7, 22, 1)]), Some(Position(7)));
    assert_eq!(storage.to_hand_over(10).unwrap(), before);
}

#[test]
fn a_repeat_of_what_the_app_is_done_with_is_not_handed_over_again() {
    let file = File::new();
    let mut storage = file.open();
    record(&mut storage, &[message(1, 22, 1, 5)]);
    let row = storage.to_hand_over(10).unwrap()[0].row;
    storage.handed_over(row).unwrap();
    record(&mut storage, &[changed(7, 22, 1)]);
    assert_eq!(storage.to_hand_over(10).unwrap(), []);
}

/// After a restore all that waits comes again under other positions, and what is new may
/// come under old ones.
#[test]
fn in_another_generation_repeats_are_known_by_identity_and_not_by_position() {
    let file = File::new();
    let mut storage = file.open();
    record(&mut storage, &[opened(1, 0)]);
    record(&mut storage, &[message(8, 22, 1, 5), message(9, 22, 2, 6), copied(10, 12, 1, 7)]);
    let restored = [
        opened(2, 1),
        message(2, 22, 2, 6),
        copied(3, 12, 1, 7),
        message(8, 22, 3, 8),
        copied(9, 12, 2, 9),
    ];
    assert_eq!(record(&mut storage, &restored), Some(Position(9)));
    let received = storage.to_hand_over(10).unwrap();
    assert_eq!(received.iter().map(|one| one.sequence.0).collect::<Vec<_>>(), [1, 2, 3]);
    let chat = storage.chat(BOB, 10).unwrap();
    let places: Vec<_> = chat.iter().map(|one| one.accepted_at_ms.unwrap()).collect();
    assert_eq!(places, [5, 6, 7, 8, 9]);
    let state = storage.device_state().unwrap();
    assert_eq!((state.generation, state.cursor), (Generation(2), Position(9)));
}

#[test]
fn numbers_of_other_devices_and_chats_are_no_repeats() {
    let file = File::new();
    let mut storage = file.open();
    let Event::Entry(entry) = message(3, 22, 1, 5) else { panic!() };
    let of_carol = Event::Entry(Entry { peer: UserId(3), ..entry });
    record(&mut storage, &[message(1, 22, 1, 5), message(2, 23, 1, 5), of_carol]);
    assert_eq!(storage.to_hand_over(10).unwrap().len(), 3);
}

#[test]
fn a_repeated_copy_leaves_what_became_of_it() {
    let file = File::new();
    let mut storage = file.open();
    let tablet = DeviceId(12);
    record(&mut storage, &[copied(1, 12, 1, 5), delivered(tablet, 1, &[])]);
    let before = storage.chat(BOB, 10).unwrap();
    record(&mut storage, &[copied(6, 12, 1, 99)]);
    assert_eq!(storage.chat(BOB, 10).unwrap(), before);
    assert_eq!(before[0].fate, Fate::Sent(SentState::Delivered));
}
