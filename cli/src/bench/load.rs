//! The job of `bench chat`: pairs that write to each other, by window or by the clock.
//!
//! Connection 2 i is the sender of pair i, connection 2 i + 1 its receiver. A message
//! carries the time at which it was due, so a generator or server that falls behind shows
//! in the latencies instead of in fewer messages.

use std::ops::Range;

use answerback_proto::access::{access, read};
use answerback_proto::code::{Class, Code};
use answerback_proto::encode::Address;
use answerback_proto::frame_buffer::Frame;
use answerback_proto::kind::{
    Accepted, Deliver, Delivered, Failed, Kind, OutOfOrder, Refused, Send, Welcome,
};
use hdrhistogram::Histogram;

use super::engine::{Job, bad_frame};
use super::latency::histogram;
use super::pair::{Inbox, Pair};
use super::sockets::Sockets;
use crate::exit::Failure;

/// Bytes of a payload that carry the time at which the message was due.
pub(super) const STAMP_BYTES: usize = 8;
/// A refusal without a time of its own is tried again after this one.
pub(super) const RETRY_NS_MIN: u64 = 1_000_000;

/// When senders send.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pace {
    /// No more.
    Stopped,
    /// Each keeps so many under way.
    Window(u64),
    /// All in turn, by the clock.
    Rate {
        /// Messages a second, of all together.
        per_second: f64,
        /// Since when, ns.
        from_ns: u64,
    },
}

/// What happened, all pairs together.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) generated: u64,
    pub(super) accepted: u64,
    pub(super) delivered: u64,
    pub(super) refused: u64,
    pub(super) out_of_order: u64,
    pub(super) failed: u64,
}

/// Latencies from the time at which a message was due, ns.
#[derive(Debug)]
pub(super) struct Latencies {
    pub(super) accepted: Histogram<u64>,
    pub(super) delivered: Histogram<u64>,
    pub(super) receipted: Histogram<u64>,
}

impl Latencies {
    fn new() -> Result<Self, Failure> {
        Ok(Self { accepted: histogram()?, delivered: histogram()?, receipted: histogram()? })
    }

    /// Forgets them all.
    pub(super) fn clear(&mut self) {
        self.accepted.reset();
        self.delivered.reset();
        self.receipted.reset();
    }
}

/// The load.
#[derive(Debug)]
pub(super) struct ChatLoad {
    pub(super) pairs: Vec<Pair>,
    pub(super) counts: Counts,
    pub(super) latencies: Latencies,
    pace: Pace,
    paced: u64,
    payload: Vec<u8>,
    expects_receipts: bool,
    /// Only messages that were due then count in the latencies.
    measured_ns: Range<u64>,
    touched: Vec<usize>,
    held: Vec<usize>,
}

impl ChatLoad {
    /// A load that stands still.
    pub(super) fn new(
        pairs: usize,
        payload_bytes: usize,
        expects_receipts: bool,
    ) -> Result<Self, Failure> {
        Ok(Self {
            pairs: (0..pairs).map(|_| Pair::default()).collect(),
            counts: Counts::default(),
            latencies: Latencies::new()?,
            pace: Pace::Stopped,
            paced: 0,
            payload: vec![0x2e; payload_bytes.max(STAMP_BYTES)],
            expects_receipts,
            measured_ns: 0..0,
            touched: Vec::new(),
            held: Vec::new(),
        })
    }

    /// Changes the pace.
    pub(super) fn set_pace(&mut self, pace: Pace) {
        self.pace = pace;
        self.paced = 0;
        (0..self.pairs.len()).for_each(|pair| self.touch(pair));
    }

    /// Counts the latencies of messages that are due in that time.
    pub(super) fn measure(&mut self, due_ns: Range<u64>) {
        self.measured_ns = due_ns;
    }

    /// Whether all that was made has all its answers.
    pub(super) fn is_settled(&self) -> bool {
        self.pairs.iter().all(|pair| {
            let sending = &pair.sending;
            let is_receipted = !self.expects_receipts || sending.receipted >= sending.accepted;
            sending.accepted == sending.generated && pair.lost() == 0 && is_receipted
        })
    }

    fn inbox(&mut self, at: usize) -> Option<&mut Inbox> {
        let pair = self.pairs.get_mut(at / 2)?;
        Some(if is_sender(at) { &mut pair.sender_inbox } else { &mut pair.receiver_inbox })
    }

    fn touch(&mut self, at: usize) {
        if let Some(pair) = self.pairs.get_mut(at).filter(|pair| !pair.is_touched) {
            pair.is_touched = true;
            self.touched.push(at);
        }
    }

    /// Open loop: when the next message is due.
    fn paced_ns(&self) -> Option<u64> {
        let Pace::Rate { per_second, from_ns } = self.pace else { return None };
        Some(from_ns + (self.paced as f64 * 1e9 / per_second) as u64)
    }

    /// When the first sender that was told to wait may go on.
    fn released_ns(&self) -> Option<u64> {
        let held = self.held.iter().filter_map(|at| self.pairs.get(*at));
        held.map(|pair| pair.sending.held_until_ns()).min()
    }

