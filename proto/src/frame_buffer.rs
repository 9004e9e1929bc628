//! Bytes in, checked frames out.
//!
//! A reactor reads into a buffer that it lends for one tick. Frames that lie whole in it
//! are handed out in place; only the beginning of an unfinished one is kept, and
//! nothing is kept, or allocated, for a connection at rest.
//!
//! Call [`FrameBuffer::next_frame`] with what was received until it returns `None`:
//! then all of it is used or kept. After an error the connection is of no more use.

use crate::code::Code;
use crate::header::{HEADER_BYTES, Header};

/// One whole frame, in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The header, its lengths checked.
    pub header: Header,
    /// Envelope and tail.
    pub envelope: &'a [u8],
    /// What nobody here reads.
    pub payload: &'a [u8],
}

/// The unfinished frame of one connection.
#[derive(Debug, Default)]
pub struct FrameBuffer {
    /// The beginning of a frame; or, once it was handed out, the whole of it.
    partial: Vec<u8>,
    handed_out: bool,
}

impl FrameBuffer {
    /// The next whole frame; takes what it uses or keeps from the front of `received`.
    ///
    /// # Errors
    /// As [`Header::read`]: the length is checked before anything is kept for it.
    pub fn next_frame<'a, 'r: 'a>(
        &'a mut self,
        received: &mut &'r [u8],
        frame_bytes_max: u32,
    ) -> Result<Option<Frame<'a>>, Code> {
        if self.handed_out {
            self.partial = Vec::new();
            self.handed_out = false;
        }
        if !self.partial.is_empty() {
            return self.finish_partial(received, frame_bytes_max);
        }
        let Some(header) = read_header(received, frame_bytes_max)? else {
            self.fill(received, HEADER_BYTES);
            return Ok(None);
        };
        match received.split_at_checked(header.length as usize) {
            Some((bytes, rest)) => {
                *received = rest;
                Ok(Some(frame(header, bytes)))
            }
            None => {
                self.fill(received, header.length as usize);
                Ok(None)
            }
        }
    }

    /// Bytes kept of an unfinished frame.
    pub fn kept(&self) -> usize {
        if self.handed_out { 0 } else { self.partial.len() }
    }

    fn finish_partial<'a>(
        &'a mut self,
        received: &mut &[u8],
        frame_bytes_max: u32,
    ) -> Result<Option<Frame<'a>>, Code> {
        if self.partial.len() < HEADER_BYTES {
            self.fill(received, HEADER_BYTES);
        }
        let Some(header) = read_header(&self.partial, frame_bytes_max)? else {
            return Ok(None);
        };
        self.fill(received, header.length as usize);
        if self.partial.len() < header.length as usize {
            return Ok(None);
        }
        self.handed_out = true;
        Ok(Some(frame(header, &self.partial)))
    }

    /// Moves bytes over until `length` are kept or none is left.
    fn fill(&mut self, received: &mut &[u8], length: usize) {
        let missing = length.saturating_sub(self.partial.len());
        let (taken, rest) = received.split_at(missing.min(received.len()));
        self.make_room(taken.len(), missing);
        self.partial.extend_from_slice(taken);
        *received = rest;
    }

    /// Room for `taken` bytes: it grows by doubling, since whoever announces a long frame
    /// may never send it, but never beyond the frame.
    fn make_room(&mut self, taken: usize, missing: usize) {
        if self.partial.capacity() - self.partial.len() < taken {
            let doubled = self.partial.len() + taken;
            self.partial.reserve_exact(doubled.min(missing));
        }
    }
}

fn read_header(bytes: &[u8], frame_bytes_max: u32) -> Result<Option<Header>, Code> {
    bytes.first_chunk().map(|head| Header::read(head, frame_bytes_max)).transpose()
}

/// Cuts a frame whose header was checked and whose length is `bytes.len()`.
fn frame(header: Header, bytes: &[u8]) -> Frame<'_> {
    let (_, body) = bytes.split_at(HEADER_BYTES);
    let (envelope, payload) = body.split_at(usize::from(header.envelope_length));
    Frame { header, envelope, payload }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::FRAME_BYTES_MAX;

    /// Whoever announces a long frame and sends it slowly gets room for what he sent, twice
    /// at most, and never more than the frame.
    #[test]
    fn room_is_bounded_by_what_came_and_by_the_frame() {
        let header = Header {
            length: FRAME_BYTES_MAX,
            kind_number: 0x10,
            envelope_length: 22,
            flags: 0,
            tag: 1,
            target: 2,
        };
        let mut stream = header.to_bytes().to_vec();
        stream.resize(FRAME_BYTES_MAX as usize, 7);
        for step in [1, 31, 1000, 40_000] {
            let mut buffer = FrameBuffer::default();
            let mut came = 0;
            for mut received in stream.chunks(step) {
                came += received.len();
                let frame = buffer.next_frame(&mut received, FRAME_BYTES_MAX);
                assert_eq!(frame.map(|frame| frame.is_some()), Ok(came == stream.len()));
                let bound = (2 * came).max(HEADER_BYTES).min(stream.len());
                assert!(buffer.partial.capacity() <= bound, "{step}: {bound} after {came}");
            }
            assert_eq!(buffer.kept(), 0);
        }
    }
}
