//! How chats are treated, here and at the server.

use answerback_proto::kind::{BLOCKED, ChatSettings, HIDES_READS, MUTED};

use super::*;

fn settings(flags: u16, muted_until_ms: u64) -> ChatSettings {
    ChatSettings { flags, muted_until_ms }
}

#[test]
fn a_change_holds_at_once_and_is_unsaid_until_the_server_knows() {
    let file = File::new();
    let mut storage = file.open();
    let block = storage.change_chat(BOB, BLOCKED, settings(BLOCKED, 0)).unwrap();
    let mute = storage.change_chat(BOB, MUTED, settings(0, 77)).unwrap();
    assert_eq!((block.flags(), block.muted_until_ms()), (BLOCKED, 0));
    assert_eq!((mute.flags(), mute.muted_until_ms()), (0, 77));
    assert_eq!(storage.chat_settings(BOB).unwrap(), settings(BLOCKED, 77));
    drop(storage);
    let mut storage = file.open();
    let unsaid = storage.unsaid_changes().unwrap();
    assert_eq!(unsaid.len(), 1);
    assert_eq!((unsaid[0].peer, unsaid[0].changes), (BOB, BLOCKED | MUTED));
    storage.settle_change(block, true).unwrap();
    assert_eq!(storage.unsaid_changes().unwrap()[0].changes, MUTED);
    storage.settle_change(mute, true).unwrap();
    assert_eq!(storage.unsaid_changes().unwrap(), []);
    assert_eq!(storage.set_chats().unwrap(), [(BOB, settings(BLOCKED, 77))]);
}

#[test]
fn what_was_changed_again_is_still_to_be_said() {
    let file = File::new();
    let mut storage = file.open();
    let block = storage.change_chat(BOB, BLOCKED, settings(BLOCKED, 0)).unwrap();
    let unblock = storage.change_chat(BOB, BLOCKED, settings(0, 0)).unwrap();
    storage.settle_change(block, true).unwrap();
    assert_eq!(storage.unsaid_changes().unwrap().len(), 1);
    storage.settle_change(unblock, true).unwrap();
    assert_eq!((storage.unsaid_changes().unwrap(), storage.set_chats().unwrap()), (vec![], vec![]));
}

#[test]
fn what_the_server_will_not_have_is_taken_back() {
    let file = File::new();
    let mut storage = file.open();
    let mute = storage.change_chat(BOB, MUTED, settings(0, 77)).unwrap();
    storage.settle_change(mute, true).unwrap();
    let block = storage.change_chat(BOB, BLOCKED, settings(BLOCKED, 0)).unwrap();
    storage.settle_change(block, false).unwrap();
    assert_eq!(storage.chat_settings(BOB).unwrap(), settings(0, 77));
    assert_eq!(storage.unsaid_changes().unwrap(), []);
}

#[test]
fn another_device_s_change_is_taken_but_for_what_is_unsaid_here() {
    let file = File::new();
    let mut storage = file.open();
    storage.change_chat(BOB, HIDES_READS, settings(HIDES_READS, 0)).unwrap();
    let body = EntryBody::ChatSet { settings: settings(BLOCKED, 5) };
    record(&mut storage, &[Event::Entry(Entry { position: Position(1), peer: BOB, body })]);
    assert_eq!(storage.chat_settings(BOB).unwrap(), settings(BLOCKED | HIDES_READS, 5));
    storage.take_chat(BOB, settings(0, 0)).unwrap();
    assert_eq!(storage.chat_settings(BOB).unwrap(), settings(HIDES_READS, 0));
}
