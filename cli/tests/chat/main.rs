//! Two people chat: real terminals, a real box, keys and screens.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by it")]

#[path = "../common/mod.rs"]
mod common;
mod terminal;

use std::process::Command;

use common::{Place, Server, answerback, failure};
use rustix::process::{Pid, Signal, kill_process};
use terminal::{Terminal, has_row};

const WIDE: (u16, u16) = (100, 30);
const NARROW: (u16, u16) = (60, 24);

/// A box that knows the users 1 and 2.
fn start() -> (Place, Server) {
    let place = Place::new();
    add_users(&place, &["--create", "1", "2"]);
    let server = Server::serve(&place, 2);
    (place, server)
}

fn add_users(place: &Place, arguments: &[&str]) {
    let mut command = answerback();
    command.args(["user", "add", "--data"]).arg(place.path("data")).args(arguments);
    assert!(command.status().unwrap().success());
}

/// `answerback chat` of a user.
fn chat(place: &Place, server: &Server, user: u32, more: &[&str]) -> Command {
    let mut command = place.client("chat", &server.address, user);
    command.args(more);
    command
}

/// User 1 in a wide terminal, writing to 2.
fn alice(place: &Place, server: &Server) -> Terminal {
    let command = chat(place, server, 1, &["--to", "2"]);
    let alice = Terminal::run(place, "alice", WIDE, &command);
    alice.wait_for("● online");
    alice
}

/// User 2 in a narrow terminal, with the list of chats.
fn bob(place: &Place, server: &Server) -> Terminal {
    let bob = Terminal::run(place, "bob", NARROW, &chat(place, server, 2, &[]));
    bob.wait_for("● online");
    bob
}

#[test]
fn a_message_is_accepted_delivered_and_read() {
    let (place, server) = start();
    let mut alice = alice(&place, &server);
    alice.enter("hello");
    let screen = alice.wait_for_row("hello", " ✓");
    assert!(!has_row(&screen, "hello", "✓✓"), "user 2 was never here: {screen}");

    let mut bob = bob(&place, &server);
    bob.wait_for_row("hello", " 1");
    let screen = alice.wait_for_row("hello", " ✓✓");
    assert!(!has_row(&screen, "hello", "read"), "the list alone reads nothing: {screen}");

    bob.press("Enter");
    alice.wait_for_row("hello", " ✓✓ read");
    let screen = bob.wait_for("user 1 ");
    assert!(has_row(&screen, "─ 1 unread ─", ""), "{screen}");

    bob.enter("hello yourself");
    alice.wait_for("hello yourself");
    let screen = bob.wait_for_row("hello yourself", " ✓✓ read");
    assert!(!screen.contains("unread"), "an answer ends it: {screen}");
}

#[test]
fn the_header_says_who_writes_and_who_is_there() {
    let (place, server) = start();
    let mut alice = alice(&place, &server);
    let mut bob = bob(&place, &server);
    bob.enter("/to 1");
    alice.write("x");
    bob.wait_for("user 1  typing…");
    alice.press("BSpace");
    bob.wait_for("user 1  online");
    alice.press("C-c");
    bob.wait_for("user 1  last seen ");
}

#[test]
fn what_nobody_looks_at_is_unread() {
    let (place, server) = start();
    let mut alice = alice(&place, &server);
    let mut bob = bob(&place, &server);
    alice.enter("one");
    alice.enter("two");
    let screen = bob.wait_for_row("two", " 2");
    assert!(screen.contains("user 1"), "{screen}");
    bob.press("Enter");
    alice.wait_for_row("two", " ✓✓ read");
    // The terminal says that it lost the focus, and got it again.
    bob.write("\x1b[O");
    alice.enter("three");
    bob.wait_for("─ 1 unread ─");
    let screen = alice.wait_for_row("three", " ✓✓");
    assert!(!has_row(&screen, "three", "read"), "{screen}");
    bob.write("\x1b[I");
    alice.wait_for_row("three", " ✓✓ read");
}

#[test]
fn a_chat_goes_on_after_the_box_was_killed() {
    let (place, mut server) = start();
    let mut alice = alice(&place, &server);
    let mut bob = bob(&place, &server);
    alice.enter("before");
    bob.wait_for("before");
    bob.press("Enter");
    alice.wait_for_row("before", "read");

    server.kill();
    alice.wait_for("offline, trying again");
    bob.wait_for("offline, trying again");
    alice.enter("while it is away 1");
    alice.enter("while it is away 2");
    bob.enter("me too");
    alice.wait_for_row("while it is away 2", " …");
    bob.wait_for_row("me too", " …");

    let listen = server.address.clone();
    server = Server::start(place.serve(&listen).args(["--cores", "2"]));
    alice.press("C-t");
    bob.press("C-t");
    alice.wait_for("● online");
    bob.wait_for("● online");
    alice.enter("after");
    alice.wait_for_row("after", "✓✓ read");
    alice.wait_for("me too");
    for screen in [alice.wait_for("me too"), bob.wait_for("after")] {
        let seen: Vec<_> = ["before", "while it is away 1", "while it is away 2", "after"]
            .iter()
            .flat_map(|words| screen.match_indices(words).map(|(at, _)| at))
            .collect();
        // The list repeats the last one where there is room for it.
        let in_chat = seen.len().saturating_sub(screen.matches("chats").count());
        assert_eq!(in_chat, 4, "each once: {screen}");
        assert_eq!(screen.matches("me too").count(), 1, "{screen}");
    }
    drop(server);
}

