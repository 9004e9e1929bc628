//! What a session asks of its own user's things: it is checked, declined without a trace, or
//! journaled. The session and the shard are driven by the same core.

use answerback_proto::access;
use answerback_proto::code::{Class, Code};
use answerback_proto::id::{DeviceId, UserId};
use answerback_proto::kind::{
    DeviceStanding, Kind, ListDevices, ListedDevice, NameDevice, ReadGroup, RevokeDevice, SetChat,
    SetContacts, SetWriters,
};
use answerback_proto::limits::DEVICES_PER_PAGE_MAX;
use answerback_proto::record::{
    ChatChanged, ContactsChange, DeviceNamed, GroupReadUpTo, Revoke, WritersChange, WroteTo,
};

use super::chat::Chat;
use super::effect::{Administered, DevicesPage};
use super::user::{Device, Standing};
use super::{Answer, Asked, Effect, Origin, Shard};
use crate::limits::BUSY_RETRY_AFTER_MS;

impl Shard {
    /// A request about the acting user's own things, for which [`Kind::is_about_own`] holds.
    pub fn handle_own(&mut self, kind: Kind, origin: Origin, envelope: &[u8]) {
        if self.is_busy() {
            return self.decline(origin, Code::Busy);
        }
        let handled = match kind {
            Kind::ListDevices => self.list_devices(origin, envelope),
            Kind::NameDevice => self.name_device(origin, envelope),
            Kind::RevokeDevice => self.revoke_device(origin, envelope),
            Kind::DeleteChat => self.delete_chat(origin, envelope),
            Kind::SetChat => self.set_chat(origin, envelope),
            Kind::ListChats => self.list_chats(origin, envelope),
            Kind::SetContacts => self.set_contacts(origin, envelope),
            Kind::SetWriters => self.set_writers(origin, envelope),
            Kind::ListContacts => self.list_contacts(origin, envelope),
            Kind::Watch => self.watch(origin, envelope),
            Kind::SetVisibility => self.set_visibility(origin, envelope),
            Kind::ReadGroup => self.read_group(origin, envelope),
            _ => Err(Code::KindNotAllowed),
        };
        if let Err(code) = handled {
            self.close(origin, kind, code);
        }
    }

    /// The devices of a user that are not revoked, those behind an id, as far as memory knows
    /// the user; who has a session is there.
    pub fn devices_of(&self, user: UserId, behind: DeviceId) -> Option<DevicesPage> {
        let user = self.state.users.get(user)?;
        let is_listed =
            |device: &&Device| device.id > behind && device.standing != Standing::Revoked;
        let mut listed: Vec<_> = user.devices.iter().filter(is_listed).collect();
        listed.sort_unstable_by_key(|device| device.id);
        let has_more = listed.len() > DEVICES_PER_PAGE_MAX;
        listed.truncate(DEVICES_PER_PAGE_MAX);
        let describe = |device: &Device| ListedDevice {
            device: device.id,
            last_login_ms: u64::from(device.last_login_s) * 1000,
            standing: match device.standing {
                Standing::Lapsed => DeviceStanding::Lapsed,
                _ => DeviceStanding::Active,
            },
            is_online: self.sessions.has_device(user.id, device.id),
            name: device.name().to_owned(),
        };
        Some(DevicesPage { listed: listed.into_iter().map(describe).collect(), has_more })
    }

    /// Answered from what is applied, and so is durable.
    fn list_devices(&mut self, origin: Origin, envelope: &[u8]) -> Result<(), Code> {
        let ListDevices { behind } = access::read(envelope)?;
        match self.devices_of(origin.user, DeviceId(behind)) {
            Some(page) => {
                let (to, tag, user) = (origin.session, origin.tag, origin.user);
                self.effects.push_back(Effect::Devices { to, tag, user, page });
            }
            None => self.decline(origin, Code::Busy),
        }
        Ok(())
    }

    fn name_device(&mut self, origin: Origin, envelope: &[u8]) -> Result<(), Code> {
        let (named, name) = NameDevice::read(envelope)?;
        let record = DeviceNamed { user: origin.user.0, device: named.device };
        self.append(&record, name.as_bytes(), asked(origin));
        self.preload(origin.user, None);
        Ok(())
    }

