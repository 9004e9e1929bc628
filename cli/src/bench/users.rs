//! The users of a run: new ones each time, so that nothing of an earlier run is in the way.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use answerback_proto::id::{DeviceId, UserId};
use answerback_proto::ticket::{SECRET_BYTES, Ticket};
use clap::Args;

use crate::clock::unix_ms;
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

/// The first ids of a run's users and devices; a connection's lie `index` behind them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bases {
    pub(super) user: u128,
    pub(super) device: u128,
}

/// Who logs in on a connection.
#[derive(Clone, Debug)]
pub(super) struct Login {
    pub(super) user: UserId,
    pub(super) device: DeviceId,
    pub(super) token: String,
    /// Of its last session, where it comes back by one.
    pub(super) ticket: Option<Arc<ResumeTicket>>,
    /// Greater than at any login of this device before.
    pub(super) connection_counter: u64,
}

/// What a device comes back with in place of a token.
#[derive(Debug)]
pub(super) struct ResumeTicket {
    pub(super) secret: [u8; SECRET_BYTES],
    pub(super) sealed: Vec<u8>,
}

impl ResumeTicket {
    /// That of a `Welcome`, if there is one.
    pub(super) fn read(ticket: &[u8]) -> Option<Self> {
        let Ticket { secret, sealed, .. } = Ticket::read(ticket)?;
        Some(Self { secret, sealed: sealed.to_vec() })
    }
}

impl UserArguments {
    /// Where the ids of this run begin.
    pub(super) fn bases(&self) -> Result<Bases, Failure> {
        let base = |fixed: Option<u128>| fixed.map_or_else(drawn, Ok);
        Ok(Bases { user: base(self.user_base)?, device: base(self.device_base)? })
    }

    /// The logins of a range of a run's users.
    pub(super) fn logins(
        &self,
        bases: Bases,
        indexes: Range<usize>,
    ) -> Result<Vec<Login>, Failure> {
        let issuer = self.issuer(bases)?;
        indexes.map(|index| issuer.login(index)).collect()
    }

    /// Who makes logins, one by one.
    pub(super) fn issuer(&self, bases: Bases) -> Result<Issuer, Failure> {
        let signer = self.keys.as_deref().map(Signer::open).transpose()?;
        Ok(Issuer { signer, bases, connection_counter: unix_ms() })
    }
}

/// Makes the logins of a run's users.
pub(super) struct Issuer {
    signer: Option<Signer>,
    bases: Bases,
    connection_counter: u64,
}

impl Issuer {
    /// For servers that ask for no token.
    #[cfg(test)]
    pub(super) fn without_tokens(bases: Bases) -> Self {
        Self { signer: None, bases, connection_counter: 1 }
    }

    /// The first login of a user in this run.
    pub(super) fn login(&self, index: usize) -> Result<Login, Failure> {
        let user = UserId(self.bases.user.wrapping_add(index as u128));
        let device = DeviceId(self.bases.device.wrapping_add(index as u128));
        let token = match &self.signer {
            Some(signer) => signer.token(user, device, TOKEN_HOURS)?,
            None => String::new(),
        };
        Ok(Login { user, device, token, ticket: None, connection_counter: self.connection_counter })
    }
}

fn drawn() -> Result<u128, Failure> {
    Ok(random::id()? >> INDEX_BITS << INDEX_BITS)
}