    /// Open loop: makes what has fallen due, pairs in turn.
    fn generate_due(&mut self, now_ns: u64) {
        while let Some(due_ns) = self.paced_ns().filter(|due_ns| *due_ns <= now_ns) {
            let at = (self.paced % self.pairs.len() as u64) as usize;
            self.paced += 1;
            self.generate(at, due_ns);
            self.touch(at);
        }
    }

    fn generate(&mut self, at: usize, due_ns: u64) {
        if let Some(pair) = self.pairs.get_mut(at) {
            pair.sending.generate(due_ns);
            self.counts.generated += 1;
        }
    }

    /// Closed loop: fills the window; then writes what may be written.
    fn serve(&mut self, at: usize, now_ns: u64, sockets: &mut Sockets) {
        let Some(pair) = self.pairs.get_mut(at) else { return };
        pair.is_touched = false;
        if let Pace::Window(window) = self.pace {
            let room = pair.room(window);
            (0..room).for_each(|_| self.generate(at, now_ns));
        }
        let Some(target) = sockets.login(2 * at + 1).map(|login| login.user.0) else { return };
        let Some(pair) = self.pairs.get_mut(at) else { return };
        while let Some((sequence, tag, due_ns)) = pair.sending.poll_due(now_ns) {
            if let Some(stamp) = self.payload.first_chunk_mut() {
                *stamp = due_ns.to_le_bytes();
            }
            let send = Send { sequence, seen_ms: 0, life_s: 0, content_type: 1 };
            sockets.send(2 * at, Address { flags: 0, tag, target }, &send, &self.payload);
        }
        if pair.sending.held_until_ns() > now_ns {
            self.held.push(at);
        }
    }

    fn handle_sender_frame(
        &mut self,
        at: usize,
        now_ns: u64,
        kind: Kind,
        frame: Frame<'_>,
    ) -> Result<(), Failure> {
        match kind {
            Kind::Accepted => {
                let (accepted, _) = access::<Accepted>(frame.envelope).map_err(bad_frame)?;
                self.handle_accepted(at, now_ns, accepted.sequence.to_native());
                Ok(())
            }
            Kind::Delivered => self.handle_receipt(at, now_ns, frame),
            Kind::Refused => self.handle_refused(at, now_ns, frame),
            Kind::OutOfOrder => self.handle_out_of_order(at, frame),
            Kind::Failed => self.handle_failed(at, now_ns, frame),
            kind => Err(out_of_place(Some(kind))),
        }
    }

    fn handle_accepted(&mut self, at: usize, now_ns: u64, sequence: u64) {
        let Some(pair) = self.pairs.get_mut(at) else { return };
        let due_ns = pair.sending.due(sequence);
        let before = pair.sending.accepted;
        if pair.sending.decide(sequence) {
            self.counts.accepted += sequence - before;
            self.record(now_ns, due_ns, |latencies| &mut latencies.accepted);
        }
        self.forget(at);
        self.touch(at);
    }

    fn handle_refused(&mut self, at: usize, now_ns: u64, frame: Frame<'_>) -> Result<(), Failure> {
        let Refused { sequence, retry_after_ms, code } = read(frame.envelope).map_err(bad_frame)?;
        if !matches!(Class::of(code), Some(Class::RetryAfter | Class::RetrySame)) {
            let name = Code::from_number(code).map_or("an unknown code", Code::name);
            return Err(Failure::new(format_args!("the server refuses to take messages: {name}")));
        }
        self.counts.refused += 1;
        let wait_ns = (u64::from(retry_after_ms) * 1_000_000).max(RETRY_NS_MIN);
        if let Some(pair) = self.pairs.get_mut(at) {
            pair.sending.go_back(frame.header.tag, sequence, now_ns + wait_ns);
        }
        self.touch(at);
        Ok(())
    }

    fn handle_out_of_order(&mut self, at: usize, frame: Frame<'_>) -> Result<(), Failure> {
        let OutOfOrder { expected, .. } = read(frame.envelope).map_err(bad_frame)?;
        self.counts.out_of_order += 1;
        if let Some(pair) = self.pairs.get_mut(at) {
            pair.sending.go_back(frame.header.tag, expected, 0);
        }
        self.touch(at);
        Ok(())
    }

    fn handle_deliver(&mut self, at: usize, now_ns: u64, frame: Frame<'_>) -> Result<(), Failure> {
        let (deliver, _) = access::<Deliver>(frame.envelope).map_err(bad_frame)?;
        let (after, position) = (deliver.after.to_native(), deliver.position.to_native());
        let Some(pair) = self.pairs.get_mut(at) else { return Ok(()) };
        if !pair.receiver_inbox.take(after, position) {
            return Ok(());
        }
        if pair.received.take(deliver.sequence.to_native()) {
            self.counts.delivered += 1;
            let due_ns = frame.payload.first_chunk().map(|stamp| u64::from_le_bytes(*stamp));
            self.record(now_ns, due_ns, |latencies| &mut latencies.delivered);
        }
        self.forget(at);
        self.touch(at);
        Ok(())
    }

