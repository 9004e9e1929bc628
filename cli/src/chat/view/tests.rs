//! What the screen looks like, in terminals of several sizes. The screens stand in files: a
//! test that fails prints the one that it got.

use answerback_proto::id::{DeviceId, UserId};
use answerback_proto::kind::role;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::KeyCode;
use ratatui::layout::Size;

use super::super::group::{Group, Member};
use super::super::message::{Content, Progress};
use super::super::model::Treatment;
use super::super::palette::Palette;
use super::super::stage::{
    NOW_MS, PEER, chat, control, failed, model, own, press, received, write,
};
use super::*;

/// The rows of the screen; a wide character is one, though it has two cells.
fn screen(model: &mut Model, width: u16, height: u16) -> String {
    model.handle_size(Size::new(width, height));
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(model, frame)).unwrap();
    let buffer = terminal.backend().buffer();
    let mut screen = String::new();
    for y in 0..height {
        let mut row = String::new();
        while let Some(cell) = buffer.cell((super::width(&row) as u16, y)) {
            row.push_str(cell.symbol());
        }
        screen.push_str(row.trim_end());
        screen.push('\n');
    }
    screen
}

#[track_caller]
fn assert_screen(model: &mut Model, (width, height): (u16, u16), expected: &str) {
    let screen = screen(model, width, height);
    assert!(screen == expected, "{width} × {height}, got:\n{screen}\nexpected:\n{expected}");
}

fn conversation() -> Vec<Message> {
    let mut taken_back = own(2, 1430, "wrong", Progress::Delivered);
    taken_back.content = Content::TakenBack;
    vec![
        received(1, 1450, "Are you coming on Friday?", true),
        own(1, 1440, "Yes! What shall I bring?", Progress::Read),
        taken_back,
        received(2, 9, "Nothing, just yourself. And your appetite: there is enough for ten.", true),
        own(3, 8, "🎉 looking forward", Progress::Delivered),
        own(4, 7, "At eight?", Progress::Accepted),
        failed(5, 6, "or nine"),
        own(6, 0, "ten?", Progress::Pending),
    ]
}

/// Three chats, the first of them open.
fn busy() -> Model {
    let mut model = listed();
    model.open_chat(PEER);
    model.handle_messages(PEER, conversation());
    model
}

fn listed() -> Model {
    let mut model = model(96, 26);
    model.handle_chats(vec![
        chat(2, 0, own(6, 0, "ten?", Progress::Pending)),
        chat(3, 12, received(2, 55, "the report\nis in the shared folder, please", false)),
        chat(4, 0, own(2, 2000, "hello?", Progress::Read)),
    ]);
    model
}

#[test]
fn a_wide_terminal_has_the_list_beside_the_chat() {
    assert_screen(&mut busy(), (96, 30), include_str!("screens/wide.txt"));
}

#[test]
fn a_narrow_terminal_has_the_chat_alone() {
    let mut model = busy();
    write(&mut model, "a line that is longer than the terminal is wide, 你好");
    assert_screen(&mut model, (44, 24), include_str!("screens/narrow.txt"));
}

#[test]
fn the_list_stands_alone_or_beside_what_the_keys_do() {
    let mut model = listed();
    press(&mut model, KeyCode::Down);
    assert_screen(&mut model, (44, 16), include_str!("screens/list_narrow.txt"));
    assert_screen(&mut model, (80, 20), include_str!("screens/list_wide.txt"));
}

#[test]
fn who_is_offline_sees_when_it_is_tried_again_and_why_not() {
    let mut model = model(60, 12);
    let reason = "cannot connect to 127.0.0.1:7400: is the box running?".to_owned();
    model.handle_connection(Connection::Offline { retry_at_ms: NOW_MS + 2_400, reason });
    control(&mut model, 'n');
    write(&mut model, "3");
    assert_screen(&mut model, (60, 12), include_str!("screens/offline.txt"));
}

#[test]
fn a_new_chat_and_an_unread_line() {
    let mut model = model(60, 16);
    model.open_chat(PEER);
    assert_screen(&mut model, (60, 12), include_str!("screens/new.txt"));
    let messages = vec![
        own(1, 30, "so?", Progress::Read),
        received(1, 3, "one", false),
        received(2, 2, "two", false),
    ];
    press(&mut model, KeyCode::Esc);
    model.open_chat(PEER);
    model.handle_messages(PEER, messages);
    assert_screen(&mut model, (60, 16), include_str!("screens/unread.txt"));
}

#[test]
fn the_header_shows_who_writes() {
    let mut model = busy();
    model.handle_peer(true, answerback_sdk::Presence::default());
    assert!(screen(&mut model, 96, 30).contains("user 2  typing…"));
    assert!(screen(&mut model, 44, 24).contains("user 2  typing…"));
    model.handle_treatment(Treatment { is_blocked: false, is_muted: true });
    assert!(screen(&mut model, 96, 30).contains("user 2  muted  typing…"));
}

#[test]
fn all_is_drawn_in_a_terminal_of_any_size() {
    for (width, height) in
        (1..100).step_by(9).flat_map(|width| (1..30).step_by(3).map(move |y| (width, y)))
    {
        for mut model in [busy(), listed()] {
            write(&mut model, "a line, 你好");
            let rows = screen(&mut model, width, height).lines().count();
            assert_eq!(rows, usize::from(height));
        }
    }
}

#[test]
fn colours_add_nothing_but_colour() {
    let mut plain = busy();
    let mut coloured = busy();
    coloured.palette = Palette::Colours;
    assert_eq!(screen(&mut plain, 96, 26), screen(&mut coloured, 96, 26));
}

/// A group of four, of whom one will not get what the user sent.
fn group() -> Model {
    let mut model = listed();
    let member = |user| Member { user: UserId(user), role: role::MEMBER };
    let members = [1, 2, 3, 5].map(member).to_vec();
    let (peer, name) = (UserId(2_000), "walkers".to_owned());
    model.handle_groups(vec![Group { peer, name, is_member: true, members }]);
    model.open_chat(peer);
    let from = |user, sequence, minutes_ago, text| {
        let mut message = received(sequence, minutes_ago, text, true);
        (message.id.peer, message.id.sender) = (peer, UserId(user));
        message.id.device = DeviceId(user * 10);
        message
    };
    let mut own = own(1, 6, "Shall we?", Progress::Accepted);
    own.missed = vec![(UserId(5), "there is no such user".to_owned())];
    let texts = [(2, 1, 9, "It is sunny"), (2, 2, 8, "on Saturday"), (3, 1, 7, "all day")];
    let mut messages: Vec<_> = texts
        .into_iter()
        .map(|(user, sequence, ago, text)| from(user, sequence, ago, text))
        .collect();
    messages.push(own);
    messages.push(from(3, 2, 1, "Gladly"));
    model.handle_messages(peer, messages);
    model
}

#[test]
fn in_a_group_whoever_speaks_is_named_and_who_gets_nothing_too() {
    assert_screen(&mut group(), (80, 20), include_str!("screens/group.txt"));
}
