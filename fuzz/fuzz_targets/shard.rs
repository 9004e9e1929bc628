//! Operations on two shards, by libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| answerback_fuzz_targets::shard::run(bytes));
