//! What a user's devices are called, and when they were here.

use answerback_directory::partition_table::PartitionTable;
use answerback_directory::shard::view;
use answerback_proto::id::{DeviceId, UserId};
use answerback_proto::record::DeviceNamed;
use answerback_sdk::session::Outcome;

use super::account::Standing;
use super::{Breach, Model, require};
use crate::disk::Disk;

impl Model {
    /// A device that is the user's, and not revoked, has another name.
    pub(super) fn name_device(&mut self, record: &DeviceNamed, name: &[u8]) {
        let (user, id) = (UserId(record.user), DeviceId(record.device));
        let device = self.device_mut(id);
        let is_there = matches!(device.standing, Standing::Active | Standing::Lapsed);
        if device.user == user && is_there {
            device.name = String::from_utf8_lossy(name).into_owned();
        }
    }

    /// A user was told of the devices that are the user's, and of no others; of groups as they
    /// are.
    pub(crate) fn handle_answered(&self, user: UserId, outcome: &Outcome) -> Result<(), Breach> {
        self.check_described(outcome)?;
        let Outcome::Devices(listed) = outcome else { return Ok(()) };
        for known in listed {
            let device = self.device(known.device);
            require(device.user == user && device.standing != Standing::Unknown, || {
                format!("user {user} was told of device {}, which is another's", known.device)
            })?;
        }
        Ok(())
    }

    /// The tables say of each device what the records made of it.
    pub(crate) fn check_devices(&self, disk: &Disk, table: PartitionTable) -> Result<(), Breach> {
        for account in &self.accounts {
            let fault = |fault| Breach(format!("the tables cannot be read: {fault}"));
            let Some(seen) = view::user(disk, table, account.id).map_err(fault)? else { continue };
            for found in seen.devices {
                let known = self.device(found.device);
                let is_same = (found.name.as_str(), found.last_login_ms)
                    == (known.name.as_str(), known.last_login_ms / 1000 * 1000);
                require(is_same, || {
                    format!(
                        "device {} is {:?} and logged in at {}, but on the disk {:?} and {}",
                        found.device,
                        known.name,
                        known.last_login_ms,
                        found.name,
                        found.last_login_ms
                    )
                })?;
            }
        }
        Ok(())
    }
}
