//! The settings of a built box: a file, the environment, flags, and a reload.
#![expect(clippy::unwrap_used, reason = "a test fails by it")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use answerback_proto::code::Code;
use answerback_proto::kind::{Failed, Kind, Refused};
use common::log::Log;
use common::raw::{Raw, read};
use common::{Place, Server, answerback, failure};
use rustix::process::Signal;
use serde_json::Value;

/// Far more tries than it takes, and fewer than the messages that one sender may have waiting.
const TRIES_MAX: usize = 10_000;

/// A file of settings beside a place's data and keys, with this beside what each box needs.
fn configure(place: &Place, text: &str) -> PathBuf {
    let path = place.path("box.toml");
    let needed = "[box]\ndata = \"data\"\njwks = \"keys/jwks.json\"\n";
    let behind = "[admin]\nlisten = \"none\"\n";
    fs::write(&path, format!("{needed}{text}{behind}")).unwrap();
    path
}

fn check(path: &Path) -> Command {
    let mut command = answerback();
    command.arg("check-config").arg("--config").arg(path);
    command
}

/// A box that has its settings from a file alone, and logs as JSON into a pipe.
fn serve(path: &Path) -> (Server, Log) {
    let mut command = answerback();
    command.arg("serve").env("ANSWERBACK_CONFIG", path).stderr(Stdio::piped());
    let mut server = Server::start(&mut command);
    let log = Log::of(&mut server);
    (server, log)
}

#[test]
fn the_example_is_accepted_and_what_is_shown_is_accepted_again() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/answerback.toml");
    let shown = check(&example).output().unwrap();
    assert!(shown.status.success(), "{shown:?}");
    let text = String::from_utf8(shown.stdout).unwrap();
    assert!(text.contains("answerback.toml:7") && text.contains("# default"), "{text}");
    let warned = String::from_utf8(shown.stderr).unwrap();
    assert!(
        warned.contains("warning: box.jwks: ") && warned.contains("cannot be read"),
        "{warned}"
    );

    let place = Place::new();
    let path = place.path("shown.toml");
    fs::write(&path, &text).unwrap();
    let again = check(&path).output().unwrap();
    assert!(again.status.success(), "{again:?}");
    let settings = |text: &str| -> Vec<_> {
        text.lines().map(|line| line.split(" #").next().unwrap().trim().to_owned()).collect()
    };
    let again = String::from_utf8(again.stdout).unwrap();
    assert_eq!(settings(&text)[3..], settings(&again)[3..], "but for the paths");
}

#[test]
fn each_setting_says_where_it_comes_from() {
    let place = Place::new();
    let path = configure(&place, "[gateway]\nconnections_max = 7\n");
    let mut command = check(&path);
    command.args(["--json", "--listen", "127.0.0.1:0"]).env("ANSWERBACK_BOX_CORES", "2");
    let output = command.output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let setting = |key: &str| {
        let settings = told["settings"].as_array().unwrap();
        let setting = settings.iter().find(|setting| setting["key"] == key).unwrap();
        (setting["value"].clone(), setting["from"].clone(), setting["at"].clone())
    };
    let at = format!("{}:5", path.display());
    assert_eq!(setting("gateway.connections_max"), (7.into(), "file".into(), at.into()));
    let cores = (2.into(), "environment".into(), "ANSWERBACK_BOX_CORES".into());
    assert_eq!(setting("box.cores"), cores);
    let listen = ("127.0.0.1:0".into(), "flag".into(), "--listen".into());
    assert_eq!(setting("gateway.listen"), listen);
    assert_eq!(
        setting("box.disk_reserve_mib"),
        ("auto".into(), "default".into(), "default".into())
    );
    assert_eq!(told["mistakes"], Value::Array(Vec::new()));
}

#[test]
fn a_box_does_not_start_with_mistakes_and_tells_them_all() {
    let place = Place::new();
    let path = configure(&place, "cores = 0\n[gateway]\nlissen = \"127.0.0.1:0\"\n");
    let serving = answerback().arg("serve").arg("--config").arg(&path).output().unwrap();
    assert_eq!(serving.status.code(), Some(1));
    let text = String::from_utf8(serving.stderr).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert!(lines[0].contains("box.toml:4: box.cores = 0: must be"), "{text}");
    assert!(lines[1].contains("box.toml:6: ") && lines[1].contains("gateway.listen?"), "{text}");
    assert!(!place.path("data").exists(), "nothing was made");

    let checked = check(&path).output().unwrap();
    assert_eq!((checked.status.code(), checked.stdout.len()), (Some(1), 0));
    assert_eq!(String::from_utf8(checked.stderr).unwrap(), text, "check-config tells the same");
    let checked = check(&path).arg("--json").output().unwrap();
    assert_eq!((checked.status.code(), checked.stderr.len()), (Some(1), 0));
    let told: Value = serde_json::from_slice(&checked.stdout).unwrap();
    assert_eq!(told["mistakes"].as_array().unwrap().len(), 2);

    let missing = answerback().args(["check-config", "--config", "no/such.toml"]).output().unwrap();
    let text = String::from_utf8(missing.stderr).unwrap();
    assert!(text.contains("no/such.toml: the file cannot be read"), "{text}");
}

