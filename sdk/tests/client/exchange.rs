//! What is sent and what comes, over one connection or several.

use answerback_proto::code::Code;
use answerback_proto::kind::{Ack, Copied, Delivered, Failed, Kind, Read, ReadNoted, Recall, Send};
use answerback_sdk::{ClientEvent, ErrorClass, MessageState};

use super::server::Server;
use super::*;

#[test]
fn a_message_is_pending_then_accepted_then_delivered() {
    let server = Server::run(vec![Box::new(|peer| {
        peer.welcome(0);
        let (tag, send) = peer.read::<Send>();
        assert_eq!((send.sequence, send.content_type), (1, 1));
        peer.accept(tag, 1);
        let delivered = Delivered {
            position: 1,
            after: 0,
            device: PHONE.0,
            up_to: 1,
            delivered_at_ms: 9,
            except_count: 0,
        };
        peer.write(0, BOB, &delivered);
        assert_eq!(peer.read::<Ack>().1, Ack { up_to: 1 });
        peer.read_to_end();
    })]);
    let place = Place::new();
    let client = place.open(&server.address);
    let sent = client.send(BOB, 1, b"hello".to_vec()).unwrap();
    assert_eq!(sent, own(1));
    wait_for_state(&client, sent, MessageState::Delivered);
    assert_eq!(of(&client, sent).accepted_at_ms, Some(9));
    assert_eq!(client.pending_count().unwrap(), 0);
    client.close();
    server.finish();
}

#[test]
fn an_entry_is_stored_before_it_is_acknowledged_and_handed_over_until_done() {
    let server = Server::run(vec![Box::new(|peer| {
        peer.welcome(4);
        peer.deliver(5);
        assert_eq!(peer.read::<Ack>().1, Ack { up_to: 5 });
    })]);
    let place = Place::new();
    let client = place.open(&server.address);
    wait_until(&client, |client| !client.to_hand_over(10).unwrap().is_empty());
    server.finish();
    client.close();
    let client = place.open(&nowhere());
    let waiting = client.to_hand_over(10).unwrap();
    assert_eq!((waiting.len(), waiting[0].message.id.sequence), (1, Sequence(5)));
    assert_eq!(client.chats().unwrap()[0].unread_count, 1);
    client.done(waiting[0].row).unwrap();
    assert_eq!(client.to_hand_over(10).unwrap(), []);
}

#[test]
fn what_is_sent_without_a_network_goes_once_there_is_one() {
    let place = Place::new();
    let client = place.open(&nowhere());
    let sent = client.send(BOB, 1, b"whenever".to_vec()).unwrap();
    assert_eq!(of(&client, sent).state, MessageState::Pending);
    client.close();
    let server = Server::run(vec![Box::new(|peer| {
        peer.welcome(0);
        let (tag, send) = peer.read::<Send>();
        peer.accept(tag, send.sequence);
        peer.read_to_end();
    })]);
    let client = place.open(&server.address);
    wait_for_state(&client, sent, MessageState::Accepted);
    client.close();
    server.finish();
}

#[test]
fn what_is_undecided_goes_again_on_the_next_connection() {
    let server = Server::run(vec![
        Box::new(|peer| {
            assert_eq!(peer.welcome(0).connection_counter, 1);
            peer.read::<Send>();
        }),
        Box::new(|peer| {
            assert_eq!(peer.welcome(0).connection_counter, 2);
            let (tag, send) = peer.read::<Send>();
            peer.accept(tag, send.sequence);
            peer.read_to_end();
        }),
    ]);
    let place = Place::new();
    let client = place.open(&server.address);
    let sent = client.send(BOB, 1, b"hello".to_vec()).unwrap();
    wait_for_state(&client, sent, MessageState::Accepted);
    assert_eq!(client.statistics().unwrap().opened_count, 2);
    client.close();
    server.finish();
}

#[test]
fn a_chat_is_read_until_the_server_has_noted_it_also_after_a_restart() {
    let server = Server::run(vec![Box::new(|peer| {
        peer.welcome(0);
        peer.deliver(1);
        peer.deliver(2);
        peer.read::<Read>();
    })]);
    let place = Place::new();
    let client = place.open(&server.address);
    wait_until(&client, |client| client.to_hand_over(10).unwrap().len() == 2);
    client.read_chat(BOB).unwrap();
    assert_eq!(client.chats().unwrap()[0].unread_count, 0);
    server.finish();
    client.close();
    let server = Server::run(vec![
        Box::new(|peer| {
            peer.welcome(2);
            let (tag, read) = peer.read::<Read>();
            assert_eq!(read, Read { peer: BOB.0, device: 22, up_to: 2 });
            peer.write(tag, ALICE, &ReadNoted { up_to: 2 });
            peer.read::<Send>();
        }),
        Box::new(|peer| {
            peer.welcome(2);
            let kinds = peer.read_to_end();
            assert!(!kinds.contains(&Kind::Read), "{kinds:?}");
        }),
    ]);
    let client = place.open(&server.address);
    client.send(BOB, 1, b"the end".to_vec()).unwrap();
    wait_until(&client, |client| client.statistics().unwrap().opened_count == 2);
    client.close();
    server.finish();
}

