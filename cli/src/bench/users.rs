//! The users of a run: new ones each time, so that nothing of an earlier run is in the way.

use std::path::PathBuf;

use answerback_proto::id::{DeviceId, UserId};
use clap::Args;

use crate::exit::Failure;
use crate::keys::Signer;
use crate::random;

/// A run is shorter than this.
const TOKEN_HOURS: u32 = 24;
/// Ids of a run lie close together; the part above these bits is drawn by lot.
const INDEX_BITS: u32 = 32;

/// Which ids, and who signs for them.
#[derive(Args)]
pub(super) struct UserArguments {
    /// The directory of development keys; without it logins carry no token (the relay asks
    /// for none).
    #[arg(long, value_name = "DIR")]
    keys: Option<PathBuf>,
    /// First id of the users; else drawn by lot.
    #[arg(long, value_name = "ID")]
    user_base: Option<u128>,
    /// First id of the devices; else drawn by lot. A device that has run before must not
    /// come again: its numbers would begin anew.
    #[arg(long, value_name = "ID")]
    device_base: Option<u128>,
}

/// Who logs in on a connection.
#[derive(Clone, Debug)]
pub(super) struct Login {
    pub(super) user: UserId,
    pub(super) device: DeviceId,
    pub(super) token: String,
}

impl UserArguments {
    /// The logins of a run.
    pub(super) fn logins(&self, count: usize) -> Result<Vec<Login>, Failure> {
        let signer = self.keys.as_deref().map(Signer::open).transpose()?;
        let base = |fixed: Option<u128>| fixed.map_or_else(drawn, Ok);
        let (users, devices) = (base(self.user_base)?, base(self.device_base)?);
        (0..count as u128)
            .map(|index| {
                let user = UserId(users.wrapping_add(index));
                let device = DeviceId(devices.wrapping_add(index));
                let token = match &signer {
                    Some(signer) => signer.token(user, device, TOKEN_HOURS)?,
                    None => String::new(),
                };
                Ok(Login { user, device, token })
            })
            .collect()
    }
}

fn drawn() -> Result<u128, Failure> {
    Ok(random::id()? >> INDEX_BITS << INDEX_BITS)
}
