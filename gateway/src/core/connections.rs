//! All connections of a core, who of them is to be read, and who has something to send.
//!
//! Each list holds a connection at most once; what is on a list and gone meanwhile is
//! passed over, since its key finds nothing.

use std::collections::VecDeque;

use answerback_proto::frame_buffer::FrameBuffer;

use crate::limits::{OUT_BYTES_MAX, READ_BUFFER_BYTES, SIGNAL_OUT_BYTES_MAX};
use crate::reactor::Readiness;
use crate::reactor::slot::{SlotKey, SlotTable};
use crate::session::State;
use crate::transport::tls::Broken;
use crate::transport::{Received, Sent, plain};

use super::connection::{Connection, Cover};
use super::output::SpareOutputs;
use super::slow::Mark;

/// The connections.
#[derive(Debug)]
pub(crate) struct Connections {
    table: SlotTable<Connection>,
    ready: VecDeque<SlotKey>,
    /// The ready list of those that have not said `Hello`.
    greeting: VecDeque<SlotKey>,
    /// The ready list of those in a handshake of TLS.
    securing: VecDeque<SlotKey>,
    dirty: Vec<SlotKey>,
    /// Who may be slow and is not looked at yet.
    slow: Vec<SlotKey>,
    spare_outputs: SpareOutputs,
    /// Bytes that the kernel took.
    sent_bytes: u64,
}

/// What a core lends to the connection that it reads.
#[derive(Debug, Default)]
pub(crate) struct ReadBuffers {
    /// What the socket gave.
    pub(crate) raw: Vec<u8>,
    /// What was under its cover.
    pub(crate) plain: Vec<u8>,
}

impl ReadBuffers {
    /// As long as a core lends them.
    pub(crate) fn new() -> Self {
        Self { raw: vec![0; READ_BUFFER_BYTES], plain: Vec::new() }
    }
}

/// What writing came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// Some or all is sent.
    Going,
    /// All is sent, and the connection has nothing more to say.
    Said,
    /// The peer is gone.
    Ended,
}

impl Connections {
    /// None.
    pub(crate) fn new() -> Self {
        Self {
            table: SlotTable::new(),
            ready: VecDeque::new(),
            greeting: VecDeque::new(),
            securing: VecDeque::new(),
            dirty: Vec::new(),
            slow: Vec::new(),
            spare_outputs: SpareOutputs::default(),
            sent_bytes: 0,
        }
    }

    /// The table.
    pub(crate) fn table(&mut self) -> &mut SlotTable<Connection> {
        &mut self.table
    }

    /// Bytes that were written to all of them.
    pub(crate) fn sent_bytes(&self) -> u64 {
        self.sent_bytes
    }

    /// A connection, if it is still there.
    #[inline]
    pub(crate) fn find(&mut self, key: SlotKey) -> Option<&mut Connection> {
        self.table.find(key)
    }

    /// Takes a connection out.
    pub(crate) fn remove(&mut self, key: SlotKey) -> Option<Connection> {
        self.table.remove(key)
    }

    /// Notes what the kernel said.
    pub(crate) fn handle_ready(&mut self, readiness: Readiness) {
        let Some(connection) = self.table.find(readiness.key) else { return };
        connection.is_read_closed |= readiness.is_read_closed;
        if readiness.is_writable && connection.progress.has(Mark::Blocked) {
            connection.progress.set(Mark::Blocked, false);
            mark_dirty(&mut self.dirty, readiness.key, connection);
        }
        if readiness.is_readable {
            self.list(readiness.key);
        }
    }

    /// Puts a connection on its ready list.
    pub(crate) fn list(&mut self, key: SlotKey) {
        if let Some(connection) = self.table.find(key)
            && !connection.is_listed
        {
            connection.is_listed = true;
            match connection.session.state {
                State::Securing => self.securing.push_back(key),
                State::Greeting => self.greeting.push_back(key),
                _ => self.ready.push_back(key),
            }
        }
    }

    /// Whether there is something to read.
    pub(crate) fn has_ready(&self) -> bool {
        !(self.ready.is_empty() && self.greeting.is_empty() && self.securing.is_empty())
    }

    /// How many are on the ready list, beside those that greet.
    pub(crate) fn ready_count(&self) -> usize {
        self.ready.len()
    }

    /// How many of those that greet are on theirs.
    pub(crate) fn greeting_count(&self) -> usize {
        self.greeting.len()
    }

    /// How many of those in a handshake are on theirs.
    pub(crate) fn securing_count(&self) -> usize {
        self.securing.len()
    }

    /// The next of the ready list that may be read now. One that may not, for what it has
    /// not fetched, comes back once it may.
    pub(crate) fn next_ready(&mut self) -> Option<SlotKey> {
        let key = self.ready.pop_front()?;
        self.take_listed(key)
    }

