//! The kill test: a real box under load is killed, stopped and held up again and again, and
//! in the end every message that was sent is in every store that it belongs to, once and
//! in order.
//!
//! Devices are the SDK's, with their files; they send to each other and to a group of all, lose
//! their connection
//! with the box, sometimes their own process, and come back. When something happens to the
//! box is a matter of how much was accepted, never of time. `ANSWERBACK_SEED` repeats a
//! run's choices, though not the order in which threads and kernel did their part; what else
//! a run may be asked for stands in `settings.rs`, and `tools/torture` asks for it.
//!
//! What was written outlives a SIGKILL without an fsync: that nothing is said before the
//! fsync is for the gateway's tests, where the disk is held back.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by it")]

#[path = "../common/mod.rs"]
mod common;
mod device;
mod faults;
mod history;
mod judge;
mod settings;
mod stage;

use std::thread;

use answerback_sdk::GroupId;
use common::Place;
use device::Device;
use fastrand::Rng;
use faults::{Fault, Victim, deck};
use settings::Settings;
use stage::Stage;

/// User and device: user 1 has two devices.
const DEVICES: [(u32, u32); 5] = [(1, 11), (1, 12), (2, 21), (3, 31), (4, 41)];
/// Messages that are accepted between two faults: at least, and less than.
const ACCEPTED_BETWEEN: (u64, u64) = (20, 700);

#[test]
fn one_core() {
    run(&Settings::from_environment(1));
}

#[test]
fn two_cores() {
    run(&Settings::from_environment(2));
}

#[test]
fn as_many_cores_as_asked_for() {
    run(&Settings::from_environment(settings::cores()));
}

fn run(settings: &Settings) {
    println!("{settings}");
    let mut random = Rng::with_seed(settings.seed);
    let place = Place::new();
    let mut victim = Victim::new(&place, settings.cores, Rng::with_seed(random.u64(..)));
    let stage = Stage::new(DEVICES.len());
    let mut group = GroupId(0);
    thread::scope(|scope| {
        let _alarm = stage.alarm();
        let devices = DEVICES.map(|(user, id)| {
            let random = Rng::with_seed(random.u64(..));
            Device::new(&place, victim.address(), user, id, random)
        });
        group = devices[0].make_group();
        for mut device in devices {
            device.join(group);
            scope.spawn(|| stage.play(device));
        }
        while !settings.is_enough(victim.kills) {
            for fault in deck(&mut random, settings.has_long_pauses) {
                stage.wait_for_accepted(random.u64(ACCEPTED_BETWEEN.0..ACCEPTED_BETWEEN.1));
                victim.suffer(fault, &stage);
            }
        }
        stage.wait_for_accepted(ACCEPTED_BETWEEN.0);
        // A receipt that this kill loses is not covered by a later one.
        stage.finish_sending();
        victim.suffer(Fault::Kill, &stage);
    });
    victim.stop();
    let verdict = history::check(&place, &DEVICES, group);
    println!("{verdict}; {victim}");
    assert!(verdict.is_faultless(), "{settings}: {verdict}");
    assert!(verdict.sent > u64::from(victim.kills) * ACCEPTED_BETWEEN.0 / 2, "{verdict}");
}
