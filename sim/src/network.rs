//! Two streams of bytes that come in any cut, as late as it pleases, until they break.

use std::collections::VecDeque;

use fastrand::Rng;

/// One direction of a connection.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    bytes: VecDeque<u8>,
}

impl Stream {
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// What arrives next: all of it, or any part of it.
    pub(crate) fn read(&mut self, random: &mut Rng) -> Vec<u8> {
        let most = self.bytes.len();
        let count = if random.bool() { most } else { random.usize(..=most) };
        self.bytes.drain(..count).collect()
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
