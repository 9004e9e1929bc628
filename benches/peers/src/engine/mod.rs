//! The event loop of the generator: one thread, one epoll, all connections of a job.
//!
//! ```text
//! turn:  poll ─► read each ready socket, its bytes to the protocol, its events to the counts
//!             ─► fill the windows, or write what is due ─► write each dirty socket
//! ```
//! One read and one write per connection and turn, whatever they carry.

mod connection;
mod flow;
mod received;
mod timer;

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use hdrhistogram::Histogram;
use mio::{Events, Poll, Token};

use connection::{Read, Slot};
use flow::Flow;
pub(crate) use flow::Pace;
use timer::Timer;

use crate::clock::Clock;
use crate::protocol::{Event, Protocol, Role};
use crate::stamp::Stamp;

/// Logins under way at once: more could overrun a server's listen queue.
const CONNECTING_MAX: usize = 64;
/// All logins must be through in this time.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(120);
/// One read takes this much.
const READ_BYTES: usize = 256 * 1024;
/// A turn waits this long at most, so that a job sees in time that it is over.
const WAIT_MAX: Duration = Duration::from_millis(10);
/// Slots have the numbers below.
const TIMER: Token = Token(usize::MAX);
/// Latencies up to 200 s, ns, to three digits.
const LATENCY_NS_MAX: u64 = 200_000_000_000;

/// What happened so far, all connections together.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) sent: u64,
    pub(crate) accepted: u64,
    /// Different messages that receivers have got.
    pub(crate) delivered: u64,
    pub(crate) doubled: u64,
    pub(crate) reordered: u64,
    pub(crate) receipts: u64,
}

/// From when a message was due, ns.
#[derive(Debug)]
pub(crate) struct Latencies {
    pub(crate) accepted: Histogram<u64>,
    pub(crate) delivered: Histogram<u64>,
}

/// The loop. Senders are the first slots, so that a flow and its sender have one number.
pub(crate) struct Engine<P: Protocol> {
    protocol: P,
    address: SocketAddr,
    poll: Poll,
    timer: Timer,
    slots: Vec<Slot<P::State>>,
    flows: Vec<Flow>,
    pace: Pace,
    clock: Clock,
    open_count: usize,
    touched: Vec<usize>,
    dirty: Vec<usize>,
    scratch: Vec<u8>,
    /// Only messages that were due then count in the latencies.
    measured_ns: Range<u64>,
    /// Time with work in hand, ns: the rest is waiting.
    busy_ns: u64,
    pub(crate) counts: Counts,
    pub(crate) latencies: Latencies,
}

impl<P: Protocol> Engine<P> {
    /// A loop whose connections are all closed yet.
    pub(crate) fn new(protocol: P, address: SocketAddr, roles: &[Role]) -> Result<Self> {
        let senders = roles.iter().take_while(|role| matches!(role, Role::Sender(_))).count();
        let poll = Poll::new()?;
        let histogram = || Histogram::new_with_bounds(1, LATENCY_NS_MAX, 3);
        Ok(Self {
            protocol,
            address,
            timer: Timer::register(poll.registry(), TIMER)?,
            poll,
            slots: roles.iter().copied().map(Slot::new).collect(),
            flows: (0..senders).map(|_| Flow::default()).collect(),
            pace: Pace::Stopped,
            clock: Clock::new(),
            open_count: 0,
            touched: Vec::new(),
            dirty: Vec::new(),
            scratch: vec![0; READ_BYTES],
            measured_ns: 0..0,
            busy_ns: 0,
            counts: Counts::default(),
            latencies: Latencies { accepted: histogram()?, delivered: histogram()? },
        })
    }

    /// The loop's clock, ns.
    pub(crate) fn now_ns(&self) -> u64 {
        self.clock.now_ns()
    }

    /// Time with work in hand, ns.
    pub(crate) fn busy_ns(&self) -> u64 {
        self.busy_ns
    }

    /// Connects and logs in; returns once all of them are ready.
    pub(crate) fn open(&mut self, slots: Range<usize>) -> Result<()> {
        let goal = self.open_count + slots.len();
        let deadline = self.clock.elapsed() + LOGIN_TIMEOUT;
        let mut begun = self.open_count;
        let mut slots = slots.into_iter();
        let mut events = Events::with_capacity(1024);
        while self.open_count < goal {
            for at in slots.by_ref().take(CONNECTING_MAX - (begun - self.open_count)) {
                let slot = self.slots.get_mut(at).context("no such slot")?;
                slot.connect(self.address, at, self.poll.registry())?;
                begun += 1;
            }
            self.turn(&mut events)?;
            let (count, is_in_time) = (self.open_count, self.clock.elapsed() < deadline);
            ensure!(is_in_time, "only {count} of {goal} logins in time");
        }
        Ok(())
    }

    /// Closes in good order.
    pub(crate) fn close(&mut self, slots: Range<usize>) -> Result<()> {
        for at in slots {
            let slot = self.slots.get_mut(at).context("no such slot")?;
            slot.close(&self.protocol)?;
            self.open_count -= 1;
        }
        Ok(())
    }

    /// Resets all connections, so that no port stays in TIME_WAIT.
    pub(crate) fn reset_all(&mut self) {
        self.slots.iter_mut().for_each(Slot::reset);
    }

    /// Changes when senders send.
    pub(crate) fn set_pace(&mut self, pace: Pace) {
        self.pace = pace;
        (0..self.flows.len()).for_each(|at| self.touch(at));
    }

