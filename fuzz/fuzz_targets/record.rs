//! A batch of the journal, by libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| answerback_fuzz_targets::record::run(bytes));
