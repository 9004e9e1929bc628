//! Seeded simulator: a box, its disk, its clients and all that can happen to them, in one
//! thread.
//!
//! A [`World`] takes one random step after another: something is sent, read, committed,
//! applied, acknowledged, checkpointed; a connection breaks, a word between partitions is
//! lost or comes twice, a client or the box dies. Every choice comes from one seed, so a
//! failure replays. [`Model`] works out from the durable records what was promised, and
//! holds what is told and stored against it; at the end the faults stop, and everything must
//! have come to its outcome.
//!
//! The clients are the SDK's own sessions, the shards the box's own: only sockets, disk,
//! clock and the loop around the shards are stand-ins.

#![expect(
    clippy::indexing_slicing,
    reason = "a world numbers its own users, devices, messages and partitions"
)]

mod client;
mod disk;
mod front;
mod model;
mod network;
mod planted;
mod trace;
mod world;

pub use model::{Breach, Model};
pub use planted::Planted;
pub use world::{Outcome, Settings, World};
