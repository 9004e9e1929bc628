//! Connections come, and those that say nothing go.

use std::io;
use std::net::SocketAddr;

use answerback_proto::code::Code;
use answerback_proto::frame_buffer::FrameBuffer;
use mio::net::TcpStream;
use tracing::{debug, error};

use super::Core;
use super::connection::{Connection, Cover};
use crate::limits::{ACCEPTS_PER_TICK, SILENCE_SCAN_MAX_S};
use crate::reactor::listener::Accepted;
use crate::reactor::slot::SlotKey;
use crate::session::{Fault, Session, State};
use crate::stats::Shed;

impl Core {
    /// Takes new connections, as many as a tick may.
    pub(super) fn accept(&mut self) {
        let now_ms = self.now_ms();
        for _ in 0..ACCEPTS_PER_TICK {
            if !self.has_room_for_handshake() {
                return;
            }
            let Some(listener) = self.reactor.listener() else { return };
            match listener.accept(now_ms) {
                Accepted::Socket(socket, peer) => self.welcome_socket(socket, peer),
                Accepted::TurnedAway(told) => self.handle_turned_away(told),
                Accepted::Failed => {}
                Accepted::Nothing => return,
                Accepted::Exhausted(error) => {
                    error!(alarm = "accept_exhausted", "cannot accept connections: {error}");
                    return;
                }
            }
        }
    }

    /// When there may be something to accept, ms.
    pub(super) fn accept_due_ms(&mut self) -> Option<u64> {
        let due_ms = self.reactor.listener()?.poll_timeout()?;
        Some(due_ms.max(self.handshake_room_due_ms()))
    }

    fn handle_turned_away(&mut self, told: Option<io::Error>) {
        self.counts.shed.count(Shed::Descriptors);
        if let Some(error) = told {
            error!(alarm = "accept_exhausted", "who connects is closed at once: {error}");
        }
    }

    fn welcome_socket(&mut self, socket: TcpStream, peer: SocketAddr) {
        let entry = match self.let_in(peer) {
            Ok(entry) => entry,
            Err(shed) => return self.counts.shed.count(shed),
        };
        self.counts.connections += 1;
        let key = if self.handshakes.are_wanted() {
            self.begin_handshake(socket)
        } else {
            let key = self.insert(socket, None, Session::new(), None);
            key.inspect(|&key| self.await_hello(key))
        };
        match key {
            Some(key) => {
                debug!(%peer, slot = key.index, "a connection is taken");
                self.note_entry(key, entry);
            }
            None => self.let_out(entry.prefix()),
        }
    }

    /// `Hello` must come in time.
    pub(super) fn await_hello(&mut self, key: SlotKey) {
        let wait_ms = self.config.hello_deadline_ms;
        self.hello_deadlines.push(self.now_ms().saturating_add(wait_ms), key);
    }

    /// Puts a socket that has a seat into the table and watches it. One that cannot be
    /// watched is closed, and whoever brought it lets it out.
    pub(super) fn insert(
        &mut self,
        mut socket: TcpStream,
        cover: Option<Box<Cover>>,
        session: Session,
        frames: Option<Box<FrameBuffer>>,
    ) -> Option<SlotKey> {
        let table = self.connections.table();
        if self.reactor.watch(&mut socket, table.next_key()).is_err() {
            return None;
        }
        let heard_s = (self.now_us / 1_000_000) as u32;
        let key = table.insert(Connection::new(socket, cover, session, heard_s));
        self.connections.keep(key, frames);
        Some(key)
    }

    /// Closes connections whose time is over.
    pub(super) fn close_overdue(&mut self) {
        let now_ms = self.now_ms();
        self.close_overdue_handshakes();
        while let Some(key) = self.hello_deadlines.pop_due(now_ms) {
            if self.state(key) == Some(State::Greeting) {
                self.fail(key, Fault::of_connection(Code::HelloExpected));
            }
        }
        while let Some(key) = self.closing_deadlines.pop_due(now_ms) {
            self.close(key);
        }
        self.close_slow();
        self.close_silent();
        self.close_expired();
    }

    /// When [`Core::close_overdue`] has something to do, ms.
    pub(super) fn overdue_due_ms(&mut self) -> Option<u64> {
        let hello_ms = self.hello_deadlines.poll_timeout();
        let closing_ms = self.closing_deadlines.poll_timeout();
        let scan_ms = (self.connections.table().count() > 0).then_some(self.silence_scan.1);
        let (handshake_ms, slow_ms) = (self.handshakes.poll_timeout(), self.slow.poll_timeout());
        let expiry_ms = self.expiry_due_ms();
        let due_ms = [hello_ms, closing_ms, scan_ms, handshake_ms, slow_ms, expiry_ms];
        due_ms.into_iter().flatten().min()
    }

    pub(super) fn state(&mut self, key: SlotKey) -> Option<State> {
        Some(self.connections.find(key)?.session.state)
    }

    /// Looks through a part of the table each second, and through all of it in an eighth of the
    /// longest interval of pings: a timer for each connection would cost more than the
    /// connection.
    fn close_silent(&mut self) {
        let (start, due_ms) = self.silence_scan;
        let now_ms = self.now_ms();
        if now_ms < due_ms {
            return;
        }
        let scan_s = self.scan_s();
        let table = self.connections.table();
        let end = start + table.slot_count() / scan_s + 1;
        let next = if end < table.slot_count() { end } else { 0 };
        self.silence_scan = (next, now_ms + 1000);
        for index in start..end {
            self.look_at_expiry(index);
            if let Some(key) = self.silent_at(index) {
                self.counts.silent += 1;
                self.close(key);
            }
        }
    }

    /// In how many seconds the whole table is looked through.
    pub(super) fn scan_s(&self) -> usize {
        usize::from(self.heartbeat_told_max_s / 8).clamp(1, SILENCE_SCAN_MAX_S)
    }

    /// Half as long again as the longest interval: a ping may be late.
    fn silent_at(&mut self, index: usize) -> Option<SlotKey> {
        let silence_max_s = u64::from(self.heartbeat_told_max_s) * 3 / 2;
        let now_s = self.now_us / 1_000_000;
        let (key, connection) = self.connections.table().at(index)?;
        let silence_s = now_s.saturating_sub(u64::from(connection.heard_s));
        (silence_s > silence_max_s).then_some(key)
    }
}
