//! A stream of bytes in any cut: the frame buffer finds the frames, and the error, that a
//! plain reading of the whole stream finds, and keeps no more than one unfinished frame.
//!
//! ```text
//! input  │ limit u8 │ four lengths of chunks, taken in turn u8 × 4 │ stream │
//! ```

use answerback_proto::code::Code;
use answerback_proto::frame_buffer::FrameBuffer;
use answerback_proto::header::HEADER_BYTES;
use answerback_proto::limits::{
    FRAME_BYTES_BEFORE_AUTH_MAX, FRAME_BYTES_HARD_MAX, FRAME_BYTES_MAX,
};
use arbitrary::Unstructured;

const LIMITS: [u32; 4] =
    [FRAME_BYTES_BEFORE_AUTH_MAX, FRAME_BYTES_MAX, FRAME_BYTES_HARD_MAX, HEADER_BYTES as u32];

/// A frame as it came out.
type Taken = Vec<u8>;

/// Runs the target on one input.
pub fn run(input: &[u8]) {
    let mut input = Unstructured::new(input);
    let limit = input.choose(&LIMITS).copied().unwrap_or(FRAME_BYTES_MAX);
    let lengths = input.arbitrary::<[u8; 4]>().unwrap_or_default();
    let stream = input.take_rest();
    let expected = read_plainly(stream, limit);
    assert_eq!(feed([stream], limit), expected, "the whole stream at once");
    assert_eq!(feed(chunks(stream, lengths), limit), expected, "in chunks of {lengths:?}");
}

/// Feeds chunks; the frames, and the error that ended it.
fn feed<'a>(chunks: impl IntoIterator<Item = &'a [u8]>, limit: u32) -> (Vec<Taken>, Option<Code>) {
    let mut buffer = FrameBuffer::default();
    let mut taken = Vec::new();
    for mut received in chunks {
        loop {
            match buffer.next_frame(&mut received, limit) {
                Ok(Some(frame)) => {
                    let header = frame.header.to_bytes();
                    taken.push([&header[..], frame.envelope, frame.payload].concat());
                    assert_eq!(frame.header.payload_length(), frame.payload.len());
                }
                Ok(None) => break,
                Err(code) => return (taken, Some(code)),
            }
        }
        assert!(received.is_empty(), "all is used or kept");
        assert!(buffer.kept() < (limit as usize).max(HEADER_BYTES + 1), "kept: {}", buffer.kept());
    }
    (taken, None)
}

/// Chunks of these lengths, again and again; a length of 0 stands for 1000.
fn chunks(stream: &[u8], lengths: [u8; 4]) -> impl Iterator<Item = &[u8]> {
    let mut lengths = lengths.into_iter().cycle();
    let mut rest = stream;
    std::iter::from_fn(move || {
        let length = match lengths.next()? {
            0 => 1000,
            length => usize::from(length),
        };
        let (chunk, behind) = rest.split_at(length.min(rest.len()));
        rest = behind;
        (!chunk.is_empty()).then_some(chunk)
    })
}

/// The frames of a stream as the protocol's page states them, without the codec.
fn read_plainly(stream: &[u8], limit: u32) -> (Vec<Taken>, Option<Code>) {
    let mut frames = Vec::new();
    let mut rest = stream;
    while let Some(header) = rest.first_chunk::<HEADER_BYTES>() {
        let [l0, l1, l2, l3, _, _, e0, e1, f0, f1, r0, r1, ..] = *header;
        let length = u32::from_le_bytes([l0, l1, l2, l3]);
        if length > limit {
            return (frames, Some(Code::FrameTooLarge));
        }
        let shortest = 32 + u32::from(u16::from_le_bytes([e0, e1]));
        if length < shortest || f0 & !3 != 0 || f1 != 0 || [r0, r1] != [0, 0] {
            return (frames, Some(Code::FrameMalformed));
        }
        let Some((frame, behind)) = rest.split_at_checked(length as usize) else { break };
        frames.push(frame.to_vec());
        rest = behind;
    }
    (frames, None)
}
