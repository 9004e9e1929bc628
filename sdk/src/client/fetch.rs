//! What a phone's push extension does in its seconds and megabytes: take what waits, leave.

use std::sync::Arc;
use std::time::Duration;

use super::device::Device;
use super::shared::Shared;
use super::worker::Worker;
use super::{ConnectionState, Error, Options, TokenSource, check};
use crate::session::Mode;
use crate::transport::{Connector, bell};

/// What a fetch brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// Messages that were received and stored.
    pub stored_count: u64,
    /// Whether all that waited is here; else more is left for the app, or for the next push.
    pub is_complete: bool,
}

/// Connects, stores and acknowledges all that waits for the device, and leaves: on the
/// calling thread, in `deadline_ms`, within 24 MB of memory. It sends nothing, and nobody sees
/// the user online by it.
///
/// The app takes the messages from the file, by `to_hand_over` or `chat`. While the app has
/// the file open, a fetch fails with the class `Storage`: then the app is there to receive.
///
/// # Errors
/// A file that cannot be opened, a server that closes the session for good. No network is no
/// error: then nothing was stored, and it is not complete.
pub fn fetch_once(
    options: Options,
    tokens: Box<dyn TokenSource>,
    deadline_ms: u64,
) -> Result<Fetched, Error> {
    let options = Options { mode: Mode::Fetch, ..options };
    check(&options)?;
    let connector = Connector::new(&options.address, &options.security)?;
    let (bell, sleeper) = bell().map_err(Error::of_system)?;
    let shared = Arc::new(Shared::new(Device::open(&options, fastrand::u64(..))?, bell));
    let mut worker = Worker::new(Arc::clone(&shared), connector, &options, tokens, sleeper);
    let mut is_asked = false;
    loop {
        let left_ms = deadline_ms.saturating_sub(shared.clock.now_ms());
        let fetched = shared.with(|device| progress(device, &mut is_asked))?;
        if fetched.is_complete || left_ms == 0 {
            return Ok(fetched);
        }
        worker.turn(Some(Duration::from_millis(left_ms)));
    }
}

/// It is complete when a ping behind the last acknowledgement was answered: then the server
/// has taken both.
fn progress(device: &mut Device, is_asked: &mut bool) -> Result<Fetched, Error> {
    if let ConnectionState::Stopped { error } = device.connection(0) {
        return Err(error);
    }
    let is_there = device.is_caught_up && device.link.session().is_open();
    let is_complete = is_there && *is_asked && device.link.session().is_answered();
    if is_there && !*is_asked {
        device.link.session().ask();
    }
    *is_asked = is_there;
    Ok(Fetched { stored_count: device.statistics.received_count, is_complete })
}