#[test]
fn a_file_alone_runs_a_box_and_a_flag_stands_over_it() {
    let place = Place::new();
    let path =
        configure(&place, "cores = 1\npartitions = 4\n[gateway]\nlisten = \"127.0.0.1:0\"\n");
    let (mut server, _log) = serve(&path);
    assert!(server.first_line.contains("4 partitions on 1 cores"), "{}", server.first_line);
    place.log_in_once(&server, 1);
    assert!(server.stop().success());
    let mut command = answerback();
    command.arg("serve").arg("--config").arg(&path).args(["--cores", "2"]).stderr(Stdio::null());
    let server = Server::start(&mut command);
    assert!(server.first_line.contains("4 partitions on 2 cores"), "{}", server.first_line);
}

/// Whether a message is taken, or where codes are named, refused for one of them, sooner or later.
fn is_sometime_so(sender: &mut Raw, next: &mut u64, refused_for: &[Code]) -> bool {
    (0..TRIES_MAX).any(|_| {
        sender.send(2, *next, b"hello");
        let (kind, envelope) = sender.any_answer(u32::try_from(*next).unwrap() + 100);
        *next += u64::from(kind == Kind::Accepted);
        let code = match kind {
            Kind::Accepted => None,
            Kind::Failed => Code::from_number(read::<Failed>(&envelope).code),
            _ => Code::from_number(read::<Refused>(&envelope).code),
        };
        code.map_or(refused_for.is_empty(), |code| refused_for.contains(&code))
    })
}

/// So many tries are more than a device may send in their time.
const LISTEN: &str = "[gateway]\nlisten = \"127.0.0.1:0\"\nrate_burst_s = 0\n";

#[test]
fn a_reload_changes_what_a_running_box_can_change() {
    let place = Place::new();
    let path = configure(&place, &format!("{LISTEN}[log]\nlevel = \"error\"\n"));
    let (mut server, mut log) = serve(&path);
    place.log_in_once(&server, 2);

    configure(&place, &format!("disk_reserve_mib = 1_000_000_000\n{LISTEN}reader_threads = 2\n"));
    server.signal(Signal::HUP);
    let warned = log.event("needs a restart");
    assert_eq!(
        (&warned["level"], &warned["key"]),
        (&"WARN".into(), &"gateway.reader_threads".into())
    );
    let told = log.event("the settings were read again");
    assert_eq!(told["changed"], "box.disk_reserve_mib log.level");
    let (mut sender, mut next) = (Raw::log_in(&place, &server, 1, 1), 1);
    assert!(is_sometime_so(&mut sender, &mut next, &[Code::DiskReserve]), "no such disk");

    configure(&place, LISTEN);
    server.signal(Signal::HUP);
    assert_eq!(log.event("were read again")["changed"], "box.disk_reserve_mib");
    assert!(is_sometime_so(&mut sender, &mut next, &[]), "there is room again");
    assert!(server.stop().success());
}

#[test]
fn a_reload_reaches_what_messages_are_decided_by() {
    /// Far fewer than the default lets a sender have in an inbox.
    const MESSAGES_MAX: u64 = 1000;
    let place = Place::new();
    let path = configure(&place, LISTEN);
    let (mut server, mut log) = serve(&path);
    place.log_in_once(&server, 2);
    let (mut sender, mut next) = (Raw::log_in(&place, &server, 1, 1), 1);
    assert!(is_sometime_so(&mut sender, &mut next, &[]));

    configure(&place, &format!("{LISTEN}[apply]\ninbox_messages_max = 4\n"));
    server.signal(Signal::HUP);
    assert_eq!(log.event("were read again")["changed"], "apply.inbox_messages_max");
    let quotas = [Code::SenderQuota, Code::InboxFull];
    assert!(is_sometime_so(&mut sender, &mut next, &quotas), "a sender has a quarter");
    assert!(next < MESSAGES_MAX, "{next}");
    assert!(server.stop().success());

    // A data directory goes by the settings of the box that serves it.
    configure(&place, LISTEN);
    let (server, _log) = serve(&path);
    let mut sender = Raw::log_in(&place, &server, 4, 1);
    assert!(is_sometime_so(&mut sender, &mut 1, &[]), "there is room again");
}

#[test]
fn a_reload_of_a_broken_file_changes_nothing() {
    let place = Place::new();
    let path = configure(&place, LISTEN);
    let (mut server, mut log) = serve(&path);
    configure(&place, "disk_reserve_mib = 1_000_000_000\ncores = many\n");
    server.signal(Signal::HUP);
    let told = log.event("no setting was changed");
    assert_eq!((&told["level"], &told["alarm"]), (&"ERROR".into(), &"reload_refused".into()));
    assert!(told["message"].as_str().unwrap().contains("box.toml:5"), "{told}");
    configure(&place, LISTEN);
    server.signal(Signal::HUP);
    // What the broken file said besides was never in force: there is nothing to take back.
    assert_eq!(log.event("were read again")["changed"], "");
    place.log_in_once(&server, 1);
    assert!(server.stop().success());
}

#[test]
fn a_wrong_flag_is_wrong_usage() {
    for wrong in [["--set", "gateway.listen"], ["--partitions", "3"], ["--log-level", "loud"]] {
        let output = answerback().arg("serve").args(wrong).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
    }
    let (code, line) = failure(&answerback().args(["serve", "--data", "x"]).output().unwrap());
    assert!(code == 1 && line.contains("box.jwks is missing"), "{line}");
}
