//! What keys and events do.

use answerback_proto::id::UserId;
use answerback_proto::kind::role;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::super::group::Member;
use super::super::message::{Content, Message, Progress};
use super::super::stage::{
    NOW_MS, PEER, chat, control, enter, failed, model, own, press, received, write,
};
use super::*;

/// An open chat with these messages.
fn open(messages: Vec<Message>) -> Model {
    let mut model = model(100, 24);
    model.open_chat(PEER);
    model.handle_messages(PEER, messages);
    model
}

fn send(peer: UserId, text: &str) -> Vec<Action> {
    vec![Action::Send { peer, text: text.to_owned() }]
}

fn typing(is_writing: bool) -> Vec<Action> {
    vec![Action::Typing { peer: PEER, is_writing }]
}

#[test]
fn the_other_end_hears_of_what_is_written_and_of_no_command() {
    let mut model = open(Vec::new());
    assert_eq!(press(&mut model, KeyCode::Char('h')), typing(true));
    assert_eq!(press(&mut model, KeyCode::Left), [], "nothing is written by it");
    press(&mut model, KeyCode::End);
    assert_eq!(press(&mut model, KeyCode::Backspace), typing(false));
    assert_eq!(press(&mut model, KeyCode::Char('/')), typing(false));
    control(&mut model, 'n');
    assert_eq!(press(&mut model, KeyCode::Char('4')), [], "that is a number of a chat");
}

#[test]
fn the_header_says_what_the_other_end_does() {
    let mut model = open(Vec::new());
    assert_eq!(model.doing(), None);
    let seen = Presence { is_online: false, last_seen_ms: Some(NOW_MS - 60_000) };
    model.handle_peer(false, seen);
    let words = format!("last seen {}", model.calendar.time(NOW_MS - 60_000));
    assert_eq!(model.doing(), Some(words));
    model.handle_peer(false, Presence { is_online: true, ..seen });
    assert_eq!(model.doing().as_deref(), Some("online"));
    model.handle_peer(true, Presence { is_online: true, ..seen });
    assert_eq!(model.doing().as_deref(), Some("typing…"));
    press(&mut model, KeyCode::Esc);
    assert_eq!(model.doing(), None);
}

#[test]
fn a_line_is_sent_to_the_open_chat() {
    let mut model = open(Vec::new());
    assert_eq!(enter(&mut model, "hello"), send(PEER, "hello"));
    assert!(model.input.is_empty());
    assert_eq!(press(&mut model, KeyCode::Enter), [], "there is nothing to send");
    assert_eq!(enter(&mut model, "  "), [], "nor here");
}

#[test]
fn several_lines_are_one_message() {
    let mut model = open(Vec::new());
    model.handle_paste("one\r\ntwo\rthree\n");
    assert_eq!(press(&mut model, KeyCode::Enter), send(PEER, "one\ntwo\nthree"));
    write(&mut model, "four");
    let alt_enter = KeyEvent::new(KeyCode::Enter, KeyModifiers::ALT);
    assert_eq!(model.handle_key(alt_enter), typing(true));
    assert_eq!(enter(&mut model, "five"), send(PEER, "four\nfive"));
}

#[test]
fn up_and_down_walk_through_what_is_written_before_the_chat() {
    let mut model = open(vec![received(1, 1, "hi", true)]);
    model.handle_paste("one\ntwo");
    press(&mut model, KeyCode::Up);
    assert_eq!(model.input.halves(), ("one", "\ntwo"));
    press(&mut model, KeyCode::Up);
    press(&mut model, KeyCode::Down);
    assert_eq!(model.input.halves(), ("one\ntwo", ""));
}

#[test]
fn without_a_chat_a_line_stays_and_says_what_to_do() {
    let mut model = model(100, 24);
    assert_eq!(enter(&mut model, "hello"), []);
    assert!(model.notice.as_ref().unwrap().contains("/to 3"));
    assert_eq!(model.input.text(), "hello");
}

#[test]
fn a_chat_is_opened_by_a_command_or_by_its_number() {
    let mut model = model(100, 24);
    assert_eq!(enter(&mut model, "/to 3"), []);
    assert_eq!(model.wanted().unwrap().0, UserId(3));
    assert_eq!(control(&mut model, 'n'), []);
    assert_eq!(enter(&mut model, "x"), []);
    assert!(model.notice.as_ref().unwrap().starts_with("x: an id is"));
    assert_eq!(press(&mut model, KeyCode::Backspace), []);
    assert_eq!(enter(&mut model, "4"), []);
    assert_eq!((model.wanted().unwrap().0, model.purpose), (UserId(4), Purpose::Writing));
    assert_eq!(enter(&mut model, "/to 1"), []);
    assert!(model.notice.as_ref().unwrap().contains("that is you"));
}