    fn handle_receipt(&mut self, at: usize, now_ns: u64, frame: Frame<'_>) -> Result<(), Failure> {
        let (delivered, _) = access::<Delivered>(frame.envelope).map_err(bad_frame)?;
        let Some(pair) = self.pairs.get_mut(at) else { return Ok(()) };
        pair.sender_inbox.take(delivered.after.to_native(), delivered.position.to_native());
        let up_to = delivered.up_to.to_native().min(pair.sending.generated);
        let before = pair.sending.receipted;
        for sequence in before + 1..=up_to {
            let due_ns = self.pairs.get(at).and_then(|pair| pair.sending.due(sequence));
            self.record(now_ns, due_ns, |latencies| &mut latencies.receipted);
        }
        if let Some(pair) = self.pairs.get_mut(at) {
            pair.sending.receipted = before.max(up_to);
        }
        self.forget(at);
        Ok(())
    }

    fn handle_failed(&mut self, at: usize, now_ns: u64, frame: Frame<'_>) -> Result<(), Failure> {
        let Failed { position, after, sequence, .. } = read(frame.envelope).map_err(bad_frame)?;
        if frame.header.tag != 0 {
            self.counts.failed += 1;
            self.handle_accepted(at, now_ns, sequence);
        } else if let Some(pair) = self.pairs.get_mut(at) {
            pair.sender_inbox.take(after, position);
        }
        Ok(())
    }

    fn record(
        &mut self,
        now_ns: u64,
        due_ns: Option<u64>,
        histogram: impl FnOnce(&mut Latencies) -> &mut Histogram<u64>,
    ) {
        if let Some(due_ns) = due_ns.filter(|due_ns| self.measured_ns.contains(due_ns)) {
            let latency_ns = now_ns.saturating_sub(due_ns).max(1);
            histogram(&mut self.latencies).saturating_record(latency_ns);
        }
    }

    fn forget(&mut self, at: usize) {
        let Some(pair) = self.pairs.get_mut(at) else { return };
        let answered = pair.sending.accepted.min(pair.received.count);
        let receipted = if self.expects_receipts { pair.sending.receipted } else { u64::MAX };
        pair.sending.forget(answered.min(receipted));
    }
}

impl Job for ChatLoad {
    fn handle_open(&mut self, at: usize, _: u64, welcome: &Welcome, _: &mut Sockets) {
        if let Some(inbox) = self.inbox(at) {
            inbox.cursor = welcome.cursor;
        }
    }

    fn handle_frame(
        &mut self,
        at: usize,
        now_ns: u64,
        frame: Frame<'_>,
        _sockets: &mut Sockets,
    ) -> Result<(), Failure> {
        let pair = at / 2;
        match frame.header.kind() {
            Some(Kind::CaughtUp | Kind::Pong) => Ok(()),
            Some(Kind::Deliver) if !is_sender(at) => self.handle_deliver(pair, now_ns, frame),
            Some(kind) if is_sender(at) => self.handle_sender_frame(pair, now_ns, kind, frame),
            kind => Err(out_of_place(kind)),
        }
    }

    fn handle_read_end(&mut self, at: usize, sockets: &mut Sockets) {
        if let Some(inbox) = self.inbox(at) {
            sockets.acknowledge(at, inbox);
        }
    }

    fn pump(&mut self, now_ns: u64, sockets: &mut Sockets) {
        let mut held = std::mem::take(&mut self.held);
        held.drain(..).for_each(|at| self.touch(at));
        self.generate_due(now_ns);
        let mut touched = std::mem::take(&mut self.touched);
        touched.drain(..).for_each(|at| self.serve(at, now_ns, sockets));
        self.touched = touched;
    }

    fn due_ns(&self) -> Option<u64> {
        self.paced_ns().into_iter().chain(self.released_ns()).min()
    }
}

fn is_sender(at: usize) -> bool {
    at.is_multiple_of(2)
}

/// A frame that this load has no use for.
pub(super) fn out_of_place(kind: Option<Kind>) -> Failure {
    let name = kind.map_or("an unknown kind", Kind::name);
    Failure::new(format_args!("the server sent {name}, which has no place here"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_says_when_there_is_something_to_do() {
        let mut load = ChatLoad::new(2, STAMP_BYTES, false).unwrap();
        assert_eq!(load.due_ns(), None);
        load.set_pace(Pace::Window(1));
        assert_eq!(load.due_ns(), None, "answers move a closed loop");
        load.set_pace(Pace::Rate { per_second: 1000.0, from_ns: 5_000_000 });
        assert_eq!(load.due_ns(), Some(5_000_000));
        load.pump(6_500_000, &mut Sockets::default());
        assert_eq!((load.counts.generated, load.due_ns()), (2, Some(7_000_000)));
        load.pairs[0].sending.go_back(0, 1, 6_800_000);
        load.held.push(0);
        assert_eq!(load.due_ns(), Some(6_800_000), "a sender that was told to wait goes on");
    }
}
