//! Many worlds, on one core and on several.

use answerback_sim::{Outcome, Settings, World};

fn run(cores: u16, seeds: std::ops::Range<u64>) -> Result<Outcome, String> {
    let settings = Settings { cores, ..Settings::default() };
    let mut sum = Outcome::default();
    for seed in seeds {
        let outcome = World::new(seed, settings).run().map_err(|breach| {
            format!("{breach}; again: make simulate SEED={seed} CORES={cores}")
        })?;
        sum.sent += outcome.sent;
        sum.crashes += outcome.crashes;
        sum.cuts += outcome.cuts;
        sum.halts += outcome.halts;
        sum.checkpoints += outcome.checkpoints;
        sum.steps += outcome.steps;
    }
    Ok(sum)
}

/// The worlds are worth something: much is sent, and much goes wrong.
fn is_eventful(sum: Outcome) -> bool {
    sum.sent > 10_000
        && sum.crashes > 500
        && sum.cuts > 2_000
        && sum.checkpoints > 1_000
        && sum.halts > 500
}

#[test]
fn one_core_keeps_every_promise() -> Result<(), String> {
    let sum = run(1, 0..100)?;
    assert!(is_eventful(sum), "{sum:?}");
    Ok(())
}

#[test]
fn two_cores_keep_every_promise() -> Result<(), String> {
    let sum = run(2, 1000..1100)?;
    assert!(is_eventful(sum), "{sum:?}");
    Ok(())
}

#[test]
fn four_cores_keep_every_promise() -> Result<(), String> {
    let sum = run(4, 2000..2100)?;
    assert!(is_eventful(sum), "{sum:?}");
    Ok(())
}

/// Worlds that once showed a bug of the shards.
#[test]
fn worlds_that_found_something_keep_every_promise() -> Result<(), String> {
    for (cores, seed) in [(1, 117), (1, 205), (1, 369), (2, 10_862), (2, 11_254), (4, 10_133)] {
        run(cores, seed..seed + 1)?;
    }
    Ok(())
}

#[test]
fn a_seed_does_the_same_again() {
    let run = || World::new(7, Settings { cores: 2, ..Settings::default() }).run();
    assert_eq!(run(), run());
}
