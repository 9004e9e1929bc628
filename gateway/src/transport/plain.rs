//! TCP without a cover.

use std::io::{ErrorKind, Read, Write};

use mio::net::TcpStream;

use super::{Received, Sent};

/// Reads once.
pub(crate) fn receive(socket: &mut TcpStream, buffer: &mut [u8]) -> Received {
    match socket.read(buffer) {
        Ok(0) => Received::Ended,
        Ok(length) => Received::Bytes { length, is_full: length == buffer.len() },
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
