//! Journal and state in RocksDB.
//!
//! ```text
//! DIR/                    locked by whoever has it open
//! DIR/answerback.format   which on-disk version this is, before RocksDB is asked anything
//! DIR/answerback.high-water   up to where the journal was committed, see `high_water`
//! DIR/db/                 one RocksDB, one WAL
//!     meta                the box: partitions, generation, secret · a partition: its `applied`
//!     journal             partition, first offset → one batch
//!     erase               what was deleted and may still be in a file
//!     partition …         the tables of `directory::shard::checkpoint`
//! ```
//! A commit is one write with one value for each partition, and one fsync for all of
//! them. A checkpoint is one write of all that changed, the place that it belongs to, and
//! the end of the journal before that place: state on disk is state exactly at `applied`.
//!
//! This crate knows nothing of sockets, sessions or what a record means, and never
//! retries: after a failed write nothing else is written.

mod backup;
mod database;
mod erase;
mod erasures;
mod error;
mod figures;
mod format;
mod high_water;
mod journal;
mod meta;
mod migrate;
mod open;
mod reader;
mod reserve;
mod rows;
mod schema;
mod scrub;
mod sweep;

pub use backup::restore;
pub use error::{BackupError, OpenError};
pub use figures::Figures;
pub use journal::JournalWriter;
pub use meta::Meta;
pub use open::{NewBox, Store};
pub use reader::Reader;
pub use reserve::{FreeSpace, Reserve, ReserveMarks};
pub use scrub::Damage;
pub use sweep::{Outbox, Sweep, SweepBudget};
