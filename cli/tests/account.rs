//! What users do about their own things, by the built command.
#![expect(clippy::unwrap_used, reason = "a test fails by it")]

mod common;

use std::process::Output;

use common::{Place, Server, answerback, failure, json_lines};

/// `answerback account VERB --user 1 --device 7 …`
fn account(place: &Place, server: &Server, verb: &str, words: &[&str]) -> Output {
    let mut command = answerback();
    command.args(["account", verb, "--keys"]).arg(place.keys()).arg("--state");
    command.arg(place.path("state")).args(["--addr", &server.address, "--user", "1"]);
    command.args(["--device", "7"]).args(words).output().unwrap()
}

fn log_in(place: &Place, server: &Server, device: &str) -> Output {
    let mut receiving = place.client("recv", &server.address, 1);
    receiving.args(["--device", device, "--timeout", "0"]).output().unwrap()
}

#[test]
fn a_user_lists_names_and_revokes_devices() {
    let place = Place::new();
    let server = Server::serve(&place, 2);
    assert_eq!(log_in(&place, &server, "8").status.code(), Some(3), "nothing came");
    let named = account(&place, &server, "name", &["8", "Anna's laptop"]);
    assert!(named.status.success(), "{named:?}");
    let listed = json_lines(&account(&place, &server, "devices", &[]));
    let told: Vec<_> = listed
        .iter()
        .map(|line| (line["device"].as_str().unwrap(), line["name"].as_str().unwrap()))
        .collect();
    assert_eq!(told, [("7", ""), ("8", "Anna's laptop")]);
    assert_eq!((&listed[0]["is_online"], &listed[1]["is_online"]), (&true.into(), &false.into()));
    assert_eq!(listed[1]["standing"], "active");
    assert!(listed[1]["last_login_ms"].as_u64().unwrap() > 1_700_000_000_000);

    let revoked = account(&place, &server, "revoke", &["8"]);
    assert!(revoked.status.success(), "{revoked:?}");
    assert_eq!(json_lines(&account(&place, &server, "devices", &[])).len(), 1);
    assert_eq!(log_in(&place, &server, "8").status.code(), Some(1));
    let (code, line) = failure(&account(&place, &server, "revoke", &["9"]));
    assert!(code == 1 && line.contains("declined (3016)"), "{line}");
    let long = "n".repeat(65);
    assert_eq!(account(&place, &server, "name", &["7", &long]).status.code(), Some(2));
}

#[test]
fn a_user_blocks_mutes_and_hides_reads() {
    let place = Place::new();
    let server = Server::serve(&place, 2);
    place.log_in_once(&server, 2);
    for (verb, words) in [
        ("block", &["2"][..]),
        ("mute", &["2", "--hours", "8"]),
        ("receipts", &["3", "off"]),
        ("mute", &["4"]),
        ("unmute", &["4"]),
    ] {
        let done = account(&place, &server, verb, words);
        assert!(done.status.success(), "{verb}: {done:?}");
    }
    let listed = json_lines(&account(&place, &server, "chats", &[]));
    let told = |at: usize| {
        let line = &listed[at];
        let is = |field: &str| line[field].as_bool().unwrap();
        let is_muted = line["muted_until_ms"].as_u64().unwrap() > 0;
        (line["chat"].as_str().unwrap(), is("is_blocked"), is("hides_reads"), is_muted)
    };
    assert_eq!(listed.len(), 2, "{listed:?}");
    assert_eq!((told(0), told(1)), (("2", true, false, true), ("3", false, true, false)));

    let sent = |text: &str| {
        let mut sending = place.client("send", &server.address, 2);
        sending.args(["--to", "1", text]).output().unwrap()
    };
    assert!(sent("nobody reads this").status.success(), "accepted as any");
    assert!(account(&place, &server, "unblock", &["2"]).status.success());
    assert!(sent("but this").status.success());
    let mut receiving = place.client("recv", &server.address, 1);
    let got = receiving.args(["--device", "7", "--count", "1", "--timeout", "20"]).output();
    assert_eq!(json_lines(&got.unwrap())[0]["text"], "but this");
    let (code, line) = failure(&account(&place, &server, "block", &["1"]));
    assert!(code == 1 && line.contains("another user"), "{line}");
}

#[test]
fn where_the_operator_takes_no_reports_and_of_oneself_a_report_is_declined() {
    let place = Place::new();
    let server = Server::serve(&place, 2);
    let mut other = place.client("recv", &server.address, 2);
    assert_eq!(other.args(["--timeout", "0"]).status().unwrap().code(), Some(3), "nothing came");
    for (words, code_and_why) in [
        (&["1"][..], "declined (3017): that is the user itself"),
        (&["3"], "declined (3006): nobody with this id ever was"),
        (&["2", "--excerpt", "buy now"], "declined (3019): the operator of this box takes no"),
    ] {
        let (code, line) = failure(&account(&place, &server, "report", words));
        assert!(code == 1 && line.contains(code_and_why), "{line}");
    }
    let half = account(&place, &server, "report", &["2", "--sequence", "4"]);
    assert_eq!(half.status.code(), Some(2), "a number without its device");
}

#[test]
fn of_a_stranger_nothing_is_taken_until_he_is_written_to_or_added() {
    let place = Place::new();
    let mut server = Server::serve(&place, 2);
    (1..=3).for_each(|user| place.log_in_once(&server, user));
    let contacts = |server: &Server, words: &[&str]| account(&place, server, "contacts", words);
    assert!(contacts(&server, &["only"]).status.success());
    assert_eq!(contacts(&server, &["only", "2"]).status.code(), Some(2), "it names nobody");
    let send = |server: &Server, from: u32, to: &str| {
        let mut sending = place.client("send", &server.address, from);
        sending.args(["--to", to, "hello"]).output().unwrap()
    };
    let refused = send(&server, 2, "1");
    assert_eq!(refused.status.code(), Some(1));
    let line = &json_lines(&refused)[0];
    assert_eq!((&line["state"], &line["code"]), (&"failed".into(), &3020.into()));
    assert_eq!(line["reason"], "ContactsOnly");
    let told = String::from_utf8(refused.stderr.clone()).unwrap();
    assert!(told.contains("user 1 lets only contacts write first"), "{told}");
    server.kill();
    let server = Server::serve(&place, 2);
    assert_eq!(send(&server, 2, "1").status.code(), Some(1), "after a kill too");
    assert!(contacts(&server, &["add", "2"]).status.success());
    assert!(send(&server, 2, "1").status.success());
    assert_eq!(send(&server, 3, "1").status.code(), Some(1));
    let mut asking = place.client("send", &server.address, 1);
    let asked = asking.args(["--device", "7", "--to", "3", "who are you?"]).output().unwrap();
    assert!(asked.status.success(), "{asked:?}");
    assert!(send(&server, 3, "1").status.success(), "who was written to answers");
    let lines = json_lines(&contacts(&server, &[]));
    let head = (&lines[0]["visible_to"], &lines[0]["written_to_by"], &lines[0]["contacts"]);
    assert_eq!(head, (&"everybody".into(), &"contacts".into(), &1.into()));
    assert_eq!((&lines[1]["contact"], lines.len()), (&"2".into(), 2));
    assert!(contacts(&server, &["anyone"]).status.success());
    assert!(contacts(&server, &["remove", "2"]).status.success());
    let lines = json_lines(&contacts(&server, &["list"]));
    assert_eq!((&lines[0]["written_to_by"], lines.len()), (&"everybody".into(), 1));
    assert_eq!(contacts(&server, &["list", "2"]).status.code(), Some(2));
}
