//! What fuzzing runs: each target is a plain function of bytes that panics where something
//! does not hold.
//!
//! libFuzzer calls them (`make fuzz`, `fuzz/fuzz_targets`), and a plain test replays with
//! them what it has found (`fuzz/corpus`) and the golden vectors. `docs/FUZZING.md` says what
//! each of them asserts.

#![expect(clippy::panic, reason = "a target panics where something does not hold")]

pub mod envelope;
pub mod frame_buffer;
pub mod hello;
mod number;
pub mod record;
pub mod resume;
pub mod seeds;
pub mod session;
pub mod shard;

/// A target by its name.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name: of its module, its libFuzzer program and its corpus.
    pub name: &'static str,
    /// Runs it on one input.
    ///
    /// # Panics
    /// Where something does not hold.
    pub run: fn(&[u8]),
}

/// All targets.
pub const TARGETS: &[Target] = &[
    Target { name: "frame_buffer", run: frame_buffer::run },
    Target { name: "envelope", run: envelope::run },
    Target { name: "record", run: record::run },
    Target { name: "hello", run: hello::run },
    Target { name: "resume", run: resume::run },
    Target { name: "shard", run: shard::run },
    Target { name: "session", run: session::run },
];
