//! One core: its connections, its shards, and the loop that turns the one into the other.
//!
//! ```text
//! tick │ poll          sleep until something happens or is due
//!      │ accept, read  frames to shards here, or into the parcel for another core
//!      │ receive       parcels of the others, verdicts of the storage thread, what was read
//!      │ settle        ask the touched shards for their effects
//!      │ release       batches to the storage thread, if the policy says so
//!      │ write         one write for each connection with something to say
//!      │ flush         one parcel for each core with something in it, reads to their threads
//! ```
//! A system call costs more than all else here, so a tick does each once a connection,
//! whatever it carries. Everything in a tick is bounded; what does not fit stays on a
//! list, and the loop does not sleep while there is any. Nothing here waits.
//!
//! This module decides nothing about messages: shards do. It knows no disk: the storage
//! thread does.

mod accept;
mod administer;
mod commit;
mod connection;
mod connections;
mod deadlines;
mod effects;
mod entrance;
mod expiry;
mod greet;
mod handshakes;
mod mesh;
mod output;
mod parcels;
mod read;
mod renew;
mod reports;
mod seats;
pub(crate) mod shards;
mod signals;
mod slow;
mod stop;

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use answerback_directory::commit_policy::CommitGate;
use answerback_directory::mailbox::Doorbell;
use answerback_directory::partition_table::PartitionTable;
use answerback_directory::shard::SessionRef;
use answerback_proto::id::PartitionId;
use tracing::debug;

use crate::admission::{AcceptRate, Prefixes, Rates};
use crate::auth::{SealingKeys, Verifier};
use crate::clock::{Clock, unix_ms};
use crate::config::GatewayConfig;
use crate::control::Desk;
use crate::hooks::Hooks;
use crate::limits::CLOSING_MS;
use crate::reactor::Reactor;
use crate::reactor::slot::SlotKey;
use crate::reading::ReadLink;
use crate::serve::StopHandle;
use crate::session::handshake::Greeting;
use crate::session::{Fault, Session, State, reply};
use crate::stats::CoreCounts;
use crate::storage::StorageLink;
use crate::transport::tls::TlsServer;

use administer::Tickets;
use connection::Connection;
use connections::{Connections, ReadBuffers, Written};
use deadlines::Deadlines;
use entrance::Entrance;
use expiry::Expiries;
use greet::Greeter;
use handshakes::Handshakes;
pub(crate) use mesh::{Link, Mesh};
use renew::Renewals;
pub(crate) use seats::Seats;
pub(crate) use shards::Shards;
use signals::Typists;
use slow::Slow;
use stop::Phase;

/// What all cores share, and none changes.
pub(crate) struct Shared {
    /// Where users live.
    pub(crate) table: PartitionTable,
    /// How many cores there are.
    pub(crate) cores: u16,
    /// Checks tokens, until a core is given another.
    pub(crate) verifier: Arc<Verifier>,
    /// Seal tickets, likewise.
    pub(crate) sealing_keys: SealingKeys,
    /// Says when to stop.
    pub(crate) stop: StopHandle,
    /// How many more connections there may be.
    pub(crate) seats: Seats,
    /// How many connections there are from which network.
    pub(crate) prefixes: Prefixes,
    /// How many more may come in this second.
    pub(crate) accept_rate: AcceptRate,
    /// The disk is nearly full: no new message is taken.
    pub(crate) is_disk_low: Arc<AtomicBool>,
    /// So is the box's memory: nor is anybody let in.
    pub(crate) is_memory_low: Arc<AtomicBool>,
    /// What the operator's servers are to be told.
    pub(crate) hooks: Hooks,
}

/// What a core is made of.
pub(crate) struct Parts {
    /// Its number.
    pub(crate) core: u16,
    /// The settings, until they are reloaded.
    pub(crate) config: Arc<GatewayConfig>,
    /// What all share.
    pub(crate) shared: Arc<Shared>,
    /// Its end of the kernel.
    pub(crate) reactor: Reactor,
    /// Where it says that it sleeps.
    pub(crate) doorbell: Doorbell,
    /// Its partitions.
    pub(crate) shards: Shards,
    /// Its links to the other cores.
    pub(crate) mesh: Mesh,
    /// Its link to the storage thread.
    pub(crate) storage: StorageLink,
    /// Its link to the reader threads.
    pub(crate) reading: ReadLink,
    /// Where the operator's commands come.
    pub(crate) desk: Arc<Desk>,
    /// Its end of handshakes, where clients come over TLS.
    pub(crate) tls: Option<TlsServer>,
}

