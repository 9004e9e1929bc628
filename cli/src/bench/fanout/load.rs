//! The job: one member of each group sends, the others take and acknowledge.
//!
//! Connection `group * members + n` is member `n`; where the others are away, connection
//! `group` is its first member.

use std::collections::BTreeMap;

use answerback_proto::access::read;
use answerback_proto::code::{Class, Code};
use answerback_proto::encode::Address;
use answerback_proto::frame_buffer::Frame;
use answerback_proto::id::UserId;
use answerback_proto::kind::{
    Accepted, CreateGroup, GroupChanged, GroupCreated, GroupDeliver, GroupSend, Kind, OutOfOrder,
    Refused, Welcome,
};
use hdrhistogram::Histogram;

use crate::bench::engine::{Job, bad_frame};
use crate::bench::latency::histogram;
use crate::bench::load::{RETRY_NS_MIN, out_of_place};
use crate::bench::pair::{Inbox, Sending};
use crate::bench::sockets::Sockets;
use crate::exit::Failure;

/// Who is in which group.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) groups: usize,
    pub(super) members: usize,
    pub(super) window: u64,
    /// Of each sender; as many as there is time for where none are named.
    pub(super) messages: Option<u64>,
    /// All but the senders are away.
    pub(super) is_away: bool,
}

impl Plan {
    pub(super) fn users(&self) -> usize {
        self.groups * self.members
    }

    /// The user of a connection.
    pub(super) fn user_of(&self, at: usize) -> usize {
        if self.is_away { at * self.members } else { at }
    }

    fn group_of(&self, at: usize) -> usize {
        self.user_of(at) / self.members
    }

    fn sender_of(&self, group: usize) -> usize {
        if self.is_away { group } else { group * self.members }
    }

    /// Members who take what is sent.
    fn readers(&self) -> u64 {
        if self.is_away { 0 } else { self.members as u64 - 1 }
    }
}

/// What happened.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) accepted: u64,
    pub(super) deliveries: u64,
    pub(super) doubled: u64,
    pub(super) refused: u64,
    /// Members who heard of their group.
    pub(super) told: u64,
}

#[derive(Debug, Default)]
struct Group {
    id: u128,
    sending: Sending,
    /// Messages that some reader lacks: how many readers do.
    lacking: BTreeMap<u64, u64>,
}

#[derive(Debug, Default)]
struct Member {
    inbox: Inbox,
    /// The last number that came.
    last: u64,
}

/// The load.
#[derive(Debug)]
pub(super) struct FanoutLoad {
    plan: Plan,
    user_base: u128,
    payload: Vec<u8>,
    groups: Vec<Group>,
    members: Vec<Member>,
    /// Senders whose group is to be made once everybody is in.
    to_create: Vec<usize>,
    opened: usize,
    is_started: bool,
    pub(super) counts: Counts,
    pub(super) accepted: Histogram<u64>,
    pub(super) delivered: Histogram<u64>,
}

impl FanoutLoad {
    /// A load whose groups are to be made.
    pub(super) fn new(plan: Plan, user_base: u128, size: usize) -> Result<Self, Failure> {
        let connections = if plan.is_away { plan.groups } else { plan.users() };
        Ok(Self {
            plan,
            user_base,
            payload: vec![b'.'; size],
            groups: (0..plan.groups).map(|_| Group::default()).collect(),
            members: (0..connections).map(|_| Member::default()).collect(),
            to_create: Vec::new(),
            opened: 0,
            is_started: false,
            counts: Counts::default(),
            accepted: histogram()?,
            delivered: histogram()?,
        })
    }

    /// Lets the senders send.
    pub(super) fn start(&mut self) {
        self.is_started = true;
    }

    /// No more is made; what is under way goes on.
    pub(super) fn stop(&mut self) {
        self.plan.messages = Some(0);
    }

    /// Whether all who are there have heard of their groups.
    pub(super) fn is_told(&self) -> bool {
        self.counts.told == self.members.len() as u64
    }

    /// Whether all that was made is accepted, and every reader has it.
    pub(super) fn is_settled(&self) -> bool {
        let is_enough = |sending: &Sending| {
            sending.accepted == sending.generated
                && self.plan.messages.is_none_or(|count| sending.generated >= count)
        };
        self.groups.iter().all(|group| is_enough(&group.sending) && group.lacking.is_empty())
    }

    /// Deliveries that never came.
    pub(super) fn lost(&self) -> u64 {
        self.groups.iter().flat_map(|group| group.lacking.values()).sum()
    }

    fn create(&mut self, at: usize, sockets: &mut Sockets) -> Result<(), Failure> {
        let first = self.plan.user_of(at) as u128;
        let user = self.user_base.wrapping_add(first);
        let others = (1..self.plan.members as u128).map(|other| UserId(user.wrapping_add(other)));
        let create = CreateGroup { nonce: 1, members_count: 0, name_length: 0 };
        let Some(out) = sockets.out(at) else { return Ok(()) };
        let address = Address { flags: 0, tag: 1, target: user };
        let others: Vec<_> = others.collect();
        create
            .append(out, address, &others, b"a bench")
            .map_err(|_| Failure::new("ids of members that do not rise"))
    }