#[test]
fn a_wrong_command_stays_to_be_put_right() {
    let mut model = open(Vec::new());
    assert_eq!(enter(&mut model, "/quti"), []);
    assert_eq!(model.input.text(), "/quti");
    assert!(model.notice.as_ref().unwrap().contains("/quit"));
    press(&mut model, KeyCode::Home);
    assert_eq!(enter(&mut model, "/"), send(PEER, "/quti"), "two slashes send one");
}

#[test]
fn the_list_is_walked_and_entered() {
    let mut model = model(100, 24);
    let message = received(1, 0, "hi", false);
    model.handle_chats([2, 3, 4].map(|peer| chat(peer, 1, message.clone())).to_vec());
    assert_eq!(model.marked(), Some(UserId(2)));
    press(&mut model, KeyCode::Down);
    assert_eq!(model.marked(), Some(UserId(3)));
    press(&mut model, KeyCode::Up);
    press(&mut model, KeyCode::Up);
    assert_eq!(model.marked(), Some(UserId(4)), "round the end");
    press(&mut model, KeyCode::Enter);
    assert_eq!(model.wanted().unwrap().0, UserId(4));
    press(&mut model, KeyCode::Tab);
    assert_eq!(model.wanted().unwrap().0, UserId(2));
    press(&mut model, KeyCode::BackTab);
    assert_eq!(model.wanted().unwrap().0, UserId(4));
    press(&mut model, KeyCode::Esc);
    assert_eq!((model.wanted(), model.marked()), (None, Some(UserId(4))));
}

#[test]
fn a_chat_wants_all_that_is_unread() {
    let mut model = model(100, 24);
    let wanted = |model: &mut Model, unread_count| {
        model.handle_chats(vec![chat(2, unread_count, received(1, 0, "hi", false))]);
        model.open_chat(PEER);
        model.wanted().unwrap().1
    };
    let few = wanted(&mut model, 0);
    assert_eq!(wanted(&mut model, 500), few + 500);
    assert_eq!(wanted(&mut model, u64::MAX), 2_000, "but not without end");
}

#[test]
fn what_is_written_stays_in_its_chat() {
    let mut model = open(Vec::new());
    write(&mut model, "for two");
    control(&mut model, 'n');
    enter(&mut model, "3");
    assert!(model.input.is_empty());
    write(&mut model, "for three");
    press(&mut model, KeyCode::Esc);
    assert!(model.input.is_empty());
    enter(&mut model, "/to 2");
    assert_eq!(press(&mut model, KeyCode::Enter), send(PEER, "for two"));
    control(&mut model, 'n');
    press(&mut model, KeyCode::Esc);
    enter(&mut model, "/to 3");
    assert_eq!(model.input.text(), "for three");
}

#[test]
fn what_is_seen_is_read_and_only_while_somebody_looks() {
    let mut model = model(100, 24);
    let messages = vec![received(1, 2, "hi", true), received(2, 1, "there", false)];
    model.handle_chats(vec![chat(2, 1, messages[1].clone())]);
    assert_eq!(model.poll_reads(), [], "the list shows it, but the chat is not open");
    model.open_chat(PEER);
    model.handle_focus(false);
    model.handle_messages(PEER, messages);
    assert_eq!(model.poll_reads(), []);
    assert_eq!(model.handle_focus(true), [Action::Connect]);
    assert_eq!(model.poll_reads(), [Action::Read(received(2, 1, "", false).id)]);
}

#[test]
fn each_of_the_peers_devices_is_read_as_far_as_it_is_seen() {
    let mut phone = received(7, 2, "from the phone", false);
    phone.id.device = DeviceId(22);
    let desk = received(1, 1, "from the desk", false);
    let expected = [Action::Read(phone.id), Action::Read(desk.id)];
    assert_eq!(open(vec![phone, desk]).poll_reads(), expected);
}

#[test]
fn a_recall_is_read_though_it_has_no_row() {
    let mut recall = received(2, 1, "", false);
    recall.content = Content::Recall;
    let model = open(vec![received(1, 2, "hi", true), recall]);
    assert_eq!(model.poll_reads(), [Action::Read(received(2, 1, "", false).id)]);
}

#[test]
fn the_last_message_of_this_device_is_taken_back() {
    let mut elsewhere = own(9, 1, "from another device", Progress::Accepted);
    elsewhere.id.device = DeviceId(12);
    let mut taken_back = own(4, 2, "gone", Progress::Delivered);
    taken_back.content = Content::TakenBack;
    let last = own(3, 3, "wrong chat", Progress::Delivered);
    let messages =
        vec![last, taken_back, failed(5, 1, "nobody has it"), elsewhere, received(1, 0, "?", true)];
    let mut model = open(messages);
    let expected = Action::Recall(own(3, 0, "", Progress::Accepted).id);
    assert_eq!(enter(&mut model, "/recall"), [expected]);
    let mut model = open(vec![received(1, 0, "?", true)]);
    assert_eq!(enter(&mut model, "/recall"), []);
    assert!(model.notice.is_some());
}

