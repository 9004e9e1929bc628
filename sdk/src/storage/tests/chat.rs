//! Every device of a user has the whole chat, in the shown order.

use answerback_proto::code::Code;
use answerback_proto::limits::LIFE_MAX_S;

use super::*;

fn failed(device: DeviceId, sequence: u64, code: Code) -> Event {
    let body = EntryBody::Failed { device, sequence: Sequence(sequence), code: code.number() };
    Event::Entry(Entry { position: Position(1), peer: BOB, body })
}

/// (sender, device, number) of each message of the chat.
fn identities(storage: &Storage, count_max: u32) -> Vec<(u128, u128, u64)> {
    let chat = storage.chat(BOB, count_max).unwrap();
    chat.iter().map(|one| (one.sender.0, one.device.0, one.sequence.0)).collect()
}

#[test]
fn a_chat_is_shown_by_place_sender_device_and_number() {
    let file = File::new();
    let mut storage = file.open();
    queue(&mut storage, 2);
    let accepted = Event::Accepted { peer: BOB, sequence: Sequence(1), accepted_at_ms: 5 };
    let entries = [
        message(1, 22, 2, 6),
        message(2, 22, 1, 5),
        message(3, 21, 1, 5),
        copied(4, 12, 1, 5),
        copied(5, 12, 2, 4),
        accepted,
    ];
    record(&mut storage, &entries);
    let shown =
        [(1, 12, 2), (1, 11, 1), (1, 12, 1), (2, 21, 1), (2, 22, 1), (2, 22, 2), (1, 11, 2)];
    assert_eq!(identities(&storage, 10), shown, "what is undecided stands last");
    assert_eq!(identities(&storage, 3), shown[4..], "the last ones");
    assert_eq!(storage.chat(UserId(3), 10).unwrap(), []);
}

#[test]
fn a_refused_message_stands_where_it_was_written() {
    let file = File::new();
    let mut storage = file.open();
    record(&mut storage, &[message(1, 22, 1, 5)]);
    queue(&mut storage, 1);
    let refused = Event::Refused { peer: BOB, sequence: Sequence(1), code: 3006 };
    record(&mut storage, &[refused, message(2, 22, 2, 6)]);
    assert_eq!(identities(&storage, 10), [(1, 11, 1), (2, 22, 1), (2, 22, 2)]);
}

#[test]
fn a_copy_has_the_words_and_the_fate_of_what_the_other_device_sent() {
    let file = File::new();
    let mut storage = file.open();
    let tablet = DeviceId(12);
    let entries = [
        copied(1, 12, 1, 5),
        copied(2, 12, 2, 6),
        copied(3, 12, 3, 7),
        delivered(tablet, 1, &[]),
        failed(tablet, 2, Code::Expired),
        failed(tablet, 3, Code::Recalled),
    ];
    record(&mut storage, &entries);
    let chat = storage.chat(BOB, 10).unwrap();
    use SentState::{Delivered, Failed, Recalled};
    let fates: Vec<_> = chat.iter().map(|one| one.fate).collect();
    assert_eq!(fates, [Delivered, Failed, Recalled].map(Fate::Sent));
    let expected = ChatMessage {
        sender: ALICE,
        device: tablet,
        sequence: Sequence(1),
        accepted_at_ms: Some(5),
        content_type: 3,
        payload: b"a copy".to_vec(),
        fate: Fate::Sent(Delivered),
        code: None,
    };
    assert_eq!(chat[0], expected);
}

/// Numbers are each device's own: what another one sent is nothing to send, and nothing that
/// happens to it happens to this one's.
#[test]
fn a_copy_is_not_this_devices_message() {
    let file = File::new();
    let mut storage = file.open();
    record(&mut storage, &[copied(1, 12, 1, 5), copied(2, 12, 2, 6)]);
    assert_eq!(storage.sent(BOB, Sequence(1)).unwrap(), None);
    assert_eq!(queue(&mut storage, 2), [1, 2]);
    record(&mut storage, &[delivered(DeviceId(12), 2, &[])]);
    record(&mut storage, &[failed(DeviceId(12), 2, Code::Expired)]);
    assert_eq!([1, 2].map(|sequence| state(&storage, sequence)), [SentState::Queued; 2]);
    let kept = storage.kept(BOB, Sequence(1), Sequence(9)).unwrap();
    assert!(kept.iter().all(|one| one.payload == b"text"), "{kept:?}");
    assert_eq!((kept.len(), storage.device_state().unwrap().undecided.len()), (2, 2));
}

#[test]
fn a_copy_of_what_this_device_sent_is_here_already() {
    let file = File::new();
    let mut storage = file.open();
    queue(&mut storage, 1);
    let copies = [copied(4, PHONE.0, 1, 5), copied(5, PHONE.0, 2, 6)];
    assert_eq!(record(&mut storage, &copies), Some(Position(5)));
    assert_eq!(identities(&storage, 10), [(1, 11, 1)]);
    assert_eq!(storage.chat(BOB, 10).unwrap()[0].payload, b"text");
}

#[test]
fn an_answer_names_what_another_device_of_its_user_sent_too() {
    let file = File::new();
    let mut storage = file.open();
    record(&mut storage, &[copied(1, 12, 1, 700)]);
    let sent = storage.queue([(BOB, 1, Vec::new())]).unwrap();
    assert_eq!(sent[0].seen_ms, 700);
}

#[test]
fn lives_and_recalls_are_kept_until_the_decision() {
    let file = File::new();
    let mut storage = file.open();
    let drafts = [
        Draft::new(BOB, 1, b"soon".to_vec()).with_life_s(60),
        Draft::new(BOB, 1, b"late".to_vec()).with_life_s(u32::MAX),
        Draft::recall(BOB, Sequence(1), 2, b"forget it".to_vec()),
    ];
    let queued = storage.queue(drafts).unwrap();
    assert_eq!(queued.iter().map(|one| one.life_s).collect::<Vec<_>>(), [60, LIFE_MAX_S, 0]);
    assert_eq!(queued[2].recalled, Some(Sequence(1)));
    drop(storage);
    let storage = file.open();
    assert_eq!(storage.device_state().unwrap().undecided, queued);
    assert_eq!(storage.kept(BOB, Sequence(1), Sequence(3)).unwrap(), queued);
}

#[test]
fn only_what_this_device_sent_is_taken_back() {
    let file = File::new();
    let mut storage = file.open();
    queue(&mut storage, 1);
    record(&mut storage, &[copied(1, 12, 1, 5), copied(2, 12, 2, 6), copied(3, 12, 3, 7)]);
    for wrong in [0, 2, 3, u64::MAX] {
        let refused =
            storage.queue([Draft::recall(BOB, Sequence(wrong), 1, b"forget it".to_vec())]);
        let is_expected = matches!(refused, Err(StorageError::NotSent { peer: BOB, .. }));
        assert!(is_expected, "{wrong}: {refused:?}");
    }
    storage.queue([Draft::recall(BOB, Sequence(1), 1, b"forget it".to_vec())]).unwrap();
    assert_eq!(queue(&mut storage, 1), [3], "a refused one uses no number");
}

#[test]
fn a_message_that_was_taken_back_in_time_is_recalled() {
    let file = File::new();
    let mut storage = file.open();
    queue(&mut storage, 1);
    record(&mut storage, &[failed(PHONE, 1, Code::Recalled)]);
    let sent = storage.sent(BOB, Sequence(1)).unwrap().unwrap();
    assert_eq!((sent.state, sent.code), (SentState::Recalled, Some(6006)));
}
