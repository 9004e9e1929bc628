//! Gone means gone: what was acknowledged is in no file of a box that runs on, with nothing
//! more to do.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by it"
)]

mod common;

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use common::{Place, Server, answerback, exchange, json_lines};

const TEXT: &str = "a text that is easily found in a file";
/// Far more looks than it takes: each of them reads all files and asks the box.
const LOOKS_MAX: usize = 20_000;

/// The files of a directory that hold the text.
fn with_text(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let holds = |path: &PathBuf| match fs::read(path) {
        Ok(bytes) => bytes.windows(TEXT.len()).any(|window| window == TEXT.as_bytes()),
        Err(error) if error.kind() == ErrorKind::NotFound => false,
        Err(error) => panic!("{}: {error}", path.display()),
    };
    entries.filter(holds).collect()
}

/// Looks until the text is gone; what is left of it.
fn text_that_stays(place: &Place) -> Vec<PathBuf> {
    let socket = place.path("data").join("control.sock");
    let mut found = Vec::new();
    for _ in 0..LOOKS_MAX {
        found = with_text(&place.path("data").join("db"));
        if found.is_empty() {
            break;
        }
        let answer = exchange(&socket, b"{\"request\":\"status\"}\n");
        assert!(answer["done"]["process"].is_u64(), "the box runs: {answer}");
    }
    found
}

#[test]
fn what_waited_for_a_purged_user_leaves_all_files() {
    let place = Place::new();
    let mut serving = place.serve("127.0.0.1:0");
    let server = Server::start(serving.args(["--cores", "1", "--erase-seconds", "1"]));
    place.log_in_once(&server, 2);
    let sent = place.client("send", &server.address, 1).args(["--to", "2", TEXT]).output().unwrap();
    assert!(sent.status.success(), "{sent:?}");
    assert!(!with_text(&place.path("data").join("db")).is_empty(), "it is on the disk");
    let mut purging = answerback();
    purging.args(["user", "purge", "--yes", "2", "--data"]).arg(place.path("data"));
    assert!(purging.status().unwrap().success());
    assert_eq!(text_that_stays(&place), Vec::<PathBuf>::new());
}

#[test]
fn what_was_acknowledged_leaves_all_files_of_an_idle_box() {
    let place = Place::new();
    let mut serving = place.serve("127.0.0.1:0");
    let mut server = Server::start(serving.args(["--cores", "1", "--erase-seconds", "1"]));
    place.log_in_once(&server, 2);
    let sent = place.client("send", &server.address, 1).args(["--to", "2", TEXT]).output().unwrap();
    assert!(sent.status.success(), "{sent:?}");
    assert!(!with_text(&place.path("data").join("db")).is_empty(), "it is on the disk");

    let mut receiving = place.client("recv", &server.address, 2);
    let received = receiving.args(["--count", "1", "--timeout", "30"]).output().unwrap();
    assert_eq!(json_lines(&received)[0]["text"], TEXT);
    assert_eq!(text_that_stays(&place), Vec::<PathBuf>::new());
    assert!(server.child.try_wait().unwrap().is_none(), "the box runs");
    assert!(server.stop().success());
    assert_eq!(with_text(&place.path("data").join("db")), Vec::<PathBuf>::new());
}

/// A second device of the recipient, which is away, would keep it in the box.
#[test]
fn what_both_have_deleted_leaves_all_files_though_a_device_is_away() {
    let place = Place::new();
    let mut serving = place.serve("127.0.0.1:0");
    let server = Server::start(serving.args(["--cores", "1", "--erase-seconds", "1"]));
    let receive = |device: &str| {
        let mut receiving = place.client("recv", &server.address, 2);
        receiving.args(["--device", device, "--count", "1", "--timeout", "30"]).output().unwrap()
    };
    let log_in = |device: &str| {
        let mut receiving = place.client("recv", &server.address, 2);
        let output = receiving.args(["--device", device, "--timeout", "0"]).output().unwrap();
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        assert!(output.stdout.is_empty(), "nothing came: {output:?}");
    };
    let delete = |user: &str, device: &[&str], to: &str| {
        let mut deleting = answerback();
        deleting.args(["chats", "delete", "--user", user, "--to", to]).args(device);
        deleting.arg("--keys").arg(place.keys()).arg("--state").arg(place.path("state"));
        let output = deleting.args(["--addr", &server.address]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    ["21", "22"].into_iter().for_each(log_in);
    let sent = place.client("send", &server.address, 1).args(["--to", "2", TEXT]).output().unwrap();
    assert!(sent.status.success(), "{sent:?}");
    assert_eq!(json_lines(&receive("21"))[0]["text"], TEXT);
    delete("2", &["--device", "21"], "1");
    let mut looking = place.client("recv", &server.address, 2);
    looking.args(["--device", "22", "--no-ack", "--count", "1", "--timeout", "30"]);
    let seen = json_lines(&looking.output().unwrap());
    assert_eq!(seen[0]["text"], TEXT, "the other has not deleted it, and a device waits for it");
    delete("1", &[], "2");
    assert_eq!(text_that_stays(&place), Vec::<PathBuf>::new());
    log_in("22");
    assert!(with_text(&place.path("state")).is_empty(), "nor is it in the devices' files");
}
