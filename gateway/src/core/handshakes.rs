//! Handshakes of TLS, the dearest thing that a stranger can ask for.
//!
//! ```text
//! backlog ──room?──► Securing ──a few reads a tick──► Greeting
//!    ▲ waits            │ overdue, or in the way of others: closed unheard
//! ```
//! As many run at once as are allowed; what comes beyond waits in the kernel. Whoever has had a
//! second makes room then, so that connections that say nothing keep nobody out for long. A
//! tick reads few of them, after all sessions, so a storm costs those who chat a few hundred
//! microseconds a tick and not their turn.

use mio::net::TcpStream;
use tracing::{debug, error};

use super::Core;
use super::connection::Cover;
use super::deadlines::Deadlines;
use crate::limits::{HANDSHAKE_READS_PER_TICK, HANDSHAKE_UNDISTURBED_MS};
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
}

impl Core {
    /// Covers a new socket.
    pub(super) fn begin_handshake(&mut self, socket: TcpStream) -> Option<SlotKey> {
        let tls = self.handshakes.server.as_ref()?.accept().ok()?;
        let cover = Box::new(Cover { tls, sealed: None });
        let key = self.insert(socket, Some(cover), Session::securing(), None)?;
        self.handshakes.under_way += 1;
        let due_ms = self.now_ms().saturating_add(self.config.tls_deadline_ms);
        self.handshakes.begun.push(due_ms, key);
        Some(key)
    }

    /// Whether one more may begin; makes room where the oldest had its time.
    pub(super) fn has_room_for_handshake(&mut self) -> bool {
        if self.handshakes.under_way < self.handshakes_max() {
            return true;
        }
        let Some((begun_ms, key)) = self.oldest_handshake() else { return true };
        let is_in_the_way = begun_ms + HANDSHAKE_UNDISTURBED_MS <= self.now_ms();
        if is_in_the_way {
            self.counts.handshakes_shed += 1;
            self.close(key);
        }
        is_in_the_way
    }

    /// When there is room for another handshake, at the latest, ms; 0 for now.
    pub(super) fn handshake_room_due_ms(&mut self) -> u64 {
        if self.handshakes.under_way < self.handshakes_max() {
            return 0;
        }
        self.oldest_handshake().map_or(0, |(begun_ms, _)| begun_ms + HANDSHAKE_UNDISTURBED_MS)
    }

    /// A core's share of what the box allows.
    fn handshakes_max(&self) -> usize {
        let cores = usize::from(self.shared.cores.max(1));
        (self.config.handshakes_max as usize).div_ceil(cores)
    }

    /// The one under way that began first, and when, ms.
    fn oldest_handshake(&mut self) -> Option<(u64, SlotKey)> {
        while let Some((due_ms, key)) = self.handshakes.begun.first() {
            if self.state(key) == Some(State::Securing) {
                return Some((due_ms.saturating_sub(self.config.tls_deadline_ms), key));
            }
            self.handshakes.begun.pop_due(u64::MAX);
        }
        None
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

    /// Goes on with a few.
    pub(super) fn read_handshakes(&mut self) {
        for _ in 0..self.connections.securing_count().min(HANDSHAKE_READS_PER_TICK) {
            if let Some(key) = self.connections.next_securing() {
                self.read(key);
            }
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