#[test]
fn what_failed_is_sent_again_in_its_order() {
    let mut model =
        open(vec![failed(1, 3, "one"), own(2, 2, "arrived", Progress::Read), failed(3, 1, "two")]);
    let resend = |sequence| Action::Resend(failed(sequence, 0, "").id);
    assert_eq!(control(&mut model, 'r'), [resend(1), resend(3)]);
    let mut model = open(Vec::new());
    assert_eq!(enter(&mut model, "/resend"), []);
    assert_eq!(model.notice.as_deref(), Some("nothing failed here"));
}

#[test]
fn a_chat_is_deleted_by_a_second_key_and_kept_by_any_other() {
    let listed = |model: &mut Model| {
        model.handle_chats(vec![chat(2, 0, received(1, 1, "hi", true))]);
    };
    let mut model = open(vec![received(1, 1, "hi", true)]);
    listed(&mut model);
    write(&mut model, "a draft");
    assert_eq!(control(&mut model, 'x'), []);
    assert!(model.notice.as_ref().unwrap().starts_with("delete the chat with user 2 "));
    assert_eq!(press(&mut model, KeyCode::Enter), [], "nothing is sent by it");
    assert_eq!((model.notice.clone(), model.input.text()), (None, "a draft"));
    press(&mut model, KeyCode::Esc);
    control(&mut model, 'x');
    assert_eq!(press(&mut model, KeyCode::Char('y')), [Action::DeleteChat(PEER)], "of the list");
    model.open_chat(PEER);
    assert!(model.input.is_empty(), "the draft is gone too");
    assert_eq!(enter(&mut model, "/delete"), []);
    assert_eq!(press(&mut model, KeyCode::Char('y')), [Action::DeleteChat(PEER)]);
    assert_eq!(model.wanted(), None, "it is left");
    model.handle_chats(Vec::new());
    control(&mut model, 'x');
    assert_eq!(model.notice.as_deref(), Some("there is nothing to delete"));
    assert_eq!(press(&mut model, KeyCode::Char('y')), [], "it is a letter again");
}

#[test]
fn what_could_not_be_stored_is_not_lost() {
    let mut model = open(Vec::new());
    model.handle_unsent("hello", "the disk is full".to_owned());
    assert_eq!(model.notice.as_deref(), Some("the disk is full"));
    assert_eq!(press(&mut model, KeyCode::Enter), send(PEER, "hello"));
}

#[test]
fn a_notice_goes_with_the_next_key() {
    let mut model = open(Vec::new());
    control(&mut model, 'r');
    assert!(model.notice.is_some());
    press(&mut model, KeyCode::Left);
    assert_eq!(model.notice, None);
}

#[test]
fn messages_of_a_chat_that_was_left_are_too_late() {
    let mut model = open(vec![received(1, 0, "hi", true)]);
    enter(&mut model, "/to 3");
    model.handle_messages(PEER, vec![received(1, 0, "hi", true)]);
    assert_eq!(model.open().unwrap().messages(), []);
}

#[test]
fn the_chat_is_left_by_several_ways() {
    let mut model = open(Vec::new());
    assert_eq!(control(&mut model, 'c'), [Action::Quit]);
    assert_eq!(control(&mut model, 'd'), [Action::Quit]);
    assert_eq!(enter(&mut model, "/quit"), [Action::Quit]);
    write(&mut model, "x");
    assert_eq!(control(&mut model, 'd'), [], "not with something written");
}

#[test]
fn a_wait_is_counted_down() {
    let mut model = open(Vec::new());
    assert_eq!(model.poll_timeout(), None);
    let retry_at_ms = NOW_MS + 1_500;
    model.handle_connection(Connection::Offline { retry_at_ms, reason: "no box".to_owned() });
    assert_eq!(model.poll_timeout(), Some(NOW_MS + 500));
    assert_eq!(control(&mut model, 't'), [Action::Connect]);
}

