//! What a client does with its tickets.

use answerback_proto::encode::Address;
use answerback_proto::id::{DeviceId, UserId};
use answerback_proto::kind::{Hello, Resume};
use answerback_proto::ticket::{Ticket, proof_message};
use aws_lc_rs::hmac;

use crate::client::{Client, hello, hello_frame, server_kinds};
use crate::running::Running;
use crate::token::token;

/// A `Resume` of which everything may be chosen.
#[derive(Clone)]
pub(crate) struct Resumption {
    pub(crate) user: u128,
    pub(crate) hello: Hello,
    pub(crate) sealed: Vec<u8>,
    pub(crate) proof: [u8; 32],
}

impl Resumption {
    /// As a good client comes back over plain TCP.
    pub(crate) fn new(user: u128, device: u128, counter: u64, ticket: &[u8]) -> Self {
        Self::over((user, device), counter, ticket, &[0; 32])
    }

    /// The same over a connection from which TLS exports this.
    pub(crate) fn over(
        (user, device): (u128, u128),
        counter: u64,
        ticket: &[u8],
        exported: &[u8; 32],
    ) -> Self {
        let ticket = Ticket::read(ticket).unwrap();
        let message = proof_message(exported, UserId(user), DeviceId(device), counter);
        let key = hmac::Key::new(hmac::HMAC_SHA256, &ticket.secret);
        let proof = hmac::sign(&key, &message).as_ref().try_into().unwrap();
        let hello = Hello { connection_counter: counter, ..hello(device) };
        Self { user, hello, sealed: ticket.sealed.to_vec(), proof }
    }

    /// The frame.
    pub(crate) fn frame(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let address = Address { flags: 0, tag: 1, target: self.user };
        let resume = Resume::new(&self.hello, self.proof);
        resume.append(&mut bytes, address, &server_kinds(), &self.sealed).unwrap();
        bytes
    }

    /// Says it on a connection of its own.
    pub(crate) fn say(&self, running: &Running) -> Client {
        let mut client = Client::connect(running.address);
        client.write(&self.frame());
        client
    }
}

/// Logs a device in by its token: the ticket of that session, which is over.
pub(crate) fn ticket_of(running: &Running, user: u128, device: u128, counter: u64) -> Vec<u8> {
    let mut client = Client::connect(running.address);
    let hello = Hello { connection_counter: counter, ..hello(device) };
    client.write(&hello_frame(user, hello, &token(user, device)));
    client.expect_ticket()
}
