//! One user: devices, sessions, inbox, what was tried. Never a payload.

use answerback_directory::partition_table::PartitionTable;
use answerback_directory::ports::StorageFault;
use answerback_directory::shard::view::{self, AttemptsView, DeviceView, EntryView, UserView};
use answerback_gateway::SessionInfo;
use answerback_proto::id::UserId;
use answerback_store::{Meta, Store};
use serde::{Deserialize, Serialize};

use super::{TableCount, count_user, home_of};

/// What there is of a user.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct UserInspection {
    pub(crate) user: String,
    pub(crate) partition: u16,
    /// Records of the partition that were journaled when it was asked, and are not looked at.
    pub(crate) records_behind: u64,
    /// Missing where there is no such user.
    pub(crate) found: Option<FoundUser>,
}

/// A user that there is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct FoundUser {
    /// Whether a box runs, which knows of sessions.
    pub(crate) is_running: bool,
    pub(crate) devices: Vec<DeviceInspection>,
    pub(crate) inbox: InboxInspection,
    pub(crate) chats: u64,
    /// Chats in which a number of the other one is missing.
    pub(crate) gaps: u64,
    pub(crate) limits: LimitsInspection,
    pub(crate) tables: Vec<TableCount>,
}

/// A device.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct DeviceInspection {
    pub(crate) device: String,
    /// active, lapsed, returned or revoked
    pub(crate) standing: String,
    /// All entries up to here are stored there.
    pub(crate) cursor: u64,
    /// Entries that wait for it.
    pub(crate) owed: u64,
    pub(crate) connection_counter: u64,
    pub(crate) attempts: Option<AttemptsInspection>,
    /// Where it is connected to a box that runs.
    pub(crate) session: Option<SessionInspection>,
}

/// How often an entry was offered to a living session, and not taken.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct AttemptsInspection {
    pub(crate) position: u64,
    pub(crate) count: u16,
    pub(crate) first_at_ms: u64,
}

/// A live session.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct SessionInspection {
    pub(crate) acknowledged: u64,
    pub(crate) offered: u64,
    pub(crate) in_flight: u64,
    pub(crate) in_flight_bytes: u64,
    pub(crate) unacknowledged_ms: u64,
    /// How long ago something came from it.
    pub(crate) silent_s: u64,
    /// What it has not fetched.
    pub(crate) unsent_bytes: u64,
    pub(crate) unanswered: u32,
    pub(crate) is_probed: bool,
}

/// An inbox.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct InboxInspection {
    pub(crate) entries: u64,
    pub(crate) bytes: u64,
    /// Messages that no device has acknowledged.
    pub(crate) undelivered: u64,
    pub(crate) undelivered_bytes: u64,
    pub(crate) last_position: u64,
    pub(crate) floor: u64,
    pub(crate) oldest: Option<EntryInspection>,
    /// The newest notice in it that a message of the user's failed.
    pub(crate) last_failure: Option<EntryInspection>,
}

/// An entry, without what it says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct EntryInspection {
    pub(crate) position: u64,
    pub(crate) kind: String,
    pub(crate) peer: String,
    pub(crate) put_at_ms: u64,
    /// Of a message: when it ends undelivered.
    pub(crate) expires_at_ms: Option<u64>,
    pub(crate) bytes: u32,
    /// The message that it is or speaks of.
    pub(crate) device: Option<String>,
    pub(crate) sequence: Option<u64>,
    /// Why that one failed.
    pub(crate) code: Option<String>,
}

/// What a user may hold.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct LimitsInspection {
    pub(crate) messages_max: u64,
    pub(crate) bytes_max: u64,
    pub(crate) messages_of_a_sender_max: u64,
    pub(crate) devices_max: u64,
    pub(crate) attempts_max: u64,
}

/// Looks at a user; at the sessions too, where a box runs and has told of them.
pub(crate) fn of_user(
    store: &Store,
    user: UserId,
    sessions: Option<&[SessionInfo]>,
    records_behind: u64,
) -> Result<UserInspection, StorageFault> {
    let (reader, Meta { partitions, secret, .. }) = (store.reader(), store.meta());
    let table = PartitionTable::new(&secret, partitions, 1);
    let found = match view::user(&reader, table, user)? {
        Some(view) => {
            let tables = count_user(&reader, home_of(store, user), user)?;
            Some(FoundUser::new(&view, sessions, tables))
        }
        None => None,
    };
    let partition = table.partition_of(user).0;
    Ok(UserInspection { user: user.to_string(), partition, records_behind, found })
}

impl FoundUser {
    fn new(view: &UserView, sessions: Option<&[SessionInfo]>, tables: Vec<TableCount>) -> Self {
        let of_device = |device: &DeviceView| {
            let session = sessions.unwrap_or_default().iter();
            let mut session = session.filter(|info| info.report.device == device.device);
            DeviceInspection::new(device, session.next())
        };
        let limits = view.limits;
        Self {
            is_running: sessions.is_some(),
            devices: view.devices.iter().map(of_device).collect(),
            inbox: InboxInspection {
                entries: view.entries,
                bytes: view.entry_bytes,
                undelivered: view.undelivered,
                undelivered_bytes: view.undelivered_bytes,
                last_position: view.last_position.0,
                floor: view.floor.0,
                oldest: view.oldest.as_ref().map(EntryInspection::from),
                last_failure: view.last_failure.as_ref().map(EntryInspection::from),
            },
            chats: view.chats,
            gaps: view.gaps,
            limits: LimitsInspection {
                messages_max: limits.messages_max,
                bytes_max: limits.bytes_max,
                messages_of_a_sender_max: limits.messages_of_a_sender_max,
                devices_max: limits.devices_max,
                attempts_max: limits.attempts_max,
            },
            tables,
        }
    }
}

impl DeviceInspection {
    fn new(device: &DeviceView, session: Option<&SessionInfo>) -> Self {
        Self {
            device: device.device.to_string(),
            standing: device.standing.name().to_owned(),
            cursor: device.cursor.0,
            owed: device.owed,
            connection_counter: device.connection_counter,
            attempts: device.attempts.as_ref().map(AttemptsInspection::from),
            session: session.map(SessionInspection::from),
        }
    }
}

impl From<&AttemptsView> for AttemptsInspection {
    fn from(attempts: &AttemptsView) -> Self {
        let &AttemptsView { position, count, first_ms } = attempts;
        Self { position: position.0, count, first_at_ms: first_ms }
    }
}

impl From<&SessionInfo> for SessionInspection {
    fn from(info: &SessionInfo) -> Self {
        let report = info.report;
        Self {
            acknowledged: report.acknowledged.0,
            offered: report.offered.0,
            in_flight: report.in_flight,
            in_flight_bytes: report.in_flight_bytes,
            unacknowledged_ms: report.unacknowledged_ms,
            silent_s: info.silent_s,
            unsent_bytes: info.unsent_bytes,
            unanswered: info.unanswered,
            is_probed: info.is_probed,
        }
    }
}

impl From<&EntryView> for EntryInspection {
    fn from(entry: &EntryView) -> Self {
        let (device, sequence) = entry.about.unzip();
        Self {
            position: entry.position.0,
            kind: entry.kind.to_owned(),
            peer: entry.peer.to_string(),
            put_at_ms: entry.put_at_ms,
            expires_at_ms: (entry.expires_at_ms > 0).then_some(entry.expires_at_ms),
            bytes: entry.bytes,
            device: device.map(|device| device.to_string()),
            sequence: sequence.map(|sequence| sequence.0),
            code: entry.code.map(|code| code.name().to_owned()),
        }
    }
}
