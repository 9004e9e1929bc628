//! The event loop of a load: one thread, one epoll, all connections of a run.
//!
//! ```text
//! turn:  poll ─► read each ready socket, hand its frames to the job ─► pump ─► write each
//!                                                                              dirty socket
//! ```
//! One read and one write per connection and turn, whatever they carry, as in a box.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use answerback_proto::access::{kind_of, read};
use answerback_proto::code::Code;
use answerback_proto::encode::Address;
use answerback_proto::frame_buffer::Frame;
use answerback_proto::kind::{End, Error, Kind, Pong, Probe, Welcome};
use answerback_proto::limits::FRAME_BYTES_HARD_MAX;
use mio::event::Event;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, Socket, Type};

use super::connection::{Connection, State};
use super::cover::Covers;
use super::sockets::Sockets;
use super::timer::Timer;
use super::users::{Login, ResumeTicket};
use crate::clock::Clock;
use crate::exit::Failure;

/// Logins under way at once: more could overrun a server's listen queue.
const CONNECTING_MAX: usize = 64;
/// Connections from one source address, well inside the range of ephemeral ports.
const PER_SOURCE_ADDRESS: usize = 4000;
/// One read takes this much.
const READ_BYTES: usize = 256 * 1024;
/// All logins must be through in this time.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(180);
/// A turn waits this long at most, so that a run sees in time that it is over.
const WAIT_MAX: Duration = Duration::from_millis(10);
/// Connections have the numbers below.
const TIMER: Token = Token(usize::MAX);

/// What the connections are for. Connections are named by their number, from 0.
pub(super) trait Job {
    /// `Welcome` came.
    fn handle_open(&mut self, at: usize, now_ns: u64, welcome: &Welcome, sockets: &mut Sockets);

    /// A frame came, other than those that open and keep a session.
    fn handle_frame(
        &mut self,
        at: usize,
        now_ns: u64,
        frame: Frame<'_>,
        sockets: &mut Sockets,
    ) -> Result<(), Failure>;

    /// All frames of a read were handled.
    fn handle_read_end(&mut self, at: usize, sockets: &mut Sockets);

    /// Between reading and writing: what is due now.
    fn pump(&mut self, now_ns: u64, sockets: &mut Sockets);

    /// When `pump` has something to do next, whatever comes until then.
    fn due_ns(&self) -> Option<u64> {
        None
    }

    /// A connection has ended by itself. Most loads need all of theirs.
    fn handle_end(&mut self, _at: usize, _now_ns: u64, ended: Ended) -> Result<(), Failure> {
        Err(ended.failure)
    }
}

/// Why a connection ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) failure: Failure,
    /// What the server asks for before the next try.
    pub(super) retry_after_ms: u32,
}

impl From<Failure> for Ended {
    fn from(failure: Failure) -> Self {
        Self { failure, retry_after_ms: 0 }
    }
}

/// Where connections go, and how.
#[derive(Debug)]
pub(super) struct Door {
    /// The server.
    pub(super) address: SocketAddr,
    /// What they are covered with, where they go over TLS.
    pub(super) covers: Option<Covers>,
    /// Devices come back with the tickets that they were given.
    pub(super) resumes: bool,
}

/// The loop.
#[derive(Debug)]
pub(super) struct Engine {
    door: Door,
    poll: Poll,
    timer: Timer,
    sockets: Sockets,
    open_count: usize,
    clock: Clock,
    scratch: Vec<u8>,
    plain: Vec<u8>,
    /// Time spent with work in hand, ns: the rest is waiting.
    busy_ns: u64,
}

impl Engine {
    /// A loop without connections.
    pub(super) fn new(door: Door) -> Result<Self, Failure> {
        let poll = Poll::new()?;
        Ok(Self {
            door,
            timer: Timer::register(poll.registry(), TIMER)?,
            poll,
            sockets: Sockets::default(),
            open_count: 0,
            clock: Clock::new(),
            scratch: vec![0; READ_BYTES],
            plain: Vec::new(),
            busy_ns: 0,
        })
    }

    /// The loop's clock, ns.
    pub(super) fn now_ns(&self) -> u64 {
        self.clock.now_ns()
    }

    /// Time spent with work in hand, ns.
    pub(super) fn busy_ns(&self) -> u64 {
        self.busy_ns
    }

    /// Logs all in, no two connections begun within `interval`, calling `progress` now and
    /// then.
    pub(super) fn log_in(
        &mut self,
        logins: Vec<Login>,
        interval: Duration,
        job: &mut impl Job,
        mut progress: impl FnMut(usize),
    ) -> Result<(), Failure> {
        let goal = self.sockets.connections.len() + logins.len();
        let begun = self.clock.elapsed();
        let deadline = begun + interval * logins.len() as u32 + LOGIN_TIMEOUT;
        let mut due = begun;
        let wait = interval.clamp(Duration::from_millis(1), Duration::from_millis(100));
        let mut logins = logins.into_iter();
        let mut events = Events::with_capacity(1024);
        while self.open_count < goal {
            let now = self.clock.elapsed();
            while self.sockets.connections.len() - self.open_count < CONNECTING_MAX && due <= now {
                let Some(login) = logins.next() else { break };
                self.connect(self.sockets.connections.len(), login)?;
                due += interval;
            }
            self.turn(&mut events, job, wait)?;
            progress(self.open_count);
            if self.clock.elapsed() > deadline {
                let count = self.open_count;
                return Err(Failure::new(format_args!("only {count} of {goal} logins in time")));
            }
        }
        Ok(())
    }

