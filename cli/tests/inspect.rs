//! `inspect` counts what a box holds and says how a user stands, whether it runs or not, and
//! changes nothing.
#![expect(clippy::unwrap_used, reason = "a test fails by it")]

mod common;

use std::process::Command;

use common::{Place, Server, answerback, failure, json_lines};
use serde_json::Value;

/// Messages that wait for user 2.
const WAITING: u64 = 3;

fn inspect(place: &Place, user: Option<&str>) -> Command {
    let mut command = answerback();
    command.arg("inspect").arg("--data").arg(place.path("data"));
    if let Some(user) = user {
        command.args(["user", user]);
    }
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
    assert_eq!((&of_2["user"], &of_2["records_behind"]), (&"2".into(), &0.into()));
    let found = &of_2["found"];
    assert_eq!((rows(found, "inbox"), rows(found, "device")), (WAITING, 1));
    assert_eq!(rows(&inspected(&place, Some("1"))["found"], "inbox"), 0);
}

#[test]
fn a_user_stands_with_devices_and_inbox_and_nothing_of_what_is_said() {
    let place = with_waiting_messages();
    let found = &inspected(&place, Some("2"))["found"];
    let inbox = &found["inbox"];
    assert_eq!((&inbox["entries"], &inbox["undelivered"]), (&WAITING.into(), &WAITING.into()));
    assert_eq!(inbox["undelivered_bytes"], WAITING * "a word".len() as u64);
    let oldest = &inbox["oldest"];
    assert_eq!((&oldest["position"], &oldest["kind"]), (&1.into(), &"message".into()));
    assert_eq!((&oldest["peer"], &oldest["sequence"]), (&"1".into(), &1.into()));
    let device = &found["devices"][0];
    assert_eq!((&device["owed"], &device["standing"]), (&WAITING.into(), &"active".into()));
    assert!(device["session"].is_null() && found["is_running"] == false, "{found}");
    for arguments in [&[][..], &["--json"]] {
        let output = inspect(&place, Some("2")).args(arguments).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("undelivered") && !text.contains("a word"), "{text}");
    }
}

#[test]
fn a_live_session_is_seen_on_a_box_that_runs() {
    let place = Place::new();
    let server = Server::serve(&place, 2);
    let mut receiving = place.client("recv", &server.address, 2);
    let mut receiving = receiving.stdout(std::process::Stdio::null()).spawn().unwrap();
    let session = loop {
        let output = inspect(&place, Some("2")).arg("--json").output().unwrap();
        let Some(user) = json_lines(&output).pop() else { continue };
        let session = &user["found"]["devices"][0]["session"];
        if !session.is_null() {
            break session.clone();
        }
    };
    receiving.kill().unwrap();
    receiving.wait().unwrap();
    assert_eq!((&session["in_flight"], &session["is_probed"]), (&0.into(), &false.into()));
    let text = inspect(&place, Some("2")).output().unwrap();
    assert!(String::from_utf8(text.stdout).unwrap().contains("connected"), "or not connected");
}

#[test]
fn a_running_box_says_the_same() {
    let place = with_waiting_messages();
    let (all, mut of_2) = (inspected(&place, None), inspected(&place, Some("2")));
    let mut server = Server::serve(&place, 1);
    of_2["found"]["is_running"] = true.into();
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
    assert!(inspected(&place, None)["records_behind"].as_u64() > Some(0));
    let (code, line) = failure(&inspect(&place, Some("2")).output().unwrap());
    assert_eq!(code, 1);
    assert!(line.contains("records of the journal are not looked at: start the box"), "{line}");
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
