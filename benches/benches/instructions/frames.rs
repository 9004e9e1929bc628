//! The parts that bytes go through: frames, records, mailboxes. 128 bytes of payload.

use std::hint::black_box;
use std::sync::Arc;

use answerback_directory::mailbox::{Doorbell, Wake, mailbox};
use answerback_directory::shard::reply::{append_answer, append_entry};
use answerback_directory::shard::{Answer, Entry, EntryBody};
use answerback_proto::access::{kind_of, read};
use answerback_proto::encode::{Address, append_frame};
use answerback_proto::frame_buffer::FrameBuffer;
use answerback_proto::id::{DeviceId, Offset, PartitionId, Position, Sequence, UserId};
use answerback_proto::kind::{End, Send};
use answerback_proto::limits::FRAME_BYTES_MAX;
use answerback_proto::record::{Batch, BatchBuilder, ChainHash, Post, Tick};
use bytes::Bytes;

use crate::instructions_counted;

const COUNT: u64 = 1024;
const PAYLOAD: &[u8] = &[b'x'; 128];
const PEER: UserId = UserId(4_915_112_345_678);
const NOW_MS: u64 = 1_790_000_000_000;
/// Records of a commit.
const BATCH: u64 = 64;

fn stream() -> Vec<u8> {
    let mut stream = Vec::new();
    for sequence in 1..=COUNT {
        let address = Address { flags: 0, tag: 7, target: PEER.0 };
        let send = Send { sequence, seen_ms: NOW_MS, life_s: 0, content_type: 1 };
        append_frame(&mut stream, address, &send, &[], PAYLOAD);
    }
    stream
}

/// Whole frames, as many as a read brings.
pub(crate) fn cut() -> u64 {
    take_reads(|frame| 64 * frame)
}

/// Reads of a frame and a half.
pub(crate) fn cut_within() -> u64 {
    take_reads(|frame| frame * 3 / 2)
}

fn take_reads(read_bytes: impl Fn(usize) -> usize) -> u64 {
    let stream = stream();
    let read_bytes = read_bytes(stream.len() / COUNT as usize);
    let mut buffer = FrameBuffer::default();
    let mut frames = 0;
    instructions_counted(&mut || {
        for received in stream.chunks(read_bytes) {
            frames += take_frames(&mut buffer, received);
        }
    });
    frames
}

fn take_frames(buffer: &mut FrameBuffer, mut received: &[u8]) -> u64 {
    let mut frames = 0;
    while let Ok(Some(frame)) = buffer.next_frame(&mut received, FRAME_BYTES_MAX) {
        if kind_of(&frame.header, End::Client).is_ok() && read::<Send>(frame.envelope).is_ok() {
            frames += 1;
        }
    }
    frames
}

/// Into a buffer that is reused.
pub(crate) fn encode_deliver() -> u64 {
    let payload = Bytes::from_static(PAYLOAD);
    let (device, sequence) = (DeviceId(7), Sequence(5));
    encode_entry(EntryBody::Message {
        device,
        sequence,
        accepted_at_ms: NOW_MS,
        content_type: 1,
        payload,
    })
}

/// As above.
pub(crate) fn encode_delivered() -> u64 {
    let (device, up_to) = (DeviceId(7), Sequence(5));
    encode_entry(EntryBody::Delivered {
        device,
        up_to,
        delivered_at_ms: NOW_MS,
        except: Vec::new(),
    })
}

fn encode_entry(body: EntryBody) -> u64 {
    let entry = Entry { position: Position(42), after: Position(41), peer: PEER, body };
    encode(|out| append_entry(out, black_box(&entry)))
}

/// As above.
pub(crate) fn encode_accepted() -> u64 {
    let answer = Answer::Accepted { sequence: Sequence(5), accepted_at_ms: NOW_MS };
    encode(|out| append_answer(out, 7, PEER, black_box(&answer)))
}

fn encode(append: impl Fn(&mut Vec<u8>)) -> u64 {
    let mut out = Vec::with_capacity(1024);
    instructions_counted(&mut || {
        for _ in 0..COUNT {
            out.clear();
            append(&mut out);
            black_box(&out);
        }
    });
    COUNT
}

/// Batches as a tick closes them.
pub(crate) fn pack() -> u64 {
    let mut builder = BatchBuilder::default();
    instructions_counted(&mut || {
        for _ in 0..COUNT / BATCH {
            black_box(packed(&mut builder));
        }
    });
    COUNT
}

/// As apply reads them.
pub(crate) fn unpack() -> u64 {
    let batch = packed(&mut BatchBuilder::default());
    let mut records = 0;
    instructions_counted(&mut || {
        for _ in 0..COUNT / BATCH {
            records += black_box(&batch).records().filter(|record| record.is_ok()).count() as u64;
        }
    });
    records
}

fn packed(builder: &mut BatchBuilder) -> Batch {
    let post = Post {
        recipient: 2,
        sender: PEER.0,
        device: 7,
        sequence: 5,
        seen_ms: NOW_MS,
        life_s: 2_592_000,
        content_type: 1,
        flags: 0,
    };
    builder.push(&Tick { now_ms: 0 }, &[]);
    for _ in 1..BATCH {
        builder.push(black_box(&post), PAYLOAD);
    }
    builder.stamp_tick(NOW_MS);
    builder.finish(PartitionId(3), Offset(1), ChainHash([9; 16]))
}

struct Nobody;

impl Wake for Nobody {
    fn wake(&self) {}
}

/// Both ends on one thread, in bursts as a tick makes them.
pub(crate) fn mailbox_burst() -> u64 {
    let mut doorbell = Doorbell::new(Arc::new(Nobody));
    let (sender, mut receiver) = mailbox(1024, &mut doorbell);
    let mut taken = 0;
    instructions_counted(&mut || {
        for _ in 0..COUNT / BATCH {
            for number in 0..BATCH {
                _ = sender.try_send(black_box([number; 4]));
            }
            sender.notify();
            taken += receiver.drain(1024, |item| _ = black_box(item)) as u64;
        }
    });
    taken
}
