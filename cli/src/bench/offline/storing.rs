//! The job of the storing half: senders write to users who are away.
//!
//! A sender keeps a window of messages under way, over all his chats. A place comes free
//! when a message is accepted: nobody is there to receive it.

use answerback_proto::access::{access, read};
use answerback_proto::code::{Class, Code};
use answerback_proto::encode::Address;
use answerback_proto::frame_buffer::Frame;
use answerback_proto::kind::{Accepted, Failed, Kind, OutOfOrder, Refused, Send, Welcome};
use hdrhistogram::Histogram;

use super::plan::Plan;
use super::stamp;
use crate::bench::engine::{Job, bad_frame};
use crate::bench::latency::histogram;
use crate::bench::load::{RETRY_NS_MIN, out_of_place};
use crate::bench::pair::{Inbox, Sending};
use crate::bench::sockets::Sockets;
use crate::exit::Failure;

/// What happened, all senders together.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) accepted: u64,
    /// Rejected by their recipient's home.
    pub(super) failed: u64,
    pub(super) refused: u64,
    pub(super) out_of_order: u64,
    /// The code of the last refusal or rejection, 0 before the first.
    pub(super) last_code: u16,
}

/// The load. Connection `n` is sender `n`.
#[derive(Debug)]
pub(super) struct StoringLoad {
    plan: Plan,
    user_base: u128,
    window: u64,
    senders: Vec<Sender>,
    payload: Vec<u8>,
    is_started: bool,
    touched: Vec<usize>,
    pub(super) counts: Counts,
    pub(super) accepted: Histogram<u64>,
}

#[derive(Debug)]
struct Sender {
    /// By chat, in the order of the plan.
    chats: Vec<Sending>,
    inbox: Inbox,
    generated: u64,
    decided: u64,
    /// Chats that may have something to write.
    ready: Vec<usize>,
    is_touched: bool,
}

impl StoringLoad {
    /// A load that stands still.
    pub(super) fn new(
        plan: Plan,
        user_base: u128,
        payload_bytes: usize,
        window: u64,
    ) -> Result<Self, Failure> {
        let senders = (0..plan.senders).map(|sender| Sender::new(plan.chats_of(sender)));
        Ok(Self {
            plan,
            user_base,
            window,
            senders: senders.collect(),
            payload: vec![stamp::FILLER; payload_bytes.max(stamp::BYTES)],
            is_started: false,
            touched: Vec::new(),
            counts: Counts::default(),
            accepted: histogram()?,
        })
    }

    /// Lets the senders send.
    pub(super) fn start(&mut self) {
        self.is_started = true;
        (0..self.senders.len()).for_each(|at| self.touch(at));
    }

    /// Whether all of the plan is decided.
    pub(super) fn is_settled(&self) -> bool {
        self.decided() == self.plan.messages
    }

    /// Messages that are accepted or failed for good.
    pub(super) fn decided(&self) -> u64 {
        self.counts.accepted + self.counts.failed
    }

    fn touch(&mut self, at: usize) {
        if let Some(sender) = self.senders.get_mut(at).filter(|sender| !sender.is_touched) {
            sender.is_touched = true;
            self.touched.push(at);
        }
    }

    /// Fills a sender's window, then writes what may be written.
    fn serve(&mut self, at: usize, now_ns: u64, sockets: &mut Sockets) {
        let count = self.plan.count_of(at);
        let Some(sender) = self.senders.get_mut(at) else { return };
        sender.is_touched = false;
        sender.generate(count, self.window, now_ns);
        let mut held = Vec::new();
        for chat in std::mem::take(&mut sender.ready) {
            let recipient = self.plan.recipient(at, chat);
            let target = self.user_base.wrapping_add(recipient as u128);
            let Some(sending) = sender.chats.get_mut(chat) else { continue };
            while let Some((sequence, number, _)) = sending.poll_due(now_ns) {
                let tag = tag(number, chat, self.plan.recipients);
                let send = Send { sequence, seen_ms: 0, life_s: 0, content_type: 1 };
                stamp::write(&mut self.payload, at, sequence);
                sockets.send(at, Address { flags: 0, tag, target }, &send, &self.payload);
            }
            if sending.held_until_ns() > now_ns {
                held.push(chat);
            }
        }
        held.sort_unstable();
        held.dedup();
        sender.ready = held;
    }

