//! What may happen next, how often, and that it happens.

use answerback_directory::shard::Wanted;
use answerback_proto::id::UserId;

use super::{MESSAGES_MAX, World};
use crate::client::Use;
use crate::front::{Front, Woken};
use crate::model::Breach;

/// Everything that may happen next.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    Send,
    Type,
    Watch,
    Read,
    Delete,
    Group,
    Connect,
    Transmit,
    ToBox,
    ToClient,
    TakeBatches,
    Sync,
    HearCommitted,
    ReadDisk,
    Freeze,
    Checkpoint,
    Letter,
    Mail,
    Milliseconds,
    Seconds,
    Operator,
    Hours,
    Cut,
    CrashClient,
    CrashBox,
    Halt,
    Jump,
    FillDisk,
    Stick,
    Leave,
    BackUp,
    RollBack,
    AddDevice,
    Revoke,
    AddUser,
    EndUser,
    RevokeTokens,
    LookAfter,
    Treat,
}

/// Steps that a world without faults takes, and how often each.
const CALM: &[(Step, u32)] = &[
    (Step::Read, 6),
    (Step::Connect, 25),
    (Step::Transmit, 80),
    (Step::ToBox, 80),
    (Step::ToClient, 80),
    (Step::TakeBatches, 60),
    (Step::Sync, 50),
    (Step::HearCommitted, 60),
    (Step::ReadDisk, 90),
    (Step::Freeze, 8),
    (Step::Checkpoint, 20),
    (Step::Letter, 60),
    (Step::Mail, 60),
    (Step::Milliseconds, 30),
    (Step::Seconds, 4),
    (Step::Operator, 4),
];

/// Those that make trouble besides.
const TROUBLE: &[(Step, u32)] = &[
    (Step::Send, 70),
    (Step::Delete, 6),
    (Step::Type, 10),
    (Step::Group, 8),
    (Step::Watch, 6),
    (Step::Cut, 5),
    (Step::CrashClient, 2),
    (Step::CrashBox, 2),
    (Step::Hours, 1),
    (Step::Halt, 4),
    (Step::Jump, 1),
    (Step::FillDisk, 1),
    (Step::Stick, 1),
    (Step::Leave, 2),
    (Step::BackUp, 2),
    (Step::RollBack, 1),
    (Step::AddDevice, 1),
    (Step::Revoke, 1),
    (Step::AddUser, 1),
    (Step::EndUser, 1),
    (Step::RevokeTokens, 2),
    (Step::LookAfter, 2),
    (Step::Treat, 3),
];

/// A look goes over all that moves.
const STEPS_BETWEEN_LOOKS: u32 = 16;

const fn total(weights: &[(Step, u32)]) -> u32 {
    let (mut sum, mut at) = (0, 0);
    while at < weights.len() {
        sum += weights[at].1;
        at += 1;
    }
    sum
}

const CALM_TOTAL: u32 = total(CALM);
const ALL_TOTAL: u32 = CALM_TOTAL + total(TROUBLE);

