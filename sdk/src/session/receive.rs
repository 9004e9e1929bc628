//! The frames of the server, each checked and turned into state and events.

use answerback_proto::access::{kind_of, read};
use answerback_proto::code::{Class, Code};
use answerback_proto::frame_buffer::Frame;
use answerback_proto::header::Header;
use answerback_proto::id::{DeviceId, Generation, Position, Sequence, UserId};
use answerback_proto::kind::{
    Accepted, CaughtUp, ChatSet, ChatSettings, Copied, Deliver, Delivered, End, Error, Failed,
    GoAway, Kind, OutOfOrder, Pong, Probe, ReadBy, ReadElsewhere, ReadNoted, Refused, Skipped,
    Welcome,
};
use answerback_proto::limits::FRAME_BYTES_HARD_MAX;

use super::chat::{ChatWindow, Request};
use super::inbox::Verdict;
use super::reads::ReadMark;
use super::{
    ClientSession, Entry, EntryBody, Event, Limits, Outcome, SessionError, State, VERSION,
};

/// A refusal without a time of its own is tried again after this one.
const RETRY_MS_MIN: u32 = 100;

impl ClientSession {
    pub(super) fn receive(&mut self, mut received: &[u8]) -> Result<(), SessionError> {
        let mut frames = std::mem::take(&mut self.frames);
        loop {
            let mut rest = received;
            let Some(frame) = frames.next_frame(&mut rest, FRAME_BYTES_HARD_MAX)? else { break };
            let used = received.len() - rest.len();
            self.handle_frame(frame)?;
            received = received.split_at(used).1;
        }
        self.frames = frames;
        Ok(())
    }

    fn handle_frame(&mut self, frame: Frame<'_>) -> Result<(), SessionError> {
        let header = frame.header;
        let Some(kind) = kind_of(&header, End::Server)? else { return Ok(()) };
        let is_open = matches!(self.state, State::Open(_) | State::GoingAway);
        match kind {
            Kind::Welcome if self.state == State::Opening => self.handle_welcome(frame),
            Kind::Error if self.state != State::Offline => self.handle_error(frame),
            Kind::GoAway if self.state != State::Offline => self.handle_go_away(frame),
            Kind::Probe if is_open => {
                self.answer_probe(read::<Probe>(frame.envelope)?.echo);
                Ok(())
            }
            Kind::Pong if is_open => self.handle_pong(frame),
            Kind::Renewed if is_open => self.handle_renewed(frame),
            Kind::Accepted if is_open => self.handle_accepted(frame),
            Kind::Refused if is_open => self.handle_refused(frame),
            Kind::OutOfOrder if is_open => self.handle_out_of_order(frame),
            Kind::Skipped if is_open => self.handle_skipped(frame),
            Kind::ReadNoted if is_open => self.handle_read_noted(frame),
            Kind::Done | Kind::Declined if is_open && self.is_deletion(header.tag) => {
                self.handle_deletion_answer(kind, frame)
            }
            Kind::Done | Kind::Declined if is_open && self.is_watch(header.tag) => {
                self.handle_watch_answer(kind, frame)
            }
            Kind::Done if is_open => self.handle_done(frame),
            Kind::Declined if is_open => self.handle_declined(frame),
            Kind::Devices if is_open => self.handle_devices(frame),
            Kind::Chats if is_open => self.handle_chats(frame),
            Kind::Contacts if is_open => self.handle_contacts(frame),
            Kind::ChatSet if is_open => self.handle_chat_set(frame),
            Kind::Failed if is_open && header.tag != 0 => self.handle_failed_answer(frame),
            Kind::Failed if is_open => self.handle_failed_entry(frame),
            Kind::Deliver if is_open => self.handle_deliver(frame),
            Kind::Delivered if is_open => self.handle_delivered(frame),
            Kind::ReadBy if is_open => self.handle_read_by(frame),
            Kind::ReadElsewhere if is_open => self.handle_read_elsewhere(frame),
            Kind::Copied if is_open => self.handle_copied(frame),
            Kind::ChatDeleted if is_open => self.handle_chat_deleted(frame),
            Kind::Typing if is_open => self.handle_typing(frame),
            Kind::GroupCreated if is_open => self.handle_group_created(frame),
            Kind::GroupDescribed if is_open => self.handle_group_described(frame),
            Kind::GroupDeliver if is_open => self.handle_group_deliver(frame),
            Kind::GroupChanged if is_open => self.handle_group_changed(frame),
            Kind::GroupFailed if is_open => self.handle_group_failed(frame),
            Kind::GroupReceipt if is_open => self.handle_group_receipt(frame),
            Kind::GroupReadElsewhere if is_open => self.handle_group_read_elsewhere(frame),
            Kind::Presence if is_open => self.handle_presence(frame),
            Kind::CaughtUp if is_open => {
                read::<CaughtUp>(frame.envelope)?;
                self.reads.handle_caught_up();
                self.deletions.handle_caught_up();
                self.events.push_back(Event::CaughtUp);
                Ok(())
            }
            _ => Err(SessionError::Unexpected(kind)),
        }
    }

