//! A new process takes the place of one that serves: nobody is turned away, nothing is lost.
#![expect(clippy::unwrap_used, reason = "a test fails by it")]

mod common;

use std::io::Read;
use std::net::TcpStream;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use common::{Place, Server, json_lines};
use rustix::process::{Pid, Signal, kill_process};

/// A box that takes over from the one that serves the place.
fn follower(place: &Place, address: &str, cores: u16) -> Server {
    let cores = cores.to_string();
    Server::start(place.serve(address).args(["--cores", &cores, "--take-over"]))
}

fn send(place: &Place, server: &Server, text: &str) -> u64 {
    let output = place.client("send", &server.address, 1).args(["--to", "2", text]).output();
    let line = json_lines(&output.unwrap()).remove(0);
    assert_eq!(line.get("state").unwrap(), "accepted", "{line}");
    line.get("sequence").unwrap().as_u64().unwrap()
}

fn received(place: &Place, server: &Server, count: usize) -> Vec<String> {
    let count = count.to_string();
    let output = place.client("recv", &server.address, 2).args(["--count", &count]).output();
    let lines = json_lines(&output.unwrap());
    lines.iter().map(|line| line["text"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_port_is_open_all_the_time_and_nothing_is_lost() {
    for (cores, then) in [(1, 2), (2, 1)] {
        let place = Place::new();
        let mut old = Server::serve(&place, cores);
        place.log_in_once(&old, 2);
        assert_eq!(send(&place, &old, "before"), 1);

        let is_over = AtomicBool::new(false);
        let (new, refused_in_a_row) = thread::scope(|scope| {
            let address = old.address.clone();
            let is_over = &is_over;
            let knocking = scope.spawn(move || {
                let (mut in_a_row, mut at_most) = (0, 0);
                while !is_over.load(Ordering::Relaxed) {
                    in_a_row = if TcpStream::connect(&address).is_ok() { 0 } else { in_a_row + 1 };
                    at_most = at_most.max(in_a_row);
                }
                at_most
            });
            let new = follower(&place, &old.address, then);
            assert!(old.child.wait().unwrap().success(), "the old one ends well");
            is_over.store(true, Ordering::Relaxed);
            (new, knocking.join().unwrap())
        });
        // One that is half made when the old listener closes is reset by the kernel.
        assert!(
            refused_in_a_row <= 1,
            "{refused_in_a_row} connections refused, one after the other"
        );
        assert_eq!(new.address, old.address);
        assert_eq!(send(&place, &new, "behind"), 2);
        assert_eq!(received(&place, &new, 2), ["before", "behind"]);
    }
}

#[test]
fn a_box_that_is_killed_while_it_drains_is_followed_all_the_same() {
    let place = Place::new();
    let mut old = Server::serve(&place, 2);
    place.log_in_once(&old, 2);
    send(&place, &old, "before");
    // Somebody who does not leave holds the drain up.
    let mut lingering =
        place.client("recv", &old.address, 2).stdout(Stdio::null()).spawn().unwrap();
    kill_process(Pid::from_child(&old.child), Signal::STOP).unwrap();
    let address = old.address.clone();
    thread::scope(|scope| {
        let follows = scope.spawn(|| follower(&place, &address, 2));
        kill_process(Pid::from_child(&old.child), Signal::CONT).unwrap();
        old.kill();
        let new = follows.join().unwrap();
        send(&place, &new, "behind");
    });
    lingering.kill().unwrap();
    lingering.wait().unwrap();
}

#[test]
fn where_nobody_serves_it_is_a_start_like_any_other() {
    let place = Place::new();
    let mut server = follower(&place, "127.0.0.1:0", 1);
    place.log_in_once(&server, 1);
    assert!(server.stop().success());
}

#[test]
fn another_boxes_port_is_not_taken_over() {
    let (ours, theirs) = (Place::new(), Place::new());
    let server = Server::serve(&theirs, 1);
    let mut command = ours.serve(&server.address);
    let output = command.arg("--take-over").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let mut told = String::new();
    output.stderr.as_slice().read_to_string(&mut told).unwrap();
    assert!(told.contains("is taken"), "{told}");
    theirs.log_in_once(&server, 1);
}