    fn revoke_device(&mut self, origin: Origin, envelope: &[u8]) -> Result<(), Code> {
        let RevokeDevice { device } = access::read(envelope)?;
        self.append(&Revoke { user: origin.user.0, device }, &[], asked(origin));
        self.preload(origin.user, None);
        Ok(())
    }

    fn set_chat(&mut self, origin: Origin, envelope: &[u8]) -> Result<(), Code> {
        let SetChat { peer, changes, flags, muted_until_ms } = access::read(envelope)?;
        let (user, device) = (origin.user.0, origin.device.0);
        if peer == user {
            self.decline(origin, Code::NotYourself);
            return Ok(());
        }
        let record = ChatChanged { user, device, peer, changes, flags, muted_until_ms };
        self.append(&record, &[], asked(origin));
        self.preload(origin.user, Some(UserId(peer)));
        Ok(())
    }

    fn read_group(&mut self, origin: Origin, envelope: &[u8]) -> Result<(), Code> {
        let ReadGroup { group, up_to } = access::read(envelope)?;
        let (user, reader_device) = (origin.user.0, origin.device.0);
        let record = GroupReadUpTo { user, reader_device, group, up_to };
        self.append(&record, &[], asked(origin));
        self.preload_chat(origin.user, UserId(group));
        Ok(())
    }

    fn set_contacts(&mut self, origin: Origin, envelope: &[u8]) -> Result<(), Code> {
        let (set, users) = SetContacts::read(envelope)?;
        if users.iter().any(|contact| contact == origin.user) {
            self.decline(origin, Code::NotYourself);
            return Ok(());
        }
        let record = ContactsChange { user: origin.user.0, mode: set.mode };
        self.append(&record, users.as_bytes(), asked(origin));
        self.preload(origin.user, None);
        Ok(())
    }

    fn set_writers(&mut self, origin: Origin, envelope: &[u8]) -> Result<(), Code> {
        let SetWriters { who } = access::read(envelope)?;
        self.append(&WritersChange { user: origin.user.0, who }, &[], asked(origin));
        self.preload(origin.user, None);
        Ok(())
    }

    /// A session of a user of this partition sends a message. Where only contacts may write to the
    /// user first, it is journaled here that its recipient may answer: before it leaves for his
    /// home, so that no answer can come before it. `false` where there is no room for that.
    pub fn note_writing(&mut self, user: UserId, peer: UserId) -> bool {
        let known = self.state.users.get(user).filter(|known| known.is_for_contacts());
        let Some(known) = known.filter(|_| peer != user) else { return true };
        let has_begun = known.chats.get(&peer).is_some_and(Chat::has_begun);
        if has_begun || known.written_to().contains(&peer) {
            return true;
        }
        let has_room = !self.is_busy();
        if has_room {
            self.builder().push(&WroteTo { user: user.0, peer: peer.0 }, &[]);
            self.preload_chat(user, peer);
        }
        has_room
    }

    /// What became of such a request.
    pub(super) fn answer_own(&mut self, origin: Origin, outcome: Administered) {
        match outcome {
            Administered::Done | Administered::WasSo => {
                let answer = Answer::Done { at_ms: self.state.clock_ms };
                let (to, tag, peer) = (origin.session, origin.tag, origin.user);
                self.effects.push_back(Effect::Answer { to, tag, peer, answer });
            }
            Administered::Unknown => self.decline(origin, Code::UnknownDevice),
            Administered::Busy | Administered::Full => self.decline(origin, Code::Busy),
        }
    }

    pub(super) fn decline(&mut self, origin: Origin, code: Code) {
        let waits = code.class() == Class::RetryAfter;
        let retry_after_ms = if waits { BUSY_RETRY_AFTER_MS } else { 0 };
        let answer = Answer::Declined { code, retry_after_ms };
        let (to, tag, peer) = (origin.session, origin.tag, origin.user);
        self.effects.push_back(Effect::Answer { to, tag, peer, answer });
    }
}

pub(super) fn asked(origin: Origin) -> Asked {
    Asked::Request { origin, peer: origin.user }
}
