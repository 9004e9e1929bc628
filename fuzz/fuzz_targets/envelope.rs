//! The envelope of any kind, by libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| answerback_fuzz_targets::envelope::run(bytes));
