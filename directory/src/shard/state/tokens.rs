//! An operator declares tokens void, and with them the tickets that were made from them.
//!
//! What is void stays so after the user is purged: a token that was stolen must not make the
//! user exist again.

use answerback_proto::code::Code;
use answerback_proto::id::{DeviceId, TokenId, UserId};
use answerback_proto::record::{RevokeToken, RevokeTokens};

use super::super::effect::Administered;
use super::super::grant::{Grant, Revoked};
use super::super::user::{Existence, User};
use super::{Consequences, Missing, State, Verdict};

impl State {
    /// All tokens of a user that were made before a second.
    pub(super) fn revoke_tokens(
        &mut self,
        record: &RevokeTokens,
        consequences: &mut Consequences,
    ) -> Result<Verdict, Missing> {
        let acting = UserId(record.user);
        let user = self.user(acting)?;
        if user.existence == Existence::Unknown {
            return Ok(Verdict::Administered(Administered::Unknown));
        }
        if !user.revocations_mut().revoke_before(record.issued_before_s) {
            return Ok(Verdict::Administered(Administered::WasSo));
        }
        self.digest.mix(record.issued_before_s);
        self.list(acting);
        consequences.rechecked.push(acting);
        Ok(Verdict::Administered(Administered::Done))
    }

    /// One token of a user.
    pub(super) fn revoke_token(
        &mut self,
        record: &RevokeToken,
        consequences: &mut Consequences,
    ) -> Result<Verdict, Missing> {
        let (acting, token) = (UserId(record.user), TokenId(record.token));
        let now_ms = if self.is_clock_doubted { 0 } else { self.clock_ms };
        let user = self.user(acting)?;
        if user.existence == Existence::Unknown || token == TokenId(0) {
            return Ok(Verdict::Administered(Administered::Unknown));
        }
        let revocations = user.revocations_mut();
        revocations.forget(now_ms);
        let outcome = match revocations.revoke(token, record.expires_s) {
            Revoked::Now => Administered::Done,
            Revoked::Before => Administered::WasSo,
            Revoked::Full => Administered::Full,
        };
        if outcome == Administered::Done {
            let due_ms = revocations.due_ms();
            due_ms.into_iter().for_each(|due_ms| user.due_by(due_ms));
            self.digest.mix(token.0 as u64);
            consequences.rechecked.push(acting);
        }
        self.list(acting);
        Ok(Verdict::Administered(outcome))
    }
}

/// Whether a device may log in with this, as far as its token or ticket goes. Of its tickets
/// only the newest is good, as often as it comes: `Welcome` may not have arrived.
///
/// # Errors
/// `TokenRevoked`, `TicketInvalid`.
pub(super) fn check(user: &User, device: DeviceId, grant: &Grant) -> Result<(), Code> {
    if user.revocations().is_some_and(|void| void.include(grant)) {
        return Err(Code::TokenRevoked);
    }
    let Some(ticket) = grant.ticket else { return Ok(()) };
    match user.device(device) {
        Some(device) if device.ticket <= ticket || planted!(OldTicketTaken) => Ok(()),
        _ => Err(Code::TicketInvalid),
    }
}
