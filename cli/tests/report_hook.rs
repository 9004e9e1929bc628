//! A built box tells a server of the operator's of reports.
#![expect(clippy::unwrap_used, reason = "a test fails by it")]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use answerback_proto::code::Code;
use answerback_proto::encode::Address;
use answerback_proto::kind::{Declined, Done, Kind, Report};
use common::hook_server::{Answer, HookServer};
use common::log::Log;
use common::raw::{Raw, read};
use common::{Place, Server, answerback};
use serde_json::json;

const SECRET: &str = "a secret of at least 32 bytes ...";

fn serve(place: &Place, url: &str) -> (Server, Log) {
    let secret = place.path("hook.secret");
    fs::write(&secret, SECRET).unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    let mut command = place.serve("127.0.0.1:0");
    for setting in [
        format!("hooks.report_url={url}"),
        format!("hooks.secret_file={}", secret.display()),
        "hooks.timeout_ms=500".to_owned(),
    ] {
        command.args(["--set", &setting]);
    }
    command.args(["--log-format", "json"]).stderr(Stdio::piped());
    let mut server = Server::start(&mut command);
    let log = Log::of(&mut server);
    (server, log)
}

fn report(tag: u32, excerpt: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let report = Report { device: 9, sequence: 19, reason: 1, excerpt_length: 0 };
    report.append(&mut bytes, Address { flags: 0, tag, target: 2 }, excerpt).unwrap();
    bytes
}

#[test]
fn done_is_said_once_the_operator_has_it_and_declined_otherwise() {
    let (place, trust, stranger) = (Place::new(), HookServer::start(), HookServer::start());
    let (mut server, mut log) = serve(&place, &trust.url());
    drop(Raw::log_in(&place, &server, 2, 1));
    let mut reporter = Raw::log_in(&place, &server, 1, 1);
    reporter.say(&report(100, "buy now: …".as_bytes()));
    let told = trust.told();
    let delivery = told.header("answerback-delivery");
    assert_eq!(
        told.json(),
        json!({
            "hook": "report", "delivery": delivery, "reporter": "1", "device": "7", "reported": "2",
            "message": { "device": "9", "sequence": "19" }, "reason": 1,
            "excerpt": "YnV5IG5vdzog4oCm",
        })
    );
    assert!(told.is_signed_with(SECRET));
    let done: Done = read(&reporter.answer(100, Kind::Done));
    assert!(done.at_ms > 1_700_000_000_000);

    for (tag, answer) in (101..).zip([
        Answer::Status(500),
        Answer::Redirect(stranger.url()),
        Answer::Nothing,
        Answer::Silence,
    ]) {
        trust.answer_next(answer);
        reporter.say(&report(tag, b"for the operator alone"));
        let declined: Declined = read(&reporter.answer(tag, Kind::Declined));
        assert_eq!(declined.code, Code::Busy.number());
        assert!(declined.retry_after_ms > 0);
    }
    assert_eq!(log.event("nobody takes reports")["alarm"], "reports_failing");
    reporter.say(&report(200, b"for the operator alone"));
    reporter.answer(200, Kind::Done);
    log.event("reports are taken again");

    let mut command = answerback();
    command.args(["account", "report", "--user", "1", "--device", "8", "--addr", &server.address]);
    command.arg("--keys").arg(place.keys()).arg("--state").arg(place.path("state"));
    command.args(["2", "--sender-device", "9", "--sequence", "20", "--excerpt", "buy now: …"]);
    assert!(command.status().unwrap().success());
    let told = std::iter::from_fn(|| trust.told_within(std::time::Duration::ZERO)).last().unwrap();
    assert_eq!(told.json()["message"], json!({ "device": "9", "sequence": "20" }));
    assert_eq!(told.json()["excerpt"], "YnV5IG5vdzog4oCm");

    assert!(stranger.told_within(std::time::Duration::ZERO).is_none());
    assert!(server.stop().success());
    let rest = log.rest().join("\n");
    assert!(!rest.contains("for the operator alone"));
}