    /// Counts the latencies of messages that are due in that time, and forgets earlier ones.
    pub(crate) fn measure(&mut self, due_ns: Range<u64>) {
        self.measured_ns = due_ns;
        self.latencies.accepted.reset();
        self.latencies.delivered.reset();
    }

    /// Turns until a time, or until `is_over` says so.
    pub(crate) fn run(&mut self, end_ns: u64, is_over: impl Fn(&Counts) -> bool) -> Result<()> {
        let mut events = Events::with_capacity(1024);
        while self.clock.now_ns() < end_ns && !is_over(&self.counts) {
            self.turn(&mut events)?;
        }
        Ok(())
    }

    fn turn(&mut self, events: &mut Events) -> Result<()> {
        let wait = self.timer.wait(self.pace.due_ns(), self.clock.now_ns(), WAIT_MAX)?;
        match self.poll.poll(events, Some(wait)) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error.into()),
            _ => {}
        }
        let start_ns = self.clock.now_ns();
        let mut is_busy = false;
        for event in events.iter().filter(|event| event.token() != TIMER) {
            is_busy = true;
            let Token(at) = event.token();
            let Some(slot) = self.slots.get_mut(at) else { continue };
            if event.is_writable() && slot.handle_writable(&self.protocol)? {
                self.mark_dirty(at);
            }
            if event.is_readable() {
                self.read(at)?;
            }
        }
        self.send_due();
        is_busy |= !self.dirty.is_empty();
        self.write_dirty()?;
        if is_busy {
            self.busy_ns += self.clock.now_ns() - start_ns;
        }
        Ok(())
    }

    fn read(&mut self, at: usize) -> Result<()> {
        let mut scratch = std::mem::take(&mut self.scratch);
        let mut happened = Vec::new();
        while let Some(slot) = self.slots.get_mut(at) {
            let read = slot.read(&self.protocol, &mut scratch, &mut happened)?;
            if slot.has_output() {
                self.mark_dirty(at);
            }
            let now_ns = self.clock.now_ns();
            happened.drain(..).for_each(|event| self.handle_event(at, now_ns, event));
            if read == Read::All {
                break;
            }
        }
        self.scratch = scratch;
        Ok(())
    }

    fn handle_event(&mut self, at: usize, now_ns: u64, event: Event) {
        match event {
            Event::Ready => {
                self.open_count += 1;
                if let Some(slot) = self.slots.get_mut(at) {
                    slot.is_ready = true;
                }
            }
            Event::Accepted(count) => {
                self.counts.accepted += count;
                for _ in 0..count {
                    let due_ns = self.flows.get_mut(at).and_then(Flow::accept);
                    if let Some(due_ns) = due_ns.filter(|due| self.measured_ns.contains(due)) {
                        self.latencies.accepted.saturating_record(since(due_ns, now_ns));
                    }
                }
                self.touch(at);
            }
            Event::Message(stamp) => self.handle_message(at, now_ns, stamp),
            Event::Receipts(count) => self.counts.receipts += count,
        }
    }

    fn handle_message(&mut self, at: usize, now_ns: u64, stamp: Stamp) {
        let Some(slot) = self.slots.get_mut(at) else { return };
        let (doubled, reordered) = (slot.received.doubled, slot.received.reordered);
        let is_new = slot.received.take(stamp.number);
        self.counts.doubled += slot.received.doubled - doubled;
        self.counts.reordered += slot.received.reordered - reordered;
        if !is_new {
            return;
        }
        self.counts.delivered += 1;
        if self.measured_ns.contains(&stamp.due_ns) {
            self.latencies.delivered.saturating_record(since(stamp.due_ns, now_ns));
        }
        let sender = stamp.sender as usize;
        if let Some(flow) = self.flows.get_mut(sender) {
            flow.delivered += 1;
        }
        self.touch(sender);
    }

    fn touch(&mut self, at: usize) {
        if let Some(flow) = self.flows.get_mut(at).filter(|flow| !flow.is_touched) {
            flow.is_touched = true;
            self.touched.push(at);
        }
    }

    fn mark_dirty(&mut self, at: usize) {
        if let Some(slot) = self.slots.get_mut(at).filter(|slot| !slot.is_dirty) {
            slot.is_dirty = true;
            self.dirty.push(at);
        }
    }

    fn send_due(&mut self) {
        let now_ns = self.clock.now_ns();
        let mut touched = std::mem::take(&mut self.touched);
        for at in touched.drain(..) {
            let Some(flow) = self.flows.get_mut(at) else { continue };
            flow.is_touched = false;
            (0..flow.room(&self.pace)).for_each(|_| self.send(at, now_ns));
        }
        self.touched = touched;
        while let Some((turn, due_ns)) = self.pace.poll_due(now_ns) {
            self.send((turn % self.flows.len().max(1) as u64) as usize, due_ns);
        }
    }

    fn send(&mut self, at: usize, due_ns: u64) {
        let (Some(flow), Some(slot)) = (self.flows.get_mut(at), self.slots.get_mut(at)) else {
            return;
        };
        let stamp = Stamp { due_ns, sender: at as u32, number: flow.send(due_ns) as u32 };
        slot.publish(&self.protocol, at as u32, &stamp.to_body());
        self.counts.sent += 1;
        self.mark_dirty(at);
    }

    fn write_dirty(&mut self) -> Result<()> {
        let mut dirty = std::mem::take(&mut self.dirty);
        for at in dirty.drain(..) {
            if let Some(slot) = self.slots.get_mut(at) {
                slot.write(&self.protocol)?;
            }
        }
        self.dirty = dirty;
        Ok(())
    }
}

fn since(due_ns: u64, now_ns: u64) -> u64 {
    now_ns.saturating_sub(due_ns).max(1)
}
