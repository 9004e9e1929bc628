//! A box whose disk has too little room left takes no new message; what is there is still
//! delivered and acknowledged, and senders try again until there is room.
#![expect(clippy::unwrap_used, reason = "a test fails by it")]

mod common;

use std::process::{Command, Output};

use answerback_proto::code::Code;
use answerback_proto::kind::{Kind, Refused};
use common::raw::{Raw, read};
use common::{Place, Server, exchange, json_lines};

/// More than any disk has.
const NO_DISK_HAS_MIB: &str = "1000000000";
/// Far more looks than it takes.
const LOOKS_MAX: usize = 1_000_000;

fn serve_without_room(place: &Place) -> Server {
    let mut serving = place.serve("127.0.0.1:0");
    Server::start(serving.args(["--cores", "2", "--disk-reserve-mib", NO_DISK_HAS_MIB]))
}

fn send(place: &Place, server: &Server, text: &str) -> Command {
    let mut sending = place.client("send", &server.address, 1);
    sending.args(["--to", "2", text]);
    sending
}

fn texts(place: &Place, server: &Server, count: usize) -> Vec<String> {
    let mut receiving = place.client("recv", &server.address, 2);
    let receiving = receiving.args(["--count", &count.to_string(), "--timeout", "30"]);
    let lines = json_lines(&receiving.output().unwrap());
    lines.iter().map(|line| line["text"].as_str().unwrap().to_owned()).collect()
}

/// How many entries wait for user 2 in the tables of a running box.
fn waiting(place: &Place) -> u64 {
    let socket = place.path("data").join("control.sock");
    let answer = exchange(&socket, b"{\"request\":\"inspect_user\",\"user\":\"2\"}\n");
    answer.pointer("/done/found/inbox/entries").unwrap().as_u64().unwrap()
}

/// Looks again until a checkpoint has it, or much too often.
fn is_sometime(condition: impl Fn() -> bool) -> bool {
    (0..LOOKS_MAX).any(|_| condition())
}

fn ran_out_of_time(output: &Output) {
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("stay queued"), "{output:?}");
}

#[test]
fn without_room_nothing_is_taken_and_all_is_delivered() {
    let place = Place::new();
    let mut server = Server::serve(&place, 2);
    place.log_in_once(&server, 2);
    assert!(send(&place, &server, "with room").output().unwrap().status.success());
    assert!(server.stop().success());

    let mut server = serve_without_room(&place);
    ran_out_of_time(
        &send(&place, &server, "without room").args(["--timeout", "1"]).output().unwrap(),
    );
    assert_eq!(waiting(&place), 1);
    assert_eq!(texts(&place, &server, 1), ["with room"]);
    assert!(is_sometime(|| waiting(&place) == 0), "what is acknowledged makes room");
    assert!(server.stop().success());

    let server = Server::serve(&place, 2);
    assert!(send(&place, &server, "with room again").output().unwrap().status.success());
    assert_eq!(texts(&place, &server, 2), ["without room", "with room again"]);
}

#[test]
fn who_is_refused_is_told_that_it_is_the_disk() {
    let place = Place::new();
    let server = serve_without_room(&place);
    place.log_in_once(&server, 2);
    let mut sender = Raw::log_in(&place, &server, 1, 1);
    sender.send(2, 1, b"without room");
    let refused: Refused = read(&sender.answer(101, Kind::Refused));
    assert_eq!(Code::from_number(refused.code), Some(Code::DiskReserve));
    assert!(refused.retry_after_ms > 0);
}
