//! Handshakes of TLS, the dearest thing that a stranger can ask for.
//!
//! ```text
//! backlog ──room?──► Securing ──a few reads a tick──► Greeting
//!    ▲ waits            │ overdue, or in the way of others: closed unheard
//! ```
//! As many run at once as are allowed; what comes beyond waits in the kernel. Whoever has kept us
//! waiting for a second makes room then, so that connections that say nothing keep nobody out for
//! long. One that waits for us does not: in a storm that would be each whose dear read is done,
//! and none would come to its end. A tick reads few of them, after all sessions, so a storm costs
//! those who chat a few hundred microseconds a tick and not their turn.

use mio::net::TcpStream;
use tracing::{debug, error};

use super::Core;
use super::connection::Cover;
use super::connections::Connections;
use super::deadlines::Deadlines;
use crate::limits::{HANDSHAKE_LOOKS_MAX, HANDSHAKE_READS_PER_TICK, HANDSHAKE_UNDISTURBED_MS};
use crate::reactor::slot::SlotKey;
use crate::session::{Session, State};
use crate::transport::tls::{Certificate, TlsServer};

/// Those under way on one core.
#[derive(Debug)]
pub(super) struct Handshakes {
    server: Option<TlsServer>,
    under_way: usize,
    /// When each began; some may be done.
    begun: Deadlines,
}

impl Handshakes {
    /// None yet.
    pub(super) fn new(server: Option<TlsServer>) -> Self {
        Self { server, under_way: 0, begun: Deadlines::default() }
    }

    /// Whether clients come over TLS.
    pub(super) fn are_wanted(&self) -> bool {
        self.server.is_some()
    }

    /// A connection has left this state; it counts if the state was that of a handshake.
    pub(super) fn handle_left(&mut self, state: State) {
        if state == State::Securing {
            self.under_way = self.under_way.saturating_sub(1);
        }
    }

    /// When one may have to be closed, ms.
    pub(super) fn poll_timeout(&self) -> Option<u64> {
        self.begun.poll_timeout()
    }

    /// The one that has kept us waiting longest, and since when, ms. What waits to be read waits
    /// for us.
    fn longest_awaited(&mut self, connections: &mut Connections) -> Option<(u64, SlotKey)> {
        let mut is_under_way = |key| Some(connections.find(key)?.session.state == State::Securing);
        while self.begun.first().is_some_and(|(_, key)| is_under_way(key) != Some(true)) {
            self.begun.pop_due(u64::MAX);
        }
        let awaited = self.begun.keys().take(HANDSHAKE_LOOKS_MAX).filter_map(|key| {
            let connection = connections.find(key)?;
            let is_awaited = connection.session.state == State::Securing && !connection.is_listed;
            let cover = connection.cover.as_ref().filter(|_| is_awaited)?;
            Some((cover.awaited_since_ms, key))
        });
        awaited.min_by_key(|(since_ms, _)| *since_ms)
    }
}

impl Core {
    /// Covers a new socket.
    pub(super) fn begin_handshake(&mut self, socket: TcpStream) -> Option<SlotKey> {
        let tls = self.handshakes.server.as_ref()?.accept().ok()?;
        let cover = Box::new(Cover { tls, sealed: None, awaited_since_ms: self.now_ms() });
        let key = self.insert(socket, Some(cover), Session::securing(), None)?;
        self.handshakes.under_way += 1;
        let due_ms = self.now_ms().saturating_add(self.config.tls_deadline_ms);
        self.handshakes.begun.push(due_ms, key);
        Some(key)
    }

    /// Whether one more may begin; makes room where one had its time.
    pub(super) fn has_room_for_handshake(&mut self) -> bool {
        if self.handshakes.under_way < self.handshakes_max() {
            return true;
        }
        let awaited = self.handshakes.longest_awaited(&mut self.connections);
        let Some((since_ms, key)) = awaited else { return false };
        let is_in_the_way = since_ms + HANDSHAKE_UNDISTURBED_MS <= self.now_ms();
        if is_in_the_way {
            self.counts.handshakes_shed += 1;
            self.close(key);
        }
        is_in_the_way
    }