impl World {
    pub(super) fn step(&mut self) -> Result<(), Breach> {
        self.outcome.steps += 1;
        self.trace.step = self.outcome.steps;
        self.trace.now_ms = self.monotonic_ms;
        self.model.now_ms = self.monotonic_ms;
        let step = self.draw();
        let at = self.random.usize(..self.clients.len());
        match step {
            Step::Send => self.send(at),
            Step::Type => self.type_to(at),
            Step::Watch => self.watch(at),
            Step::Read => self.read(at),
            Step::Delete => self.delete(at),
            Step::Group => self.ask_group(at),
            Step::Connect => self.connect(at)?,
            Step::Transmit => self.clients[at].transmit(self.monotonic_ms),
            Step::ToBox => self.arrive_at_box(at)?,
            Step::ToClient => self.arrive_at_client(at)?,
            Step::TakeBatches => self.take_batches(),
            Step::Sync => self.sync()?,
            Step::HearCommitted => self.hear_committed()?,
            Step::ReadDisk => self.read_disk()?,
            Step::Freeze => self.freeze(),
            Step::Checkpoint => self.go_on_with_checkpoint(),
            Step::Letter => self.letter(),
            Step::Mail => self.mail(),
            Step::Milliseconds => self.pass(1, 200),
            Step::Seconds => self.pass(1_000, 15_000),
            Step::Operator => self.operate(),
            Step::Hours => self.pass(60_000, 3_600_000),
            Step::Cut => self.cut(at, false),
            Step::CrashClient => self.cut(at, true),
            Step::CrashBox => self.crash_box()?,
            Step::Halt => self.halt(),
            Step::Jump => self.jump(),
            Step::FillDisk => self.fill_disk(),
            Step::Stick => self.stick(at),
            Step::Leave => self.leave(at),
            Step::BackUp => self.clients[at].back_up(),
            Step::RollBack => self.roll_back(at),
            Step::AddDevice => self.add_device(),
            Step::Revoke => self.revoke(at),
            Step::AddUser => self.add_user(),
            Step::EndUser => self.end_user(),
            Step::RevokeTokens => self.revoke_tokens(at),
            Step::LookAfter => self.look_after(at),
            Step::Treat => self.treat(at),
        }
        self.pass_on()?;
        if self.outcome.steps.is_multiple_of(STEPS_BETWEEN_LOOKS) {
            self.look_at_rest()
        } else {
            Ok(())
        }
    }

    /// Once nothing moves in the box, nobody is there who should not be, and nobody waits to be
    /// woken; a partition that stands still has not applied what says so.
    fn look_at_rest(&mut self) -> Result<(), Breach> {
        let is_at_rest = |front: &&Front| front.unsettled().is_none() && front.halted().is_none();
        let Some(front) = self.front.as_ref().filter(is_at_rest) else { return Ok(()) };
        front.sessions().try_for_each(|(device, grant)| self.model.check_session(device, grant))?;
        for user in (1..=u128::from(self.settings.users)).map(UserId) {
            let mut own = self.clients.iter().filter(|client| client.user == user);
            if own.all(|client| client.hears_nothing_more()) {
                self.model.handle_rest(user);
            }
        }
        self.model.check_woken()
    }

    fn draw(&mut self) -> Step {
        let total = if self.is_settling { CALM_TOTAL } else { ALL_TOTAL };
        let mut drawn = self.random.u32(..total);
        for &(step, weight) in CALM.iter().chain(TROUBLE) {
            match drawn.checked_sub(weight) {
                Some(rest) => drawn = rest,
                None => return step,
            }
        }
        Step::Milliseconds
    }

    fn send(&mut self, at: usize) {
        let mut peer = UserId(self.random.u128(1..=u128::from(self.settings.users)));
        if self.random.u8(..4) == 0 {
            peer = self.any_group().as_peer();
        }
        let client = &mut self.clients[at];
        if self.outcome.sent == MESSAGES_MAX || client.user == peer || client.usage != Use::Living {
            return;
        }
        let (number, sequence) = client.send(peer, &mut self.model, &mut self.random);
        self.outcome.sent += 1;
        let (user, device) = (client.user, client.device);
        self.trace.say(format_args!(
            "user {user}'s device {device} writes message {}, number {sequence}, to user {peer}",
            number.0
        ));
    }

    fn type_to(&mut self, at: usize) {
        let peer = UserId(self.random.u128(1..=u128::from(self.settings.users)));
        let client = &mut self.clients[at];
        if client.usage == Use::Living {
            client.type_to(self.monotonic_ms, peer, &mut self.model);
            self.trace.say(format_args!("user {} writes to user {peer}", client.user));
        }
    }

    /// Somebody watches others, looks at one, or wants to be seen by others than before.
    fn watch(&mut self, at: usize) {
        let users = u128::from(self.settings.users);
        let client = &mut self.clients[at];
        if client.usage == Use::Living {
            let (user, what) = (client.user, client.watch(users, &mut self.random));
            self.trace.say(format_args!("user {user} {what}"));
        }
    }