    fn handle_welcome(&mut self, frame: Frame<'_>) -> Result<(), SessionError> {
        self.take_request(frame.header, |request| request == Request::Hello)?;
        let (welcome, tail) = Welcome::read(frame.envelope)?;
        if welcome.version != VERSION {
            return Err(SessionError::OutOfPlace(Kind::Welcome));
        }
        let limits = Limits {
            frame_bytes_max: welcome.frame_bytes_max as usize,
            undecided_max: u64::from(welcome.undecided_max),
            takes_reads: tail.lists(Kind::Read),
            takes_recalls: tail.lists(Kind::Recall),
            takes_deletions: tail.lists(Kind::DeleteChat),
            takes_typing: tail.lists(Kind::Typing),
            takes_groups: tail.lists(Kind::GroupSend),
            takes_watches: tail.lists(Kind::Watch),
        };
        self.state = State::Open(limits);
        self.asks.handle_welcome(tail.kind_numbers());
        let (min_s, max_s) = (welcome.heartbeat_min_s, welcome.heartbeat_max_s);
        self.heartbeat.handle_opened(self.now_ms, min_s, max_s);
        let (generation, cursor) = (Generation(welcome.generation), Position(welcome.cursor));
        self.inbox.start_at(generation, cursor);
        self.events.push_back(Event::Opened {
            generation,
            cursor,
            pending_count: welcome.pending_count,
            lapsed: welcome.lapsed != 0,
            server_time_ms: welcome.server_time_ms,
        });
        self.note_grant(&welcome, tail.secret(), tail.lists(Kind::Renew));
        Ok(())
    }

    fn handle_error(&mut self, frame: Frame<'_>) -> Result<(), SessionError> {
        let Error { code, retry_after_ms, .. } = read(frame.envelope)?;
        let request = match frame.header.tag {
            0 => None,
            _ => Some(self.take_request(frame.header, |_| true)?),
        };
        // Who asked for what ends connections must not ask for it on each.
        if let Some(Request::Ask(id)) = request {
            self.answer_ask(id, Outcome::Declined { code });
        }
        if let Some(numbers @ Request::Numbers { .. }) = request {
            self.settle_refusal(frame.header.tag, numbers, code, retry_after_ms);
        } else {
            self.judge_ticket(code);
            self.handle_disconnected();
            self.events.push_back(Event::Closed { code, retry_after_ms });
        }
        Ok(())
    }

    fn handle_go_away(&mut self, frame: Frame<'_>) -> Result<(), SessionError> {
        let GoAway { code, delay_ms } = read(frame.envelope)?;
        self.state = State::GoingAway;
        self.events.push_back(Event::GoAway { code, delay_ms });
        Ok(())
    }

    fn handle_pong(&mut self, frame: Frame<'_>) -> Result<(), SessionError> {
        read::<Pong>(frame.envelope)?;
        self.take_request(frame.header, |request| request == Request::Ping)?;
        self.heartbeat.handle_pong();
        Ok(())
    }

    fn handle_accepted(&mut self, frame: Frame<'_>) -> Result<(), SessionError> {
        let Accepted { sequence, accepted_at_ms } = read(frame.envelope)?;
        let (peer, sequence) = self.take_number(frame.header, sequence)?;
        self.decide(peer, sequence);
        self.events.push_back(Event::Accepted { peer, sequence, accepted_at_ms });
        Ok(())
    }

    fn handle_refused(&mut self, frame: Frame<'_>) -> Result<(), SessionError> {
        let Refused { sequence, retry_after_ms, code } = read(frame.envelope)?;
        let (target, user) = (UserId(frame.header.target), self.user);
        let request = self.take_request(frame.header, |request| match request {
            Request::Numbers { peer, first, .. } => peer == target && first.0 == sequence,
            Request::Read(mark) => user == target && mark.up_to.0 == sequence,
            Request::Hello
            | Request::Renew
            | Request::Ping
            | Request::DeleteChat
            | Request::Watch
            | Request::Look
            | Request::Ask(_) => false,
        })?;
        match request {
            Request::Read(mark) => self.settle_refused_read(mark, code, retry_after_ms),
            request => self.settle_refusal(frame.header.tag, request, code, retry_after_ms),
        }
        Ok(())
    }

