//! Logins, and what an operator declared void of what they stand on: nothing of it is ever
//! forgotten here, since nobody shows what has expired.

use answerback_directory::limits::REVOKED_KEPT_S;
use answerback_directory::shard::Grant;
use answerback_proto::code::Code;
use answerback_proto::id::{DeviceId, TokenId, UserId};
use answerback_proto::record::{Login, RevokeToken};

use super::account::{Account, Device, Standing};
use super::{Breach, Model, require};

/// What is void of a user's.
#[derive(Debug, Default)]
pub(super) struct Void {
    issued_before_s: u64,
    tokens: Vec<TokenId>,
    /// Those that the box still remembers, and when they expire: it looks at the user then.
    remembered: Vec<(TokenId, u64)>,
}

impl Void {
    fn includes(&self, grant: &Grant) -> bool {
        grant.issued_s < self.issued_before_s || self.tokens.contains(&grant.token)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.issued_before_s == 0 && self.tokens.is_empty()
    }

    /// When the box has something to forget.
    pub(super) fn due_ms(&self) -> Option<u64> {
        self.remembered.iter().map(|(_, expires_s)| kept_until_ms(*expires_s)).min()
    }

    pub(super) fn forget(&mut self, now_ms: u64) {
        self.remembered.retain(|(_, expires_s)| kept_until_ms(*expires_s) > now_ms);
    }
}

impl Model {
    /// A device comes in, or not: the first reason that there is.
    pub(super) fn login(&mut self, login: &Login) {
        let (user, id) = (UserId(login.user), DeviceId(login.device));
        let verdict = self.judge(login);
        let (floor, now_ms) = (self.account(user).floor, self.home(user).clock_ms);
        let device = self.device_mut(id);
        device.last_login = Some((login.connection_counter, verdict));
        if verdict.is_err() {
            return;
        }
        let is_new = device.standing == Standing::Unknown;
        if device.standing != Standing::Active {
            (device.cursor, device.start) = (floor, floor);
        }
        device.standing = Standing::Active;
        device.last_login_ms = now_ms;
        device.counter = login.connection_counter;
        device.ticket = if login.ticket > 0 { login.ticket } else { login.connection_counter };
        if is_new {
            let account = self.account_mut(user);
            account.devices.push(id);
            account.exists = true;
        }
    }

    fn judge(&self, login: &Login) -> Result<(), Code> {
        let (user, id) = (UserId(login.user), DeviceId(login.device));
        let devices_max = usize::from(self.home(user).settings.devices_max);
        let (account, device) = (self.account(user), self.device(id));
        let is_revoked = |id: &&DeviceId| self.device(**id).standing == Standing::Revoked;
        let revoked = account.devices.iter().filter(is_revoked).count();
        let is_full = account.devices.len() - revoked >= devices_max || revoked >= 10 * devices_max;
        let is_known = device.standing != Standing::Unknown;
        let is_old_ticket = login.ticket > 0 && (!is_known || login.ticket < device.ticket);
        match device.standing {
            _ if account.void.includes(&Grant::from(login)) => Err(Code::TokenRevoked),
            _ if is_old_ticket => Err(Code::TicketInvalid),
            Standing::Revoked => Err(Code::DeviceRevoked),
            Standing::Unknown if account.is_purging => Err(Code::Busy),
            Standing::Unknown if is_full => Err(Code::TooManyDevices),
            Standing::Active | Standing::Lapsed if login.connection_counter <= device.counter => {
                Err(Code::DeviceRolledBack)
            }
            _ => Ok(()),
        }
    }

    pub(super) fn revoke_tokens(&mut self, user: UserId, issued_before_s: u64) {
        let account = self.account_mut(user);
        if account.is_known() {
            account.void.issued_before_s = account.void.issued_before_s.max(issued_before_s);
        }
    }

    pub(super) fn revoke_token(&mut self, record: &RevokeToken) {
        let (user, token) = (UserId(record.user), TokenId(record.token));
        let home = self.home(user);
        let now_ms = if home.is_clock_doubted { 0 } else { home.clock_ms };
        let account = self.account_mut(user);
        if !account.is_known() || token == TokenId(0) {
            return;
        }
        let void = &mut account.void;
        void.forget(now_ms);
        void.tokens.push(token);
        let known = void.remembered.iter().find(|(known, _)| *known == token);
        if known.is_none_or(|(_, expires_s)| *expires_s < record.expires_s) {
            void.remembered.retain(|(known, _)| *known != token);
            void.remembered.push((token, record.expires_s));
            let due_ms = void.due_ms();
            due_ms.into_iter().for_each(|due_ms| account.due_by(due_ms));
        }
    }

    /// A session that is open stands on nothing void.
    pub(crate) fn check_session(&self, id: DeviceId, grant: &Grant) -> Result<(), Breach> {
        let user = self.device(id).user;
        require(!self.account(user).void.includes(grant), || {
            format!("user {user}'s device {id} has a session, and {grant:?} is void")
        })
    }
}

impl Device {
    /// Whether its last login ended so.
    pub(super) fn was_answered(&self, counter: u64, verdict: Result<(), Code>) -> bool {
        self.last_login == Some((counter, verdict))
    }
}

impl Account {
    fn is_known(&self) -> bool {
        self.exists || self.is_purging || self.was_purged
    }
}

fn kept_until_ms(expires_s: u64) -> u64 {
    (expires_s + REVOKED_KEPT_S) * 1000
}
