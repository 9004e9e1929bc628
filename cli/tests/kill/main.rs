//! The kill test: a real box under load is killed again and again, and in the end every
//! message that was sent is in every store that it belongs to, once and in order.
//!
//! Devices are the SDK's, with their files; they send to each other, lose their connection
//! with the box, sometimes their own process, and come back. When to kill is a matter of
//! how much was accepted, never of time. `ANSWERBACK_SEED` repeats a run's choices, though
//! not the order in which threads and kernel did their part.
//!
//! What was written outlives a SIGKILL without an fsync: that nothing is said before the
//! fsync is for the gateway's tests, where the disk is held back.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by it")]

#[path = "../common/mod.rs"]
mod common;
mod device;
mod history;
mod stage;

use std::env;
use std::thread;

use common::{Place, Server};
use device::Device;
use fastrand::Rng;
use stage::Stage;

/// User and device: user 1 has two devices.
const DEVICES: [(u32, u32); 5] = [(1, 11), (1, 12), (2, 21), (3, 31), (4, 41)];
const KILLS: u32 = 12;
/// Messages that are accepted between two kills: at least, and less than.
const ACCEPTED_BETWEEN: (u64, u64) = (50, 1500);

#[test]
fn one_core() {
    run(1);
}

#[test]
fn two_cores() {
    run(2);
}

fn run(cores: u16) {
    let seed = env::var("ANSWERBACK_SEED")
        .map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
    println!("ANSWERBACK_SEED={seed}");
    let mut random = Rng::with_seed(seed);
    let place = Place::new();
    let mut server = serve(&place, cores, "127.0.0.1:0");
    let address = server.address.clone();
    let stage = Stage::new(DEVICES.len());
    thread::scope(|scope| {
        let _alarm = stage.alarm();
        for (user, id) in DEVICES {
            let device = Device::new(&place, &address, user, id, Rng::with_seed(random.u64(..)));
            scope.spawn(|| stage.play(device));
        }
        for kill in 1..=KILLS {
            let (least, most) = ACCEPTED_BETWEEN;
            stage.wait_for_accepted(random.u64(least..most));
            if kill == KILLS {
                // A receipt that this kill loses is not covered by a later one.
                stage.finish_sending();
            }
            server.kill();
            server = serve(&place, cores, &address);
            stage.announce_start();
        }
    });
    assert!(server.stop().success(), "the box lived to its orderly end");
    let accepted = history::check(&place, &DEVICES);
    println!("{accepted} messages, {KILLS} kills, {cores} cores: each arrived once, in order");
    assert!(accepted > u64::from(KILLS) * ACCEPTED_BETWEEN.0);
}

/// Checkpoints come often, so that kills fall beside them.
fn serve(place: &Place, cores: u16, listen: &str) -> Server {
    let cores = cores.to_string();
    Server::start(place.serve(listen).args(["--cores", &cores, "--checkpoint-ms", "50"]))
}