    fn serve(&mut self, group: usize, now_ns: u64, sockets: &mut Sockets) {
        let (at, readers) = (self.plan.sender_of(group), self.plan.readers());
        let Some(known) = self.groups.get_mut(group) else { return };
        let open = known.lacking.first_key_value().map_or(u64::MAX, |(number, _)| *number);
        let done = known.sending.accepted.min(open.saturating_sub(1));
        let up_to = (done + self.plan.window).min(self.plan.messages.unwrap_or(u64::MAX));
        while known.sending.generated < up_to {
            known.sending.generate(now_ns);
            if readers > 0 {
                known.lacking.insert(known.sending.generated, readers);
            }
        }
        while let Some((sequence, tag, _)) = known.sending.poll_due(now_ns) {
            let send = GroupSend { sequence, seen_ms: 0, life_s: 0, content_type: 1 };
            sockets.send(at, Address { flags: 0, tag, target: known.id }, &send, &self.payload);
        }
    }

    fn handle_deliver(&mut self, at: usize, now_ns: u64, frame: Frame<'_>) -> Result<(), Failure> {
        let deliver: GroupDeliver = read(frame.envelope).map_err(bad_frame)?;
        let Some(member) = self.members.get_mut(at) else { return Ok(()) };
        if !member.inbox.take(deliver.after, deliver.position) {
            return Ok(());
        }
        if deliver.sequence != member.last + 1 {
            self.counts.doubled += 1;
            return Ok(());
        }
        member.last = deliver.sequence;
        self.counts.deliveries += 1;
        let Some(group) = self.groups.get_mut(self.plan.group_of(at)) else { return Ok(()) };
        if let Some(due_ns) = group.sending.due(deliver.sequence) {
            self.delivered.saturating_record(now_ns.saturating_sub(due_ns).max(1));
        }
        if let Some(left) = group.lacking.get_mut(&deliver.sequence) {
            *left -= 1;
            if *left == 0 {
                group.lacking.remove(&deliver.sequence);
                let open = group.lacking.first_key_value();
                let done = open.map_or(group.sending.accepted, |(number, _)| number - 1);
                group.sending.forget(done.min(group.sending.accepted));
            }
        }
        Ok(())
    }

    fn handle_answer(&mut self, at: usize, now_ns: u64, frame: Frame<'_>) -> Result<(), Failure> {
        let tag = frame.header.tag;
        let Some(group) = self.groups.get_mut(self.plan.group_of(at)) else { return Ok(()) };
        match frame.header.kind() {
            Some(Kind::Accepted) => {
                let accepted: Accepted = read(frame.envelope).map_err(bad_frame)?;
                let (before, due) = (group.sending.accepted, group.sending.due(accepted.sequence));
                if group.sending.decide(accepted.sequence) {
                    self.counts.accepted += accepted.sequence - before;
                    let waited = due.map_or(0, |due_ns| now_ns.saturating_sub(due_ns));
                    self.accepted.saturating_record(waited.max(1));
                }
            }
            Some(Kind::Refused) => {
                let refused: Refused = read(frame.envelope).map_err(bad_frame)?;
                if !matches!(Class::of(refused.code), Some(Class::RetryAfter | Class::RetrySame)) {
                    let name = Code::from_number(refused.code).map_or("?", Code::name);
                    return Err(Failure::new(format_args!("the box refuses messages: {name}")));
                }
                self.counts.refused += 1;
                let wait_ns = (u64::from(refused.retry_after_ms) * 1_000_000).max(RETRY_NS_MIN);
                group.sending.go_back(tag, refused.sequence, now_ns + wait_ns);
            }
            _ => {
                let answer: OutOfOrder = read(frame.envelope).map_err(bad_frame)?;
                group.sending.go_back(tag, answer.expected, 0);
            }
        }
        Ok(())
    }
}

impl Job for FanoutLoad {
    fn handle_open(&mut self, at: usize, _: u64, welcome: &Welcome, _: &mut Sockets) {
        if let Some(member) = self.members.get_mut(at) {
            member.inbox.cursor = welcome.cursor;
        }
        self.opened += 1;
        if self.plan.sender_of(self.plan.group_of(at)) == at {
            self.to_create.push(at);
        }
    }

    fn handle_frame(
        &mut self,
        at: usize,
        now_ns: u64,
        frame: Frame<'_>,
        _sockets: &mut Sockets,
    ) -> Result<(), Failure> {
        match frame.header.kind() {
            Some(Kind::GroupDeliver) => self.handle_deliver(at, now_ns, frame),
            Some(Kind::Accepted | Kind::Refused | Kind::OutOfOrder) => {
                self.handle_answer(at, now_ns, frame)
            }
            Some(Kind::GroupCreated) => {
                let created: GroupCreated = read(frame.envelope).map_err(bad_frame)?;
                if let Some(group) = self.groups.get_mut(self.plan.group_of(at)) {
                    group.id = created.group;
                }
                Ok(())
            }
            Some(Kind::GroupChanged) => {
                let (changed, ..) = GroupChanged::read(frame.envelope).map_err(bad_frame)?;
                if let Some(member) = self.members.get_mut(at)
                    && member.inbox.take(changed.after, changed.position)
                {
                    self.counts.told += 1;
                }
                Ok(())
            }
            Some(Kind::CaughtUp | Kind::Pong) => Ok(()),
            kind => Err(out_of_place(kind)),
        }
    }

    fn handle_read_end(&mut self, at: usize, sockets: &mut Sockets) {
        if let Some(member) = self.members.get_mut(at) {
            sockets.acknowledge(at, &mut member.inbox);
        }
    }

    fn pump(&mut self, now_ns: u64, sockets: &mut Sockets) {
        // Only once all are in do members exist.
        if self.opened == self.members.len() {
            for at in std::mem::take(&mut self.to_create) {
                // Ids of a run rise.
                let _ = self.create(at, sockets);
            }
        }
        if self.is_started {
            (0..self.groups.len()).for_each(|group| self.serve(group, now_ns, sockets));
        }
    }
}
