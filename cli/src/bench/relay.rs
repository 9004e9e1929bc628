//! The bare relay: the least that a server can do with these frames.
//!
//! One thread. It answers each `Hello`, confirms each `Send` and forwards it, and each `GroupSend`
//! to all of its group; with `--receipts` it also tells the sender when the receiver has
//! acknowledged. It checks no token, keeps nothing, and orders nothing: what a box costs beyond it
//! is the price of keeping a promise.

mod groups;

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;

use answerback_proto::access::{access, decode};
use answerback_proto::code::Code;
use answerback_proto::encode::{Address, append_frame};
use answerback_proto::frame_buffer::{Frame, FrameBuffer};
use answerback_proto::kind::{
    Accepted, Ack, Deliver, Delivered, Envelope, Hello, Kind, Ping, Pong, Refused, Send, Welcome,
};
use answerback_proto::limits::{FRAME_BYTES_MAX, UNDECIDED_MAX};
use clap::Args;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

use crate::exit::Failure;
use crate::process::allow_connections;

const LISTENER: Token = Token(usize::MAX);
/// One read takes this much.
const READ_BYTES: usize = 256 * 1024;
/// Connections that a comparison needs.
const CONNECTIONS: usize = 16_000;

/// Where, and how much.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Where it listens.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:7401")]
    listen: SocketAddr,
    /// Tell senders when their messages were acknowledged, as a box does.
    #[arg(long)]
    receipts: bool,
}

/// Relays until it is killed.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    allow_connections(CONNECTIONS)?;
    let mut listener = TcpListener::bind(arguments.listen).map_err(|error| {
        Failure::new(format_args!("cannot listen on {}: {error}", arguments.listen))
    })?;
    let mut poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    println!("relay listening on {}", listener.local_addr()?);
    let mut relay = Relay { gives_receipts: arguments.receipts, ..Relay::default() };
    let mut events = Events::with_capacity(1024);
    let mut scratch = vec![0; READ_BYTES];
    loop {
        match poll.poll(&mut events, None) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error.into()),
            _ => {}
        }
        for event in &events {
            if event.token() == LISTENER {
                relay.accept(&listener, &poll)?;
                continue;
            }
            let at = event.token().0;
            if event.is_writable() {
                relay.handle_writable(at);
            }
            if event.is_readable() {
                relay.read(at, &mut scratch);
            }
        }
        relay.write_dirty();
    }
}

#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    user: u128,
    device: u128,
    /// The last target and its connection: a pair always writes to each other.
    peer: Option<(u128, usize)>,
    /// The connection whose message this one got last, and its position less its sequence.
    last_sender: Option<(usize, u64)>,
    last_position: u64,
    frames: FrameBuffer,
    out: Vec<u8>,
    is_dirty: bool,
    /// The socket took no more: writing waits until it says that it does.
    is_full: bool,
}

#[derive(Debug, Default)]
struct Relay {
    gives_receipts: bool,
    connections: Vec<Option<Connection>>,
    by_user: HashMap<u128, usize, foldhash::fast::FixedState>,
    /// The members' connections.
    groups: HashMap<u128, Vec<usize>, foldhash::fast::FixedState>,
    dirty: Vec<usize>,
}

impl Relay {
    fn accept(&mut self, listener: &TcpListener, poll: &Poll) -> io::Result<()> {
        while let Ok((mut stream, _)) = listener.accept() {
            stream.set_nodelay(true)?;
            let interest = Interest::READABLE | Interest::WRITABLE;
            poll.registry().register(&mut stream, Token(self.connections.len()), interest)?;
            self.connections.push(Some(Connection {
                stream,
                user: 0,
                device: 0,
                peer: None,
                last_sender: None,
                last_position: 0,
                frames: FrameBuffer::default(),
                out: Vec::new(),
                is_dirty: false,
                is_full: false,
            }));
        }
        Ok(())
    }

    fn connection(&mut self, at: usize) -> Option<&mut Connection> {
        self.connections.get_mut(at)?.as_mut()
    }

    fn close(&mut self, at: usize) {
        if let Some(connection) = self.connections.get_mut(at).and_then(Option::take) {
            self.by_user.remove(&connection.user);
        }
    }

    fn read(&mut self, at: usize, scratch: &mut [u8]) {
        loop {
            let Some(connection) = self.connection(at) else { return };
            let length = match connection.stream.read(scratch) {
                Ok(length) if length > 0 => length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                _ => return self.close(at),
            };
            let (received, _) = scratch.split_at(length);
            if self.handle_received(at, received).is_err() {
                return self.close(at);
            }
            if length < scratch.len() {
                return;
            }
        }
    }

    fn handle_received(&mut self, at: usize, mut received: &[u8]) -> Result<(), Code> {
        let Some(connection) = self.connection(at) else { return Ok(()) };
        let mut frames = std::mem::take(&mut connection.frames);
        loop {
            let mut rest = received;
            let Some(frame) = frames.next_frame(&mut rest, FRAME_BYTES_MAX)? else { break };
            let used = received.len() - rest.len();
            match frame.header.kind() {
                Some(Kind::Send) => self.forward(at, frame)?,
                Some(Kind::GroupSend) => self.fan_out(at, frame)?,
                Some(Kind::Ack) if self.gives_receipts => self.give_receipt(at, frame)?,
                Some(Kind::Hello) => self.welcome(at, frame)?,
                Some(Kind::CreateGroup) => self.make_group(at, frame)?,
                Some(Kind::Ping) => {
                    let Ping { echo } = decode(frame.envelope)?;
                    let address = Address { flags: 0, tag: frame.header.tag, target: 0 };
                    self.send(at, address, &Pong { echo }, &[]);
                }
                _ => {}
            }
            (_, received) = received.split_at(used);
        }
        if let Some(connection) = self.connection(at) {
            connection.frames = frames;
        }
        Ok(())
    }

