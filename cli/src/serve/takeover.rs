//! A box that takes the place of another, which serves the same data.
//!
//! ```text
//! old │ serves ──────────────── asked to drain: tells clients to go ── checkpoint ── gone
//! new │        listens beside it ─────────────────────── who connects waits ──────── serves
//! ```
//! Both listen for a moment, so the port is never closed. The data directory's lock says when
//! the old one is gone: by then it has written all that it had, or was killed, which is the
//! same to the new one.

use std::time::Duration;

use answerback_gateway::Listening;
use answerback_store::{OpenError, Store};
use tracing::info;

use super::startup::new_box;
use super::system::processors;
use crate::clock::{Clock, pause};
use crate::config::Configuration;
use crate::control::{Request, Status, ask};
use crate::exit::Failure;

/// How often the lock is tried.
const TRY_PERIOD: Duration = Duration::from_millis(10);
/// Beyond the time that clients have: the last commits and checkpoints.
const PATIENCE: Duration = Duration::from_secs(60);

/// Listens beside the box that serves the data, has it drain, and opens the data once it is
/// gone; `None` where nobody serves it.
pub(super) fn take_over(
    configuration: &Configuration,
) -> Result<Option<(Listening, Store)>, Failure> {
    let Some(status) = ask(&configuration.data, &Request::Status {})? else { return Ok(None) };
    let status: Status = serde_json::from_value(status)?;
    let cores = configuration.cores.unwrap_or_else(processors).min(status.partitions);
    let listening = Listening::bind(&configuration.gateway, cores, true)?;
    ask(&configuration.data, &Request::Drain {})?;
    info!(process = status.process, "taking over from a box that drains now");
    let store = open_when_free(configuration, status.process)?;
    Ok(Some((listening, store)))
}

fn open_when_free(configuration: &Configuration, process: u32) -> Result<Store, Failure> {
    let clock = Clock::new();
    let patience = PATIENCE + Duration::from_millis(configuration.gateway.drain_ms);
    let new_box = new_box(configuration)?;
    loop {
        match Store::open(&configuration.data, new_box) {
            Err(OpenError::InUse(_)) if clock.elapsed() < patience => pause(TRY_PERIOD),
            Err(OpenError::InUse(_)) => {
                return Err(Failure::new(format_args!(
                    "process {process} was asked to drain and still has the data: it goes on \
                     serving or hangs; look at it, stop it, and start this box again"
                )));
            }
            opened => return Ok(opened?),
        }
    }
}
