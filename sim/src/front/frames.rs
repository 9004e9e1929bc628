//! From a connection's bytes to the shards.

use answerback_directory::limits::BUSY_RETRY_AFTER_MS;
use answerback_directory::shard::{Answer, Effect, Mail, Opening, Origin, SessionRef, reply};
use answerback_proto::access::{kind_of, read};
use answerback_proto::code::Code;
use answerback_proto::encode::{Address, append_frame};
use answerback_proto::frame_buffer::Frame;
use answerback_proto::id::{DeviceId, Generation, Position, Sequence, UserId};
use answerback_proto::kind::{End, GroupSend, Hello, Kind, Ping, Pong, Recall, Send, Typing};
use answerback_proto::limits::{FRAME_BYTES_MAX, MODE_ACTIVE};

use super::{Front, Letter, Request};
use crate::client::wallet;
use crate::model::Breach;

impl Front {
    /// Takes bytes of a connection.
    pub(crate) fn receive(
        &mut self,
        slot: u32,
        generation: u32,
        bytes: &[u8],
        wall_ms: u64,
    ) -> Result<(), Breach> {
        let broken = |code: Code| Breach(format!("a client broke the protocol: {}", code.name()));
        let Some(known) = self.slots.get_mut(slot as usize) else { return Ok(()) };
        if known.generation != generation || !known.is_open {
            return Ok(());
        }
        let mut rest = bytes;
        let mut frames = std::mem::take(&mut known.frames);
        while let Some(frame) = frames.next_frame(&mut rest, FRAME_BYTES_MAX).map_err(broken)? {
            self.frame(slot, &frame, wall_ms).map_err(broken)?;
        }
        self.slots[slot as usize].frames = frames;
        Ok(())
    }

    fn frame(&mut self, slot: u32, frame: &Frame<'_>, wall_ms: u64) -> Result<(), Code> {
        let Some(kind) = kind_of(&frame.header, End::Client)? else { return Ok(()) };
        let (tag, target) = (frame.header.tag, UserId(frame.header.target));
        if kind == Kind::Hello {
            return self.hello(slot, frame, wall_ms);
        }
        let known = &mut self.slots[slot as usize];
        let (user, device) = known.owner.ok_or(Code::HelloExpected)?;
        let session = SessionRef { core: known.core, slot, generation: known.generation };
        let origin = Origin { session, tag, user, device, copies: known.copies };
        let (is_active, notes_writing) = (known.is_active, known.notes_writing);
        if std::mem::take(&mut known.is_probed) {
            self.home(user).handle_alive(user, session);
        }
        if is_active && frame.header.is_user_action() && kind.may_be_user_action() {
            self.acted.push(user);
            self.home(user).handle_action(user, wall_ms);
        }
        match kind {
            Kind::Send | Kind::Recall | Kind::GroupSend if self.is_disk_full => {
                self.refuse(origin, target, kind, frame)
            }
            Kind::Send | Kind::Recall
                if notes_writing && !self.home(user).note_writing(user, target) =>
            {
                self.refuse(origin, target, kind, frame)
            }
            Kind::Send | Kind::Recall | Kind::Skip => self.request(kind, origin, target, frame),
            kind if kind.is_of_groups() => self.request(kind, origin, target, frame),
            Kind::Ack => self.home(user).handle_ack(origin, frame.envelope),
            Kind::Resync => self.home(user).handle_resync(origin, frame.envelope),
            Kind::Read => self.home(user).handle_read(origin, frame.envelope),
            kind if kind.is_about_own() => {
                self.home(user).handle_own(kind, origin, frame.envelope);
            }
            Kind::Typing => {
                let Typing { state } = read(frame.envelope)?;
                let mail = Mail::Typing { user: target, peer: user, state };
                if self.home(user).may_show(user, target) {
                    self.mail.push((self.table.partition_of(target), mail));
                }
            }
            Kind::Ping => self.pong(session, tag, frame)?,
            _ => {}
        }
        Ok(())
    }

