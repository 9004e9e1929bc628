//! Seeded simulator: a box, its disk, its clients and all that can happen to them, in one
//! thread.
//!
//! A [`World`] takes one random step after another: something is sent, read, committed,
//! applied, acknowledged, checkpointed; a connection breaks, a word between partitions is
//! lost or comes twice, a client or the box dies. Every choice comes from one seed, so a
//! failure replays. [`Model`] knows what was sent and told, and holds the invariants against
//! every step; at the end the faults stop, and everything must have arrived.
//!
//! The clients are the SDK's own sessions, the shards the box's own: only sockets, disk,
//! clock and the loop around the shards are stand-ins.

mod client;
mod disk;
mod front;
mod model;
mod network;
mod world;

pub use model::{Breach, Model};
pub use world::{Outcome, Settings, World};
