//! Sessions come and go.

use answerback_proto::id::UserId;
use answerback_proto::record::{Acknowledge, Connect};

use super::{Asked, Opening, SessionRef, Shard};

impl Shard {
    /// A login of a user of this partition, its token checked.
    pub fn handle_opening(&mut self, opening: Opening) {
        let user = opening.origin.user;
        let record = Connect {
            user: user.0,
            device: opening.origin.device.0,
            connection_counter: opening.connection_counter,
        };
        self.append(&record, &[], Asked::Opening(Box::new(opening)));
        self.preload(user, None);
    }

    /// A session is gone.
    pub fn handle_closed(&mut self, user: UserId, session: SessionRef) {
        if !self.sessions.has(user, session) {
            return self.forget_opening(session);
        }
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