    fn hello(&mut self, slot: u32, frame: &Frame<'_>, wall_ms: u64) -> Result<(), Code> {
        let (hello, tail) = Hello::read(frame.envelope)?;
        let (tag, user) = (frame.header.tag, UserId(frame.header.target));
        let grant = wallet::read(tail.secret()).ok_or(Code::TokenInvalid)?;
        let device = DeviceId(hello.device);
        let core = self.table.core_of(self.table.partition_of(user));
        let known = &mut self.slots[slot as usize];
        known.core = core;
        let session = SessionRef { core, slot, generation: known.generation };
        if grant.expires_s <= wall_ms / 1000 {
            let code = Code::TokenExpired;
            self.say(Effect::Close { to: session, tag, kind: Some(Kind::Hello), code });
            return Ok(());
        }
        (known.owner, known.grant) = (Some((user, device)), grant);
        known.is_active = hello.mode == MODE_ACTIVE;
        let opening = Opening {
            origin: Origin { session, tag, user, device, copies: false },
            grant,
            connection_counter: hello.connection_counter,
            generation: Generation(hello.generation),
            cursor: Position(hello.cursor),
            credit_frames: hello.credit_frames,
            credit_bytes: hello.credit_bytes,
            takes_presence: hello.mode == MODE_ACTIVE && tail.lists(Kind::Presence),
            takes_typing: hello.mode == MODE_ACTIVE && tail.lists(Kind::Typing),
        };
        self.home(user).handle_opening(opening);
        Ok(())
    }

    fn request(&mut self, kind: Kind, origin: Origin, recipient: UserId, frame: &Frame<'_>) {
        let (envelope, payload) = (frame.envelope, frame.payload);
        let home = self.table.home_of_request(kind, origin.user, recipient, envelope);
        let core = self.table.core_of(home);
        if core == origin.session.core {
            return self.hand_request(kind, origin, recipient, envelope, payload);
        }
        let (envelope, payload) = (envelope.to_vec(), payload.to_vec());
        let request = Request { kind, origin, recipient, envelope, payload };
        self.post(origin.session.core, core, Letter::Request(request));
    }

    pub(super) fn hand_request(
        &mut self,
        kind: Kind,
        origin: Origin,
        recipient: UserId,
        envelope: &[u8],
        payload: &[u8],
    ) {
        let home = self.table.home_of_request(kind, origin.user, recipient, envelope);
        let shard = &mut self.shards[usize::from(home.0)];
        match kind {
            kind if kind.is_of_groups() => {
                shard.handle_group_request(kind, origin, recipient, envelope, payload);
            }
            Kind::Skip => shard.handle_skip(origin, recipient, envelope),
            Kind::Recall => shard.handle_recall(origin, recipient, envelope, payload),
            _ => shard.handle_send(origin, recipient, envelope, payload),
        }
    }

    /// The disk is full: nothing new is taken.
    fn refuse(&mut self, origin: Origin, peer: UserId, kind: Kind, frame: &Frame<'_>) {
        let number = match kind {
            Kind::Recall => read::<Recall>(frame.envelope).map(|recall| recall.sequence),
            Kind::GroupSend => read::<GroupSend>(frame.envelope).map(|send| send.sequence),
            _ => read::<Send>(frame.envelope).map(|send| send.sequence),
        };
        let sequence = Sequence(number.unwrap_or_default());
        let (code, retry_after_ms) = (Code::DiskReserve, BUSY_RETRY_AFTER_MS);
        let answer = Answer::Refused { sequence, code, retry_after_ms };
        reply::append_answer(&mut self.said_bytes, origin.tag, peer, &answer);
        self.end_said(origin.session, false);
    }

    fn pong(&mut self, to: SessionRef, tag: u32, frame: &Frame<'_>) -> Result<(), Code> {
        let echo = read::<Ping>(frame.envelope)?.echo;
        let address = Address { tag, ..Address::default() };
        append_frame(&mut self.said_bytes, address, &Pong { echo }, &[], &[]);
        self.end_said(to, false);
        Ok(())
    }
}
