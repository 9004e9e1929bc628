//! A stream of bytes in any cut, by libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| answerback_fuzz_targets::frame_buffer::run(bytes));
