//! All that fuzzing has found, and the golden vectors, through every target.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use answerback_fuzz_targets::{TARGETS, Target, seeds};

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus")
}

/// The committed inputs of a target, in the order of their names.
fn committed(target: Target) -> Vec<Vec<u8>> {
    let files = fs::read_dir(corpus().join(target.name)).unwrap();
    let paths: BTreeSet<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

macro_rules! replayed {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                let target = TARGETS.iter().find(|target| target.name == stringify!($name));
                let target = *target.unwrap();
                let inputs = committed(target);
                assert!(inputs.len() >= 10, "a corpus of {}", inputs.len());
                inputs.iter().chain(&seeds::of(target.name)).for_each(|input| (target.run)(input));
            }
        )*

        #[test]
        fn every_target_is_replayed() {
            let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
            assert_eq!(names, [$(stringify!($name)),*]);
            let folders: BTreeSet<_> =
                fs::read_dir(corpus()).unwrap().map(|folder| folder.unwrap().file_name()).collect();
            assert!(folders.iter().eq(names.iter().copied().collect::<BTreeSet<_>>()));
        }
    };
}

replayed! { frame_buffer envelope record hello resume shard session }

#[test]
fn the_corpus_stays_small() {
    let size = |target: &Target| committed(*target).iter().map(Vec::len).sum::<usize>();
    let bytes: usize = TARGETS.iter().map(size).sum();
    assert!(bytes < 1024 * 1024, "{bytes} bytes");
}
