//! The tables, and how numbers lie in them.
//!
//! A version is never changed; a new one comes with the step that makes it from the last.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use answerback_proto::id::{DeviceId, UserId};
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef};
use rusqlite::{Connection, ToSql, params};

use answerback_proto::code::Code;

use super::{SentState, StorageError};

/// "Ansb": marks the file as a device's.
const APPLICATION: i64 = 0x416e_7362;
/// The version that this program writes.
const VERSION: i64 = STEPS.len() as i64;
/// What makes each version from the one before it, the first from nothing.
const STEPS: &[&str] = &[VERSION_1, VERSION_2, VERSION_3, VERSION_4, VERSION_5, VERSION_6];

const VERSION_1: &str = "
    CREATE TABLE device (
        only_row           INTEGER PRIMARY KEY CHECK (only_row = 1),
        user               BLOB NOT NULL,
        device             BLOB NOT NULL,
        connection_counter INTEGER NOT NULL,
        generation         INTEGER NOT NULL,
        cursor             INTEGER NOT NULL
    ) STRICT;
    -- seen_ms: greatest accepted_at_ms of the chat here.
    CREATE TABLE chat (
        peer          BLOB PRIMARY KEY,
        last_sequence INTEGER NOT NULL,
        seen_ms       INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    -- state: 0 queued, 1 accepted, 2 delivered, 3 failed, 4 refused.
    CREATE TABLE outbound (
        peer           BLOB NOT NULL,
        sequence       INTEGER NOT NULL,
        state          INTEGER NOT NULL,
        content_type   INTEGER NOT NULL,
        seen_ms        INTEGER NOT NULL,
        payload        BLOB NOT NULL,
        accepted_at_ms INTEGER,
        code           INTEGER,
        PRIMARY KEY (peer, sequence)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX outbound_open ON outbound (peer, sequence) WHERE state < 2;
    CREATE TABLE inbound (
        row            INTEGER PRIMARY KEY,
        sender         BLOB NOT NULL,
        device         BLOB NOT NULL,
        sequence       INTEGER NOT NULL,
        position       INTEGER NOT NULL,
        accepted_at_ms INTEGER NOT NULL,
        content_type   INTEGER NOT NULL,
        payload        BLOB NOT NULL,
        handed_over    INTEGER NOT NULL DEFAULT 0,
        UNIQUE (sender, device, sequence)
    ) STRICT;
    CREATE INDEX inbound_open ON inbound (row) WHERE handed_over = 0;
";

const VERSION_2: &str = "
    ALTER TABLE outbound RENAME TO outbound_1;
    -- device: of this user; rows of the others are copies, and never queued.
    CREATE TABLE outbound (
        peer           BLOB NOT NULL,
        device         BLOB NOT NULL,
        sequence       INTEGER NOT NULL,
        state          INTEGER NOT NULL,
        content_type   INTEGER NOT NULL,
        seen_ms        INTEGER NOT NULL,
        life_s         INTEGER NOT NULL,
        recalled       INTEGER,
        payload        BLOB NOT NULL,
        accepted_at_ms INTEGER,
        code           INTEGER,
        PRIMARY KEY (peer, device, sequence)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO outbound
        SELECT peer, (SELECT device FROM device), sequence, state, content_type, seen_ms, 0, NULL,
               payload, accepted_at_ms, code
        FROM outbound_1;
    DROP TABLE outbound_1;
    CREATE INDEX outbound_open ON outbound (peer, device, sequence) WHERE state < 2;
    -- How far a peer has what a device of this user sent.
    CREATE TABLE receipt (
        peer            BLOB NOT NULL,
        device          BLOB NOT NULL,
        delivered_up_to INTEGER NOT NULL,
        read_up_to      INTEGER NOT NULL,
        PRIMARY KEY (peer, device)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO receipt
        SELECT peer, device, max(sequence), 0 FROM outbound WHERE state = 2 GROUP BY peer, device;
    -- How far this user has read what a peer's device sent, and what of it the server knows.
    CREATE TABLE read_mark (
        peer   BLOB NOT NULL,
        device BLOB NOT NULL,
        up_to  INTEGER NOT NULL,
        noted  INTEGER NOT NULL,
        PRIMARY KEY (peer, device)
    ) STRICT, WITHOUT ROWID;
";

const VERSION_3: &str = "
    -- resent_as: the number under which this device sent a failed one again; shown there.
    ALTER TABLE outbound ADD COLUMN resent_as INTEGER;
    -- Each side of a chat in the shown order, to read its end and no more.
    CREATE INDEX inbound_shown ON inbound (sender, accepted_at_ms, device, sequence);
    CREATE INDEX outbound_shown ON outbound (
        peer,
        CASE WHEN state > 0 THEN coalesce(accepted_at_ms, seen_ms) ELSE 9223372036854775807 END,
        device, sequence
    ) WHERE resent_as IS NULL;
";

const VERSION_4: &str = "
    -- The resume ticket as it came, while there is a good one.
    ALTER TABLE device ADD COLUMN ticket BLOB;
";

const VERSION_5: &str = "
    -- What is erased of a chat, up to a number of each device; sender: the peer, or this user.
    CREATE TABLE erased (
        peer   BLOB NOT NULL,
        sender BLOB NOT NULL,
        device BLOB NOT NULL,
        up_to  INTEGER NOT NULL,
        PRIMARY KEY (peer, sender, device)
    ) STRICT, WITHOUT ROWID;
    -- What the server is to be told of that. marks: device and number, 24 bytes each.
    CREATE TABLE deletion (
        number     INTEGER PRIMARY KEY,
        peer       BLOB NOT NULL,
        generation INTEGER NOT NULL,
        cursor     INTEGER NOT NULL,
        marks      BLOB NOT NULL
    ) STRICT;
    -- How the user has chats treated, where that is otherwise than at first. flags, unsaid: the
    -- bits of a SetChat, and those that the server does not know yet.
    CREATE TABLE chat_setting (
        peer           BLOB PRIMARY KEY,
        flags          INTEGER NOT NULL,
        muted_until_ms INTEGER NOT NULL,
        unsaid         INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
";

const VERSION_6: &str = "
    -- lacks_groups: the device does not know which groups its user is in.
    ALTER TABLE device ADD COLUMN lacks_groups INTEGER NOT NULL DEFAULT 1;
    ALTER TABLE chat ADD COLUMN is_group INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE inbound RENAME TO inbound_5;
    DROP INDEX inbound_open;
    DROP INDEX inbound_shown;
    -- peer: the other end of the chat: the sender, or a group.
    CREATE TABLE inbound (
        row            INTEGER PRIMARY KEY,
        peer           BLOB NOT NULL,
        sender         BLOB NOT NULL,
        device         BLOB NOT NULL,
        sequence       INTEGER NOT NULL,
        position       INTEGER NOT NULL,
        accepted_at_ms INTEGER NOT NULL,
        content_type   INTEGER NOT NULL,
        payload        BLOB NOT NULL,
        handed_over    INTEGER NOT NULL DEFAULT 0,
        UNIQUE (peer, device, sequence, sender)
    ) STRICT;
    INSERT INTO inbound
        SELECT row, sender, sender, device, sequence, position, accepted_at_ms, content_type,
               payload, handed_over
        FROM inbound_5;
    DROP TABLE inbound_5;
    CREATE INDEX inbound_open ON inbound (row) WHERE handed_over = 0;
    CREATE INDEX inbound_shown ON inbound (peer, accepted_at_ms, device, sequence);
    -- older_rows: what came up to this row has a position of an older generation.
    ALTER TABLE device ADD COLUMN older_rows INTEGER NOT NULL DEFAULT 0;
    -- version: of the list of members. has_receipts: messages tell who has them.
    CREATE TABLE member_list (
        peer         BLOB PRIMARY KEY,
        name         TEXT NOT NULL,
        version      INTEGER NOT NULL,
        is_member    INTEGER NOT NULL,
        has_receipts INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    -- role: 0 member, 1 admin, 2 owner.
    CREATE TABLE member (
        peer BLOB NOT NULL,
        user BLOB NOT NULL,
        role INTEGER NOT NULL,
        PRIMARY KEY (peer, user)
    ) STRICT, WITHOUT ROWID;
    -- Whose a slot was, from one version of the list to before another; NULL: it still is.
    CREATE TABLE member_slot (
        peer   BLOB NOT NULL,
        slot   INTEGER NOT NULL,
        since  INTEGER NOT NULL,
        before INTEGER,
        user   BLOB NOT NULL,
        PRIMARY KEY (peer, slot, since)
    ) STRICT, WITHOUT ROWID;
    -- Who has a message of this user's, and who has read it: bits at slots of that version.
    CREATE TABLE group_receipt (
        peer      BLOB NOT NULL,
        device    BLOB NOT NULL,
        sequence  INTEGER NOT NULL,
        version   INTEGER NOT NULL,
        delivered BLOB NOT NULL,
        read      BLOB NOT NULL,
        PRIMARY KEY (peer, device, sequence)
    ) STRICT, WITHOUT ROWID;
    -- Up to which position of the inbox a group was read, and whether the server knows.
    CREATE TABLE group_read (
        peer     BLOB PRIMARY KEY,
        up_to    INTEGER NOT NULL,
        is_noted INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    -- Members who will not get a message of this user's.
    CREATE TABLE member_failure (
        peer     BLOB NOT NULL,
        device   BLOB NOT NULL,
        sequence INTEGER NOT NULL,
        user     BLOB NOT NULL,
        code     INTEGER NOT NULL,
        PRIMARY KEY (peer, device, sequence, user)
    ) STRICT, WITHOUT ROWID;
";

/// Opens the file for one process alone, durable at each commit, with this version's tables.
pub(super) fn open(
    path: &Path,
    user: UserId,
    device: DeviceId,
) -> Result<Connection, StorageError> {
    let at_open = |error| StorageError::at_open(path, error);
    make_private(path);
    let mut connection = Connection::open(path).map_err(at_open)?;
    lock(&connection).map_err(at_open)?;
    let version: i64 = pragma(&connection, "user_version").map_err(at_open)?;
    let application: i64 = pragma(&connection, "application_id").map_err(at_open)?;
    match (application, version) {
        (APPLICATION, 1..=VERSION) => {}
        (0, 0) => create(&mut connection, user, device).map_err(at_open)?,
        (APPLICATION, found) if found > VERSION => {
            return Err(StorageError::Newer { path: path.to_path_buf(), found, known: VERSION });
        }
        _ => return Err(StorageError::OtherDevice { path: path.to_path_buf() }),
    }
    let is_ours: bool = connection.query_row(
        "SELECT user = ?1 AND device = ?2 FROM device",
        params![Id(user.0), Id(device.0)],
        |row| row.get(0),
    )?;
    if !is_ours {
        return Err(StorageError::OtherDevice { path: path.to_path_buf() });
    }
    migrate(&mut connection)?;
    Ok(connection)
}

/// A new file is for its owner alone: it holds what opens his sessions. One that is there is
/// left as it is; what is wrong with the path is told by who opens it.
fn make_private(path: &Path) {
    let _ = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
}

fn lock(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(std::time::Duration::ZERO)?;
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    // What is deleted is overwritten, and not only forgotten.
    connection.pragma_update(None, "secure_delete", "ON")?;
    connection.execute_batch("BEGIN EXCLUSIVE; COMMIT")
}

fn create(connection: &mut Connection, user: UserId, device: DeviceId) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    transaction.execute_batch(VERSION_1)?;
    transaction.execute(
        "INSERT INTO device VALUES (1, ?1, ?2, 0, 0, 0)",
        params![Id(user.0), Id(device.0)],
    )?;
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", 1)?;
    transaction.commit()
}

/// Makes this program's version of the file, all steps in one transaction.
fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    let found: i64 = pragma(&transaction, "user_version")?;
    for (step, version) in STEPS.iter().zip(1..) {
        if version > found {
            transaction.execute_batch(step)?;
            transaction.pragma_update(None, "user_version", version)?;
        }
    }
    transaction.commit()
}

fn pragma(connection: &Connection, name: &str) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, name, |row| row.get(0))
}

/// What the columns of a sent message mean, and whether its number was read.
pub(super) fn sent_state(column: i64, code: Option<u16>, is_read: bool) -> SentState {
    match column {
        0 => SentState::Queued,
        1 => SentState::Accepted,
        2 if is_read => SentState::Read,
        2 => SentState::Delivered,
        3 if code == Some(Code::Recalled.number()) => SentState::Recalled,
        3 => SentState::Failed,
        _ => SentState::Refused,
    }
}

/// A 128-bit id: 16 bytes, big-endian.
#[derive(Clone, Copy, Debug)]
pub(super) struct Id(pub(super) u128);

impl ToSql for Id {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(self.0.to_be_bytes().to_vec()))
    }
}

impl FromSql for Id {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let bytes = value.as_blob()?.try_into().map_err(FromSqlError::other)?;
        Ok(Self(u128::from_be_bytes(bytes)))
    }
}

/// A number of the protocol. SQLite's go up to `i64::MAX`, and so does what is stored: no
/// honest number comes near, and a greater one must not turn negative.
#[derive(Clone, Copy, Debug)]
pub(super) struct Number(pub(super) u64);

impl ToSql for Number {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(i64::try_from(self.0).unwrap_or(i64::MAX)))
    }
}

impl FromSql for Number {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let number = value.as_i64()?;
        u64::try_from(number).map(Self).map_err(|_| FromSqlError::OutOfRange(number))
    }
}
