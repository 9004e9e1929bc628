//! What a protocol has to do for the generator: bytes into events, messages into bytes.
//!
//! Written by hand and as small as the jobs allow. Libraries for these protocols check and
//! copy more than a load needs, each another amount: the generator has to cost about the
//! same for all, and less than any server.
//!
//! ```text
//! prepare ─► (connect) ─► hello ─► input … Ready ─► publish, input … ─► goodbye
//! ```

pub(crate) mod answerback;
pub(crate) mod mqtt;
pub(crate) mod nats;
pub(crate) mod redis;
pub(crate) mod xmpp;

use std::net::SocketAddr;

use anyhow::Result;

use crate::stamp::{Body, Stamp};

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Writes to the receiver of the same number.
    Sender(u32),
    /// Takes and acknowledges.
    Receiver(u32),
    /// Is there.
    Idle(u32),
}

/// What a connection says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// It is logged in, and takes messages where its role does.
    Ready,
    /// The server has confirmed so many more messages, the earliest first.
    Accepted(u64),
    /// A message came, and its acknowledgement is written behind `out`.
    Message(Stamp),
    /// The sender was told that so many more messages have arrived.
    Receipts(u64),
}

/// Who will connect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Population {
    /// Senders, and as many receivers.
    pub(crate) pairs: u32,
    /// Those who are just there.
    pub(crate) idle: u32,
}

/// One peer's protocol, from the side of its clients.
pub(crate) trait Protocol {
    /// What a connection has to remember; kept over a second login of the same role.
    type State: Default;

    /// Makes accounts, streams, tokens: nothing of it is measured.
    fn prepare(&mut self, _address: SocketAddr, _population: Population) -> Result<()> {
        Ok(())
    }

    /// The first bytes of a new connection.
    fn hello(&self, role: Role, state: &mut Self::State, out: &mut Vec<u8>) -> Result<()>;

    /// Takes whole units from the front of what came; how many bytes that were.
    fn input(
        &self,
        role: Role,
        state: &mut Self::State,
        received: &[u8],
        out: &mut Vec<u8>,
        events: &mut Vec<Event>,
    ) -> Result<usize>;

    /// Writes a sender's next message.
    fn publish(&self, sender: u32, state: &mut Self::State, body: &Body, out: &mut Vec<u8>);

    /// Comes before what is in `out` is written to the socket.
    fn flush(&self, _state: &mut Self::State, _out: &mut Vec<u8>) {}

    /// The last bytes before a connection is closed in good order.
    fn goodbye(&self, _out: &mut Vec<u8>) {}
}
