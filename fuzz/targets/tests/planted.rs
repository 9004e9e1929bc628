//! The corpus is worth something: whatever bug is planted in shards, an input of it notices.

use std::fs;
use std::panic::{catch_unwind, set_hook, take_hook};
use std::path::Path;

use answerback_directory::planted::{Planted, plant};
use answerback_fuzz_targets::shard;

/// Those that the target is the right one for: they make a restart's state another one, or offer
/// what may not be offered. That a message ends in one told outcome, the simulator notices.
const BUGS: [Planted; 8] = [
    Planted::PositionReused,
    Planted::NewDeviceAtEnd,
    Planted::IncomingNotPersisted,
    Planted::ParkedRowStays,
    Planted::CopyToSender,
    Planted::ReadResurrects,
    Planted::ChangedUserEvicted,
    Planted::PurgeResetsPositions,
];

#[test]
fn a_bug_of_a_shard_is_noticed() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus/shard");
    let files = fs::read_dir(corpus).unwrap();
    let inputs: Vec<_> = files.map(|file| fs::read(file.unwrap().path()).unwrap()).collect();
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
