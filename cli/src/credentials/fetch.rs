//! A key set from its server.

use std::path::Path;
use std::time::Duration;

use ureq::http::StatusCode;

use crate::web::{Asking, agent};

/// For all of it: name, connection, handshake, answer.
pub(crate) const DEADLINE: Duration = Duration::from_secs(10);
/// No key set is longer.
pub(crate) const BYTES_MAX: u64 = 256 * 1024;

/// Asks the server once, whose certificate `authorities` signed, or one of the web's.
pub(super) fn fetch(url: &str, authorities: Option<&Path>) -> Result<String, String> {
    let asking = Asking { authorities, key: "box.jwks_ca", deadline: DEADLINE, idle_max: 0 };
    let agent = agent(url, asking)?;
    let answered = agent.get(url).header("accept", "application/json").call();
    let mut response = answered.map_err(|error| error.to_string())?;
    if response.status() != StatusCode::OK {
        return Err(format!("the server answered {}", response.status()));
    }
    let body = response.body_mut().with_config().limit(BYTES_MAX);
    body.read_to_string().map_err(|error| error.to_string())
}
