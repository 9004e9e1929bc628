//! One place of a job: its role, what its protocol remembers, its socket while it is open.

use std::io::{self, ErrorKind, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use rustix::io::Errno;
use socket2::{Domain, SockRef, Socket, Type};

use super::received::Received;
use crate::protocol::{Event, Protocol, Role};
use crate::stamp::Body;

/// Connections from one source address, well inside the range of ephemeral ports.
const PER_SOURCE_ADDRESS: usize = 4000;

/// Whether a socket may hold more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Read {
    All,
    MayHoldMore,
}

/// A place. What its protocol remembers outlives its socket.
pub(super) struct Slot<S> {
    role: Role,
    state: S,
    stream: Option<TcpStream>,
    is_connected: bool,
    pub(super) is_ready: bool,
    pub(super) is_dirty: bool,
    /// The socket took no more: writing waits until it says that it does.
    is_full: bool,
    /// The beginning of a unit whose rest has not come.
    partial: Vec<u8>,
    out: Vec<u8>,
    pub(super) received: Received,
}

impl<S: Default> Slot<S> {
    pub(super) fn new(role: Role) -> Self {
        Self {
            role,
            state: S::default(),
            stream: None,
            is_connected: false,
            is_ready: false,
            is_dirty: false,
            is_full: false,
            partial: Vec::new(),
            out: Vec::new(),
            received: Received::default(),
        }
    }

    /// Begins to connect.
    pub(super) fn connect(
        &mut self,
        address: SocketAddr,
        at: usize,
        registry: &Registry,
    ) -> Result<()> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        let source = Ipv4Addr::new(127, 0, 0, 1 + (at / PER_SOURCE_ADDRESS) as u8);
        socket.bind(&SocketAddrV4::new(source, 0).into())?;
        match socket.connect(&address.into()) {
            Err(error) if !is_in_progress(&error) => return Err(error).context("cannot connect"),
            _ => {}
        }
        let mut stream = TcpStream::from_std(socket.into());
        registry.register(&mut stream, Token(at), Interest::READABLE | Interest::WRITABLE)?;
        self.stream = Some(stream);
        Ok(())
    }

    /// Says hello on a new connection, goes on on a full one; whether there is something to
    /// write.
    pub(super) fn handle_writable<P: Protocol<State = S>>(&mut self, protocol: &P) -> Result<bool> {
        let Some(stream) = &self.stream else { return Ok(false) };
        if !self.is_connected {
            if let Some(error) = stream.take_error()? {
                return Err(error).context("cannot connect");
            }
            self.is_connected = true;
            protocol.hello(self.role, &mut self.state, &mut self.out)?;
        }
        self.is_full = false;
        Ok(self.has_output())
    }

    pub(super) fn has_output(&self) -> bool {
        !self.out.is_empty()
    }

    /// One read; what it brought goes to the protocol.
    pub(super) fn read<P: Protocol<State = S>>(
        &mut self,
        protocol: &P,
        scratch: &mut Vec<u8>,
        events: &mut Vec<Event>,
    ) -> Result<Read> {
        let Some(stream) = &mut self.stream else { return Ok(Read::All) };
        let kept = self.partial.len();
        if scratch.len() < 2 * kept {
            scratch.resize(4 * kept, 0);
        }
        let (front, room) = scratch.split_at_mut(kept);
        front.copy_from_slice(&self.partial);
        let length = match io::Read::read(stream, room) {
            Ok(0) => bail!("the server closed the connection of {:?}", self.role),
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Read::All),
            Err(error) => return Err(error).context("a connection failed"),
        };
        let is_filled = length == room.len();
        let (received, _) = scratch.split_at(kept + length);
        let used = protocol.input(self.role, &mut self.state, received, &mut self.out, events)?;
        let (_, rest) = received.split_at(used);
        self.partial.clear();
        self.partial.extend_from_slice(rest);
        Ok(if is_filled { Read::MayHoldMore } else { Read::All })
    }

    /// Appends a message to what goes out.
    pub(super) fn publish<P: Protocol<State = S>>(
        &mut self,
        protocol: &P,
        sender: u32,
        body: &Body,
    ) {
        protocol.publish(sender, &mut self.state, body, &mut self.out);
    }

    /// Writes what goes out, as far as the socket takes it.
    pub(super) fn write<P: Protocol<State = S>>(&mut self, protocol: &P) -> Result<()> {
        self.is_dirty = false;
        if self.is_ready {
            protocol.flush(&mut self.state, &mut self.out);
        }
        let Some(stream) = &mut self.stream else { return Ok(()) };
        while !self.out.is_empty() && !self.is_full {
            match stream.write(&self.out) {
                Ok(length) => drop(self.out.drain(..length)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.is_full = true,
                Err(error) => return Err(error).context("a connection failed"),
            }
        }
        Ok(())
    }

    /// Closes in good order.
    pub(super) fn close<P: Protocol<State = S>>(&mut self, protocol: &P) -> Result<()> {
        protocol.goodbye(&mut self.out);
        self.write(protocol)?;
        self.forget_stream();
        Ok(())
    }

    /// Resets the connection, if it is open.
    pub(super) fn reset(&mut self) {
        if let Some(stream) = &self.stream {
            // Without the option the close is an orderly one: slower, no worse.
            let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
        }
        self.forget_stream();
    }

    fn forget_stream(&mut self) {
        self.stream = None;
        self.is_connected = false;
        self.is_ready = false;
        self.is_full = false;
        self.partial.clear();
        self.out.clear();
    }
}

fn is_in_progress(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::INPROGRESS.raw_os_error())
}