    fn read(&mut self, at: usize) {
        let client = &mut self.clients[at];
        if self.is_settling || client.usage != Use::Living {
            return;
        }
        if self.random.u8(..4) == 0 {
            if let Some((group, up_to)) = client.read_group(&mut self.random) {
                let user = client.user;
                self.trace.say(format_args!("user {user} reads group {group} up to {up_to}"));
            }
            return;
        }
        if let Some((peer, device, up_to)) = client.read(&mut self.random) {
            self.trace.say(format_args!(
                "user {} reads user {peer}'s device {device} up to {up_to}",
                client.user
            ));
        }
    }

    fn delete(&mut self, at: usize) {
        let anybody = UserId(self.random.u128(1..=u128::from(self.settings.users)));
        let client = &mut self.clients[at];
        let somebody = client.somebody(&mut self.random);
        let peer = somebody.filter(|_| self.random.u8(..4) > 0).unwrap_or(anybody);
        if client.usage == Use::Living {
            client.delete(peer, &mut self.random);
            self.trace.say(format_args!(
                "user {}'s device {} deletes the chat with user {peer}",
                client.user, client.device
            ));
        }
    }

    fn connect(&mut self, at: usize) -> Result<(), Breach> {
        if self.front.is_none() {
            self.trace.say(format_args!("the box starts"));
            self.front = Some(Front::start(&self.with, &self.disk)?);
            self.model.handle_box_started();
        }
        let client = &mut self.clients[at];
        let stays_away = client.connection.is_some() || client.is_away;
        if let Some(front) =
            self.front.as_mut().filter(|_| !stays_away && client.usage != Use::Gone)
        {
            client.connect(self.wall_ms / 1000, self.is_settling, &mut self.random);
            front.open(client.slot, client.connections);
            let (user, device) = (client.user, client.device);
            self.trace.say(format_args!("user {user}'s device {device} connects"));
        }
        Ok(())
    }

    fn arrive_at_box(&mut self, at: usize) -> Result<(), Breach> {
        let client = &mut self.clients[at];
        let (Some(connection), Some(front)) = (&mut client.connection, &mut self.front) else {
            return Ok(());
        };
        let bytes = connection.to_box.read(&mut self.random);
        if !bytes.is_empty() {
            let (device, count) = (client.device, bytes.len());
            self.trace.say(format_args!("{count} bytes of device {device} reach the box"));
        }
        front.receive(client.slot, client.connections, bytes, self.wall_ms)?;
        for user in front.acted.drain(..) {
            self.model.handle_acted(user, self.wall_ms);
        }
        Ok(())
    }

    fn arrive_at_client(&mut self, at: usize) -> Result<(), Breach> {
        let now_ms = self.monotonic_ms;
        let client = &mut self.clients[at];
        client.receive(now_ms, &mut self.model, &mut self.random, &self.trace)
    }

    fn take_batches(&mut self) {
        let Some(front) = &mut self.front else { return };
        let core = self.random.u16(..front.cores());
        if let Some(batches) = front.take_batches(core, self.wall_ms) {
            self.trace.say(format_args!("core {core} writes {} batches", batches.len()));
            self.disk.write_commit(batches);
        }
    }

    pub(super) fn sync(&mut self) -> Result<(), Breach> {
        if let Some(front) = &mut self.front {
            let model = &mut self.model;
            self.disk.sync(|batch| model.handle_durable(batch))?;
            front.handle_synced();
        }
        Ok(())
    }

    fn hear_committed(&mut self) -> Result<(), Breach> {
        let Some(front) = &mut self.front else { return Ok(()) };
        let core = self.random.u16(..front.cores());
        if front.hear_committed(core)? {
            self.trace.say(format_args!("core {core} hears that its batches are durable"));
        }
        Ok(())
    }

