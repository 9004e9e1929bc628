//! The corpus and the seeds are worth something: whatever bug is planted in shards, one of them
//! notices.

use std::fs;
use std::panic::{catch_unwind, set_hook, take_hook};
use std::path::Path;

use answerback_directory::planted::{Planted, plant};
use answerback_fuzz_targets::{seeds, shard};

/// Those that the target is the right one for: they make a restart's state another one, or offer
/// what may not be offered. That a message ends in one told outcome, the simulator notices.
const BUGS: [Planted; 10] = [
    Planted::PositionReused,
    Planted::NewDeviceAtEnd,
    Planted::IncomingNotPersisted,
    Planted::ParkedRowStays,
    Planted::CopyToSender,
    Planted::ReadResurrects,
    Planted::ChangedUserEvicted,
    Planted::PurgeResetsPositions,
    Planted::WritersNotPersisted,
    Planted::BodyStays,
];

#[test]
fn a_bug_of_a_shard_is_noticed() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus/shard");
    let files = fs::read_dir(corpus).unwrap();
    let inputs = files.map(|file| fs::read(file.unwrap().path()).unwrap());
    let inputs: Vec<_> = inputs.chain(seeds::of("shard")).collect();
    let hook = take_hook();
    set_hook(Box::new(|_| {}));
    let mut missed = Vec::new();
    for bug in BUGS {
        plant(Some(bug));
        let is_noticed = inputs.iter().any(|input| catch_unwind(|| shard::run(input)).is_err());
        missed.extend((!is_noticed).then_some(bug));
    }
    plant(None);
    set_hook(hook);
    assert!(missed.is_empty(), "not noticed: {missed:?}");
}
