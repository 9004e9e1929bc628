//! What fuzzing calls of the gateway: the check of a connection's first frame.

use answerback_proto::code::Code;
use answerback_proto::frame_buffer::Frame;
use answerback_proto::id::{DeviceId, UserId};

use crate::auth::{self, Pass, Verifier};
use crate::session::handshake::{Claim, Unfit};

/// Whom a `Hello` is from, where it is good.
///
/// # Errors
/// As the box tells the client before it closes.
pub fn greet(
    frame: &Frame<'_>,
    verifier: &Verifier,
    unix_s: u64,
) -> Result<(UserId, DeviceId), Code> {
    let claim = Claim::by_token(frame, verifier, unix_s).map_err(Unfit::code)?;
    let Pass { user, device, .. } = claim.greeting.pass;
    let proofs: Vec<_> = claim.proof.iter().collect();
    if auth::check(&proofs) == [true] { Ok((user, device)) } else { Err(Code::TokenInvalid) }
}
