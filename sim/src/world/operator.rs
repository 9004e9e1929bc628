//! What people do: buy phones, lose them, run the box.

use answerback_proto::id::{DeviceId, UserId};

use super::{DEVICES_MAX, World};
use crate::client::Use;

impl World {
    /// A user installs the app once more.
    pub(super) fn add_device(&mut self) {
        let users = u128::from(self.settings.users);
        let user = UserId(self.random.u128(1..users));
        if self.clients.len() < DEVICES_MAX {
            self.trace.say(format_args!("user {user} has a new device"));
            self.add_client(user);
        }
    }

    /// A user has a device revoked, and may go on using it.
    pub(super) fn revoke(&mut self, at: usize) {
        let client = &self.clients[at];
        let (user, device) = (client.user, client.device);
        if let Some(front) = &mut self.front {
            self.trace.say(format_args!("user {user} revokes device {device}"));
            front.revoke(user, device);
        }
    }

    /// A user lists, names or revokes devices from one of them; which may be another's.
    pub(super) fn look_after(&mut self, at: usize) {
        let other = self.random.usize(..self.clients.len());
        let device = self.clients[other].device;
        let client = &mut self.clients[at];
        if client.usage == Use::Living {
            let ask = client.look_after(device, &mut self.random);
            let (user, device) = (client.user, client.device);
            self.trace.say(format_args!("user {user}'s device {device} asks: {ask:?}"));
        }
    }

    /// A user blocks another, or ends that, or has reads hidden, or mutes.
    pub(super) fn treat(&mut self, at: usize) {
        let mut peer = UserId(self.random.u128(1..=u128::from(self.settings.users)));
        let is_group = self.random.u8(..3) == 0;
        if is_group {
            peer = self.any_group().as_peer();
        }
        let client = &mut self.clients[at];
        if client.usage == Use::Living && client.user != peer {
            let ask = client.treat(peer, is_group, &mut self.random);
            let (user, device) = (client.user, client.device);
            self.trace.say(format_args!("user {user}'s device {device} asks: {ask:?}"));
        }
    }

    /// The operator adds a user who has no device yet.
    pub(super) fn add_user(&mut self) {
        let user = UserId(u128::from(self.settings.users) - 1);
        if let Some(front) = &mut self.front {
            self.trace.say(format_args!("the operator adds user {user}"));
            front.add_user(user);
        }
    }

    /// Now and then the operator has a user purged, or takes all of a user's devices.
    pub(super) fn end_user(&mut self) {
        let user = UserId(self.random.u128(1..=u128::from(self.settings.users)));
        let what = self.random.u8(..6);
        let Some(front) = &mut self.front else { return };
        match what {
            0 | 1 => {
                self.trace.say(format_args!("the operator purges user {user}"));
                front.purge_user(user);
            }
            2 => {
                self.trace.say(format_args!("the operator revokes all devices of user {user}"));
                front.revoke_user(user);
            }
            _ => {}
        }
    }

    /// Something that a device logs in with was stolen.
    pub(super) fn revoke_tokens(&mut self, at: usize) {
        let Some(front) = &mut self.front else { return };
        let client = &self.clients[at];
        let (user, now_s) = (client.user, self.wall_ms / 1000);
        match client.copied(&mut self.random) {
            Some(grant) if self.random.bool() => {
                self.trace.say(format_args!("a token of user {user} is void: {grant:?}"));
                front.revoke_token(user, &grant);
            }
            _ => {
                let before_s = now_s - self.random.u64(..60);
                self.trace.say(format_args!("tokens of user {user} before {before_s} are void"));
                front.revoke_tokens(user, before_s);
            }
        }
    }

    /// The operator confirms a clock that jumped, and revokes what nobody uses any more; a
    /// device that was told to be none becomes another.
    pub(super) fn operate(&mut self) {
        let unused = self.unused_device();
        let is_doubted = self.model.is_clock_doubted();
        let Some(front) = &mut self.front else { return };
        if is_doubted {
            self.trace.say(format_args!("the operator confirms the clock"));
            front.confirm_clock();
        }
        if let Some((user, device)) = unused {
            self.trace.say(format_args!("user {user} revokes device {device}, which is lost"));
            front.revoke(user, device);
        }
        if self.is_settling {
            // What is withheld ends by its life alone, and fills its sender's quota until then.
            if self.model.has_withheld() {
                self.pass(3_600_000, 24 * 3_600_000);
            }
            self.bring_back();
        } else {
            self.replace_one();
        }
    }

    /// A device that the home counts on and nobody uses.
    pub(super) fn unused_device(&self) -> Option<(UserId, DeviceId)> {
        let is_gone = |device: DeviceId| self.clients[device.0 as usize - 1].usage == Use::Gone;
        self.model.counted_devices().find(|(_, device)| is_gone(*device))
    }

    fn replace_one(&mut self) {
        let lost = self.clients.iter().filter(|client| client.usage == Use::Gone).count();
        if lost > 0 && self.random.u8(..8) == 0 {
            self.add_device();
        }
    }

    /// A user who exists, and has no device in use.
    pub(super) fn user_without_device(&self) -> Option<UserId> {
        let has_device = |user| self.living().any(|client| client.user == user);
        self.model.users().find(|user| !has_device(*user))
    }

    /// Everybody has a device; nobody stays away, sulks or keeps silent any more.
    fn bring_back(&mut self) {
        if let Some(user) = self.user_without_device() {
            self.trace.say(format_args!("user {user} has a new device"));
            self.add_client(user);
        }
        if let Some(front) = &mut self.front {
            front.is_disk_full = false;
        }
        for client in &mut self.clients {
            client.is_away = false;
            client.skips_nothing = false;
            if client.is_at_a_loss() {
                client.crash();
            }
        }
    }
}
