//! `inspect` counts what a box holds, whether it runs or not, and changes nothing.
#![expect(clippy::unwrap_used, reason = "a test fails by it")]

mod common;

use std::process::Command;

use common::{Place, Server, answerback, failure, json_lines};
use serde_json::Value;

/// Messages that wait for user 2.
const WAITING: u64 = 3;

fn inspect(place: &Place, user: Option<&str>) -> Command {
    let mut command = answerback();
    command.arg("inspect").arg("--data").arg(place.path("data")).args(user);
    command
}

fn inspected(place: &Place, user: Option<&str>) -> Value {
    let output = inspect(place, user).arg("--json").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    json_lines(&output).remove(0)
}

fn rows(inspection: &Value, table: &str) -> u64 {
    let tables = inspection["tables"].as_array().unwrap();
    let table = tables.iter().find(|found| found["table"] == table).unwrap();
    assert_eq!(table["rows"].as_u64() > Some(0), table["bytes"].as_u64() > Some(0));
    table["rows"].as_u64().unwrap()
}

/// A box where user 2 is away and some messages wait; stopped, so all is in the tables.
fn with_waiting_messages() -> Place {
    let place = Place::new();
    let mut server = Server::serve(&place, 2);
    place.log_in_once(&server, 2);
    for _ in 0..WAITING {
        let mut sending = place.client("send", &server.address, 1);
        let sent = sending.args(["--to", "2", "a word"]).output().unwrap();
        assert!(sent.status.success(), "{sent:?}");
    }
    assert!(server.stop().success());
    place
}

#[test]
fn a_stopped_box_is_counted() {
    let place = with_waiting_messages();
    let all = inspected(&place, None);
    assert_eq!((rows(&all, "inbox"), rows(&all, "device")), (WAITING, 2));
    assert_eq!((&all["records_behind"], &all["partitions"]), (&0.into(), &16.into()));
    assert_eq!(inspected(&place, None), all, "looking changes nothing");

    let of_2 = inspected(&place, Some("2"));
    assert_eq!((rows(&of_2, "inbox"), rows(&of_2, "device")), (WAITING, 1));
    assert_eq!(of_2["user"]["user"], "2");
    assert_eq!(rows(&inspected(&place, Some("1")), "inbox"), 0);
}

#[test]
fn a_running_box_says_the_same() {
    let place = with_waiting_messages();
    let (all, of_2) = (inspected(&place, None), inspected(&place, Some("2")));
    let mut server = Server::serve(&place, 1);
    assert_eq!((inspected(&place, None), inspected(&place, Some("2"))), (all, of_2));
    let text = inspect(&place, None).output().unwrap();
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains("16 partitions") && text.contains("inbox"), "{text}");
    assert!(server.stop().success());
}

#[test]
fn what_no_checkpoint_has_is_counted_apart() {
    let place = Place::new();
    let serve = &mut place.serve("127.0.0.1:0");
    let mut server = Server::start(serve.args(["--cores", "1", "--checkpoint-ms", "3600000"]));
    place.log_in_once(&server, 2);
    assert!(inspected(&place, None)["records_behind"].as_u64() > Some(0));
    server.kill();
    let stopped = inspected(&place, Some("2"));
    assert!(stopped["records_behind"].as_u64() > Some(0), "{stopped}");
    assert_eq!(rows(&stopped, "device"), 0, "{stopped}");
}

#[test]
fn what_is_not_there_is_one_line() {
    let place = Place::new();
    let (code, line) = failure(&inspect(&place, None).output().unwrap());
    assert_eq!(code, 1);
    assert!(line.contains("holds no box's data; check the path"), "{line}");
    assert!(!place.path("data").exists(), "nothing is made");

    assert!(Server::serve(&place, 1).stop().success(), "what a first start journals is in tables");
    let server = Server::serve(&place, 1);
    let (code, line) = failure(&inspect(&place, Some("77")).output().unwrap());
    assert_eq!(code, 1);
    assert!(line.contains("nothing of user 77"), "{line}");
    drop(server);
    let (_, line) = failure(&inspect(&place, Some("77")).output().unwrap());
    assert!(line.contains("nothing of user 77"), "{line}");
}
