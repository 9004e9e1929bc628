//! What a box answers.

use std::path::Path;

use serde::{Deserialize, Serialize};

use answerback_directory::shard::view::MessageName;
use answerback_gateway::{Command, Control, StopHandle};
use answerback_proto::id::{PartitionId, Sequence};
use answerback_store::Store;
use serde_json::{Value, json};
use tracing::warn;

use super::administration::{Administration, parse_device, parse_token, parse_user};
use super::status::Status;
use super::{Answer, Request};
use crate::admin::{Phase, Readiness};
use crate::clock::Clock;
use crate::exit::Failure;
use crate::inspection;
use crate::users::UserPage;
use crate::watch::WatchView;

/// Partitions are held for so long at most, ms.
const HELD_MS_MAX: u64 = 60_000;

/// What requests are answered from.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) status: Status,
    pub(crate) clock: Clock,
    pub(crate) readiness: Readiness,
    pub(crate) watch: WatchView,
    pub(crate) store: Store,
    /// Hands to the shards what concerns them.
    pub(crate) shards: Control,
    /// Stops the box.
    pub(crate) stop: StopHandle,
}

/// What a scrub found, a line each.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Damages {
    pub(crate) damages: Vec<String>,
}

impl Damages {
    /// Reads all that a store has.
    pub(crate) fn of(store: &Store) -> Self {
        Self { damages: store.scrub().iter().map(ToString::to_string).collect() }
    }
}

impl Desk {
    /// Does what is asked.
    pub(super) fn answer(&self, request: Request) -> Answer {
        let done = match request {
            Request::Status {} => self.status(),
            Request::Inspect {} => self.inspect(),
            Request::InspectUser { user } => self.inspect_user(&user),
            Request::Trace { sender, device, chat, sequence } => {
                self.trace(&sender, &device, &chat, sequence)
            }
            Request::Drain {} => self.drain(),
            Request::Backup { to } => self.backup(&to),
            Request::Scrub {} => self.scrub(),
            Request::AddUser { user } => self.add_user(&user),
            Request::RevokeDevice { user, device } => self.revoke_device(&user, &device),
            Request::RevokeUser { user } => self.revoke_user(&user),
            Request::RevokeTokens { user, issued_before_s } => {
                self.revoke_tokens(&user, issued_before_s)
            }
            Request::RevokeToken { user, token, expires_s } => {
                self.revoke_token(&user, &token, expires_s)
            }
            Request::PurgeUser { user } => self.purge_user(&user),
            Request::ListUsers { after, count } => self.list_users(after.as_deref(), count),
            Request::ConfirmClock {} => self.administer(Command::ConfirmClock),
            Request::HoldPartitions { partitions, for_ms } => self.hold(&partitions, for_ms),
        };
        match done {
            Ok(value) => Answer::Done(value),
            Err(failure) => Answer::Error(failure.line().to_owned()),
        }
    }

    fn status(&self) -> Result<Value, Failure> {
        let uptime_s = self.clock.elapsed().as_secs();
        let now = self.status.now(uptime_s, &self.readiness.phase(), &self.watch);
        Ok(serde_json::to_value(now)?)
    }

    fn inspect(&self) -> Result<Value, Failure> {
        Ok(serde_json::to_value(inspection::of_box(&self.store)?)?)
    }

    /// Sessions are of now; the rest is as of a checkpoint that came after the question.
    fn inspect_user(&self, user: &str) -> Result<Value, Failure> {
        let user = parse_user(user)?;
        let home = inspection::home_of(&self.store, user);
        let lacking = inspection::settle(&self.store.reader(), &[home])?;
        let sessions = self.shards.sessions(user)?;
        let found = inspection::of_user(&self.store, user, Some(&sessions), lacking)?;
        Ok(serde_json::to_value(found)?)
    }

    fn trace(
        &self,
        sender: &str,
        device: &str,
        chat: &str,
        sequence: u64,
    ) -> Result<Value, Failure> {
        let name = MessageName {
            sender: parse_user(sender)?,
            device: parse_device(device)?,
            recipient: parse_user(chat)?,
            sequence: Sequence(sequence),
        };
        let homes = inspection::homes(&self.store, &name);
        let lacking = inspection::settle(&self.store.reader(), &homes)?;
        Ok(serde_json::to_value(inspection::of_message(&self.store, &name, lacking)?)?)
    }

    fn backup(&self, to: &Path) -> Result<Value, Failure> {
        if to.is_relative() {
            return Err(Failure::new("a backup goes to an absolute path"));
        }
        self.store.backup(to)?;
        Ok(json!({ "to": to }))
    }

    fn hold(&self, partitions: &[u16], for_ms: u64) -> Result<Value, Failure> {
        if for_ms > HELD_MS_MAX {
            return Err(Failure::new(format_args!("at most {HELD_MS_MAX} ms")));
        }
        warn!("{partitions:?} hear nothing for {for_ms} ms, as asked");
        let partitions: Vec<_> = partitions.iter().copied().map(PartitionId).collect();
        self.shards.hold(&partitions, for_ms)?;
        Ok(json!({}))
    }

    fn drain(&self) -> Result<Value, Failure> {
        self.readiness.enter(Phase::Draining);
        self.stop.trigger();
        Ok(json!({}))
    }

    fn scrub(&self) -> Result<Value, Failure> {
        Ok(serde_json::to_value(Damages::of(&self.store))?)
    }

    fn add_user(&self, user: &str) -> Result<Value, Failure> {
        self.administer(Command::AddUser(parse_user(user)?))
    }

    fn revoke_device(&self, user: &str, device: &str) -> Result<Value, Failure> {
        self.administer(Command::Revoke(parse_user(user)?, parse_device(device)?))
    }

    fn revoke_user(&self, user: &str) -> Result<Value, Failure> {
        self.administer(Command::RevokeUser(parse_user(user)?))
    }

    fn revoke_tokens(&self, user: &str, issued_before_s: u64) -> Result<Value, Failure> {
        self.administer(Command::RevokeTokens(parse_user(user)?, issued_before_s))
    }

    fn revoke_token(&self, user: &str, token: &str, expires_s: u64) -> Result<Value, Failure> {
        self.administer(Command::RevokeToken(parse_user(user)?, parse_token(token)?, expires_s))
    }

    fn purge_user(&self, user: &str) -> Result<Value, Failure> {
        self.administer(Command::PurgeUser(parse_user(user)?))
    }

    fn list_users(&self, after: Option<&str>, count: usize) -> Result<Value, Failure> {
        let after = after.map(parse_user).transpose()?;
        Ok(serde_json::to_value(UserPage::read(&self.store, after, count)?)?)
    }

    fn administer(&self, command: Command) -> Result<Value, Failure> {
        let outcome = self.shards.ask(command)?.into();
        Ok(serde_json::to_value(Administration { outcome })?)
    }
}