    /// The same, of those that have not said `Hello`.
    pub(crate) fn next_greeting(&mut self) -> Option<SlotKey> {
        let key = self.greeting.pop_front()?;
        self.take_listed(key)
    }

    /// The same, of those in a handshake.
    pub(crate) fn next_securing(&mut self) -> Option<SlotKey> {
        let key = self.securing.pop_front()?;
        self.take_listed(key)
    }

    fn take_listed(&mut self, key: SlotKey) -> Option<SlotKey> {
        let connection = self.table.find(key)?;
        connection.is_listed = false;
        connection.has_unread = !connection.may_read();
        (!connection.has_unread).then_some(key)
    }

    /// Reads a connection once. What it says stands in `buffers.raw` up to the length that came,
    /// or, where it has a cover, in `buffers.plain`.
    pub(crate) fn receive(&mut self, key: SlotKey, buffers: &mut ReadBuffers) -> Received {
        let Some(connection) = self.table.find(key) else { return Received::Nothing };
        let Some(cover) = &mut connection.cover else {
            return plain::receive(&mut connection.socket, &mut buffers.raw);
        };
        buffers.plain.clear();
        let Cover { tls, sealed } = cover.as_mut();
        let mut output = sealed.take().unwrap_or_else(|| self.spare_outputs.take());
        let (raw, plain) = (&mut buffers.raw, &mut buffers.plain);
        let received = tls.receive(&mut connection.socket, raw, plain, &mut output.bytes);
        let has_begun = tls.has_begun();
        if output.unsent() > 0 {
            *sealed = Some(output);
            // What ends a handshake, a ticket, can wait for the first frame.
            let is_just_secured = connection.session.state == State::Securing && tls.is_secured();
            if !is_just_secured {
                mark_dirty(&mut self.dirty, key, connection);
            }
        } else {
            self.spare_outputs.give_back(output);
        }
        if has_begun {
            watch(&mut self.slow, key, connection);
        }
        received
    }

    /// Lets `write` append to a connection's output; not if it is closing or
    /// gone, or in the handshake of its cover.
    #[inline]
    pub(crate) fn append(&mut self, key: SlotKey, write: impl FnOnce(&mut Vec<u8>)) -> bool {
        let Some(connection) = self.table.find(key) else { return false };
        if matches!(connection.session.state, State::Closing | State::Securing) {
            return false;
        }
        let spare_outputs = &mut self.spare_outputs;
        let output = connection.output.get_or_insert_with(|| spare_outputs.take());
        write(&mut output.bytes);
        mark_dirty(&mut self.dirty, key, connection);
        true
    }

    /// As [`Connections::append`], for a word that may be lost. Nothing else bounds those,
    /// so none is kept for a peer who does not read.
    #[inline]
    pub(crate) fn append_word(&mut self, key: SlotKey, write: impl FnOnce(&mut Vec<u8>)) {
        if self.find(key).is_some_and(|connection| connection.unsent() <= OUT_BYTES_MAX) {
            self.append(key, write);
        }
    }

    /// As above, for a signal: a peer who is a little slow is told of none.
    #[inline]
    pub(crate) fn append_signal(&mut self, key: SlotKey, write: impl FnOnce(&mut Vec<u8>)) {
        if self.find(key).is_some_and(|connection| connection.unsent() <= SIGNAL_OUT_BYTES_MAX) {
            self.append(key, write);
        }
    }

    /// The connections with something to send; give the list back when it is done with.
    pub(crate) fn take_dirty(&mut self) -> Vec<SlotKey> {
        std::mem::take(&mut self.dirty)
    }

    /// Takes the list back, empty, for its memory.
    pub(crate) fn return_dirty(&mut self, mut list: Vec<SlotKey>) {
        list.clear();
        if self.dirty.is_empty() {
            self.dirty = list;
        }
    }

    /// There is something to send that no [`Connections::append`] told of.
    pub(crate) fn mark(&mut self, key: SlotKey) {
        if let Some(connection) = self.table.find(key) {
            mark_dirty(&mut self.dirty, key, connection);
        }
    }

    /// Keeps the beginning of a frame that is not whole, where there is one.
    pub(crate) fn keep(&mut self, key: SlotKey, frames: Option<Box<FrameBuffer>>) {
        let Some(connection) = self.table.find(key) else { return };
        connection.frames = frames;
        if connection.frames.is_some() {
            watch(&mut self.slow, key, connection);
        }
    }

    /// Who may be slow since the last call.
    pub(crate) fn take_slow(&mut self) -> Vec<SlotKey> {
        std::mem::take(&mut self.slow)
    }

