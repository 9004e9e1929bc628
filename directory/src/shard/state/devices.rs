//! What a user's own devices do about each other.

use answerback_proto::id::{DeviceId, UserId};
use answerback_proto::record::DeviceNamed;

use super::super::effect::Administered;
use super::super::user::{Device, Standing};
use super::{Missing, State, Verdict};

impl State {
    /// A device has another name, or none; one that is revoked gets none.
    pub(super) fn name_device(
        &mut self,
        record: &DeviceNamed,
        name: &[u8],
    ) -> Result<Verdict, Missing> {
        let (acting, id) = (UserId(record.user), DeviceId(record.device));
        let user = self.user(acting)?;
        let is_there = |device: &&mut Device| device.standing != Standing::Revoked;
        let Some(device) = user.device_mut(id).filter(is_there) else {
            return Ok(Verdict::Administered(Administered::Unknown));
        };
        // It was checked before it was journaled.
        let name = std::str::from_utf8(name).unwrap_or_default();
        if device.name() == name {
            return Ok(Verdict::Administered(Administered::WasSo));
        }
        device.set_name(name);
        self.digest.mix(id.0 as u64);
        self.list(acting);
        Ok(Verdict::Administered(Administered::Done))
    }
}