    fn read_disk(&mut self) -> Result<(), Breach> {
        let Some(front) = &mut self.front else { return Ok(()) };
        if let Some(load) = front.read(&mut self.random, &self.disk)?
            && self.trace.is_on
        {
            let (partition, what) = (load.partition, in_words(load.what));
            self.trace.say(format_args!("a reader goes on with partition {partition}'s {what}"));
        }
        Ok(())
    }

    fn freeze(&mut self) {
        let Some(front) = &mut self.front else { return };
        let index = self.random.usize(..front.shard_count());
        if front.freeze(index) {
            self.trace.say(format_args!("partition {index} freezes a checkpoint"));
        }
    }

    fn go_on_with_checkpoint(&mut self) {
        let Some(front) = &mut self.front else { return };
        if front.go_on_with_checkpoint(&mut self.random, &mut self.disk) {
            self.outcome.checkpoints += 1;
            self.trace.say(format_args!("a checkpoint goes on"));
        }
    }

    fn letter(&mut self) {
        if let Some(front) = &mut self.front
            && front.deliver_letter(&mut self.random)
        {
            self.trace.say(format_args!("a letter between cores arrives"));
        }
    }

    fn mail(&mut self) {
        if let Some(front) = &mut self.front
            && front.deliver_mail(&mut self.random, self.is_settling)
        {
            self.trace.say(format_args!("mail between partitions moves"));
        }
    }

    /// As much time passes, on both clocks.
    pub(super) fn pass(&mut self, least_ms: u64, most_ms: u64) {
        let ms = self.random.u64(least_ms..=most_ms);
        self.monotonic_ms += ms;
        self.wall_ms += ms;
        if let Some(front) = &mut self.front {
            front.handle_timeouts(self.monotonic_ms, self.wall_ms);
        }
        self.trace.say(format_args!("{ms} ms pass"));
    }

    /// Does what the shards want done, and hands their words to the connections.
    fn pass_on(&mut self) -> Result<(), Breach> {
        let Some(front) = &mut self.front else { return Ok(()) };
        front.dispatch(self.monotonic_ms, &self.model)?;
        let mut begin = 0;
        let said = std::mem::take(&mut front.said);
        for said in &said {
            let client = &mut self.clients[said.slot as usize];
            let bytes = &front.said_bytes[begin..said.end];
            begin = said.end;
            if let Some(connection) =
                client.connection.as_mut().filter(|_| client.connections == said.generation)
            {
                connection.to_client.tail().extend_from_slice(bytes);
                connection.is_closing |= said.closes;
            }
        }
        front.said_bytes.clear();
        for closed in said.iter().filter(|said| said.closes) {
            front.close(closed.slot, closed.generation);
        }
        front.keep_said(said);
        self.model.now_ms = self.monotonic_ms;
        for Woken { user, next } in front.woken.drain(..) {
            self.trace.say(format_args!("user {user} is to be woken"));
            self.model.handle_woken(user, next)?;
        }
        Ok(())
    }
}

fn in_words(wanted: Wanted) -> String {
    match wanted {
        Wanted::Head(user) => format!("user {user}"),
        Wanted::Chat(user, peer) => format!("chat of users {user} and {peer}"),
        Wanted::Chats { user, from } => format!("chats of user {user} from {from} on"),
        Wanted::Outstanding(sender) => format!("count of user {sender}'s messages"),
        Wanted::Page { user, after, to } => format!("page of user {user} behind {after} to {to}"),
        Wanted::Heads { user, after, to } => format!("heads of user {user} behind {after} to {to}"),
        Wanted::SetChats { user, behind } => format!("set chats of user {user} behind {behind}"),
        Wanted::Holders { user, after, to } => {
            format!("holders of what user {user} has behind {after} to {to}")
        }
        Wanted::Contacts(user) => format!("contacts of user {user}"),
        Wanted::Presence(user) => format!("when user {user} was there"),
        Wanted::Due { .. } => "users who are due".to_owned(),
    }
}