    /// Writes once what a connection has to send.
    pub(crate) fn write(&mut self, key: SlotKey) -> Written {
        let Some(connection) = self.table.find(key) else { return Written::Going };
        connection.is_dirty = false;
        if connection.progress.has(Mark::Blocked) {
            return self.handle_written(key);
        }
        if seal(connection, &mut self.spare_outputs).is_err() {
            return Written::Ended;
        }
        let output = match &mut connection.cover {
            Some(cover) => cover.sealed.as_mut(),
            None => connection.output.as_mut(),
        };
        if let Some(output) = output
            && output.unsent() > 0
        {
            let unsent = output.unsent();
            match plain::send(&mut connection.socket, output.unsent_bytes()) {
                Sent::Bytes(length) => {
                    connection.progress.handle_written(length, unsent);
                    self.sent_bytes += length as u64;
                    output.handle_sent(length);
                    if length < unsent {
                        watch(&mut self.slow, key, connection);
                    }
                }
                Sent::Ended => return Written::Ended,
            }
        }
        self.handle_written(key)
    }

    fn handle_written(&mut self, key: SlotKey) -> Written {
        let Some(connection) = self.table.find(key) else { return Written::Going };
        let sealed = connection.cover.as_mut().map(|cover| &mut cover.sealed);
        for output in [Some(&mut connection.output), sealed].into_iter().flatten() {
            if let Some(sent) = output.take_if(|output| output.unsent() == 0) {
                self.spare_outputs.give_back(sent);
            }
        }
        let is_said = connection.session.state == State::Closing && connection.unsent() == 0;
        if connection.has_unread && connection.may_read() {
            connection.has_unread = false;
            self.list(key);
        }
        if is_said { Written::Said } else { Written::Going }
    }
}

fn mark_dirty(dirty: &mut Vec<SlotKey>, key: SlotKey, connection: &mut Connection) {
    if !connection.is_dirty {
        connection.is_dirty = true;
        dirty.push(key);
    }
}

fn watch(slow: &mut Vec<SlotKey>, key: SlotKey, connection: &mut Connection) {
    if !connection.progress.has(Mark::Watched) {
        connection.progress.set(Mark::Watched, true);
        slow.push(key);
    }
}

/// Encrypts all that a covered connection says in this tick, so that its frames share records.
fn seal(connection: &mut Connection, spare_outputs: &mut SpareOutputs) -> Result<(), Broken> {
    let is_last = connection.session.state == State::Closing;
    let Some(cover) = connection.cover.as_mut().filter(|cover| cover.tls.may_seal()) else {
        return Ok(());
    };
    let said = connection.output.take();
    if said.is_none() && !is_last {
        return Ok(());
    }
    let Cover { tls, sealed } = cover.as_mut();
    let records = sealed.get_or_insert_with(|| spare_outputs.take());
    let plain = said.as_ref().map_or(&[][..], |output| output.unsent_bytes());
    tls.seal(plain, is_last, &mut records.bytes)?;
    if let Some(mut said) = said {
        said.clear();
        spare_outputs.give_back(said);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener, TcpStream as StdStream};

    use mio::net::TcpStream;

    use super::*;
    use crate::session::Session;

    /// Connections in these states, to a listener that takes none.
    fn connections<const COUNT: usize>(
        states: [State; COUNT],
    ) -> (TcpListener, Connections, [SlotKey; COUNT]) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let mut connections = Connections::new();
        let keys = states.map(|state| {
            let socket = StdStream::connect(listener.local_addr().unwrap()).unwrap();
            let session = Session { state, ..Session::new() };
            let socket = TcpStream::from_std(socket);
            connections.table().insert(Connection::new(socket, None, session, None, 0))
        });
        (listener, connections, keys)
    }

    #[test]
    fn words_that_may_be_lost_do_not_pile_up() {
        let (_listener, mut connections, [slow]) = connections([State::Open]);
        for _ in 0..10 * OUT_BYTES_MAX / 100 {
            connections.append_word(slow, |out| out.extend_from_slice(&[7; 100]));
        }
        let unsent = connections.find(slow).unwrap().unsent();
        assert!((OUT_BYTES_MAX..=OUT_BYTES_MAX + 100).contains(&unsent), "{unsent}");
        assert!(connections.append(slow, |out| out.push(1)), "what must be said is");
    }

    #[test]
    fn open_sessions_are_read_before_those_that_greet() {
        let states = [State::Greeting, State::Greeting, State::Open, State::Opening];
        let (_listener, mut connections, keys) = connections(states);
        keys.iter().for_each(|&key| connections.list(key));
        let [first, second, open, opening] = keys;
        assert_eq!(connections.ready_count(), 2);
        assert_eq!(connections.next_ready(), Some(open));
        assert_eq!(connections.next_ready(), Some(opening));
        assert_eq!(connections.next_ready(), None);
        assert!(connections.has_ready());
        assert_eq!(connections.next_greeting(), Some(first));
        assert_eq!(connections.next_greeting(), Some(second));
        assert_eq!(connections.next_greeting(), None);
        assert!(!connections.has_ready());
    }
}
