//! Frames that open, keep and close a session.

use rkyv::{Archive, Serialize};

use super::envelope;

/// Opens a session. Target: the user. Tail: `kinds_count` × u16 kinds that the client
/// understands, then `token_length` bytes of token. No payload.
#[derive(Archive, Serialize, Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// Lowest protocol version that the client speaks.
    pub version_min: u16,
    /// Highest protocol version that the client speaks.
    pub version_max: u16,
    /// Kinds listed in the tail, ≤ 256.
    pub kinds_count: u16,
    /// Bytes of the token in the tail, ≤ 2048.
    pub token_length: u16,
    /// The install of the app.
    pub device: u128,
    /// The app's build number, for the operator's statistics.
    pub app_build: u32,
    /// 0 active, 1 background, 2 fetch.
    pub mode: u16,
    /// Unacknowledged entries that may be under way, 1–4096.
    pub credit_frames: u32,
    /// Unacknowledged bytes that may be under way, 1–4 MiB.
    pub credit_bytes: u32,
    /// Raised and stored by the device before each `Hello` or `Resume`, ≥ 1.
    pub connection_counter: u64,
    /// The generation that `cursor` belongs to; 0 for a device without one.
    pub generation: u64,
    /// The last position that the device has stored.
    pub cursor: u64,
}
envelope!(Hello, ArchivedHello, {
    version_min, version_max, kinds_count, token_length, device, app_build, mode,
    credit_frames, credit_bytes, connection_counter, generation, cursor,
}, check_ranges);

/// Opens a session by the ticket of an earlier one. Target: the user. Tail: `kinds_count` ×
/// u16 kinds that the client understands, then `ticket_length` bytes of sealed ticket. No
/// payload.
#[derive(Archive, Serialize, Clone, Debug, PartialEq, Eq)]
pub struct Resume {
    /// As in `Hello`.
    pub version_min: u16,
    /// As in `Hello`.
    pub version_max: u16,
    /// As in `Hello`.
    pub kinds_count: u16,
    /// Bytes of the sealed ticket in the tail, ≤ 1024.
    pub ticket_length: u16,
    /// The install of the app.
    pub device: u128,
    /// As in `Hello`.
    pub app_build: u32,
    /// As in `Hello`.
    pub mode: u16,
    /// As in `Hello`.
    pub credit_frames: u32,
    /// As in `Hello`.
    pub credit_bytes: u32,
    /// Raised and stored by the device before each `Hello` or `Resume`, ≥ 1.
    pub connection_counter: u64,
    /// As in `Hello`.
    pub generation: u64,
    /// As in `Hello`.
    pub cursor: u64,
    /// The first half of the proof, see [`crate::ticket::proof_message`].
    pub proof_low: u128,
    /// The second half.
    pub proof_high: u128,
}
envelope!(Resume, ArchivedResume, {
    version_min, version_max, kinds_count, ticket_length, device, app_build, mode,
    credit_frames, credit_bytes, connection_counter, generation, cursor, proof_low, proof_high,
}, check_ranges);

/// A new token for this session. Target: the acting user. Tail: `token_length` bytes of token. No
/// payload.
#[derive(Archive, Serialize, Clone, Debug, PartialEq, Eq)]
pub struct Renew {
    /// Bytes of the token in the tail, 1–2048.
    pub token_length: u16,
}
envelope!(Renew, ArchivedRenew, { token_length }, check_ranges);

/// The session goes on. Target: the user. Tail: `ticket_length` bytes of resume ticket. No
/// payload.
#[derive(Archive, Serialize, Clone, Debug, PartialEq, Eq)]
pub struct Renewed {
    /// When the new token expires, ms since 1970.
    pub expires_at_ms: u64,
    /// Bytes of resume ticket in the tail; 0 where none is given.
    pub ticket_length: u16,
}
envelope!(Renewed, ArchivedRenewed, { expires_at_ms, ticket_length }, check_ranges);

/// The session is open. Target: the user. Tail: `kinds_count` × u16 kinds that the server
/// will accept, then `ticket_length` bytes of resume ticket. No payload.
#[derive(Archive, Serialize, Clone, Debug, PartialEq, Eq)]
pub struct Welcome {
    /// The version chosen.
    pub version: u16,
    /// Kinds listed in the tail.
    pub kinds_count: u16,
    /// Bytes of resume ticket in the tail; 0 where none is given.
    pub ticket_length: u16,
    /// 1 where the device had lapsed and starts at the floor, else 0.
    pub lapsed: u16,
    /// The server's clock, ms since 1970.
    pub server_time_ms: u64,
    /// A number of this session, for support.
    pub session: u64,
    /// The generation that positions of this session belong to.
    pub generation: u64,
    /// Entries behind this position follow.
    pub cursor: u64,
    /// Entries that wait.
    pub pending_count: u64,
    /// Payload bytes of the entries that wait.
    pub pending_bytes: u64,
    /// Longest frame that the server takes.
    pub frame_bytes_max: u32,
    /// Undecided messages that a device may have in a chat.
    pub undecided_max: u16,
    /// Shortest interval of pings that the server likes, seconds.
    pub heartbeat_min_s: u16,
    /// Longest interval of pings that the server allows, seconds.
    pub heartbeat_max_s: u16,
}
envelope!(Welcome, ArchivedWelcome, {
    version, kinds_count, ticket_length, lapsed, server_time_ms, session, generation, cursor,
    pending_count, pending_bytes, frame_bytes_max, undecided_max, heartbeat_min_s,
    heartbeat_max_s,
}, check_ranges);

/// Asks for a `Pong`. Target: 0. No payload.
#[derive(Archive, Serialize, Clone, Debug, PartialEq, Eq)]
pub struct Ping {
    /// Any value; the `Pong` carries it back.
    pub echo: u64,
}
envelope!(Ping, ArchivedPing, { echo });

/// Answers a `Ping` with its tag, or a `Probe` with tag 0. Target: 0. No payload.
#[derive(Archive, Serialize, Clone, Debug, PartialEq, Eq)]
pub struct Pong {
    /// The value of the `Ping` or `Probe`.
    pub echo: u64,
}
envelope!(Pong, ArchivedPong, { echo });

/// The server asks whether anybody is there. Target: 0. No payload.
#[derive(Archive, Serialize, Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Any value; a `Pong` carries it back.
    pub echo: u64,
}
envelope!(Probe, ArchivedProbe, { echo });

/// The server is going away: send nothing new, connect again. Target: 0. No payload.
#[derive(Archive, Serialize, Clone, Debug, PartialEq, Eq)]
pub struct GoAway {
    /// Why, a code.
    pub code: u16,
    /// Connect again after this time.
    pub delay_ms: u32,
}
envelope!(GoAway, ArchivedGoAway, { code, delay_ms }, check_ranges);

/// The request with this tag failed; with tag 0 the connection did, and closes behind
/// this frame. Target: 0. No payload.
#[derive(Archive, Serialize, Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// What went wrong, a code.
    pub code: u16,
    /// Number of the kind that caused it, 0 where none did.
    pub kind: u16,
    /// For codes of the class `retry_after`.
    pub retry_after_ms: u32,
}
envelope!(Error, ArchivedError, { code, kind, retry_after_ms }, check_ranges);