#[test]
fn what_failed_can_be_sent_again() {
    let (place, server) = start();
    let mut alice = alice(&place, &server);
    alice.enter("/to 3");
    alice.enter("anybody?");
    alice.wait_for_row("anybody?", "✗ failed: there is no such user");
    add_users(&place, &["3"]);
    alice.press("C-r");
    let screen = alice.wait_for_row("anybody?", " ✓");
    assert!(!screen.contains('✗'), "it is shown once: {screen}");
    drop(server);
}

#[test]
fn what_was_sent_can_be_taken_back() {
    let (place, server) = start();
    let mut alice = alice(&place, &server);
    alice.enter("the secret");
    alice.wait_for_row("the secret", " ✓");
    alice.enter("/recall");
    let screen = alice.wait_for("taken back");
    assert!(!screen.contains("the secret"), "{screen}");
    let bob = bob(&place, &server);
    let screen = bob.wait_for("user 1");
    assert!(!screen.contains("the secret"), "{screen}");
}

#[test]
fn a_chat_that_is_deleted_is_gone_until_something_comes() {
    let (place, server) = start();
    let mut alice = alice(&place, &server);
    alice.enter("between us");
    let mut bob = bob(&place, &server);
    bob.wait_for("between us");
    bob.press("C-x");
    bob.wait_for("delete the chat with user 1");
    bob.press("n");
    bob.press("C-x");
    bob.press("y");
    let screen = bob.wait_for("none yet");
    assert!(!screen.contains("between us"), "{screen}");
    alice.enter("again");
    let screen = bob.wait_for("again");
    assert!(!screen.contains("between us"), "{screen}");
    let screen = alice.wait_for("again");
    assert!(screen.contains("between us"), "it is still hers: {screen}");
}

#[test]
fn nothing_comes_of_who_is_blocked_and_who_is_muted_is_marked() {
    let (place, server) = start();
    let mut alice = alice(&place, &server);
    let mut bob = Terminal::run(&place, "bob", NARROW, &chat(&place, &server, 2, &["--to", "1"]));
    bob.wait_for("● online");
    bob.enter("/block");
    bob.wait_for("user 1  blocked");
    bob.enter("hello");
    bob.wait_for("you have blocked this user: /unblock first");
    alice.enter("do you see this?");
    alice.wait_for_row("do you see this?", " ✓");
    for _ in "hello".chars() {
        bob.press("BSpace");
    }
    bob.enter("/unblock");
    bob.wait_until("no more \"blocked\"", |screen| !screen.contains("  blocked"));
    bob.enter("/mute");
    bob.wait_for("user 1  muted");
    alice.enter("and this?");
    let screen = bob.wait_for("and this?");
    assert!(!screen.contains("do you see"), "{screen}");
    let screen = alice.wait_for_row("and this?", " ✓✓");
    assert!(!has_row(&screen, "do you see this?", "✓✓"), "{screen}");
    bob.enter("/report");
    bob.wait_for("tell the operator of user 1");
    bob.press("y");
    bob.wait_for("the operator of this box takes no reports");
}

#[test]
fn three_people_write_in_a_group() {
    let (place, server) = start();
    add_users(&place, &["3"]);
    let mut alice = Terminal::run(&place, "alice", WIDE, &chat(&place, &server, 1, &[]));
    alice.wait_for("● online");
    let mut bob = bob(&place, &server);
    alice.enter("/group old friends 2");
    alice.wait_for("old friends  2 members");
    bob.wait_for("old friends");
    bob.press("Enter");
    bob.enter("/add 3");
    bob.wait_for("declined (3032): your role in this group does not allow it");
    alice.enter("/add 3 77");
    alice.wait_for("old friends  4 members");
    alice.enter("shall we meet?");
    alice.wait_for("✗ not to user 77: there is no such user");
    let screen = bob.wait_for("shall we meet?");
    assert!(has_row(&screen, "user 1", ""), "who wrote it: {screen}");
    let mut carol = Terminal::run(&place, "carol", WIDE, &chat(&place, &server, 3, &[]));
    carol.wait_for_row("old friends", "");
    carol.press("Enter");
    carol.wait_for("shall we meet?");
    carol.enter("gladly");
    alice.wait_for("gladly");
    bob.wait_for("gladly");
    bob.enter("/receipts on");
    bob.wait_for("declined (3032)");
    alice.enter("/receipts on");
    alice.enter("who reads this?");
    bob.wait_for("who reads this?");
    carol.wait_for("who reads this?");
    alice.wait_for_row("who reads this?", "✓✓ read");
    alice.enter("/rename good old friends");
    bob.wait_for("good old friends  3 members");
    bob.enter("/leave");
    bob.wait_for("you are no member any more");
    carol.wait_for("good old friends  2 members");
    bob.enter("am I still here?");
    bob.wait_for("✗ failed: you are no member of this group");
}

