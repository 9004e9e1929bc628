//! All connections of a core, who of them is to be read, and who has something to send.
//!
//! Each list holds a connection at most once; what is on a list and gone meanwhile is
//! passed over, since its key finds nothing.

use std::collections::VecDeque;

use crate::limits::{OUT_BYTES_MAX, SPARE_OUTPUT_BYTES_MAX, SPARE_OUTPUTS_MAX};
use crate::reactor::Readiness;
use crate::reactor::slot::{SlotKey, SlotTable};
use crate::session::State;
use crate::transport::plain::{Sent, send};

use super::connection::{Connection, Output};

/// The connections.
#[derive(Debug)]
pub(crate) struct Connections {
    table: SlotTable<Connection>,
    ready: VecDeque<SlotKey>,
    /// The ready list of those that have not said `Hello`.
    greeting: VecDeque<SlotKey>,
    dirty: Vec<SlotKey>,
    /// Empty outputs, so that a connection at rest needs none of its own.
    #[expect(clippy::vec_box, reason = "it is the boxes that connections take and give back")]
    spare_outputs: Vec<Box<Output>>,
    /// Bytes that the kernel took.
    sent_bytes: u64,
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
            dirty: Vec::new(),
            spare_outputs: Vec::new(),
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
        if readiness.is_writable && connection.is_write_blocked {
            connection.is_write_blocked = false;
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
                State::Greeting => self.greeting.push_back(key),
                _ => self.ready.push_back(key),
            }
        }
    }

    /// Whether there is something to read.
    pub(crate) fn has_ready(&self) -> bool {
        !(self.ready.is_empty() && self.greeting.is_empty())
    }

    /// How many are on the ready list, beside those that greet.
    pub(crate) fn ready_count(&self) -> usize {
        self.ready.len()
    }

    /// How many of those that greet are on theirs.
    pub(crate) fn greeting_count(&self) -> usize {
        self.greeting.len()
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

    fn take_listed(&mut self, key: SlotKey) -> Option<SlotKey> {
        let connection = self.table.find(key)?;
        connection.is_listed = false;
        connection.has_unread = !connection.may_read();
        (!connection.has_unread).then_some(key)
    }

    /// Lets `write` append to a connection's output; not if it is closing or gone.
    #[inline]
    pub(crate) fn append(&mut self, key: SlotKey, write: impl FnOnce(&mut Vec<u8>)) -> bool {
        let Some(connection) = self.table.find(key) else { return false };
        if connection.session.state == State::Closing {
            return false;
        }
        let spare_outputs = &mut self.spare_outputs;
        let output =
            connection.output.get_or_insert_with(|| spare_outputs.pop().unwrap_or_default());
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

    /// Writes once what a connection has to send.
    pub(crate) fn write(&mut self, key: SlotKey) -> Written {
        let Some(connection) = self.table.find(key) else { return Written::Going };
        connection.is_dirty = false;
        if let Some(output) = &mut connection.output
            && !connection.is_write_blocked
            && output.unsent() > 0
        {
            let unsent = output.unsent();
            match send(&mut connection.socket, output.unsent_bytes()) {
                Sent::Bytes(length) => {
                    connection.is_write_blocked = length < unsent;
                    self.sent_bytes += length as u64;
                    output.handle_sent(length);
                }
                Sent::Ended => return Written::Ended,
            }
        }
        self.handle_written(key)
    }

    fn handle_written(&mut self, key: SlotKey) -> Written {
        let Some(connection) = self.table.find(key) else { return Written::Going };
        if let Some(sent) = connection.output.take_if(|output| output.unsent() == 0) {
            keep_spare(&mut self.spare_outputs, sent);
        }
        let is_said = connection.session.state == State::Closing && connection.output.is_none();
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

#[expect(clippy::vec_box, reason = "as above")]
fn keep_spare(spare_outputs: &mut Vec<Box<Output>>, output: Box<Output>) {
    if output.bytes.capacity() <= SPARE_OUTPUT_BYTES_MAX && spare_outputs.len() < SPARE_OUTPUTS_MAX
    {
        spare_outputs.push(output);
    }
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
            connections.table().insert(Connection::new(socket, session, None, 0))
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
