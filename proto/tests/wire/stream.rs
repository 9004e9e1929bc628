//! The frame buffer over any cut of any stream.

use answerback_proto::access::kind_of;
use answerback_proto::code::Code;
use answerback_proto::encode::{Address, append_frame};
use answerback_proto::frame_buffer::FrameBuffer;
use answerback_proto::header::{HEADER_BYTES, Header};
use answerback_proto::kind::{Ack, End, Envelope, Kind, Send};
use proptest::prelude::*;

use crate::layout::layout;

const LIMIT: u32 = 4096;
const PAYLOAD_MAX: usize = LIMIT as usize - HEADER_BYTES - Send::BYTES;

/// A frame as it came out: header, envelope, payload.
type Taken = (Header, Vec<u8>, Vec<u8>);

/// Feeds the chunks; the frames, and the error that ended it.
fn feed<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Taken>, Option<Code>) {
    let mut buffer = FrameBuffer::default();
    let mut taken = Vec::new();
    for mut received in chunks {
        loop {
            match buffer.next_frame(&mut received, LIMIT) {
                Ok(Some(frame)) => {
                    taken.push((frame.header, frame.envelope.to_vec(), frame.payload.to_vec()));
                }
                Ok(None) => break,
                Err(code) => return (taken, Some(code)),
            }
        }
        assert!(received.is_empty(), "all is used or kept");
        assert!(buffer.kept() < LIMIT as usize, "{} bytes are kept", buffer.kept());
    }
    (taken, None)
}

/// Cuts bytes into chunks of the lengths, again and again.
fn chunks<'a>(bytes: &'a [u8], lengths: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
    let mut rest = bytes;
    let mut lengths = lengths.iter().cycle();
    std::iter::from_fn(move || {
        let length = (*lengths.next()?).min(rest.len());
        let (chunk, behind) = rest.split_at(length);
        rest = behind;
        (!chunk.is_empty()).then_some(chunk)
    })
}

fn send(tag: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let address = Address { flags: 0, tag, target: u128::MAX - 1 };
    let send = Send { sequence: u64::from(tag), seen_ms: 1, life_s: 0, content_type: 2 };
    append_frame(&mut out, address, &send, &[], payload);
    out
}

fn ack(up_to: u64) -> Vec<u8> {
    let mut out = Vec::new();
    append_frame(&mut out, Address::default(), &Ack { up_to }, &[], &[]);
    out
}

fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let length = prop_oneof![0..200_usize, Just(PAYLOAD_MAX), 0..=PAYLOAD_MAX];
    prop_oneof![
        (1..9_u32, length, any::<u8>())
            .prop_map(|(tag, length, fill)| send(tag, &vec![fill; length])),
        any::<u64>().prop_map(ack),
    ]
}

fn any_cut() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![
        Just(vec![1]),
        Just(vec![LIMIT as usize]),
        proptest::collection::vec(1..100_usize, 1..8),
        proptest::collection::vec(1..10_000_usize, 1..8),
    ]
}

proptest! {
    #[test]
    fn the_frames_are_the_same_however_the_bytes_are_cut(
        frames in proptest::collection::vec(any_frame(), 1..12),
        lengths in any_cut(),
    ) {
        let stream = frames.concat();
        let (taken, error) = feed(chunks(&stream, &lengths));
        prop_assert_eq!(error, None);
        let again: Vec<Vec<u8>> = taken
            .iter()
            .map(|(header, envelope, payload)| [&header.to_bytes()[..], envelope, payload].concat())
            .collect();
        prop_assert_eq!(again, frames);
    }

    #[test]
    fn an_error_comes_at_the_same_frame_however_the_bytes_are_cut(
        frames in proptest::collection::vec(any_frame(), 0..4),
        bad in prop_oneof![
            (LIMIT + 1..).prop_map(|length| (length, 0, Code::FrameTooLarge)),
            (0..HEADER_BYTES as u32).prop_map(|length| (length, 0, Code::FrameMalformed)),
            (4..u16::MAX).prop_map(|flags| (64, flags & !3, Code::FrameMalformed)),
        ],
        lengths in any_cut(),
    ) {
        let (length, flags, code) = bad;
        let header = Header {
            length, kind_number: 0x10, envelope_length: 0, flags, tag: 0, target: 0,
        };
        let stream = [frames.concat(), header.to_bytes().to_vec(), vec![7; 100]].concat();
        let (taken, error) = feed(chunks(&stream, &lengths));
        prop_assert_eq!((taken.len(), error), (frames.len(), Some(code)));
    }

    #[test]
    fn garbage_never_panics(
        bytes in proptest::collection::vec(prop_oneof![Just(0_u8), any::<u8>()], 0..5000),
        lengths in any_cut(),
    ) {
        feed(chunks(&bytes, &lengths));
    }

    /// Envelopes have no pointers: garbage of any shape is read in one step, or refused.
    #[test]
    fn a_frame_of_garbage_never_panics(
        kind in proptest::sample::select(Kind::ALL),
        envelope in proptest::collection::vec(prop_oneof![Just(0_u8), any::<u8>()], 0..600),
        tag in 0..2_u32,
    ) {
        let header = Header {
            length: (HEADER_BYTES + envelope.len()) as u32,
            kind_number: kind.number(),
            envelope_length: envelope.len() as u16,
            flags: 0,
            tag,
            target: 0,
        };
        for end in [End::Client, End::Server] {
            prop_assert!(kind_of(&header, end) != Ok(None));
        }
        if (layout(kind).read)(&envelope).is_ok() {
            prop_assert!(envelope.len() >= kind.envelope_bytes());
        }
    }

    #[test]
    fn a_header_is_read_as_it_was_written(
        envelope_length in any::<u16>(),
        more in 0..1000_u32,
        (kind_number, flags) in (any::<u16>(), 0..4_u16),
        (tag, target) in (any::<u32>(), any::<u128>()),
    ) {
        let length = HEADER_BYTES as u32 + u32::from(envelope_length) + more;
        let header = Header { length, kind_number, envelope_length, flags, tag, target };
        prop_assert_eq!(Header::read(&header.to_bytes(), length), Ok(header));
        prop_assert_eq!(Header::read(&header.to_bytes(), length - 1), Err(Code::FrameTooLarge));
        prop_assert_eq!(header.payload_length(), more as usize);
    }
}

#[test]
fn a_deeply_nested_archive_is_only_an_envelope_of_a_wrong_length() {
    // Relative pointers to themselves and to their neighbours: what sends a validator of
    // nested types round and down until its stack is gone.
    for pattern in [[0, 0, 0, 0], [0xfc, 0xff, 0xff, 0xff], [0xf8, 0xff, 0xff, 0xff]] {
        let archive = pattern.repeat(u16::MAX as usize / 4);
        for kind in Kind::ALL {
            assert!((layout(*kind).read)(&archive).is_err(), "{}", kind.name());
        }
    }
}

#[test]
fn nothing_is_kept_at_rest() {
    let mut buffer = FrameBuffer::default();
    let stream = [send(1, b"hello"), ack(4)].concat();
    let (mut first, mut second) = stream.split_at(40);
    assert_eq!(buffer.next_frame(&mut first, LIMIT), Ok(None));
    assert_eq!(buffer.kept(), 40);
    for _ in 0..2 {
        assert!(buffer.next_frame(&mut second, LIMIT).is_ok_and(|frame| frame.is_some()));
    }
    assert_eq!(buffer.next_frame(&mut second, LIMIT), Ok(None));
    assert_eq!(buffer.kept(), 0);
}
