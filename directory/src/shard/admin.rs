//! What the owner itself journals: the operator's commands, the settings, what time brings.

use answerback_proto::id::{DeviceId, TokenId, UserId};
use answerback_proto::record::{
    AddUser, ApplyVersion, Attempt, ConfirmClock, Due, NewGeneration, PurgeUser, Revoke,
    RevokeToken, RevokeTokens, RevokeUser, Settings,
};

use super::load::Wanted;
use super::push::Unacknowledged;
use super::report::Totals;
use super::state::VERSION;
use super::user::ALWAYS;
use super::{Alarm, Asked, Effect, Shard};
use crate::limits::{DUE_PERIOD_MS, IDLE_TICK_MS, OPEN_BYTES_MAX};

impl Shard {
    /// The journal is replayed: from here on its records are applied in this generation, by
    /// this version's rules and these settings, or by those that it has where there are none.
    pub fn handle_started(&mut self, settings: Option<&Settings>) {
        self.state.totals = Totals::default();
        if self.state.is_clock_doubted {
            self.effects.push_back(Effect::Alarm(Alarm::ClockUnconfirmed));
        }
        if self.state.generation != self.generation {
            let record = NewGeneration { generation: self.generation.0 };
            self.builder().push(&record, &[]);
        }
        if self.state.version != VERSION {
            self.builder().push(&ApplyVersion { version: VERSION }, &[]);
        }
        if let Some(settings) = settings {
            self.handle_settings(settings);
        }
    }

    /// From its next records on it goes by these settings.
    pub fn handle_settings(&mut self, settings: &Settings) {
        if self.state.settings != *settings {
            self.builder().push(settings, &[]);
        }
    }

    /// The settings that apply reads.
    pub fn settings(&self) -> &Settings {
        &self.state.settings
    }

    /// A user is to exist; [`super::Effect::Administered`] tells what became of it.
    pub fn handle_add_user(&mut self, user: UserId, ticket: u64) {
        self.append(&AddUser { user: user.0 }, &[], Asked::Command { ticket });
        self.preload(user, None);
    }

    /// A device is no longer the user's; as above.
    pub fn handle_revoke(&mut self, user: UserId, device: DeviceId, ticket: u64) {
        let record = Revoke { user: user.0, device: device.0 };
        self.append(&record, &[], Asked::Command { ticket });
        self.preload(user, None);
    }

    /// None of a user's devices is the user's any more; as above.
    pub fn handle_revoke_user(&mut self, user: UserId, ticket: u64) {
        self.append(&RevokeUser { user: user.0 }, &[], Asked::Command { ticket });
        self.preload(user, None);
    }

    /// Tokens of a user that were made before a second are void, and the user's sessions have
    /// to show theirs again; as above.
    pub fn handle_revoke_tokens(&mut self, user: UserId, issued_before_s: u64, ticket: u64) {
        let record = RevokeTokens { user: user.0, issued_before_s };
        self.append(&record, &[], Asked::Command { ticket });
        self.preload(user, None);
    }

    /// One token of a user is void, which expires at a second; as above.
    pub fn handle_revoke_token(
        &mut self,
        user: UserId,
        token: TokenId,
        expires_s: u64,
        ticket: u64,
    ) {
        let record = RevokeToken { user: user.0, token: token.0, expires_s };
        self.append(&record, &[], Asked::Command { ticket });
        self.preload(user, None);
    }

    /// A user is to be no more; done once there is no such user, while what waits for it is
    /// leaving; as above.
    pub fn handle_purge_user(&mut self, user: UserId, ticket: u64) {
        self.append(&PurgeUser { user: user.0 }, &[], Asked::Command { ticket });
        self.preload(user, None);
    }

    /// The clock is right, however far it jumped; as above.
    pub fn handle_confirm_clock(&mut self, ticket: u64) {
        let record = ConfirmClock { now_ms: self.state.clock_ms };
        self.append(&record, &[], Asked::Command { ticket });
    }

    /// When `handle_timeout` wants to be called, ms on the driver's monotonic clock.
    pub fn poll_timeout(&self) -> Option<u64> {
        let parts_ms = match self.is_in_its_generation() {
            true => self.courier.poll_timeout(&self.state.outgoing),
            false => None,
        };
        let watch_ms = self.sessions.poll_timeout();
        let wakes_ms = self.wakes_due_ms();
        parts_ms.into_iter().chain(watch_ms).chain(wakes_ms).chain([self.due_at_ms]).min()
    }

    /// Hands parts to other partitions, again where they were not confirmed; looks after
    /// sessions that do not acknowledge, and after users whose time has come. Monotonic ms,
    /// and the wall clock's.
    pub fn handle_timeout(&mut self, now_ms: u64, wall_ms: u64) {
        if self.is_in_its_generation() {
            self.courier.handle_timeout(now_ms, &self.state, &mut self.effects);
        }
        self.sessions.advance(now_ms);
        let mut unacknowledged = Vec::new();
        self.sessions.handle_timeout(&mut self.effects, |one| unacknowledged.push(one));
        for Unacknowledged { user, device, position } in unacknowledged {
            let record = Attempt { user: user.0, device: device.0, position: position.0 };
            self.builder().push(&record, &[]);
        }
        self.go_on_with_purges();
        self.look_after_wakes();
        self.handle_presence_timeout(now_ms, wall_ms);
        if now_ms >= self.due_at_ms {
            self.due_at_ms = now_ms + DUE_PERIOD_MS;
            self.look_for_due(wall_ms);
        }
    }

    /// Whether the record is applied that a restored box begins with. Until then parts would
    /// leave in the older generation; what confirms them counts for the new one, in which
    /// nobody has taken them, and the next part would never fit.
    fn is_in_its_generation(&self) -> bool {
        self.state.generation == self.generation
    }

    fn look_for_due(&mut self, wall_ms: u64) {
        if wall_ms.saturating_sub(self.state.clock_ms) >= IDLE_TICK_MS && self.state.clock_ms > 0 {
            self.builder();
        }
        let is_reading = self.loading.iter().any(|what| matches!(what, Wanted::Due { .. }));
        if !is_reading {
            let up_to_ms = if self.state.is_clock_doubted { ALWAYS } else { wall_ms };
            self.load(Wanted::Due { up_to_ms });
        }
    }

    /// Users whose time has come: a record each.
    pub(super) fn handle_due(&mut self, users: Vec<UserId>, up_to_ms: u64) {
        for user in users {
            if self.open.byte_length() < OPEN_BYTES_MAX && !self.purges.has(user) {
                self.builder().push(&Due { user: user.0, up_to_ms }, &[]);
                self.preload(user, None);
            }
        }
    }
}
