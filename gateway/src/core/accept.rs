//! Connections come, and those that say nothing go.

use answerback_proto::code::Code;
use answerback_proto::frame_buffer::FrameBuffer;
use mio::net::TcpStream;
use tracing::error;

use super::Core;
use super::connection::{Connection, Cover};
use crate::limits::{ACCEPTS_PER_TICK, SILENCE_SCAN_MAX_S};
use crate::reactor::listener::Accepted;
use crate::reactor::slot::SlotKey;
use crate::session::{Fault, Session, State};

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
                Accepted::Socket(socket) => self.welcome_socket(socket),
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

    fn welcome_socket(&mut self, socket: TcpStream) {
        if !self.shared.seats.take(self.config.connections_max) {
            return;
        }
        self.counts.connections += 1;
        if self.handshakes.are_wanted() {
            return self.begin_handshake(socket);
        }
        if let Some(key) = self.insert(socket, None, Session::new(), None) {
            self.await_hello(key);
        }
    }

    /// `Hello` must come in time.
    pub(super) fn await_hello(&mut self, key: SlotKey) {
        let wait_ms = self.config.hello_deadline_ms;
        self.hello_deadlines.push(self.now_ms().saturating_add(wait_ms), key);
    }

    /// Puts a socket that has a seat into the table and watches it. One that cannot be
    /// watched is closed.
    pub(super) fn insert(
        &mut self,
        mut socket: TcpStream,
        cover: Option<Box<Cover>>,
        session: Session,
        frames: Option<Box<FrameBuffer>>,
    ) -> Option<SlotKey> {
        let table = self.connections.table();
        if self.reactor.watch(&mut socket, table.next_key()).is_err() {
            self.shared.seats.give_back();
            return None;
        }
        let heard_s = (self.now_us / 1_000_000) as u32;
        Some(table.insert(Connection::new(socket, cover, session, frames, heard_s)))
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
        self.close_silent();
        self.close_expired();
    }

    /// When [`Core::close_overdue`] has something to do, ms.
    pub(super) fn overdue_due_ms(&mut self) -> Option<u64> {
        let hello_ms = self.hello_deadlines.poll_timeout();
        let closing_ms = self.closing_deadlines.poll_timeout();
        let scan_ms = (self.connections.table().count() > 0).then_some(self.silence_scan.1);
        let handshake_ms = self.handshakes.poll_timeout();
        let expiry_ms = self.expiry_due_ms();
        [hello_ms, closing_ms, scan_ms, handshake_ms, expiry_ms].into_iter().flatten().min()
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
