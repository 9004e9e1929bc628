//! What a client is opened with.

use std::path::PathBuf;

use answerback_proto::id::{DeviceId, UserId};

use crate::session::Mode;
use crate::transport::Security;

/// Who, where to, and where everything is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The box: `host:port`.
    pub address: String,
    /// How its connections are protected; at first plain TCP to this machine and no other.
    pub security: Security,
    /// Whose device it is.
    pub user: UserId,
    /// The install of the app: a random number, drawn once and kept with `database`. An app
    /// that lost its database draws another.
    pub device: DeviceId,
    /// The device's file. It belongs to one process at a time.
    pub database: PathBuf,
    /// The app's build number, for the operator's statistics.
    pub app_build: u32,
    /// How the app is used at first: `Active` or `Background`.
    pub mode: Mode,
}

impl Options {
    /// Of an app without a build number that somebody looks at, with a box on this machine.
    pub fn new(address: String, user: UserId, device: DeviceId, database: PathBuf) -> Self {
        let security = Security::default();
        Self { address, security, user, device, database, app_build: 0, mode: Mode::Active }
    }
}

/// Where tokens come from. It is asked when a session is to be opened and the last one left no
/// resume ticket that is still good, and before the token of an open session expires: on the
/// client's thread, so it may ask the operator's account service, while the connection waits. What
/// it says instead of a token is shown as the reason of being offline, and it is asked again later.
pub trait TokenSource: Send + Sync {
    /// A token of the client's user and device that has not expired.
    ///
    /// # Errors
    /// Why there is none now.
    fn token(&self) -> Result<String, String>;
}