#[test]
fn a_message_cannot_steer_the_terminal() {
    let (place, server) = start();
    let bob = Terminal::run(&place, "bob", NARROW, &chat(&place, &server, 2, &["--to", "1"]));
    bob.wait_for("● online");
    let text = "\x1b]2;owned\x07\x1b[2J\x1b[31mred\u{202e}";
    let sent = place.client("send", &server.address, 1).args(["--to", "2", text]).status();
    assert!(sent.unwrap().success());
    let screen = bob.wait_for("␛]2;owned␇␛[2J␛[31mred‹U+202E›");
    assert!(screen.contains("● online"), "{screen}");
    assert_ne!(bob.fact("#{pane_title}"), "owned");
}

#[test]
fn a_terminal_is_given_back_as_it_was() {
    let (place, server) = start();
    let command = chat(&place, &server, 1, &[]);
    for (name, signal) in [("key", None), ("term", Some(Signal::TERM)), ("int", Some(Signal::INT))]
    {
        let mut terminal = Terminal::shell(&place, name, &command);
        terminal.wait_for("● online");
        assert_eq!(terminal.fact("#{alternate_on}"), "1");
        match signal {
            None => terminal.press("C-c"),
            Some(signal) => kill_process(running(&terminal), signal).unwrap(),
        }
        let screen = terminal.wait_for(" icanon");
        assert!(screen.contains("ended 0"), "{screen}");
        assert_eq!(terminal.fact("#{alternate_on} #{cursor_flag}"), "0 1");
    }
}

/// The chat that runs in a terminal's shell.
fn running(terminal: &Terminal) -> Pid {
    let shell = terminal.fact("#{pane_pid}");
    let children = format!("/proc/{shell}/task/{shell}/children");
    let children = std::fs::read_to_string(children).unwrap();
    Pid::from_raw(children.trim().parse().unwrap()).unwrap()
}

#[test]
fn what_is_no_terminal_is_told_what_to_use() {
    let (place, server) = start();
    let (code, line) = failure(&chat(&place, &server, 1, &[]).output().unwrap());
    assert_eq!(code, 1);
    assert!(line.contains("needs a terminal") && line.contains("answerback send"), "{line}");
}

#[test]
fn who_is_not_let_in_is_told_why() {
    let (place, server) = start();
    let stranger = Place::new();
    let command = chat(&stranger, &server, 1, &["--to", "2"]);
    let terminal = Terminal::run(&stranger, "stranger", WIDE, &command);
    let screen = terminal.wait_for("○ stopped");
    assert!(screen.contains("TokenInvalid"), "{screen}");
    assert!(screen.contains("is --keys or --token for this box?"), "{screen}");
    drop(place);
}

#[test]
fn a_device_is_used_by_one_command_at_a_time() {
    let (place, server) = start();
    let _alice = alice(&place, &server);
    let mut recv = place.client("recv", &server.address, 1);
    let (code, line) = failure(&recv.args(["--timeout", "1"]).output().unwrap());
    assert_eq!(code, 1);
    assert!(line.contains("in use by another process"), "{line}");
}

/// A place whose box has the certificate that its keys came with.
#[test]
fn over_tls_a_chat_goes_on_or_says_why_it_does_not() {
    let place = Place::new();
    add_users(&place, &["--create", "1", "2"]);
    let certificate = place.keys().join("tls.crt").display().to_string();
    let mut command = place.serve("127.0.0.1:0");
    command.args(["--tls-certificate", &certificate]);
    let server = Server::start(command.arg("--tls-key").arg(place.keys().join("tls.key")));

    let trusting = chat(&place, &server, 1, &["--to", "2", "--ca", &certificate]);
    let mut alice = Terminal::run(&place, "alice", WIDE, &trusting);
    alice.wait_for("● online");
    alice.enter("hello");
    alice.wait_for_row("hello", " ✓");

    let doubting = chat(&place, &server, 2, &["--tls"]);
    let bob = Terminal::run(&place, "bob", WIDE, &doubting);
    let screen = bob.wait_for("offline, trying again");
    let words: Vec<_> = screen.split_whitespace().collect();
    let why = "its certificate is not trusted: nobody whom this app trusts has signed it";
    assert!(words.join(" ").contains(why), "{screen}");
}