#[test]
fn a_message_with_a_life_is_taken_back() {
    let server = Server::run(vec![Box::new(|peer| {
        peer.welcome(0);
        let (tag, send) = peer.read::<Send>();
        assert_eq!((send.sequence, send.life_s), (1, 60));
        peer.accept(tag, 1);
        let (tag, recall) = peer.read::<Recall>();
        assert_eq!((recall.sequence, recall.recalled), (2, 1));
        peer.accept(tag, 2);
        let code = Code::Recalled.number();
        peer.write(0, BOB, &Failed { position: 1, after: 0, device: 11, sequence: 1, code });
        peer.read_to_end();
    })]);
    let place = Place::new();
    let client = place.open(&server.address);
    let sent = client.send_with_life(BOB, 1, b"soon".to_vec(), 60).unwrap();
    wait_for_state(&client, sent, MessageState::Accepted);
    let recall = client.recall(sent, 2, b"forget it".to_vec()).unwrap();
    wait_for_state(&client, sent, MessageState::Recalled);
    wait_for_state(&client, recall, MessageState::Accepted);
    let never_sent = client.recall(own(9), 2, Vec::new()).unwrap_err();
    assert_eq!(never_sent.class, ErrorClass::Usage, "{never_sent}");
    client.close();
    server.finish();
}

#[test]
fn what_failed_is_sent_again_under_a_new_number_and_shown_once() {
    let server = Server::run(vec![Box::new(|peer| {
        peer.welcome(0);
        let (tag, _) = peer.read::<Send>();
        let code = Code::InboxFull.number();
        peer.write(tag, BOB, &Failed { position: 0, after: 0, device: 11, sequence: 1, code });
        let (tag, again) = peer.read::<Send>();
        assert_eq!(again.sequence, 2);
        peer.accept(tag, 2);
        peer.read_to_end();
    })]);
    let place = Place::new();
    let client = place.open(&server.address);
    let sent = client.send(BOB, 1, b"hello".to_vec()).unwrap();
    wait_for_state(&client, sent, MessageState::Failed);
    let failure = of(&client, sent).failure.unwrap();
    assert_eq!((failure.name.as_str(), failure.class), ("InboxFull", ErrorClass::RetryAfter));
    let again = client.resend(sent).unwrap();
    wait_for_state(&client, again, MessageState::Accepted);
    let chat = client.chat(BOB, 10).unwrap();
    assert_eq!(chat.iter().map(|one| one.id).collect::<Vec<_>>(), [again]);
    assert_eq!(chat[0].payload, b"hello");
    for not_failed in [sent, again] {
        assert_eq!(client.resend(not_failed).unwrap_err().class, ErrorClass::Usage);
    }
    client.close();
    server.finish();
}

#[test]
fn what_another_device_has_sent_is_in_the_chat_and_not_handed_over() {
    let server = Server::run(vec![Box::new(|peer| {
        peer.welcome(0);
        let copied = Copied {
            position: 1,
            after: 0,
            device: 12,
            sequence: 1,
            accepted_at_ms: 5,
            content_type: 1,
        };
        peer.write(0, BOB, &copied);
        peer.read::<Ack>();
    })]);
    let place = Place::new();
    let client = place.open(&server.address);
    let pending = client.send(BOB, 1, b"the same number".to_vec()).unwrap();
    wait_until(&client, |client| client.chat(BOB, 10).unwrap().len() == 2);
    let chat = client.chat(BOB, 10).unwrap();
    let shown: Vec<_> = chat.iter().map(|one| (one.is_own, one.id.device, one.state)).collect();
    let copy = (true, DeviceId(12), MessageState::Accepted);
    assert_eq!(shown, [copy, (true, PHONE, MessageState::Pending)]);
    assert_eq!(client.to_hand_over(10).unwrap(), []);
    let not_ours = client.recall(chat[0].id, 2, Vec::new()).unwrap_err();
    assert_eq!(not_ours.class, ErrorClass::Usage);
    assert_eq!(chat[1].id, pending);
    client.close();
    server.finish();
}

/// Who has sent it waits for that.
#[test]
fn what_is_stored_at_a_close_is_acknowledged() {
    for _ in 0..20 {
        let server = Server::run(vec![Box::new(|peer| {
            peer.welcome(0);
            peer.deliver(1);
            assert_eq!(peer.read_to_end(), [Kind::Ack]);
        })]);
        let place = Place::new();
        let client = place.open(&server.address);
        wait_until(&client, |client| !client.to_hand_over(1).unwrap().is_empty());
        client.close();
        server.finish();
    }
}

#[test]
fn events_say_what_to_look_at() {
    let server = Server::run(vec![Box::new(|peer| {
        peer.welcome_with(|welcome| welcome.lapsed = 1);
        peer.deliver(1);
        peer.read_to_end();
    })]);
    let place = Place::new();
    let client = place.open(&server.address);
    let mut events = Vec::new();
    while !events.contains(&ClientEvent::MessagesWaiting) {
        events.push(client.next_event(LONG_MS).unwrap());
    }
    assert!(events.contains(&ClientEvent::HistoryLost), "{events:?}");
    assert!(events.contains(&ClientEvent::ChatChanged { peer: BOB }), "{events:?}");
    client.close();
    assert_eq!(client.next_event(LONG_MS), None, "a closed client tells nothing");
    assert_eq!(client.chats().unwrap_err().class, ErrorClass::Usage);
    server.finish();
}