    fn welcome(&mut self, at: usize, frame: Frame<'_>) -> Result<(), Code> {
        let (hello, _) = Hello::read(frame.envelope)?;
        let user = frame.header.target;
        if let Some(connection) = self.connection(at) {
            connection.user = user;
            connection.device = hello.device;
        }
        self.by_user.insert(user, at);
        let welcome = Welcome {
            version: 1,
            kinds_count: 0,
            ticket_length: 0,
            lapsed: 0,
            server_time_ms: 0,
            session: at as u64,
            generation: 1,
            cursor: 0,
            pending_count: 0,
            pending_bytes: 0,
            frame_bytes_max: FRAME_BYTES_MAX,
            undecided_max: UNDECIDED_MAX as u16,
            heartbeat_min_s: 60,
            heartbeat_max_s: 600,
        };
        let address = Address { flags: 0, tag: frame.header.tag, target: user };
        self.send(at, address, &welcome, &[]);
        Ok(())
    }

    fn forward(&mut self, at: usize, frame: Frame<'_>) -> Result<(), Code> {
        let (send, _) = access::<Send>(frame.envelope)?;
        let (sequence, target) = (send.sequence.to_native(), frame.header.target);
        let answer = Address { flags: 0, tag: frame.header.tag, target };
        let Some((sender, device, receiver)) = self.route(at, target) else {
            let code = Code::UnknownUser.number();
            self.send(at, answer, &Refused { sequence, retry_after_ms: 0, code }, &[]);
            return Ok(());
        };
        self.send(at, answer, &Accepted { sequence, accepted_at_ms: 0 }, &[]);
        let Some(connection) = self.connection(receiver) else { return Ok(()) };
        connection.last_position += 1;
        let position = connection.last_position;
        connection.last_sender = Some((at, position.wrapping_sub(sequence)));
        let deliver = Deliver {
            position,
            after: position - 1,
            device,
            sequence,
            accepted_at_ms: 0,
            content_type: send.content_type.to_native(),
        };
        let address = Address { flags: 0, tag: 0, target: sender };
        self.send(receiver, address, &deliver, frame.payload);
        Ok(())
    }

    /// The sender's user and device, and the target's connection.
    fn route(&mut self, at: usize, target: u128) -> Option<(u128, u128, usize)> {
        let connection = self.connections.get_mut(at)?.as_mut()?;
        let receiver = match connection.peer {
            Some((user, receiver)) if user == target => receiver,
            _ => *self.by_user.get(&target)?,
        };
        connection.peer = Some((target, receiver));
        Some((connection.user, connection.device, receiver))
    }

    fn give_receipt(&mut self, at: usize, frame: Frame<'_>) -> Result<(), Code> {
        let (ack, _) = access::<Ack>(frame.envelope)?;
        let up_to = ack.up_to.to_native();
        let Some(connection) = self.connection(at) else { return Ok(()) };
        let (user, last_sender) = (connection.user, connection.last_sender);
        let Some((sender, distance)) = last_sender else { return Ok(()) };
        let Some(device) = self.connection(sender).map(|connection| connection.device) else {
            return Ok(());
        };
        let delivered = Delivered {
            position: 0,
            after: 0,
            device,
            up_to: up_to.wrapping_sub(distance),
            delivered_at_ms: 0,
            except_count: 0,
        };
        self.send(sender, Address { flags: 0, tag: 0, target: user }, &delivered, &[]);
        Ok(())
    }

    fn send<E: Envelope>(&mut self, to: usize, address: Address, envelope: &E, payload: &[u8]) {
        let Some(connection) = self.connections.get_mut(to).and_then(Option::as_mut) else {
            return;
        };
        append_frame(&mut connection.out, address, envelope, &[], payload);
        if !connection.is_dirty {
            connection.is_dirty = true;
            self.dirty.push(to);
        }
    }

    fn write_dirty(&mut self) {
        let mut dirty = std::mem::take(&mut self.dirty);
        dirty.drain(..).for_each(|at| self.write(at));
        self.dirty = dirty;
    }

    /// Every event says so; it only matters where a write was cut short.
    fn handle_writable(&mut self, at: usize) {
        if let Some(connection) = self.connection(at).filter(|connection| connection.is_full) {
            connection.is_full = false;
            self.write(at);
        }
    }

    fn write(&mut self, at: usize) {
        let Some(connection) = self.connection(at) else { return };
        connection.is_dirty = false;
        while !connection.out.is_empty() && !connection.is_full {
            match connection.stream.write(&connection.out) {
                Ok(length) if length == connection.out.len() => connection.out.clear(),
                Ok(length) => drop(connection.out.drain(..length)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => connection.is_full = true,
                Err(_) => return self.close(at),
            }
        }
    }
}
