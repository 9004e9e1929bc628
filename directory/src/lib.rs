//! The pure core: partitions, shards and the mailboxes between cores.
//!
//! A **shard** is the state machine of one partition. It takes inputs, hands out batches
//! for the journal, applies what was committed and says what should be sent to whom.
//! Whoever drives it (the gateway's core loop, the simulator) reads clocks, sockets and
//! disks; nothing here can.
//!
//! ```
//! use answerback_directory::partition_table::PartitionTable;
//! use answerback_proto::id::UserId;
//!
//! // 16 partitions on 2 cores; the secret keeps others from choosing ids of one partition.
//! let table = PartitionTable::new(&[7; 16], 16, 2);
//! let home = table.partition_of(UserId(4_915_112_345_678));
//! assert!(home.0 < 16 && table.core_of(home) < 2);
//! ```

/// Whether a bug of this name is planted: never, but in the simulator's own test.
macro_rules! planted {
    ($bug:ident) => {{
        #[cfg(feature = "planted")]
        let is_planted = crate::planted::is_planted(crate::planted::Planted::$bug);
        #[cfg(not(feature = "planted"))]
        let is_planted = false;
        is_planted
    }};
}

pub mod commit_policy;
pub mod limits;
pub mod mailbox;
pub mod partition_table;
#[cfg(feature = "planted")]
pub mod planted;
pub mod ports;
pub mod recovery;
pub mod ring;
pub mod shard;
