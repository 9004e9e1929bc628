//! Groups at the bare relay: whoever is connected when one is made is in it, for good.

use answerback_proto::access::access;
use answerback_proto::code::Code;
use answerback_proto::encode::Address;
use answerback_proto::frame_buffer::Frame;
use answerback_proto::id::UserId;
use answerback_proto::kind::{
    Accepted, CreateGroup, GroupChanged, GroupCreated, GroupDeliver, GroupSend, Refused, change,
};

use super::Relay;

/// A group's id is its maker's with this bit, so that the relay has no table of ids.
const GROUP_BIT: u128 = 1 << 127;

impl Relay {
    pub(super) fn make_group(&mut self, at: usize, frame: Frame<'_>) -> Result<(), Code> {
        let (_, others, _) = CreateGroup::read(frame.envelope)?;
        let target = frame.header.target;
        let group = target | GROUP_BIT;
        let others = others.iter().filter_map(|UserId(user)| self.by_user.get(&user).copied());
        let members: Vec<_> = others.chain([at]).collect();
        let address = Address { flags: 0, tag: frame.header.tag, target };
        self.send(at, address, &GroupCreated { group, at_ms: 0 }, &[]);
        for &member in &members {
            let Some(position) = self.next_position(member) else { continue };
            let changed = GroupChanged {
                position,
                after: position - 1,
                actor: target,
                at_ms: 0,
                version: 1,
                change: change::CREATED,
                members_count: 0,
                name_length: 0,
                flags: 0,
            };
            self.send(member, Address { flags: 0, tag: 0, target: group }, &changed, &[]);
        }
        self.groups.insert(group, members);
        Ok(())
    }

    pub(super) fn fan_out(&mut self, at: usize, frame: Frame<'_>) -> Result<(), Code> {
        let (send, _) = access::<GroupSend>(frame.envelope)?;
        let (sequence, group) = (send.sequence.to_native(), frame.header.target);
        let content_type = send.content_type.to_native();
        let answer = Address { flags: 0, tag: frame.header.tag, target: group };
        let sender = self.connection(at).map(|connection| (connection.user, connection.device));
        let (Some(members), Some((sender, device))) = (self.groups.remove(&group), sender) else {
            let code = Code::UnknownGroup.number();
            self.send(at, answer, &Refused { sequence, retry_after_ms: 0, code }, &[]);
            return Ok(());
        };
        self.send(at, answer, &Accepted { sequence, accepted_at_ms: 0 }, &[]);
        for &member in members.iter().filter(|member| **member != at) {
            let Some(position) = self.next_position(member) else { continue };
            let deliver = GroupDeliver {
                position,
                after: position - 1,
                device,
                sender,
                sequence,
                accepted_at_ms: 0,
                version: 1,
                content_type,
            };
            let address = Address { flags: 0, tag: 0, target: group };
            self.send(member, address, &deliver, frame.payload);
        }
        self.groups.insert(group, members);
        Ok(())
    }

    fn next_position(&mut self, at: usize) -> Option<u64> {
        let connection = self.connection(at)?;
        connection.last_position += 1;
        Some(connection.last_position)
    }
}
