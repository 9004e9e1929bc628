//! Groups from one end to the other, by the built command: made, written to, changed, left;
//! and everything that is refused.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by it")]

mod common;

use std::process::Output;

use common::{Place, Server, exchange, failure, json_lines};
use serde_json::Value;

/// A box, and the users 1 to 4 of whom it has heard.
struct Round {
    place: Place,
    server: Server,
}

impl Round {
    fn new() -> Self {
        let place = Place::new();
        let server = Server::serve(&place, 2);
        (1..=4).for_each(|user| place.log_in_once(&server, user));
        Self { place, server }
    }

    /// `answerback group VERB --user USER …`
    fn group(&self, user: u32, verb: &str, words: &[&str]) -> Output {
        let mut command = common::answerback();
        command.args(["group", verb, "--keys"]).arg(self.place.keys()).arg("--state");
        command.arg(self.place.path("state")).args(["--addr", &self.server.address]);
        command.args(["--user", &user.to_string()]).args(words).output().unwrap()
    }

    /// User 1 makes a group with some others.
    fn create(&self, others: &[&str]) -> String {
        let words = [&["--name", "walkers"], others].concat();
        let created = json_lines(&self.group(1, "create", &words)).remove(0);
        assert_eq!(created["state"], "created", "{created}");
        created["group"].as_str().unwrap().to_owned()
    }

    fn change(&self, user: u32, verb: &str, group: &str, words: &[&str]) {
        let output = self.group(user, verb, &[&["--group", group], words].concat());
        assert!(output.status.success(), "{verb}: {output:?}");
        let line = &json_lines(&output)[0];
        assert_eq!((line["group"].as_str(), &line["state"]), (Some(group), &"done".into()));
    }

    /// The code of a refusal, which is named too.
    fn declined(&self, user: u32, verb: &str, group: &str, words: &[&str]) -> String {
        let output = self.group(user, verb, &[&["--group", group], words].concat());
        let (code, line) = failure(&output);
        assert_eq!(code, 1, "{verb}: {line}");
        let (number, _) =
            line.strip_prefix("answerback: declined (").unwrap().split_once("): ").unwrap();
        number.to_owned()
    }

    fn send(&self, user: u32, group: &str, text: &str) -> Output {
        let mut command = self.place.client("send", &self.server.address, user);
        command.args(["--group", group, text]).output().unwrap()
    }

    /// Who said what in which group, of the messages that wait for a user.
    fn receive(&self, user: u32, count: usize) -> Vec<[String; 3]> {
        let mut command = self.place.client("recv", &self.server.address, user);
        let output = command.args(["--count", &count.to_string(), "--timeout", "20"]).output();
        let told = |line: &Value| ["from", "group", "text"].map(|of| text_of(&line[of]));
        json_lines(&output.unwrap()).iter().map(told).collect()
    }

    /// Name, version, whether the user is a member, members with their roles.
    fn info(&self, user: u32, group: &str) -> (String, u64, bool, Vec<String>) {
        let line = json_lines(&self.group(user, "info", &["--group", group])).remove(0);
        let member = |of: &Value| format!("{} {}", text_of(&of["user"]), text_of(&of["role"]));
        let members = line["members"].as_array().unwrap().iter().map(member).collect();
        let is_member = line["is_member"].as_bool().unwrap();
        (text_of(&line["name"]), line["version"].as_u64().unwrap(), is_member, members)
    }
}