    fn handle_accepted(&mut self, at: usize, now_ns: u64, frame: Frame<'_>) -> Result<(), Failure> {
        let (accepted, _) = access::<Accepted>(frame.envelope).map_err(bad_frame)?;
        let sequence = accepted.sequence.to_native();
        if let Some((count, due_ns)) = self.decide(at, frame, sequence) {
            self.counts.accepted += count;
            self.accepted.saturating_record(now_ns.saturating_sub(due_ns).max(1));
        }
        Ok(())
    }

    /// Tagged it is the answer to a message; the same comes as an entry of the inbox.
    fn handle_failed(&mut self, at: usize, frame: Frame<'_>) -> Result<(), Failure> {
        let Failed { position, after, sequence, code, .. } =
            read(frame.envelope).map_err(bad_frame)?;
        if frame.header.tag != 0 {
            let count = self.decide(at, frame, sequence).map_or(0, |(count, _)| count);
            self.counts.failed += count;
            self.counts.last_code = code;
        } else if let Some(sender) = self.senders.get_mut(at) {
            sender.inbox.take(after, position);
        }
        Ok(())
    }

    /// How many messages that decides, and when the last of them was due.
    fn decide(&mut self, at: usize, frame: Frame<'_>, sequence: u64) -> Option<(u64, u64)> {
        let (sender, chat, _) = self.chat_of(at, frame)?;
        let sending = sender.chats.get_mut(chat)?;
        let (before, due_ns) = (sending.accepted, sending.due(sequence)?);
        if !sending.decide(sequence) {
            return None;
        }
        sending.forget(sequence);
        sender.decided += sequence - before;
        sender.ready.push(chat);
        Some((sequence - before, due_ns))
    }

    fn handle_refused(&mut self, at: usize, now_ns: u64, frame: Frame<'_>) -> Result<(), Failure> {
        let Refused { sequence, retry_after_ms, code } = read(frame.envelope).map_err(bad_frame)?;
        if !matches!(Class::of(code), Some(Class::RetryAfter | Class::RetrySame)) {
            return Err(Failure::new(format_args!(
                "the server refuses to take messages: {}",
                code_name(code)
            )));
        }
        self.counts.refused += 1;
        self.counts.last_code = code;
        let wait_ns = (u64::from(retry_after_ms) * 1_000_000).max(RETRY_NS_MIN);
        self.go_back(at, frame, sequence, now_ns + wait_ns);
        Ok(())
    }

    fn handle_out_of_order(&mut self, at: usize, frame: Frame<'_>) -> Result<(), Failure> {
        let OutOfOrder { expected, .. } = read(frame.envelope).map_err(bad_frame)?;
        self.counts.out_of_order += 1;
        self.go_back(at, frame, expected, 0);
        Ok(())
    }

    fn go_back(&mut self, at: usize, frame: Frame<'_>, sequence: u64, held_until_ns: u64) {
        let Some((sender, chat, number)) = self.chat_of(at, frame) else { return };
        if let Some(sending) = sender.chats.get_mut(chat) {
            sending.go_back(number, sequence, held_until_ns);
            sender.ready.push(chat);
        }
    }

    /// The sender, and the chat and number that are in an answer's tag.
    fn chat_of(&mut self, at: usize, frame: Frame<'_>) -> Option<(&mut Sender, usize, u32)> {
        let recipients = self.plan.recipients as u32;
        let (number, chat) = (frame.header.tag / recipients, frame.header.tag % recipients);
        Some((self.senders.get_mut(at)?, chat as usize, number))
    }
}

impl Sender {
    fn new(chats: usize) -> Self {
        let chats = (0..chats).map(|_| Sending::default()).collect();
        Self {
            chats,
            inbox: Inbox::default(),
            generated: 0,
            decided: 0,
            ready: Vec::new(),
            is_touched: false,
        }
    }

    /// Makes messages, chats in turn, until the window or the plan is full.
    fn generate(&mut self, count: u64, window: u64, now_ns: u64) {
        let up_to = count.min(self.decided + window);
        while self.generated < up_to {
            let chat = (self.generated % self.chats.len() as u64) as usize;
            if let Some(sending) = self.chats.get_mut(chat) {
                sending.generate(now_ns);
                self.ready.push(chat);
            }
            self.generated += 1;
        }
    }
}

