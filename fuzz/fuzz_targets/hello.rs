//! A connection's first frame, by libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| answerback_fuzz_targets::hello::run(bytes));
