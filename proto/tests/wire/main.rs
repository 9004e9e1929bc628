//! The bytes: golden vectors, any cut of a stream, any damage to a batch, and whether
//! `docs/PROTOCOL.md` says what the code does.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by it"
)]

mod batches;
mod document;
mod layout;
mod python;
mod records;
mod stream;
mod vectors;
