//! How a running box is asked: `DIR/control.sock`, a Unix domain socket that only the box's
//! own user may open.
//!
//! ```text
//! command ── {"request":"backup","to":"/backups/monday"}\n ──► box, threads "control"
//! command ◄── {"done":{…}}\n  or  {"error":"…"}\n ──────────── one answer, then it closes
//! ```
//! A command asks first, and opens the data directory itself where nobody serves it: the
//! directory's lock tells the two apart, never the socket's file, which a killed box leaves
//! and the next one replaces.
//!
//! A new request is a variant of [`Request`] and an arm in `desk.rs`. One that concerns a
//! shard is handed to the gateway and waited for: these threads may wait, a core may not.

mod administration;
mod client;
mod desk;
mod server;
mod socket;
mod status;
mod warnings;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(crate) use administration::{Administration, Outcome};
pub(crate) use client::ask;
pub(crate) use desk::{Damages, Desk};
pub(crate) use server::ControlServer;
pub(crate) use socket::ControlSocket;
pub(crate) use status::{DiskStatus, OutboxStatus, ProcessStatus, Rates, Seen, Status, Traffic};
#[cfg(test)]
pub(crate) use warnings::Warning;

/// A request or an answer is no longer.
const LINE_BYTES_MAX: u64 = 1024 * 1024;

/// What a box may be asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Request {
    /// How it is.
    Status {},
    /// What it holds.
    Inspect {},
    /// How a user stands.
    InspectUser { user: String },
    /// Where a message is.
    Trace { sender: String, device: String, chat: String, sequence: u64 },
    /// To stop in good order, since another box takes its place.
    Drain {},
    /// To copy all that is committed; an absolute path.
    Backup { to: PathBuf },
    /// To read all that is on its disk.
    Scrub {},
    /// To let a user exist.
    AddUser { user: String },
    /// To take a device from its user.
    RevokeDevice { user: String, device: String },
    /// To take all devices from a user.
    RevokeUser { user: String },
    /// To take no older token of a user's any more.
    RevokeTokens { user: String, issued_before_s: u64 },
    /// To take one token of a user's no more; its id.
    RevokeToken { user: String, token: String, expires_s: u64 },
    /// To end a user.
    PurgeUser { user: String },
    /// Which users there are behind one, at most so many.
    ListUsers { after: Option<String>, count: usize },
    /// To trust the clock again.
    ConfirmClock {},
    /// To have partitions hear nothing of others for a while, at most a minute: a fault, for tests
    /// of what goes on beside it. No command asks for it.
    HoldPartitions { partitions: Vec<u16>, for_ms: u64 },
}

impl Request {
    /// Whether it reads much, or waits.
    fn is_slow(&self) -> bool {
        matches!(
            self,
            Self::Inspect {}
                | Self::InspectUser { .. }
                | Self::Trace { .. }
                | Self::ListUsers { .. }
                | Self::Backup { .. }
                | Self::Scrub {}
        )
    }
}

/// What it says.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    /// It is done; what came of it.
    Done(Value),
    /// It is not, and what to do about that.
    Error(String),
}
