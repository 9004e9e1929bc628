//! The users of a data directory, a page at a time, as of the last checkpoint.

use answerback_directory::partition_table::PartitionTable;
use answerback_directory::ports::StorageFault;
use answerback_directory::shard::view::{self, Listed};
use answerback_proto::id::{IdError, UserId};
use answerback_store::Store;
use serde::{Deserialize, Serialize};

/// So many lines are far shorter than an answer may be.
pub(crate) const USERS_PER_PAGE_MAX: usize = 500;

/// A user of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UserLine {
    pub(crate) user: String,
    /// Those that are not revoked.
    pub(crate) devices: u64,
    /// Messages that no device has.
    pub(crate) undelivered: u64,
    pub(crate) undelivered_bytes: u64,
    /// What some device has not acknowledged.
    pub(crate) entries: u64,
    /// It exists no more, and this is left.
    pub(crate) is_purging: bool,
}

/// The same as an answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct UserPage {
    pub(crate) users: Vec<UserLine>,
}

impl UserPage {
    /// Users behind an id, at most as many as a page holds.
    pub(crate) fn read(
        store: &Store,
        after: Option<UserId>,
        count: usize,
    ) -> Result<Self, StorageFault> {
        let (reader, meta) = (store.reader(), store.meta());
        let table = PartitionTable::new(&meta.secret, meta.partitions, 1);
        let listed = view::users(&reader, table, after, count.min(USERS_PER_PAGE_MAX))?;
        Ok(Self { users: listed.into_iter().map(UserLine::from).collect() })
    }
}

impl UserLine {
    /// Whose it is.
    pub(crate) fn id(&self) -> Result<UserId, IdError> {
        self.user.parse()
    }
}

impl From<Listed> for UserLine {
    fn from(listed: Listed) -> Self {
        Self {
            user: listed.user.to_string(),
            devices: listed.devices,
            undelivered: listed.undelivered,
            undelivered_bytes: listed.undelivered_bytes,
            entries: listed.entries,
            is_purging: listed.is_purging,
        }
    }
}
