//! What users do with groups.

use answerback_proto::id::{GroupId, UserId};
use answerback_proto::kind::{action, role};
use answerback_sdk::session::GroupRequest;

use super::World;
use crate::client::Use;
use crate::model::{GROUP_CREATORS, GROUP_NONCE};

impl World {
    /// One of the world's groups, made or not.
    pub(super) fn any_group(&mut self) -> GroupId {
        let creator = GROUP_CREATORS[self.random.usize(..GROUP_CREATORS.len())];
        self.with.table.group_of(creator, GROUP_NONCE)
    }

    /// A group is made or changed; or somebody asks who may not.
    pub(super) fn ask_group(&mut self, at: usize) {
        let user = self.clients[at].user;
        if self.is_settling || self.clients[at].usage != Use::Living {
            return;
        }
        let request = match self.random.u8(..10) {
            0..3 if GROUP_CREATORS.contains(&user) => {
                let members = self.some_users(user);
                GroupRequest::Create { nonce: GROUP_NONCE, members, name: "a".to_owned() }
            }
            0 => {
                let name = format!("name {}", self.random.u8(..4));
                GroupRequest::Rename { group: self.any_group(), name }
            }
            3..6 => {
                let (group, is_on) = (self.any_group(), self.random.u8(..4) > 0);
                GroupRequest::SetReceipts { group, is_on }
            }
            6 => GroupRequest::Describe { group: self.any_group(), version: self.random.u32(..3) },
            _ => self.change_of_members(user),
        };
        self.trace.say(format_args!("user {user} asks: {request:?}"));
        self.clients[at].ask_group(request);
    }

    fn change_of_members(&mut self, user: UserId) -> GroupRequest {
        let (group, mut members) = (self.any_group(), self.some_users(user));
        let (action, role) = match self.random.u8(..6) {
            0..3 => (action::ADD, role::MEMBER),
            3 => (action::REMOVE, role::MEMBER),
            4 => {
                members = vec![user];
                (action::REMOVE, role::MEMBER)
            }
            _ => (action::SET_ROLE, self.random.u16(..=role::OWNER)),
        };
        GroupRequest::Change { group, action, role, members }
    }

    /// One user at least, and not this one.
    fn some_users(&mut self, but: UserId) -> Vec<UserId> {
        let users = u128::from(self.settings.users);
        let mut chosen: Vec<_> =
            (1..=users).map(UserId).filter(|user| *user != but && self.random.bool()).collect();
        if chosen.is_empty() {
            chosen.push(UserId(but.0 % users + 1));
        }
        chosen
    }
}
