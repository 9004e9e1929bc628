//! What fuzzing calls of the gateway: the check of a connection's first frame.

use answerback_proto::code::Code;
use answerback_proto::frame_buffer::Frame;
use answerback_proto::id::{DeviceId, UserId};

use crate::auth::{self, Verifier};
use crate::session::handshake::Claim;

/// Whom a `Hello` is from, where it is good.
///
/// # Errors
/// As the box tells the client before it closes.
pub fn greet(
    frame: &Frame<'_>,
    verifier: &Verifier,
    unix_s: u64,
) -> Result<(UserId, DeviceId), Code> {
    let Claim { greeting, proof } = Claim::read(frame, verifier, unix_s)?;
    match auth::check(&[&proof]).as_slice() {
        [true] => Ok((greeting.user, greeting.device)),
        _ => Err(Code::TokenInvalid),
    }
}
