//! TCP without a cover.

use std::io::{ErrorKind, Read, Write};

use mio::net::TcpStream;

/// What a read brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// As many bytes.
    Bytes(usize),
    /// Nothing for now; an event will say when.
    Nothing,
    /// It was interrupted: read again.
    Again,
    /// The peer is gone, in one way or another.
    Ended,
}

/// What a write took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// As many bytes, perhaps not all; what is less means that an event will say when.
    Bytes(usize),
    /// The peer is gone.
    Ended,
}

/// Reads once.
pub(crate) fn receive(socket: &mut TcpStream, buffer: &mut [u8]) -> Received {
    match socket.read(buffer) {
        Ok(0) => Received::Ended,
        Ok(length) => Received::Bytes(length),
        Err(error) => match error.kind() {
            ErrorKind::WouldBlock => Received::Nothing,
            ErrorKind::Interrupted => Received::Again,
            _ => Received::Ended,
        },
    }
}

/// Writes once; again only where that was interrupted.
pub(crate) fn send(socket: &mut TcpStream, bytes: &[u8]) -> Sent {
    loop {
        match socket.write(bytes) {
            Ok(length) => return Sent::Bytes(length),
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock => return Sent::Bytes(0),
                ErrorKind::Interrupted => {}
                _ => return Sent::Ended,
            },
        }
    }
}
