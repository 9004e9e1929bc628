//! What fuzzing calls of the gateway: the check of a connection's first frame.

use answerback_proto::code::Code;
use answerback_proto::frame_buffer::Frame;
use answerback_proto::id::{DeviceId, UserId};

use crate::auth::Verifier;
use crate::session::handshake::Greeting;

/// Whom a `Hello` is from, where it is good.
///
/// # Errors
/// As the box tells the client before it closes.
pub fn greet(
    frame: &Frame<'_>,
    verifier: &Verifier,
    unix_s: u64,
) -> Result<(UserId, DeviceId), Code> {
    Greeting::read(frame, verifier, unix_s).map(|greeting| (greeting.user, greeting.device))
}
