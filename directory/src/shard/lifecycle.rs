//! Sessions come and go.

use answerback_proto::code::Code;
use answerback_proto::id::{DeviceId, UserId};
use answerback_proto::record::{Acknowledge, Login};

use super::{Asked, Grant, Opening, SessionRef, Shard};

impl Shard {
    /// A login of a user of this partition, its token checked.
    pub fn handle_opening(&mut self, opening: Opening) {
        let user = opening.origin.user;
        let Grant { issued_s, expires_s, token, ticket } = opening.grant;
        let record = Login {
            user: user.0,
            device: opening.origin.device.0,
            connection_counter: opening.connection_counter,
            issued_s,
            expires_s,
            token: token.0,
            ticket: ticket.unwrap_or_default(),
        };
        self.append(&record, &[], Asked::Opening(Box::new(opening)));
        self.preload(user, None);
    }

    /// Whether the session of a user's device may go on with another token; the connection
    /// counter of that session.
    ///
    /// # Errors
    /// `TokenRevoked`; `SessionRecheck` where the device has no session here.
    pub fn check_grant(&self, user: UserId, device: DeviceId, grant: &Grant) -> Result<u64, Code> {
        let user = self.state.users.get(user).ok_or(Code::SessionRecheck)?;
        if user.revocations().is_some_and(|void| void.include(grant)) {
            return Err(Code::TokenRevoked);
        }
        user.device(device).map(|device| device.connection_counter).ok_or(Code::SessionRecheck)
    }

    /// A session is gone.
    pub fn handle_closed(&mut self, user: UserId, session: SessionRef) {
        if !self.sessions.has(user, session) {
            return self.forget_opening(session);
        }
        self.end_watch(session);
        if let Some((device, up_to)) = self.sessions.close(user, session) {
            let record = Acknowledge { user: user.0, device: device.0, up_to: up_to.0 };
            self.builder().push(&record, &[]);
        }
    }

    /// A connection went before its login was committed.
    fn forget_opening(&mut self, session: SessionRef) {
        let askers = self.taken.iter_mut().flat_map(|taken| &mut taken.askers);
        for asker in askers.chain(&mut self.open_askers) {
            if matches!(&asker.asked, Asked::Opening(opening) if opening.origin.session == session)
            {
                asker.asked = Asked::Nobody;
            }
        }
    }
}