fn text_of(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_group_lives_from_its_making_to_the_last_one_s_leaving() {
    let at = Round::new();
    let group = at.create(&["2"]);
    at.change(1, "add", &group, &["3"]);
    at.change(1, "add", &group, &["3"]);
    assert!(at.send(1, &group, "hello all").status.success());
    let said = |from: &str, text: &str| [from.to_owned(), group.clone(), text.to_owned()];
    for user in [2, 3] {
        assert_eq!(at.receive(user, 1), [said("1", "hello all")], "user {user}");
    }

    at.change(1, "role", &group, &["--role", "admin", "2"]);
    at.change(2, "rename", &group, &["runners"]);
    at.change(2, "add", &group, &["4"]);
    let roles = ["1 owner", "2 admin", "3 member", "4 member"].map(str::to_owned);
    let whole = |version| ("runners".to_owned(), version, true, roles.to_vec());
    for user in [1, 3, 4] {
        assert_eq!(at.info(user, &group), whole(5), "user {user}");
    }

    at.change(2, "remove", &group, &["3"]);
    assert!(at.send(2, &group, "without one").status.success());
    for user in [1, 4] {
        assert_eq!(at.receive(user, 1), [said("2", "without one")], "user {user}");
    }
    let (_, _, is_member, _) = at.info(3, &group);
    assert!(!is_member, "the one who was removed knows it");
    let mut receiving = at.place.client("recv", &at.server.address, 3);
    let left = receiving.args(["--timeout", "1"]).output().unwrap();
    assert_eq!((left.status.code(), left.stdout.len()), (Some(3), 0), "and gets nothing more");

    at.change(1, "leave", &group, &[]);
    let heir = ["2 owner", "4 member"].map(str::to_owned);
    assert_eq!(at.info(4, &group).3, heir);
    at.change(2, "leave", &group, &[]);
    at.change(4, "leave", &group, &[]);
    assert_eq!(at.declined(4, "rename", &group, &["nobody's"]), "3031");
}

#[test]
fn what_is_refused_changes_nothing() {
    let at = Round::new();
    let group = at.create(&["2"]);
    let other = |last: &str| format!("{}{last}", &group[..group.len() - 1]);
    let unknown = if group.ends_with('1') { other("2") } else { other("1") };
    assert_eq!(at.declined(1, "add", &unknown, &["3"]), "3030");
    assert_eq!(at.declined(3, "add", &group, &["4"]), "3031");
    assert_eq!(at.declined(1, "role", &group, &["--role", "admin", "3"]), "3031");
    for (verb, words) in [
        ("add", &["3"][..]),
        ("remove", &["1"]),
        ("rename", &["mine"]),
        ("role", &["--role", "owner", "2"]),
    ] {
        assert_eq!(at.declined(2, verb, &group, words), "3032", "{verb}");
    }
    let many: Vec<_> = (100..1124).map(|user: u32| user.to_string()).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    assert_eq!(at.declined(1, "add", &group, &many), "3033");
    assert_eq!(at.declined(1, "add", &group, &["1", "3"]), "3034");
    let owners = &["--role", "owner", "1", "2"];
    assert_eq!(at.declined(1, "role", &group, owners), "3009");
    for (from, to, code) in [(1, &unknown, 3030), (3, &group, 3031)] {
        let sent = at.send(from, to, "does anybody hear this");
        let line = &json_lines(&sent)[0];
        let told = (sent.status.code(), line["state"].as_str(), line["code"].as_u64());
        assert_eq!(told, (Some(1), Some("failed"), Some(code)), "{line}");
    }
    let members = ["1 owner", "2 member"].map(str::to_owned);
    assert_eq!(at.info(1, &group), ("walkers".to_owned(), 1, true, members.to_vec()));

    let oneself = failure(&at.group(1, "create", &["--name", "me", "1"])).1;
    assert!(oneself.contains("3034"), "{oneself}");
    let long = "n".repeat(257);
    let too_many: Vec<_> = (100..1125).map(|user: u32| user.to_string()).collect();
    let too_many = ["--group", &group].into_iter().chain(too_many.iter().map(|user| &**user));
    for (verb, words, why) in [
        ("create", vec!["--name", "", "2"], "1 to 256 bytes"),
        ("create", vec!["--name", &long, "2"], "1 to 256 bytes"),
        ("rename", vec!["--group", &group, &long], "1 to 256 bytes"),
        ("add", too_many.collect(), "at most 1024 members"),
    ] {
        let (code, line) = failure(&at.group(1, verb, &words));
        assert!(code == 1 && line.contains(why), "{verb}: {code} {line}");
    }
    let nobody = at.group(1, "add", &["--group", &group, "0"]);
    assert_eq!(nobody.status.code(), Some(2), "0 is no id");
    let nowhere = failure(&at.group(3, "info", &["--group", &group])).1;
    assert!(nowhere.contains("knows no group"), "{nowhere}");
}

#[test]
fn a_home_of_members_that_hears_nothing_gets_it_later() {
    let at = Round::new();
    let group = at.create(&["2"]);
    assert_eq!(at.info(2, &group).0, "walkers");
    let hold = |partitions: &[u16], for_ms: u64| {
        let request = serde_json::json!({
            "request": "hold_partitions", "partitions": partitions, "for_ms": for_ms
        });
        let line = format!("{request}\n");
        exchange(&at.place.path("data").join("control.sock"), line.as_bytes())
    };
    assert!(hold(&[0], 60_001).get("error").is_some(), "not for longer than a minute");
    let all: Vec<u16> = (0..16).collect();
    assert!(hold(&all, 60_000).get("done").is_some());
    assert!(at.send(1, &group, "hello").status.success(), "the group's home goes on");
    let mut receiving = at.place.client("recv", &at.server.address, 2);
    let nothing = receiving.args(["--count", "1", "--timeout", "1"]).output().unwrap();
    assert_eq!((nothing.status.code(), nothing.stdout.len()), (Some(3), 0));
    assert!(hold(&[], 0).get("done").is_some());
    assert_eq!(at.receive(2, 1)[0][2], "hello");
}

#[test]
fn a_device_that_is_new_learns_which_groups_its_user_is_in() {
    let at = Round::new();
    let group = at.create(&["2"]);
    at.change(1, "rename", &group, &["runners"]);
    assert!(at.send(1, &group, "from before").status.success());
    assert_eq!(at.receive(2, 1)[0][2], "from before");
    let info = || json_lines(&at.group(2, "info", &["--device", "9"]));
    let told = info();
    assert_eq!(told.len(), 1, "{told:?}");
    let member_count = told[0]["members"].as_array().unwrap().len();
    let expected = (Some(group.as_str()), Some("runners"), 2);
    assert_eq!((told[0]["group"].as_str(), told[0]["name"].as_str(), member_count), expected);
    at.change(1, "remove", &group, &["2"]);
    assert_eq!(info()[0]["is_member"], false);
    let newer = json_lines(&at.group(2, "info", &["--device", "10"]));
    assert_eq!(newer.len(), 0, "{newer:?}");
}

#[test]
fn a_member_of_whom_the_box_has_never_heard_is_named_and_taken_out() {
    let at = Round::new();
    let group = at.create(&["2", "77"]);
    let members = || at.info(1, &group).3;
    let known = (0..100).map(|_| members()).find(|known| known.len() == 2);
    assert_eq!(known.unwrap_or_else(members), ["1 owner", "2 member"]);
    assert!(at.send(1, &group, "hello").status.success());
    assert_eq!(at.receive(2, 1)[0][2], "hello");
}

#[test]
fn a_group_is_among_the_chats_only_once_it_is_treated_otherwise() {
    let round = Round::new();
    let group = round.create(&["2"]);
    let account = |verb: &str, words: &[&str]| {
        let mut command = common::answerback();
        command.args(["account", verb, "--keys"]).arg(round.place.keys()).arg("--state");
        command.arg(round.place.path("state")).args(["--addr", &round.server.address]);
        command.args(["--user", "1"]).args(words).output().unwrap()
    };
    assert!(json_lines(&account("chats", &[])).is_empty());
    assert!(account("mute", &[&group]).status.success());
    let listed = json_lines(&account("chats", &[]));
    assert_eq!(listed.len(), 1, "{listed:?}");
    assert_eq!(listed[0]["chat"].as_str(), Some(&group[..]));
}

impl Round {
    /// Who has a message of user 1's, and who has read it.
    fn seen(&self, group: &str, sequence: u64) -> Vec<String> {
        let words = ["--group", group, &sequence.to_string()];
        let lines = json_lines(&self.group(1, "seen", &words));
        let told = |line: &Value| format!("{} {}", text_of(&line["user"]), text_of(&line["state"]));
        lines.iter().map(told).collect()
    }

    /// Asks again and again: the second receipt of a message comes a second after the first, once
    /// a checkpoint has it, and one look takes some 25 ms.
    fn wait_until_seen(&self, group: &str, sequence: u64, expected: &[&str]) {
        let seen = (0..1000).map(|_| self.seen(group, sequence)).find(|seen| seen == expected);
        assert_eq!(seen.unwrap_or_else(|| self.seen(group, sequence)), expected);
    }

    fn send_and_wait(&self, group: &str, text: &str, timeout: &str) -> Output {
        let mut command = self.place.client("send", &self.server.address, 1);
        command.args(["--group", group, "--wait", "delivered", "--timeout", timeout, text]);
        command.output().unwrap()
    }

    fn read(&self, user: u32, group: &str) {
        let mut command = common::answerback();
        command.args(["chats", "read", "--keys"]).arg(self.place.keys()).arg("--state");
        command.arg(self.place.path("state")).args(["--addr", &self.server.address]);
        command.args(["--user", &user.to_string(), "--group", group]);
        assert!(command.status().unwrap().success());
    }
}

#[test]
fn where_a_group_has_receipts_each_member_is_seen_to_have_it_and_to_have_read_it() {
    let at = Round::new();
    let group = at.create(&["2", "3"]);
    assert_eq!(at.info(1, &group).1, 1);
    let (code, line) = failure(&at.send_and_wait(&group, "hello", "5"));
    assert!(code == 1 && line.contains("answerback group receipts"), "{line}");
    assert_eq!(at.declined(2, "receipts", &group, &["on"]), "3032");
    assert_eq!(at.declined(4, "receipts", &group, &["on"]), "3031");
    assert!(at.send(1, &group, "from before").status.success());
    at.change(1, "receipts", &group, &["on"]);
    at.change(1, "receipts", &group, &["on"]);
    assert_eq!(at.info(1, &group).1, 2, "what is so already changes nothing");
    let late = at.send_and_wait(&group, "who is there?", "1");
    assert_eq!(late.status.code(), Some(3), "{late:?}");
    assert_eq!(at.seen(&group, 2), [""; 0], "nothing is known yet");
    at.receive(2, 2);
    at.wait_until_seen(&group, 2, &["2 delivered", "3 accepted"]);
    at.read(2, &group);
    at.wait_until_seen(&group, 2, &["2 read", "3 accepted"]);
    at.receive(3, 2);
    at.wait_until_seen(&group, 2, &["2 read", "3 delivered"]);
    assert_eq!(at.seen(&group, 1), [""; 0], "there were none when it was sent");
    let (code, line) = failure(&at.group(1, "seen", &["--group", &group, "9"]));
    assert!(code == 1 && line.contains("no message 9"), "{line}");

    let waiting = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| at.send_and_wait(&group, "and now?", "20"));
        at.receive(2, 1);
        at.receive(3, 1);
        waiting.join().unwrap()
    });
    let line = &json_lines(&waiting)[0];
    assert_eq!((&line["sequence"], &line["state"]), (&3.into(), &"delivered".into()), "{line}");
}

