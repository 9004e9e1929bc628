//! One connection of a load: its socket, its cover, what goes out on it.

use std::io::{ErrorKind, Read, Write};
use std::time::Duration;

use answerback_proto::frame_buffer::FrameBuffer;
use mio::net::TcpStream;
use socket2::SockRef;

use super::cover::Cover;
use super::users::Login;
use crate::exit::Failure;

/// How far a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Connecting,
    Securing,
    HelloSent,
    Open,
}

/// A connection of the run.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) stream: TcpStream,
    pub(super) cover: Option<Box<Cover>>,
    pub(super) login: Login,
    pub(super) state: State,
    pub(super) frames: FrameBuffer,
    pub(super) out: Vec<u8>,
    /// Of a covered connection: records that the socket did not take yet.
    sealed: Vec<u8>,
    pub(super) is_dirty: bool,
    /// The socket took no more: writing waits until it says that it does.
    pub(super) is_full: bool,
}

impl Connection {
    /// One whose socket is being connected.
    pub(super) fn new(stream: TcpStream, cover: Option<Cover>, login: Login) -> Self {
        Self {
            stream,
            cover: cover.map(Box::new),
            login,
            state: State::Connecting,
            frames: FrameBuffer::default(),
            out: Vec::new(),
            sealed: Vec::new(),
            is_dirty: false,
            is_full: false,
        }
    }

    /// Reads once; how many bytes came, none where there are none.
    pub(super) fn read(&mut self, scratch: &mut [u8]) -> Result<Option<usize>, Failure> {
        match self.stream.read(scratch) {
            Ok(0) => Err(Failure::new("the server closed a connection")),
            Ok(length) => Ok(Some(length)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(broken(error)),
        }
    }

    /// Writes what goes out, as far as the socket takes it.
    pub(super) fn write(&mut self) -> Result<(), Failure> {
        self.is_dirty = false;
        let out = match &mut self.cover {
            Some(cover) => {
                cover.seal(&self.out, &mut self.sealed).map_err(broken)?;
                self.out.clear();
                &mut self.sealed
            }
            None => &mut self.out,
        };
        while !out.is_empty() && !self.is_full {
            match self.stream.write(out) {
                Ok(length) if length == out.len() => out.clear(),
                Ok(length) => drop(out.drain(..length)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.is_full = true,
                Err(error) => return Err(broken(error)),
            }
        }
        Ok(())
    }

    /// Closes at once: no port stays in TIME_WAIT.
    pub(super) fn reset(self) {
        // Without the option the close is an orderly one: slower, no worse.
        let _ = SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
    }
}

fn broken(error: std::io::Error) -> Failure {
    Failure::new(format_args!("a connection failed: {error}"))
}
