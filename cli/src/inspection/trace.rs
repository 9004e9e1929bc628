//! Where one message is, as an answer to whoever asks.

use answerback_directory::partition_table::PartitionTable;
use answerback_directory::ports::StorageFault;
use answerback_directory::shard::view::{self, Fate, Holder, MessageName, Trace};
use answerback_proto::id::PartitionId;
use answerback_store::{Meta, Store};
use serde::{Deserialize, Serialize};

use super::user::AttemptsInspection;

/// Where a message is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct MessageTrace {
    pub(crate) sender: String,
    pub(crate) device: String,
    pub(crate) chat: String,
    pub(crate) sequence: u64,
    /// Records that were journaled when it was asked, and are not looked at.
    pub(crate) records_behind: u64,
    #[serde(flatten)]
    pub(crate) place: Place,
    /// That it failed, where that is still on its way to its sender.
    pub(crate) notice: Option<FailureNotice>,
    pub(crate) attempts_max: u64,
}

/// Where it is.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "place", rename_all = "snake_case")]
pub(crate) enum Place {
    /// The other user does not exist here.
    UnknownRecipient,
    /// Never here; the number that is expected.
    Unseen { expected: u64 },
    /// Early: kept until what is missing before it is here.
    Parked { since_ms: u64, missing: u64 },
    /// In the inbox.
    Waiting {
        accepted_at_ms: u64,
        expires_at_ms: u64,
        position: u64,
        is_delivered: bool,
        devices: Vec<WaitingDevice>,
    },
    /// Its recipient has blocked its sender.
    Withheld { accepted_at_ms: u64 },
    /// Delivered, and gone.
    Delivered { accepted_at_ms: Option<u64>, is_read: bool },
    /// Ended without delivery.
    Ended { accepted_at_ms: Option<u64> },
    /// Not accepted, for good.
    Rejected { code: String },
    /// Given up by its sender.
    Skipped,
}

/// A device of the recipient.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct WaitingDevice {
    pub(crate) device: String,
    pub(crate) standing: String,
    pub(crate) has_it: bool,
    pub(crate) attempts: Option<AttemptsInspection>,
}

/// A notice of a failure.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct FailureNotice {
    pub(crate) code: Option<String>,
    /// Its place in the sender's inbox; missing while it is on its way there.
    pub(crate) position: Option<u64>,
}

/// The partitions whose rows tell of a message.
pub(crate) fn homes(store: &Store, name: &MessageName) -> [PartitionId; 2] {
    let table = table(store);
    [table.partition_of(name.recipient), table.partition_of(name.sender)]
}

/// Finds a message.
pub(crate) fn of_message(
    store: &Store,
    name: &MessageName,
    records_behind: u64,
) -> Result<MessageTrace, StorageFault> {
    let Trace { fate, notice, limits } = view::trace(&store.reader(), table(store), name)?;
    Ok(MessageTrace {
        sender: name.sender.to_string(),
        device: name.device.to_string(),
        chat: name.recipient.to_string(),
        sequence: name.sequence.0,
        records_behind,
        place: fate.into(),
        notice: notice.map(|notice| FailureNotice {
            code: notice.code.map(|code| code.name().to_owned()),
            position: notice.position.map(|position| position.0),
        }),
        attempts_max: limits.attempts_max,
    })
}

fn table(store: &Store) -> PartitionTable {
    let Meta { partitions, secret, .. } = store.meta();
    PartitionTable::new(&secret, partitions, 1)
}

impl From<Fate> for Place {
    fn from(fate: Fate) -> Self {
        match fate {
            Fate::UnknownRecipient => Self::UnknownRecipient,
            Fate::Unseen { expected } => Self::Unseen { expected: expected.0 },
            Fate::Parked { since_ms, missing } => Self::Parked { since_ms, missing: missing.0 },
            Fate::Waiting { accepted_at_ms, expires_at_ms, position, is_delivered, holders } => {
                Self::Waiting {
                    accepted_at_ms,
                    expires_at_ms,
                    position: position.0,
                    is_delivered,
                    devices: holders.iter().map(WaitingDevice::from).collect(),
                }
            }
            Fate::Withheld { accepted_at_ms } => Self::Withheld { accepted_at_ms },
            Fate::Delivered { accepted_at_ms, is_read } => {
                Self::Delivered { accepted_at_ms, is_read }
            }
            Fate::Ended { accepted_at_ms } => Self::Ended { accepted_at_ms },
            Fate::Rejected { code } => Self::Rejected { code: code.name().to_owned() },
            Fate::Skipped => Self::Skipped,
        }
    }
}

impl From<&Holder> for WaitingDevice {
    fn from(holder: &Holder) -> Self {
        Self {
            device: holder.device.to_string(),
            standing: holder.standing.name().to_owned(),
            has_it: holder.has_it,
            attempts: holder.attempts.as_ref().map(AttemptsInspection::from),
        }
    }
}