/// Why a core ended before it was told to.
#[derive(Debug)]
pub(crate) enum CoreError {
    /// The kernel refused what a reactor cannot do without.
    Reactor(io::Error),
    /// The storage thread met a fault; it has the details.
    Storage,
}

impl From<io::Error> for CoreError {
    fn from(error: io::Error) -> Self {
        Self::Reactor(error)
    }
}

/// A core at work.
pub(crate) struct Core {
    core: u16,
    config: Arc<GatewayConfig>,
    shared: Arc<Shared>,
    verifier: Arc<Verifier>,
    sealing_keys: SealingKeys,
    clock: Clock,
    /// This tick's time.
    now_us: u64,
    reactor: Reactor,
    doorbell: Doorbell,
    connections: Connections,
    shards: Shards,
    mesh: Mesh,
    storage: StorageLink,
    reading: ReadLink,
    desk: Arc<Desk>,
    tickets: Tickets,
    gate: CommitGate,
    is_checkpoint_in_flight: bool,
    read_buffers: ReadBuffers,
    entrance: Entrance,
    rates: Rates,
    typists: Typists,
    /// Who greeted in this tick.
    greeters: Vec<Greeter>,
    /// Who is let in, if the user's home agrees.
    openings: HashMap<SlotKey, Greeting>,
    /// New tokens of open sessions.
    renewals: Renewals,
    /// Sessions whose tokens expire soon.
    expiries: Expiries,
    /// Those under way; none where clients come over plain TCP.
    handshakes: Handshakes,
    /// Of connections that have not said `Hello`.
    hello_deadlines: Deadlines,
    /// Of connections that were told why they close.
    closing_deadlines: Deadlines,
    /// Connections that may be slow.
    slow: Slow,
    /// Where the search for silent connections goes on, and when.
    silence_scan: (usize, u64),
    /// A parcel, or something to be read, found its queue full.
    has_left: bool,
    counts: CoreCounts,
    /// The longest interval of pings that a session was ever told, s.
    heartbeat_told_max_s: u16,
    phase: Phase,
}