    /// When there is room for another handshake, at the latest, ms; 0 for now. Where all that
    /// are under way wait for us, we do not sleep.
    pub(super) fn handshake_room_due_ms(&mut self) -> u64 {
        if self.handshakes.under_way < self.handshakes_max() {
            return 0;
        }
        let awaited = self.handshakes.longest_awaited(&mut self.connections);
        awaited.map_or(0, |(since_ms, _)| since_ms + HANDSHAKE_UNDISTURBED_MS)
    }

    /// A core's share of what the box allows.
    fn handshakes_max(&self) -> usize {
        let cores = usize::from(self.shared.cores.max(1));
        (self.config.handshakes_max as usize).div_ceil(cores)
    }

    /// Closes those that took too long.
    pub(super) fn close_overdue_handshakes(&mut self) {
        let now_ms = self.now_ms();
        while let Some(key) = self.handshakes.begun.pop_due(now_ms) {
            if self.state(key) == Some(State::Securing) {
                self.counts.handshakes_overdue += 1;
                self.close(key);
            }
        }
    }

    /// Goes on with a few. Whoever is answered has the word then, and a second for it; whoever
    /// is gone before that can never answer in turn, and is not worth the dear read.
    pub(super) fn read_handshakes(&mut self) {
        for key in self.connections.take_securing(HANDSHAKE_READS_PER_TICK) {
            let Some(connection) = self.connections.find(key) else { continue };
            let was_answered = connection.is_answered();
            if connection.is_read_closed && !was_answered {
                self.close(key);
                continue;
            }
            self.read(key);
            self.note_answered(key, was_answered);
        }
    }

    fn note_answered(&mut self, key: SlotKey, was_answered: bool) {
        let now_ms = self.now_ms();
        if let Some(connection) = self.connections.find(key).filter(|_| !was_answered)
            && connection.is_answered()
            && let Some(cover) = &mut connection.cover
        {
            cover.awaited_since_ms = now_ms;
        }
    }

    /// What came under a cover; nothing where the cover itself is still made.
    pub(super) fn handle_uncovered(&mut self, key: SlotKey, received: &[u8]) {
        if self.state(key) == Some(State::Securing) && !self.end_handshake(key) {
            return;
        }
        if !received.is_empty() {
            self.handle_received(key, received);
        }
    }

    /// Whether the handshake is done, and with a client of this protocol.
    fn end_handshake(&mut self, key: SlotKey) -> bool {
        let Some(connection) = self.connections.find(key) else { return false };
        let Some(tls) = connection.cover.as_ref().map(|cover| &cover.tls) else { return false };
        if !tls.is_secured() {
            return false;
        }
        self.counts.handshakes += 1;
        self.counts.handshakes_resumed += u64::from(tls.is_resumed());
        let speaks_protocol = tls.speaks_protocol();
        connection.session.state = State::Greeting;
        self.handshakes.handle_left(State::Securing);
        self.await_hello(key);
        if !speaks_protocol {
            self.counts.handshakes_failed += 1;
            self.begin_closing(key);
            self.connections.mark(key);
        }
        speaks_protocol
    }

    /// The peer broke the rules of the cover. What it is told of that waits to be sent.
    pub(super) fn handle_broken(&mut self, key: SlotKey) {
        let Some(state) = self.state(key) else { return };
        if state == State::Closing {
            return self.close(key);
        }
        if state == State::Securing {
            self.counts.handshakes_failed += 1;
        }
        self.begin_closing(key);
        self.connections.mark(key);
    }

    /// Shows another certificate to those who come from now on.
    pub(super) fn set_certificate(&mut self, certificate: &Certificate) {
        let Some(server) = &mut self.handshakes.server else { return };
        match server.set_certificate(certificate) {
            Ok(()) => debug!("another certificate is shown"),
            Err(error) => error!(alarm = "certificate_refused", "the old one stays: {error}"),
        }
    }
}

#[cfg(test)]
mod tests;
