//! Users and devices come and go.

use answerback_proto::code::Code;
use answerback_proto::id::{DeviceId, Position, UserId};
use answerback_proto::record::{Connect, Login, Revoke};

use super::super::effect::Administered;
use super::super::grant::Grant;
use super::super::user::{Device, Existence, Standing, User};
use super::tokens::check;
use super::{Consequences, Missing, State, Verdict, require_known};

impl State {
    /// A login from before there were tickets.
    pub(super) fn connect(
        &mut self,
        record: &Connect,
        consequences: &mut Consequences,
    ) -> Result<Verdict, Missing> {
        let of = (UserId(record.user), DeviceId(record.device));
        self.log_in(of, record.connection_counter, 0, consequences)
    }

    /// A login.
    pub(super) fn login(
        &mut self,
        record: &Login,
        consequences: &mut Consequences,
    ) -> Result<Verdict, Missing> {
        let (acting, id) = (UserId(record.user), DeviceId(record.device));
        let (counter, grant) = (record.connection_counter, Grant::from(record));
        if let Err(code) = check(self.user(acting)?, id, &grant) {
            return Ok(Verdict::Refused(code));
        }
        self.log_in((acting, id), counter, grant.ticket.unwrap_or(counter), consequences)
    }

    /// Lets a device in; nothing changes where it is refused.
    fn log_in(
        &mut self,
        (acting, id): (UserId, DeviceId),
        counter: u64,
        ticket: u64,
        consequences: &mut Consequences,
    ) -> Result<Verdict, Missing> {
        let devices_max = self.settings.devices_max;
        let last_login_s = u32::try_from(self.clock_ms / 1000).unwrap_or(u32::MAX);
        let user = self.user(acting)?;
        let (floor, is_full) = (user.floor, has_enough(user, devices_max));
        let is_purging = user.existence == Existence::Purging;
        let is_group = user.existence == Existence::Group;
        let lapsed = match user.device_mut(id) {
            Some(device) if device.standing == Standing::Revoked => {
                return Ok(Verdict::Refused(Code::DeviceRevoked));
            }
            Some(device) if counter <= device.connection_counter => {
                return Ok(Verdict::Refused(Code::DeviceRolledBack));
            }
            Some(device) => {
                device.connection_counter = counter;
                device.ticket = ticket;
                device.last_login_s = last_login_s;
                device.changed = true;
                if device.standing == Standing::Lapsed {
                    device.cursor = floor;
                    device.standing = Standing::Returned;
                    consequences.devices_changed.push(acting);
                }
                device.standing == Standing::Returned
            }
            None if is_group => {
                return Ok(Verdict::Refused(Code::UnknownUser));
            }
            None if is_purging => {
                return Ok(Verdict::Refused(Code::Busy));
            }
            None if is_full => {
                return Ok(Verdict::Refused(Code::TooManyDevices));
            }
            None => {
                let floor = match floor {
                    _ if planted!(NewDeviceAtStart) => Position(0),
                    _ if planted!(NewDeviceAtEnd) => user.inbox.last_position(),
                    floor => floor,
                };
                user.existence = Existence::Exists;
                user.add_device(Device {
                    id,
                    cursor: floor,
                    connection_counter: counter,
                    ticket,
                    last_login_s,
                    changed: true,
                    ..Device::default()
                });
                consequences.devices_changed.push(acting);
                false
            }
        };
        self.digest.mix(counter);
        if ticket > 0 {
            self.digest.mix(ticket);
        }
        self.list(acting);
        Ok(Verdict::Connected { lapsed })
    }

    pub(super) fn add_user(&mut self, added: UserId) -> Result<Verdict, Missing> {
        let user = self.user(added)?;
        match user.existence {
            Existence::Unknown | Existence::Purged => user.existence = Existence::Exists,
            Existence::Exists => return Ok(Verdict::Administered(Administered::WasSo)),
            Existence::Purging => return Ok(Verdict::Administered(Administered::Busy)),
            Existence::Group => return Ok(Verdict::Administered(Administered::Unknown)),
        }
        self.digest.mix(added.0 as u64);
        self.list(added);
        Ok(Verdict::Administered(Administered::Done))
    }

    /// What the device owed, it owes no more.
    pub(super) fn revoke(
        &mut self,
        record: &Revoke,
        consequences: &mut Consequences,
    ) -> Result<Verdict, Missing> {
        let (acting, id) = (UserId(record.user), DeviceId(record.device));
        let user = self.user(acting)?;
        match user.device(id).map(|device| device.standing) {
            None => return Ok(Verdict::Administered(Administered::Unknown)),
            Some(Standing::Revoked) => return Ok(Verdict::Administered(Administered::WasSo)),
            Some(_) => {}
        }
        let left_up_to = user.left_up_to();
        let last = user.inbox.last_position();
        require_known(user, left_up_to, last)?;
        self.require_bodies(acting, left_up_to, last)?;
        if let Some(device) = self.user(acting)?.device_mut(id) {
            device.revoke();
        }
        consequences.devices_changed.push(acting);
        self.digest.mix(id.0 as u64);
        self.let_leave(acting, left_up_to);
        self.list(acting);
        Ok(Verdict::Administered(Administered::Done))
    }

    /// The same of all devices of a user.
    pub(super) fn revoke_user(
        &mut self,
        acting: UserId,
        consequences: &mut Consequences,
    ) -> Result<Verdict, Missing> {
        let user = self.user(acting)?;
        if !user.exists() {
            return Ok(Verdict::Administered(Administered::Unknown));
        }
        let left_up_to = user.left_up_to();
        let last = user.inbox.last_position();
        require_known(user, left_up_to, last)?;
        self.require_bodies(acting, left_up_to, last)?;
        if !self.user(acting)?.revoke_all_devices() {
            return Ok(Verdict::Administered(Administered::WasSo));
        }
        consequences.devices_changed.push(acting);
        self.digest.mix(acting.0 as u64);
        self.let_leave(acting, left_up_to);
        self.list(acting);
        Ok(Verdict::Administered(Administered::Done))
    }
}

/// Revoked ones are remembered, and count for the memory that they take: a tenth as many.
fn has_enough(user: &User, devices_max: u16) -> bool {
    let revoked = user.devices.iter().filter(|device| device.standing == Standing::Revoked).count();
    let others = user.devices.len() - revoked;
    others >= usize::from(devices_max) || revoked >= 10 * usize::from(devices_max)
}
