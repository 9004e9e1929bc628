//! Accounts, registered in band (XEP-0077) before anything is measured.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Result, ensure};

use super::unit::position;
use super::{OPEN, PASSWORD};
use crate::clock::{Clock, pause};

/// Accounts a connection registers.
const ACCOUNTS_AT_ONCE: usize = 1000;
/// ejabberd listens some time before it answers.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// It closes early connections at once: tried again after this.
const RETRY: Duration = Duration::from_millis(200);

/// Registers all, once the server is ready to.
pub(super) fn register(address: SocketAddr, names: &[String]) -> Result<()> {
    let clock = Clock::new();
    for batch in names.chunks(ACCOUNTS_AT_ONCE) {
        let mut stream = loop {
            match Stream::open(address) {
                Err(_) if clock.elapsed() < START_TIMEOUT => pause(RETRY),
                opened => break opened?,
            }
        };
        batch.iter().enumerate().try_for_each(|(number, name)| stream.register(number, name))?;
    }
    Ok(())
}

/// A stream that asks and waits.
struct Stream {
    socket: TcpStream,
    received: Vec<u8>,
}

impl Stream {
    fn open(address: SocketAddr) -> Result<Self> {
        let socket = TcpStream::connect(address)?;
        socket.set_read_timeout(Some(Duration::from_secs(10)))?;
        let mut stream = Self { socket, received: Vec::new() };
        stream.socket.write_all(OPEN.as_bytes())?;
        stream.wait_for(b"</stream:features>")?;
        Ok(stream)
    }

    fn register(&mut self, number: usize, name: &str) -> Result<()> {
        let request = format!(
            "<iq type='set' id='q{number}'><query xmlns='jabber:iq:register'>\
             <username>{name}</username><password>{PASSWORD}</password></query></iq>"
        );
        self.socket.write_all(request.as_bytes())?;
        self.wait_for(format!("id='q{number}'").as_bytes())?;
        Ok(())
    }

    fn wait_for(&mut self, text: &[u8]) -> Result<()> {
        let mut chunk = [0; 4096];
        loop {
            if let Some(at) = position(&self.received, text) {
                self.received.drain(..at + text.len());
                return Ok(());
            }
            let length = self.socket.read(&mut chunk)?;
            let text = String::from_utf8_lossy(&self.received);
            ensure!(length > 0, "ejabberd closed a connection after {text}");
            let (came, _) = chunk.split_at(length);
            self.received.extend_from_slice(came);
        }
    }
}
