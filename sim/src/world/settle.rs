//! The end: faults stop, everything comes to rest, and is held against the model.

use answerback_directory::shard::checkpoint::Table;
use answerback_proto::id::DeviceId;

use super::World;
use crate::disk::Disk;
use crate::front::Front;
use crate::model::Breach;

/// Steps within which a world without faults must settle.
const SETTLING_STEPS_MAX: u32 = 400_000;

impl World {
    /// Everybody is there with a device, and everything comes to its outcome.
    pub(super) fn end(&mut self) -> Result<(), Breach> {
        self.is_settling = true;
        self.front.iter_mut().for_each(|front| front.halt(None));
        self.settle()?;
        self.sync()?;
        let living: Vec<DeviceId> = self.living().map(|client| client.device).collect();
        self.model.check_settled(&living)?;
        self.check_restart()
    }

    fn settle(&mut self) -> Result<(), Breach> {
        for _ in 0..SETTLING_STEPS_MAX {
            if self.random.u8(..8) == 0 && self.unsettled().is_none() {
                return Ok(());
            }
            self.step()?;
        }
        let why = self.unsettled().unwrap_or_default();
        Err(Breach(format!("the world does not settle: {why}")))
    }

    /// What still moves, or has to.
    fn unsettled(&self) -> Option<String> {
        if let Some(client) = self.living().find(|client| !client.is_settled()) {
            return Some(format!("device {} is not done: {:?}", client.device, client.session()));
        }
        if let Some((user, device)) = self.unused_device() {
            return Some(format!("device {device} of user {user} is not revoked"));
        }
        if let Some(user) = self.user_without_device() {
            return Some(format!("user {user} has no device"));
        }
        if self.model.is_clock_doubted() {
            return Some("a clock is not confirmed".into());
        }
        if self.model.is_purging() {
            return Some("a purge is not done".into());
        }
        if self.model.has_untold() {
            return Some("somebody has yet to be told who has his message".into());
        }
        if self.model.has_withheld() {
            return Some("something is withheld".into());
        }
        if self.model.has_overdue(self.wall_ms) {
            return Some("a message has lived too long".into());
        }
        let of_box = || match &self.front {
            Some(front) => front.unsettled(),
            None => Some("the box is down".into()),
        };
        self.model.undrained().or_else(of_box)
    }

    /// What the disk holds makes the state that the box has: a restart changes nothing. The
    /// last checkpoints of both have the same rows, and no more of them than are alive.
    fn check_restart(&mut self) -> Result<(), Breach> {
        let Some(mut lived) = self.front.take() else { return Ok(()) };
        let mut restored = Front::start(&self.with, &self.disk)?;
        let (mut by_lived, mut by_restored) = (self.disk.clone(), self.disk.clone());
        lived.checkpoint_all(&mut by_lived);
        restored.checkpoint_all(&mut by_restored);
        // When users acted is in no journal: a restart may know less of it.
        for &table in Table::ALL.iter().filter(|table| **table != Table::Presence) {
            compare(table, &by_lived, &by_restored)?;
        }
        self.model.check_devices(&by_lived, self.with.table)?;
        self.model.check_rows(&by_lived)
    }
}

fn compare(table: Table, lived: &Disk, restored: &Disk) -> Result<(), Breach> {
    let (lived, restored) = (lived.rows(table), restored.rows(table));
    if lived == restored {
        return Ok(());
    }
    let other = lived.iter().find(|(key, value)| restored.get(*key) != Some(*value));
    let missing = restored.keys().find(|key| !lived.contains_key(*key));
    Err(Breach(format!(
        "a restart makes another table {}: {other:?} lived, {missing:?} came of it",
        table.name()
    )))
}