#[test]
fn a_chat_is_blocked_and_muted_and_nothing_is_sent_to_who_is_blocked() {
    let mut model = open(Vec::new());
    assert_eq!(enter(&mut model, "/block"), [Action::Block(PEER, true)]);
    assert_eq!(enter(&mut model, "/mute"), [Action::Mute(PEER, true)]);
    assert_eq!(model.treatment(), None, "nothing is known of it yet");
    model.handle_treatment(Treatment { is_blocked: true, is_muted: true });
    assert_eq!(model.treatment(), Some("blocked"));
    assert_eq!(enter(&mut model, "hello"), []);
    assert!(model.remark()[0].contains("/unblock"));
    assert_eq!(model.input.take(), "hello", "it is kept");
    assert_eq!(enter(&mut model, "/unblock"), [Action::Block(PEER, false)]);
    model.handle_treatment(Treatment { is_blocked: false, is_muted: true });
    assert_eq!(model.treatment(), Some("muted"));
    assert_eq!(enter(&mut model, "/unmute"), [Action::Mute(PEER, false)]);
    press(&mut model, KeyCode::Esc);
    model.open_chat(UserId(3));
    assert_eq!(model.treatment(), None, "another chat");
    press(&mut model, KeyCode::Esc);
    assert_eq!(enter(&mut model, "/block"), []);
    assert!(model.remark()[0].contains("open a chat"));
}

#[test]
fn the_operator_is_told_of_a_user_after_a_yes() {
    let mut model = open(vec![received(1, 2, "buy now", true), own(1, 1, "no", Progress::Read)]);
    assert_eq!(enter(&mut model, "/report"), []);
    assert_eq!(press(&mut model, KeyCode::Char('n')), [], "no");
    enter(&mut model, "/report");
    let message = Some(received(1, 2, "", true).id);
    let told = Action::Report { peer: PEER, message, excerpt: "buy now".to_owned() };
    assert_eq!(press(&mut model, KeyCode::Char('y')), [told]);
    let long = "€".repeat(2_000);
    let mut model = open(vec![received(1, 2, &long, true)]);
    enter(&mut model, "/report");
    let told = press(&mut model, KeyCode::Char('y'));
    let [Action::Report { excerpt, .. }] = &told[..] else { panic!("{told:?}") };
    assert_eq!(excerpt.len(), 4_095, "whole characters");
}

const GROUP: UserId = UserId(2_000);

fn group() -> Group {
    let member = |user, role| Member { user: UserId(user), role };
    let members = vec![member(1, role::OWNER), member(2, role::ADMIN), member(3, role::MEMBER)];
    Group { peer: GROUP, name: "walkers".to_owned(), is_member: true, members }
}

#[test]
fn a_group_is_listed_before_anybody_has_written_and_changed_by_commands() {
    let mut model = model(100, 24);
    let create = Action::CreateGroup { name: "old friends".to_owned(), members: vec![PEER] };
    assert_eq!(enter(&mut model, "/group old friends 2"), [create]);
    model.handle_groups(vec![group()]);
    assert_eq!(model.title(GROUP), "walkers");
    assert_eq!(press(&mut model, KeyCode::Enter), []);
    assert_eq!(model.open().map(|open| open.peer), Some(GROUP), "the first of the list");
    let change = |change| [Action::Change(GROUP, change)];
    let others = || vec![UserId(4), UserId(5)];
    assert_eq!(enter(&mut model, "/add 4 5"), change(Change::Add(others())));
    assert_eq!(enter(&mut model, "/remove 4 5"), change(Change::Remove(others())));
    assert_eq!(enter(&mut model, "/admin 4 5"), change(Change::Admin(others())));
    assert_eq!(enter(&mut model, "/rename hikers"), change(Change::Rename("hikers".to_owned())));
    assert_eq!(enter(&mut model, "/receipts on"), change(Change::Receipts(true)));
    assert_eq!(enter(&mut model, "/leave"), change(Change::Leave));
    assert_eq!(enter(&mut model, "/members"), []);
    assert_eq!(model.remark(), ["members: 1 (owner), 2 (admin), 3"]);
    assert_eq!(enter(&mut model, "/block"), []);
    assert!(model.remark()[0].contains("/leave"));
    assert_eq!(enter(&mut model, "hello"), send(GROUP, "hello"), "and nobody sees it written");
    model.open_chat(PEER);
    assert_eq!(enter(&mut model, "/add 4"), []);
    assert!(model.remark()[0].contains("for groups"));
}

#[test]
fn in_a_group_the_operator_is_told_of_who_wrote_last() {
    let mut model = model(100, 24);
    model.handle_groups(vec![group()]);
    model.open_chat(GROUP);
    enter(&mut model, "/report");
    assert!(model.remark()[0].contains("nobody has written"));
    let mut message = received(1, 2, "buy now", true);
    (message.id.peer, message.id.sender) = (GROUP, UserId(3));
    model.handle_messages(GROUP, vec![message.clone()]);
    enter(&mut model, "/report");
    let told = press(&mut model, KeyCode::Char('y'));
    let excerpt = "buy now".to_owned();
    assert_eq!(told, [Action::Report { peer: UserId(3), message: Some(message.id), excerpt }]);
}
