//! What is on its way out of a connection, and the empty boxes for it.

use crate::limits::{SPARE_OUTPUT_BYTES_MAX, SPARE_OUTPUTS_MAX};

/// Bytes on their way out.
#[derive(Debug, Default)]
pub(crate) struct Output {
    /// All of them; what is sent already stands in front.
    pub(crate) bytes: Vec<u8>,
    pub(super) sent: u32,
}

impl Output {
    /// Bytes that are not sent.
    pub(crate) fn unsent(&self) -> usize {
        self.bytes.len() - self.sent as usize
    }

    /// What to send next.
    pub(crate) fn unsent_bytes(&self) -> &[u8] {
        self.bytes.get(self.sent as usize..).unwrap_or_default()
    }

    /// As many bytes are sent. What was sent is moved away once it is more than the rest,
    /// so that no byte is moved twice on average.
    pub(crate) fn handle_sent(&mut self, length: usize) {
        let sent = self.sent as usize + length;
        if sent >= self.bytes.len() {
            self.clear();
        } else if sent > self.bytes.len() - sent {
            self.bytes.drain(..sent);
            self.sent = 0;
        } else {
            self.sent = sent as u32;
        }
    }

    /// Nothing is left.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.sent = 0;
    }
}

/// Empty outputs, so that a connection at rest needs none of its own.
#[derive(Debug, Default)]
pub(crate) struct SpareOutputs(
    #[expect(clippy::vec_box, reason = "it is the boxes that connections take and give back")]
    Vec<Box<Output>>,
);

impl SpareOutputs {
    /// An empty one.
    #[inline]
    pub(crate) fn take(&mut self) -> Box<Output> {
        self.0.pop().unwrap_or_default()
    }

    /// Takes one back that is empty; one that has grown is freed.
    pub(crate) fn give_back(&mut self, output: Box<Output>) {
        if output.bytes.capacity() <= SPARE_OUTPUT_BYTES_MAX && self.0.len() < SPARE_OUTPUTS_MAX {
            self.0.push(output);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_leaves_in_order_whatever_is_taken_at_once() {
        for step in [1, 3, 7, 50, 100] {
            let mut output = Output { bytes: (0..100).collect(), sent: 0 };
            let mut sent = Vec::new();
            while output.unsent() > 0 {
                let bytes = output.unsent_bytes();
                let taken = step.min(bytes.len());
                sent.extend_from_slice(&bytes[..taken]);
                output.handle_sent(taken);
            }
            assert_eq!(sent, (0..100).collect::<Vec<u8>>(), "{step}");
            assert!(output.bytes.is_empty());
        }
    }
}
