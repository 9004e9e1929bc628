//! The pure core: partitions, shards and the mailboxes between cores.
//!
//! A **shard** is the state machine of one partition. It takes inputs, hands out batches
//! for the journal, applies what was committed and says what should be sent to whom.
//! Whoever drives it (the gateway's core loop, the simulator) reads clocks, sockets and
//! disks; nothing here can.

pub mod commit_policy;
pub mod limits;
pub mod mailbox;
pub mod partition_table;
pub mod ports;
pub mod recovery;
pub mod ring;
pub mod shard;