    /// Nothing is noted at the server: try again, or say it no more.
    fn settle_refused_read(&mut self, mark: ReadMark, code: u16, retry_after_ms: u32) {
        if matches!(Class::of(code), Some(Class::RetrySame | Class::RetryAfter)) {
            self.reads.hold(mark, self.retry_at_ms(retry_after_ms));
        } else {
            self.reads.settle(mark);
            let ReadMark { peer, device, up_to } = mark;
            self.events.push_back(Event::ReadNoted { peer, device, up_to });
        }
    }

    pub(super) fn retry_at_ms(&self, retry_after_ms: u32) -> u64 {
        self.now_ms + u64::from(retry_after_ms.max(RETRY_MS_MIN))
    }

    /// Nothing is kept at the server: try again, or tell the app and give the number up.
    fn settle_refusal(&mut self, tag: u32, request: Request, code: u16, retry_after_ms: u32) {
        let Request::Numbers { peer, first, last } = request else { return };
        let retry_at_ms = self.retry_at_ms(retry_after_ms);
        let Some(chat) = self.chats.get_mut(&peer) else { return };
        if !chat.is_current(first, tag) {
            return;
        }
        match Class::of(code) {
            Some(Class::RetrySame | Class::RetryAfter) => {
                chat.go_back(first);
                chat.hold(retry_at_ms);
            }
            _ if chat.is_hole(first) => {
                chat.decide_holes(first, last);
                self.drop_if_empty(peer);
            }
            _ if code == Code::DecisionForgotten.number() => {
                self.decide(peer, first);
                self.events.push_back(Event::Refused { peer, sequence: first, code });
            }
            _ => self.refuse_for_good(peer, first, code),
        }
    }

    fn handle_out_of_order(&mut self, frame: Frame<'_>) -> Result<(), SessionError> {
        let OutOfOrder { sequence, expected } = read(frame.envelope)?;
        let (peer, sequence) = self.take_number(frame.header, sequence)?;
        let expected = Sequence(expected);
        let Some(chat) = self.chats.get_mut(&peer) else { return Ok(()) };
        if !chat.is_current(sequence, frame.header.tag) {
            return Ok(());
        }
        chat.go_back(expected);
        if let Some(missing_to) = chat.missing_from(expected) {
            chat.wait_for(expected);
            self.events.push_back(Event::Missing { peer, from: expected, to: missing_to });
        }
        Ok(())
    }

    fn handle_skipped(&mut self, frame: Frame<'_>) -> Result<(), SessionError> {
        let Skipped { from, to, .. } = read(frame.envelope)?;
        let (peer, first, last) = (UserId(frame.header.target), Sequence(from), Sequence(to));
        self.take_request(frame.header, |request| {
            request == Request::Numbers { peer, first, last }
        })?;
        if let Some(chat) = self.chats.get_mut(&peer) {
            chat.decide_holes(first, last);
        }
        self.drop_if_empty(peer);
        Ok(())
    }

    /// What the server notes may be less than what was asked: the rest was never delivered.
    fn handle_read_noted(&mut self, frame: Frame<'_>) -> Result<(), SessionError> {
        let ReadNoted { up_to: noted } = read(frame.envelope)?;
        let is_read = |request| matches!(request, Request::Read(_));
        let Request::Read(mark) = self.take_request(frame.header, is_read)? else { return Ok(()) };
        if self.reads.handle_noted(mark, Sequence(noted)) {
            let ReadMark { peer, device, up_to } = mark;
            self.events.push_back(Event::ReadNoted { peer, device, up_to });
        }
        Ok(())
    }

    fn handle_failed_answer(&mut self, frame: Frame<'_>) -> Result<(), SessionError> {
        let Failed { position, sequence, code, .. } = read(frame.envelope)?;
        if position != 0 {
            return Err(SessionError::OutOfPlace(Kind::Failed));
        }
        let (peer, sequence) = self.take_number(frame.header, sequence)?;
        self.decide(peer, sequence);
        self.events.push_back(Event::Failed { peer, sequence, code });
        Ok(())
    }

    fn handle_failed_entry(&mut self, frame: Frame<'_>) -> Result<(), SessionError> {
        let Failed { position, after, device, sequence, code } = read(frame.envelope)?;
        let body =
            EntryBody::Failed { device: DeviceId(device), sequence: Sequence(sequence), code };
        if DeviceId(device) == self.device {
            self.decide(UserId(frame.header.target), Sequence(sequence));
        }
        self.handle_entry(position, after, frame.header, body);
        Ok(())
    }

