//! What a proxy says before its connection begins: looked at in the kernel, and taken out only
//! when it is whole, so that nothing has to be kept for it and what follows is untouched.

use std::io::{ErrorKind, Read};

use mio::net::TcpStream;

use crate::admission::{PROXY_HEADER_BYTES_MAX, ProxyHeader};

/// What a look found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Preface {
    /// A header, which is taken out.
    Header(ProxyHeader),
    /// It is not whole yet; an event will say when there is more.
    Begun,
    /// It was interrupted: look again.
    Again,
    /// The peer is gone.
    Ended,
    /// It is none.
    Bad,
}

/// Looks once, and takes a whole header out.
pub(crate) fn take_header(socket: &mut TcpStream) -> Preface {
    let mut bytes = [0; PROXY_HEADER_BYTES_MAX];
    let begun = match socket.peek(&mut bytes) {
        Ok(0) => return Preface::Ended,
        Ok(length) => bytes.get(..length).unwrap_or_default(),
        Err(error) => return failed(&error),
    };
    match ProxyHeader::read(begun) {
        Ok(Some(header)) => {
            match socket.read_exact(bytes.get_mut(..header.length).unwrap_or_default()) {
                Ok(()) => Preface::Header(header),
                Err(_) => Preface::Ended,
            }
        }
        Ok(None) => Preface::Begun,
        Err(_) => Preface::Bad,
    }
}

fn failed(error: &std::io::Error) -> Preface {
    match error.kind() {
        ErrorKind::WouldBlock => Preface::Begun,
        ErrorKind::Interrupted => Preface::Again,
        _ => Preface::Ended,
    }
}
