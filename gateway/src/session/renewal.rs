//! `Renew`: a new token for the same user and device.

use answerback_proto::code::Code;
use answerback_proto::frame_buffer::Frame;
use answerback_proto::kind::Renew;

use super::Session;
use super::handshake::Unfit;
use crate::auth::{Pass, Proof, Verifier};

/// A `Renew` that is good if its proof holds.
#[derive(Debug)]
pub(crate) struct Renewal {
    /// The request's tag.
    pub(crate) tag: u32,
    /// What the token is good for.
    pub(crate) pass: Pass,
    /// What it was signed with.
    pub(crate) proof: Proof,
}

impl Renewal {
    /// Reads a `Renew` of an open session.
    ///
    /// # Errors
    /// `FrameMalformed`, `TokenInvalid`, `TokenExpired`.
    pub(crate) fn read(
        frame: &Frame<'_>,
        session: &Session,
        verifier: &Verifier,
        unix_s: u64,
    ) -> Result<Self, Unfit> {
        let (_, token) = Renew::read(frame.envelope)?;
        let (pass, proof) = verifier.read(token, unix_s)?;
        if !pass.is_for(session.user, session.device) {
            return Err(Unfit::Told(Code::TokenInvalid));
        }
        Ok(Self { tag: frame.header.tag, pass, proof })
    }
}