    fn handle_deliver(&mut self, frame: Frame<'_>) -> Result<(), SessionError> {
        let deliver: Deliver = read(frame.envelope)?;
        let body = EntryBody::Message {
            device: DeviceId(deliver.device),
            sequence: Sequence(deliver.sequence),
            accepted_at_ms: deliver.accepted_at_ms,
            content_type: deliver.content_type,
            payload: frame.payload.to_vec(),
        };
        self.handle_entry(deliver.position, deliver.after, frame.header, body);
        Ok(())
    }

    fn handle_delivered(&mut self, frame: Frame<'_>) -> Result<(), SessionError> {
        let (delivered, except) = Delivered::read(frame.envelope)?;
        let body = EntryBody::Delivered {
            device: DeviceId(delivered.device),
            up_to: Sequence(delivered.up_to),
            except: except.iter().map(|range| (range.first, range.last)).collect(),
            delivered_at_ms: delivered.delivered_at_ms,
        };
        self.handle_entry(delivered.position, delivered.after, frame.header, body);
        Ok(())
    }

    fn handle_read_by(&mut self, frame: Frame<'_>) -> Result<(), SessionError> {
        let ReadBy { position, after, device, up_to, read_at_ms } = read(frame.envelope)?;
        let (device, up_to) = (DeviceId(device), Sequence(up_to));
        let body = EntryBody::ReadBy { device, up_to, read_at_ms };
        self.handle_entry(position, after, frame.header, body);
        Ok(())
    }

    fn handle_read_elsewhere(&mut self, frame: Frame<'_>) -> Result<(), SessionError> {
        let ReadElsewhere { position, after, device, up_to, read_at_ms } = read(frame.envelope)?;
        let (device, up_to) = (DeviceId(device), Sequence(up_to));
        self.reads.settle(ReadMark { peer: UserId(frame.header.target), device, up_to });
        let body = EntryBody::ReadElsewhere { device, up_to, read_at_ms };
        self.handle_entry(position, after, frame.header, body);
        Ok(())
    }

    fn handle_chat_set(&mut self, frame: Frame<'_>) -> Result<(), SessionError> {
        let ChatSet { position, after, flags, muted_until_ms } = read(frame.envelope)?;
        let body = EntryBody::ChatSet { settings: ChatSettings { flags, muted_until_ms } };
        self.handle_entry(position, after, frame.header, body);
        Ok(())
    }

    fn handle_copied(&mut self, frame: Frame<'_>) -> Result<(), SessionError> {
        let copied: Copied = read(frame.envelope)?;
        let body = EntryBody::Copied {
            device: DeviceId(copied.device),
            sequence: Sequence(copied.sequence),
            accepted_at_ms: copied.accepted_at_ms,
            content_type: copied.content_type,
            payload: frame.payload.to_vec(),
        };
        self.handle_entry(copied.position, copied.after, frame.header, body);
        Ok(())
    }

    pub(super) fn handle_entry(
        &mut self,
        position: u64,
        after: u64,
        header: Header,
        body: EntryBody,
    ) {
        let (position, after) = (Position(position), Position(after));
        let entry = Entry { position, peer: UserId(header.target), body };
        if position == Position(0) {
            self.events.push_back(Event::Shown(entry));
        } else if self.inbox.judge(after, position) == Verdict::Take {
            self.events.push_back(Event::Entry(entry));
        }
    }

    fn decide(&mut self, peer: UserId, sequence: Sequence) {
        if let Some(chat) = self.chats.get_mut(&peer) {
            chat.decide(sequence);
        }
        self.drop_if_empty(peer);
    }

    fn drop_if_empty(&mut self, peer: UserId) {
        if self.chats.get(&peer).is_some_and(ChatWindow::is_empty) {
            self.chats.remove(&peer);
        }
    }

    /// The request that an answer answers, where it is the right one.
    pub(super) fn take_request(
        &mut self,
        header: Header,
        is_right: impl FnOnce(Request) -> bool,
    ) -> Result<Request, SessionError> {
        let mismatch = SessionError::AnswerMismatch(header.tag);
        let request = self.requests.remove(&header.tag).ok_or(mismatch)?;
        if is_right(request) { Ok(request) } else { Err(mismatch) }
    }

    /// The chat and number that an answer of one number decides.
    fn take_number(
        &mut self,
        header: Header,
        sequence: u64,
    ) -> Result<(UserId, Sequence), SessionError> {
        let (peer, sequence) = (UserId(header.target), Sequence(sequence));
        self.take_request(header, |request| {
            matches!(request, Request::Numbers { peer: asked, first, .. }
                if asked == peer && first == sequence)
        })?;
        Ok((peer, sequence))
    }
}
