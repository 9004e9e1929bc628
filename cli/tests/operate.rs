//! Users are added, devices revoked and clocks confirmed, whether the box runs or not, and
//! what was done stays done.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by it")]

mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use answerback_directory::partition_table::PartitionTable;
use answerback_directory::ports::{Applied, Journal, StateReader};
use answerback_proto::id::UserId;
use answerback_proto::record::{BatchBuilder, Tick};
use answerback_store::{NewBox, Store};
use common::{Place, Server, answerback, failure, json_lines};

/// Far behind any clock: 2001.
const LONG_AGO_MS: u64 = 1_000_000_000_000;

fn operate(place: &Place, words: &[&str]) -> Command {
    let mut command = answerback();
    let (noun, arguments) = words.split_at(2);
    command.args(noun).arg("--data").arg(place.path("data")).args(arguments);
    command
}

/// What a command says that succeeds.
fn said(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn send(place: &Place, server: &Server, to: u32) -> Output {
    let mut sending = place.client("send", &server.address, 1);
    sending.args(["--to", &to.to_string(), "hello"]).output().unwrap()
}

fn reason(output: &Output) -> String {
    json_lines(output)[0]["reason"].as_str().unwrap().to_owned()
}

fn receives_hello(place: &Place, server: &Server, user: u32) {
    let mut receiving = place.client("recv", &server.address, user);
    let output = receiving.args(["--count", "1", "--timeout", "30"]).output().unwrap();
    assert_eq!(json_lines(&output)[0]["text"], "hello");
}

/// Logs a device in, and gives what it is told.
fn log_in(place: &Place, server: &Server, device: &str) -> Output {
    let mut receiving = place.client("recv", &server.address, 2);
    receiving.args(["--device", device, "--timeout", "0"]).output().unwrap()
}

/// A box that was stopped for years, and a user whose partition knows of no other time.
fn stopped_long_ago() -> (Place, u32) {
    let place = Place::new();
    said(operate(&place, &["user", "add", "1"]).arg("--create"));
    let user = set_clock_back(&place.path("data"));
    (place, user)
}

/// Gives a user whose partition has nothing journaled, and now has: a tick of long ago.
fn set_clock_back(data: &Path) -> u32 {
    let store = Store::open(data, NewBox { partitions: 16, secret: [0; 16] });
    let store = store.unwrap();
    let meta = store.meta();
    let table = PartitionTable::new(&meta.secret, meta.partitions, 1);
    let home = |user| table.partition_of(UserId(u128::from(user)));
    let user = (2..).find(|user| home(*user) != home(1)).unwrap();
    let Applied { offset, chain } = store.reader().applied(home(user)).unwrap();
    let mut batch = BatchBuilder::default();
    let _ = batch.push(&Tick { now_ms: LONG_AGO_MS }, b"");
    store.writer().commit(&[batch.finish(home(user), offset.plus(1), chain)]).unwrap();
    user
}

#[test]
fn a_user_who_was_added_is_sent_to_before_the_first_login() {
    let place = Place::new();
    let server = Server::serve(&place, 2);
    assert_eq!(reason(&send(&place, &server, 2)), "UnknownUser");
    assert_eq!(
        said(&mut operate(&place, &["user", "add", "2", "3", "2"])),
        "user 2 was added\nuser 3 was added\nuser 2 was there already\n"
    );
    assert!(send(&place, &server, 2).status.success());
    receives_hello(&place, &server, 2);
    assert_eq!(reason(&send(&place, &server, 4)), "UnknownUser");
}

#[test]
fn a_stopped_box_takes_users_too() {
    let place = Place::new();
    let (code, line) = failure(&operate(&place, &["user", "add", "2"]).output().unwrap());
    assert_eq!(code, 1);
    assert!(line.contains("holds no box's data; check the path"), "{line}");
    let added = said(operate(&place, &["user", "add", "2", "3"]).arg("--create"));
    assert_eq!(added, "user 2 was added\nuser 3 was added\n");

    let mut server = Server::serve(&place, 2);
    assert!(send(&place, &server, 2).status.success());
    assert!(server.stop().success());
    assert_eq!(
        said(&mut operate(&place, &["user", "add", "2", "1", "9"])),
        "user 2 was there already\nuser 1 was there already\nuser 9 was added\n"
    );
    let mut server = Server::serve(&place, 1);
    receives_hello(&place, &server, 2);
    assert!(send(&place, &server, 9).status.success());
    server.kill();
    assert_eq!(said(&mut operate(&place, &["user", "add", "9"])), "user 9 was there already\n");
    receives_hello(&place, &Server::serve(&place, 1), 9);
}

#[test]
fn a_revoked_device_is_never_let_in_again() {
    for is_running in [true, false] {
        let place = Place::new();
        let mut server = Server::serve(&place, 2);
        for device in ["7", "8"] {
            assert_eq!(log_in(&place, &server, device).status.code(), Some(3));
        }
        if !is_running {
            assert!(server.stop().success());
        }
        let mut revoke = operate(&place, &["device", "revoke", "2", "7"]);
        assert_eq!(said(&mut revoke), "device 7 of user 2 is revoked\n");
        assert_eq!(said(&mut revoke), "device 7 of user 2 was revoked already\n");
        let none = operate(&place, &["device", "revoke", "2", "9"]).output().unwrap();
        let (code, line) = failure(&none);
        assert!(code == 1 && line.contains("user 2 has no device 9: check both ids"), "{line}");
        if !is_running {
            server = Server::serve(&place, 2);
        }
        let (_, line) = failure(&log_in(&place, &server, "7"));
        assert!(line.contains("DeviceRevoked"), "{line}");
        assert_eq!(log_in(&place, &server, "8").status.code(), Some(3), "the other goes on");
    }
}

#[test]
fn a_clock_that_jumped_is_confirmed_once() {
    for is_running in [true, false] {
        let (place, user) = stopped_long_ago();
        let server = is_running.then(|| Server::serve(&place, 2));
        if let Some(server) = &server {
            place.log_in_once(server, user);
        }
        let mut confirm = operate(&place, &["clock", "confirm"]);
        assert!(said(&mut confirm).contains("the clock is confirmed"), "running: {is_running}");
        assert_eq!(said(&mut confirm), "nothing doubted the clock\n", "running: {is_running}");
    }
}

#[test]
fn a_stopped_box_whose_clock_jumped_alarms_and_takes_the_command() {
    let (place, user) = stopped_long_ago();
    let output = operate(&place, &["user", "add", &user.to_string()]).output().unwrap();
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert_eq!(text, format!("user {user} was added\n"));
    let (code, line) = failure(&output);
    assert_eq!(code, 0);
    assert!(line.contains("alarm: the clock jumped"), "{line}");
    assert!(said(&mut operate(&place, &["clock", "confirm"])).contains("is confirmed"));
}

#[test]
fn a_request_that_names_nobody_is_answered_with_the_reason() {
    let place = Place::new();
    let _server = Server::serve(&place, 1);
    let socket = place.path("data").join("control.sock");
    let answer = common::exchange(&socket, b"{\"request\":\"add_user\",\"user\":\"0\"}\n");
    assert_eq!(answer["error"], "\"0\" is no user's id: an id is not zero");
    let line = b"{\"request\":\"revoke_device\",\"user\":\"1\",\"device\":\"x\"}\n";
    let answer = common::exchange(&socket, line);
    assert!(answer["error"].as_str().unwrap().contains("\"x\" is no device's id"), "{answer}");
}

#[test]
fn what_was_done_to_a_stopped_box_may_not_be_lost_unnoticed() {
    let place = Place::new();
    assert!(Server::serve(&place, 1).stop().success());
    assert_eq!(said(&mut operate(&place, &["user", "add", "2"])), "user 2 was added\n");
    let files = fs::read_dir(place.path("data").join("db")).unwrap();
    let files = files.map(|entry| entry.unwrap().path());
    let logs = files.filter(|path| path.extension().is_some_and(|end| end == "log"));
    logs.for_each(|log| fs::write(log, b"").unwrap());
    // Where it would start after all, it ends for this address.
    let other = Place::new();
    let taken = Server::serve(&other, 1);
    let (code, line) = failure(&place.serve(&taken.address).output().unwrap());
    assert!(code == 1 && line.contains("lost records that were acknowledged"), "{line}");
}