impl Core {
    /// A core that has not begun.
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts { core, config, shared, reactor, doorbell, shards, .. } = parts;
        let Parts { mesh, storage, reading, desk, tls, .. } = parts;
        let verifier = Arc::clone(&shared.verifier);
        let sealing_keys = shared.sealing_keys.clone();
        let gate = CommitGate::new(config.commit);
        let heartbeat_told_max_s = config.heartbeat_max_s;
        let rates = Rates::new(&config.rates);
        Self {
            core,
            config,
            shared,
            verifier,
            sealing_keys,
            clock: Clock::start(),
            now_us: 0,
            reactor,
            doorbell,
            connections: Connections::new(),
            shards,
            mesh,
            storage,
            reading,
            desk,
            tickets: Tickets::default(),
            gate,
            is_checkpoint_in_flight: false,
            read_buffers: ReadBuffers::new(),
            entrance: Entrance::default(),
            rates,
            typists: Typists::default(),
            greeters: Vec::new(),
            openings: HashMap::new(),
            renewals: Renewals::default(),
            expiries: Expiries::default(),
            handshakes: Handshakes::new(tls),
            hello_deadlines: Deadlines::default(),
            closing_deadlines: Deadlines::default(),
            slow: Slow::default(),
            silence_scan: (0, 0),
            has_left: false,
            counts: CoreCounts::default(),
            heartbeat_told_max_s,
            phase: Phase::Serving,
        }
    }

    /// Serves until the box is stopped.
    ///
    /// # Errors
    /// See [`CoreError`]. All sockets close unsaid.
    pub(crate) fn run(mut self) -> Result<(), CoreError> {
        let ended = self.serve();
        self.desk.close();
        ended
    }

    fn serve(&mut self) -> Result<(), CoreError> {
        loop {
            self.poll()?;
            self.accept();
            self.close_overdue();
            self.read_ready();
            self.handle_parcels();
            self.handle_verdicts()?;
            self.handle_read_outcomes()?;
            self.handle_asked();
            self.shards.handle_timeout(self.now_ms(), unix_ms());
            self.settle();
            self.release()?;
            self.freeze();
            self.write_dirty();
            self.watch_slow();
            self.flush();
            if self.is_stopped() {
                return Ok(());
            }
        }
    }

    fn poll(&mut self) -> Result<(), CoreError> {
        let wait = self.wait();
        let connections = &mut self.connections;
        self.reactor.poll(&self.doorbell, wait, |readiness| connections.handle_ready(readiness))?;
        self.now_us = self.clock.now_us();
        Ok(())
    }

    /// How long nothing is due.
    fn wait(&mut self) -> Option<Duration> {
        if self.shards.is_touched() || self.has_ready() {
            return Some(Duration::ZERO);
        }
        let now_ms = self.clock.now_us() / 1000;
        let left_ms = self.has_left.then_some(now_ms + 1);
        let due_ms = [
            left_ms,
            self.shards.poll_timeout(),
            self.accept_due_ms(),
            self.overdue_due_ms(),
            self.freeze_due_ms(),
            self.leaving_due_ms(),
        ];
        let due_ms = due_ms.into_iter().flatten().min()?;
        Some(Duration::from_millis(due_ms.saturating_sub(now_ms)))
    }

    /// Connections to read, or tokens of theirs, unless the box stops and nobody is read any more.
    fn has_ready(&self) -> bool {
        self.phase.is_reading() && (self.connections.has_ready() || self.renewals.are_waiting())
    }

    fn now_ms(&self) -> u64 {
        self.now_us / 1000
    }

    fn session_ref(&self, key: SlotKey) -> SessionRef {
        SessionRef { core: self.core, slot: key.index, generation: key.generation }
    }

    /// Tells a client what it did wrong; the connection closes behind it.
    fn fail(&mut self, key: SlotKey, fault: Fault) {
        self.counts.closed.count(fault.code);
        if let Some(Connection { session, .. }) = self.connections.find(key) {
            let (user, device) = (session.user, session.device);
            debug!(%user, %device, code = fault.code.name(), "a connection is told to close");
        }
        self.end(key, |out| reply::append_error(out, fault));
    }

    /// Says a last word; the connection closes behind it.
    fn end(&mut self, key: SlotKey, write: impl FnOnce(&mut Vec<u8>)) {
        if self.connections.append(key, write) {
            self.begin_closing(key);
        } else if self.state(key) == Some(State::Securing) {
            self.close(key);
        }
    }

    /// What is said is said: the connection closes behind it.
    fn begin_closing(&mut self, key: SlotKey) {
        let Some(connection) = self.connections.find(key) else { return };
        let session = connection.session;
        connection.session.state = State::Closing;
        self.closing_deadlines.push(self.now_ms() + CLOSING_MS, key);
        self.handshakes.handle_left(session.state);
        self.tell_closed(session, key);
    }

    /// Forgets a connection; its socket closes.
    fn close(&mut self, key: SlotKey) {
        if let Some(Connection { session, .. }) = self.connections.remove(key) {
            self.let_out_noted(key);
            self.handshakes.handle_left(session.state);
            debug!(user = %session.user, device = %session.device, "a connection is closed");
            self.tell_closed(session, key);
        }
    }

    /// Tells the home of a session that it is gone.
    fn tell_closed(&mut self, session: Session, key: SlotKey) {
        if !session.is_at_home() {
            return;
        }
        if session.state == State::Opening {
            self.openings.remove(&key);
        }
        let (partition, session_ref) = (self.home_of(session), self.session_ref(key));
        if let Some(shard) = self.shards.touch(partition) {
            shard.handle_closed(session.user, session_ref);
        }
    }

    fn home_of(&self, session: Session) -> PartitionId {
        self.shared.table.partition_of(session.user)
    }

    fn write_dirty(&mut self) {
        let dirty = self.connections.take_dirty();
        for &key in &dirty {
            match self.connections.write(key) {
                Written::Going => {}
                Written::Said => self.shut_down(key),
                Written::Ended => self.close(key),
            }
        }
        self.connections.return_dirty(dirty);
    }

    /// The last word is sent. The peer closes in turn, or a deadline does it for him.
    fn shut_down(&mut self, key: SlotKey) {
        let Some(connection) = self.connections.find(key) else { return };
        if connection.socket.shutdown(std::net::Shutdown::Write).is_err() {
            self.close(key);
        }
    }

    fn flush(&mut self) {
        let is_all_sent = self.mesh.flush();
        self.has_left = !self.reading.flush() || !is_all_sent;
    }
}