impl Job for StoringLoad {
    fn handle_open(&mut self, at: usize, _: u64, welcome: &Welcome, _: &mut Sockets) {
        if let Some(sender) = self.senders.get_mut(at) {
            sender.inbox.cursor = welcome.cursor;
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
            Some(Kind::Accepted) => self.handle_accepted(at, now_ns, frame)?,
            Some(Kind::Failed) => self.handle_failed(at, frame)?,
            Some(Kind::Refused) => self.handle_refused(at, now_ns, frame)?,
            Some(Kind::OutOfOrder) => self.handle_out_of_order(at, frame)?,
            Some(Kind::CaughtUp | Kind::Pong) => {}
            kind => return Err(out_of_place(kind)),
        }
        self.touch(at);
        Ok(())
    }

    fn handle_read_end(&mut self, at: usize, sockets: &mut Sockets) {
        if let Some(sender) = self.senders.get_mut(at) {
            sockets.acknowledge(at, &mut sender.inbox);
        }
    }

    fn pump(&mut self, now_ns: u64, sockets: &mut Sockets) {
        if !self.is_started {
            return;
        }
        for at in std::mem::take(&mut self.touched) {
            self.serve(at, now_ns, sockets);
            if self.senders.get(at).is_some_and(|sender| !sender.ready.is_empty()) {
                self.touch(at);
            }
        }
    }
}

/// A chat's number of a request and the chat itself, in one: several chats share a connection.
fn tag(number: u32, chat: usize, recipients: usize) -> u32 {
    number.wrapping_mul(recipients as u32).wrapping_add(chat as u32)
}

/// What a code is called.
pub(super) fn code_name(code: u16) -> &'static str {
    Code::from_number(code).map_or("an unknown code", Code::name)
}

#[cfg(test)]
mod tests {
    use answerback_proto::encode::append_frame;
    use answerback_proto::frame_buffer::FrameBuffer;
    use answerback_proto::kind::Envelope;
    use answerback_proto::limits::FRAME_BYTES_MAX;

    use super::*;

    const PLAN: Plan = Plan { senders: 4, recipients: 2, messages: 8 };
    const MS: u64 = 1_000_000;

    /// Sender 0 is answered for a chat's request.
    fn answer(load: &mut StoringLoad, now_ns: u64, tag: u32, envelope: &impl Envelope) {
        let mut bytes = Vec::new();
        append_frame(&mut bytes, Address { flags: 0, tag, target: 0 }, envelope, &[], &[]);
        let (mut frames, mut rest) = (FrameBuffer::default(), bytes.as_slice());
        let frame = frames.next_frame(&mut rest, FRAME_BYTES_MAX).unwrap().unwrap();
        load.handle_frame(0, now_ns, frame, &mut Sockets::default()).unwrap();
        load.pump(now_ns, &mut Sockets::default());
    }

    fn started() -> StoringLoad {
        let mut load = StoringLoad::new(PLAN, 0, 16, 1).unwrap();
        load.pump(0, &mut Sockets::default());
        assert_eq!(load.senders[0].generated, 0, "nobody has started it");
        load.start();
        load.pump(0, &mut Sockets::default());
        load
    }

    #[test]
    fn a_place_comes_free_when_a_message_is_decided_either_way() {
        let mut load = started();
        assert_eq!(load.senders[0].generated, 1);
        let failed = Failed { position: 0, after: 0, device: 1, sequence: 1, code: 2004 };
        answer(&mut load, 0, tag(1, 0, 2), &failed);
        assert_eq!((load.senders[0].generated, load.decided()), (2, 1));
        let accepted = Accepted { sequence: 1, accepted_at_ms: 1 };
        answer(&mut load, 0, tag(1, 1, 2), &accepted);
        answer(&mut load, 0, tag(1, 1, 2), &accepted);
        assert_eq!((load.counts.accepted, load.counts.failed), (1, 1));
        assert!(!load.is_settled(), "the other senders are not through");
    }

    #[test]
    fn a_refused_message_is_tried_again_when_its_time_has_come() {
        let mut load = started();
        let refused = Refused { sequence: 1, retry_after_ms: 50, code: 2004 };
        answer(&mut load, 0, tag(1, 0, 2), &refused);
        assert_eq!((load.counts.refused, load.counts.last_code), (1, 2004));
        load.pump(49 * MS, &mut Sockets::default());
        assert_eq!(load.senders[0].ready, [0], "it is held");
        load.pump(50 * MS, &mut Sockets::default());
        assert!(load.senders[0].ready.is_empty(), "it is sent");
        let accepted = Accepted { sequence: 1, accepted_at_ms: 1 };
        answer(&mut load, 60 * MS, tag(2, 0, 2), &accepted);
        assert_eq!((load.counts.accepted, load.senders[0].generated), (1, 2));
    }
}
