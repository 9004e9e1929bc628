//! Two streams of bytes that come in any cut, as late as it pleases, until they break.

use fastrand::Rng;

/// One direction of a connection.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    bytes: Vec<u8>,
    /// As many of them have arrived.
    read: usize,
}

impl Stream {
    /// The bytes under way, to append to.
    pub(crate) fn tail(&mut self) -> &mut Vec<u8> {
        if self.read == self.bytes.len() {
            self.bytes.clear();
            self.read = 0;
        }
        &mut self.bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.read == self.bytes.len()
    }

    /// What arrives next: all of it, or any part of it.
    pub(crate) fn read(&mut self, random: &mut Rng) -> &[u8] {
        let rest = self.bytes.split_at(self.read).1;
        let count = if random.u8(..4) > 0 { rest.len() } else { random.usize(..=rest.len()) };
        self.read += count;
        rest.split_at(count).0
    }
}

/// A connection between a client and the box.
#[derive(Debug, Default)]
pub(crate) struct Connection {
    pub(crate) to_box: Stream,
    pub(crate) to_client: Stream,
    /// The box has closed its end; what is under way still arrives.
    pub(crate) is_closing: bool,
}

impl Connection {
    /// Whether nothing is under way, and the connection stays.
    pub(crate) fn is_quiet(&self) -> bool {
        self.to_box.is_empty() && self.to_client.is_empty() && !self.is_closing
    }
}