    /// Turns until `is_over` says so at a turn's end.
    pub(super) fn run<J: Job>(
        &mut self,
        job: &mut J,
        mut is_over: impl FnMut(&mut J, u64) -> bool,
    ) -> Result<(), Failure> {
        let mut events = Events::with_capacity(1024);
        loop {
            self.turn(&mut events, job, WAIT_MAX)?;
            if is_over(job, self.clock.now_ns()) {
                return Ok(());
            }
        }
    }

    /// Resets all connections, so that no port stays in TIME_WAIT.
    pub(super) fn reset_all(&mut self) {
        self.sockets.connections.drain(..).flatten().for_each(Connection::reset);
        self.open_count = 0;
    }

    fn connect(&mut self, at: usize, login: Login) -> Result<(), Failure> {
        let address = self.door.address;
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        if address.ip().is_loopback() && address.is_ipv4() {
            let last = 1 + (at / PER_SOURCE_ADDRESS) as u8;
            socket.bind(&SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, last), 0).into())?;
        }
        match socket.connect(&address.into()) {
            Err(error) if !is_in_progress(&error) => return Err(self.unreachable(&error)),
            _ => {}
        }
        let mut stream = TcpStream::from_std(socket.into());
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut stream, Token(at), interest)?;
        let connections = &mut self.sockets.connections;
        connections.resize_with(connections.len().max(at + 1), || None);
        let Some(slot) = connections.get_mut(at) else { return Ok(()) };
        let cover = self.door.covers.as_ref().map(Covers::cover).transpose()?;
        *slot = Some(Connection::new(stream, cover, login));
        Ok(())
    }

    fn turn(
        &mut self,
        events: &mut Events,
        job: &mut impl Job,
        longest: Duration,
    ) -> Result<(), Failure> {
        let wait = self.timer.wait(job.due_ns(), self.clock.now_ns(), longest)?;
        match self.poll.poll(events, Some(wait)) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error.into()),
            _ => {}
        }
        let start_ns = self.clock.now_ns();
        let mut is_busy = false;
        for event in events.iter().filter(|event| event.token() != TIMER) {
            is_busy = true;
            let at = event.token().0;
            if let Err(ended) = self.handle_event(at, event, job) {
                self.end(at, job, ended)?;
            }
        }
        job.pump(self.clock.now_ns(), &mut self.sockets);
        is_busy |= !self.sockets.dirty.is_empty();
        self.write_dirty(job)?;
        self.close_and_open()?;
        if is_busy {
            self.busy_ns += self.clock.now_ns() - start_ns;
        }
        Ok(())
    }

    fn handle_event(&mut self, at: usize, event: &Event, job: &mut impl Job) -> Result<(), Ended> {
        if event.is_writable() {
            self.handle_writable(at)?;
        }
        if event.is_readable() {
            self.read(at, job)?;
        }
        Ok(())
    }

    fn end(&mut self, at: usize, job: &mut impl Job, ended: Ended) -> Result<(), Failure> {
        if self.sockets.connections.get_mut(at).and_then(Option::take).is_some() {
            job.handle_end(at, self.clock.now_ns(), ended)?;
        }
        Ok(())
    }

    /// What the job asked for. All events of the turn are handled: none is left of a
    /// connection whose place is taken by another.
    fn close_and_open(&mut self) -> Result<(), Failure> {
        for at in std::mem::take(&mut self.sockets.closing) {
            let slot = self.sockets.connections.get_mut(at);
            slot.and_then(Option::take).into_iter().for_each(Connection::reset);
        }
        for (at, login) in std::mem::take(&mut self.sockets.opening) {
            self.connect(at, login)?;
        }
        Ok(())
    }

    fn handle_writable(&mut self, at: usize) -> Result<(), Ended> {
        let Some(connection) = self.sockets.connection(at) else { return Ok(()) };
        if connection.state == State::Connecting {
            if let Some(error) = connection.stream.take_error().map_err(Failure::new)? {
                return Err(self.unreachable(&error).into());
            }
            connection.state = State::Securing;
            match &connection.cover {
                Some(_) => self.sockets.mark(at),
                None => self.say_hello(at)?,
            }
        } else if connection.is_full {
            connection.is_full = false;
            connection.write()?;
        }
        Ok(())
    }

    fn say_hello(&mut self, at: usize) -> Result<(), Failure> {
        if let Some(connection) = self.sockets.connection(at) {
            connection.state = State::HelloSent;
        }
        self.sockets.send_hello(at)
    }

    fn read(&mut self, at: usize, job: &mut impl Job) -> Result<(), Ended> {
        let mut scratch = std::mem::take(&mut self.scratch);
        let outcome = self.read_into(at, job, &mut scratch);
        self.scratch = scratch;
        outcome?;
        job.handle_read_end(at, &mut self.sockets);
        Ok(())
    }

    fn read_into(
        &mut self,
        at: usize,
        job: &mut impl Job,
        scratch: &mut [u8],
    ) -> Result<(), Ended> {
        loop {
            let Some(connection) = self.sockets.connection(at) else { return Ok(()) };
            let Some(length) = connection.read(scratch)? else { return Ok(()) };
            let (received, _) = scratch.split_at(length);
            match connection.cover {
                Some(_) => self.handle_covered(at, job, received)?,
                None => self.handle_received(at, job, received)?,
            }
            if length < scratch.len() {
                return Ok(());
            }
        }
    }

    /// Takes records, of the handshake at first.
    fn handle_covered(
        &mut self,
        at: usize,
        job: &mut impl Job,
        records: &[u8],
    ) -> Result<(), Ended> {
        let Some(connection) = self.sockets.connection(at) else { return Ok(()) };
        let Some(cover) = &mut connection.cover else { return Ok(()) };
        let mut plain = std::mem::take(&mut self.plain);
        plain.clear();
        cover.open(records, &mut plain)?;
        let (is_handshaking, state) = (cover.is_handshaking(), connection.state);
        self.sockets.mark(at);
        if state == State::Securing && !is_handshaking {
            self.say_hello(at)?;
        }
        let handled = self.handle_received(at, job, &plain);
        self.plain = plain;
        handled
    }

    fn handle_received(
        &mut self,
        at: usize,
        job: &mut impl Job,
        mut received: &[u8],
    ) -> Result<(), Ended> {
        let now_ns = self.clock.now_ns();
        let Some(connection) = self.sockets.connection(at) else { return Ok(()) };
        let mut frames = std::mem::take(&mut connection.frames);
        loop {
            let mut rest = received;
            let next = frames.next_frame(&mut rest, FRAME_BYTES_HARD_MAX).map_err(bad_frame)?;
            let Some(frame) = next else { break };
            let used = received.len() - rest.len();
            match kind_of(&frame.header, End::Server).map_err(bad_frame)? {
                Some(Kind::Welcome) => self.handle_welcome(at, job, frame)?,
                Some(Kind::Error) => return Err(closed(frame)),
                Some(Kind::Probe) => {
                    let Probe { echo } = read(frame.envelope).map_err(bad_frame)?;
                    self.sockets.send(at, Address::default(), &Pong { echo }, &[]);
                }
                _ => job.handle_frame(at, now_ns, frame, &mut self.sockets)?,
            }
            (_, received) = received.split_at(used);
        }
        if let Some(connection) = self.sockets.connection(at) {
            connection.frames = frames;
        }
        Ok(())
    }

    fn handle_welcome(
        &mut self,
        at: usize,
        job: &mut impl Job,
        frame: Frame<'_>,
    ) -> Result<(), Failure> {
        let (welcome, tail) = Welcome::read(frame.envelope).map_err(bad_frame)?;
        if let Some(connection) = self.sockets.connection(at) {
            if self.door.resumes {
                connection.login.ticket = ResumeTicket::read(tail.secret()).map(Arc::new);
            }
            self.open_count += usize::from(connection.state == State::HelloSent);
            connection.state = State::Open;
        }
        let now_ns = self.clock.now_ns();
        job.handle_open(at, now_ns, &welcome, &mut self.sockets);
        Ok(())
    }

    fn write_dirty(&mut self, job: &mut impl Job) -> Result<(), Failure> {
        let mut dirty = std::mem::take(&mut self.sockets.dirty);
        for at in dirty.drain(..) {
            if let Err(ended) = self.write(at) {
                self.end(at, job, ended)?;
            }
        }
        self.sockets.dirty = dirty;
        Ok(())
    }

    fn write(&mut self, at: usize) -> Result<(), Ended> {
        let Some(connection) = self.sockets.connection(at) else { return Ok(()) };
        Ok(connection.write()?)
    }

    fn unreachable(&self, error: &io::Error) -> Failure {
        let address = self.door.address;
        Failure::new(format_args!("cannot connect to {address}: {error}; is the server running?"))
    }
}

fn is_in_progress(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error())
}

/// A frame that no server of this protocol sends.
pub(super) fn bad_frame(code: Code) -> Failure {
    Failure::new(format_args!("the server sent a bad frame ({})", code.name()))
}

fn closed(frame: Frame<'_>) -> Ended {
    match read::<Error>(frame.envelope) {
        Ok(Error { code, retry_after_ms, .. }) => {
            let name = Code::from_number(code).map_or("an unknown code", Code::name);
            let failure =
                Failure::new(format_args!("the server closed a session: {name} ({code})"));
            Ended { failure, retry_after_ms }
        }
        Err(code) => bad_frame(code).into(),
    }
}