/// Dave gets the slot that Carol leaves, and is not taken for her.
#[test]
fn whoever_comes_later_is_not_credited_with_what_others_had() {
    let at = Round::new();
    let group = at.create(&["2", "3"]);
    at.change(1, "receipts", &group, &["on"]);
    assert!(at.send(1, &group, "for Carol").status.success());
    at.receive(3, 1);
    at.wait_until_seen(&group, 1, &["2 accepted", "3 delivered"]);
    at.change(1, "remove", &group, &["3"]);
    at.change(1, "add", &group, &["4"]);
    assert!(at.send(1, &group, "for Dave").status.success());
    at.receive(4, 1);
    at.wait_until_seen(&group, 2, &["2 accepted", "4 delivered"]);
    assert_eq!(at.seen(&group, 1), ["2 accepted", "3 delivered"]);
}

/// With the user's other device, and without anything told to those who wrote.
#[test]
fn what_is_read_of_a_group_is_read_on_all_devices() {
    let at = Round::new();
    let group = at.create(&["2"]);
    let unread = |device: &str| {
        let of = ["--device", device, "--keys"];
        let mut command = common::answerback();
        command.args(["recv", "--user", "2", "--addr", &at.server.address]).args(of);
        command.arg(at.place.keys()).arg("--state").arg(at.place.path("state"));
        assert!(command.args(["--timeout", "1"]).output().unwrap().status.code().is_some());
        let mut command = common::answerback();
        command.args(["chats", "list", "--user", "2", "--addr", &at.server.address]).args(of);
        command.arg(at.place.keys()).arg("--state").arg(at.place.path("state"));
        let listed = json_lines(&command.output().unwrap());
        listed.iter().map(|chat| chat["unread"].as_u64().unwrap()).sum::<u64>()
    };
    assert_eq!(unread("9"), 0, "another device of user 2");
    assert!(at.send(1, &group, "one").status.success());
    assert!(at.send(1, &group, "two").status.success());
    at.receive(2, 2);
    assert_eq!(unread("9"), 2);
    at.read(2, &group);
    let left = (0..50).map(|_| unread("9")).find(|unread| *unread == 0);
    assert_eq!(left, Some(0));
}
