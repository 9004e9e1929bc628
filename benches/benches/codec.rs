//! What a frame and a record cost: bytes to checked values and back, 128 bytes of payload.
//! Aims: checked access of a `Send` ≤ 10 ns, encode of a `Deliver` ≤ 25 ns.

use std::hint::black_box;

use answerback_proto::access::{access_exact, kind_of, read};
use answerback_proto::encode::{Address, append_frame};
use answerback_proto::header::{HEADER_BYTES, Header};
use answerback_proto::id::{Offset, PartitionId};
use answerback_proto::kind::{Deliver, End, Envelope, Send};
use answerback_proto::limits::FRAME_BYTES_MAX;
use answerback_proto::record::{Batch, BatchBuilder, ChainHash, Message, Tick};
use criterion::{Criterion, Throughput};

const PAYLOAD: &[u8] = &[b'x'; 128];
const ADDRESS: Address = Address { flags: 0, tag: 7, target: 4_915_112_345_678 };
const SEND: Send = Send { sequence: 5, seen_ms: 1_790_000_000_000, life_s: 0, content_type: 1 };
const DELIVER: Deliver = Deliver {
    position: 42,
    after: 41,
    device: 7,
    sequence: 5,
    accepted_at_ms: 1_790_000_000_000,
    content_type: 1,
};
const MESSAGE: Message = Message {
    recipient: 2,
    sender: 4_915_112_345_678,
    device: 7,
    sequence: 5,
    seen_ms: 1_790_000_000_000,
    life_s: 2_592_000,
    content_type: 1,
};

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    frames_in(&mut criterion);
    frames_out(&mut criterion);
    records(&mut criterion);
    criterion.final_summary();
}

fn frames_in(criterion: &mut Criterion) {
    let mut frame = Vec::new();
    append_frame(&mut frame, ADDRESS, &SEND, &[], PAYLOAD);
    let Some((header, envelope)) = frame.split_first_chunk::<HEADER_BYTES>() else { return };
    let (envelope, _) = envelope.split_at(Send::BYTES);
    let mut group = criterion.benchmark_group("codec");
    group.bench_function("header, checked, its kind", |bencher| {
        bencher.iter(|| {
            let header = Header::read(black_box(header), FRAME_BYTES_MAX)?;
            kind_of(&header, End::Client)
        });
    });
    group.bench_function("access a Send in place, one field", |bencher| {
        bencher.iter(|| {
            access_exact::<Send>(black_box(envelope)).map(|send| send.sequence.to_native())
        });
    });
    group.bench_function("read a Send, every range checked", |bencher| {
        bencher.iter(|| read::<Send>(black_box(envelope)));
    });
    group.finish();
}

fn frames_out(criterion: &mut Criterion) {
    let mut out = Vec::with_capacity(1024);
    let mut group = criterion.benchmark_group("codec");
    group.bench_function("append a Deliver and its payload", |bencher| {
        bencher.iter(|| {
            out.clear();
            append_frame(&mut out, black_box(ADDRESS), black_box(&DELIVER), &[], PAYLOAD);
            black_box(&out).len()
        });
    });
    group.finish();
}

/// A commit's batch: a `Tick` and 63 messages.
fn records(criterion: &mut Criterion) {
    const COUNT: u64 = 64;
    let mut group = criterion.benchmark_group("codec");
    group.throughput(Throughput::Elements(COUNT));
    group.bench_function("push and finish a batch of 64", |bencher| bencher.iter(filled));
    let batch = filled();
    group.bench_function("decode a batch's 64 records", |bencher| {
        bencher.iter(|| black_box(&batch).records().filter(|record| record.is_ok()).count());
    });
    group.bench_function("parse a batch of 64, its checksum", |bencher| {
        bencher.iter(|| Batch::parse(black_box(batch.as_bytes().clone())));
    });
    group.finish();
}

fn filled() -> Batch {
    let mut builder = BatchBuilder::default();
    builder.push(&Tick { now_ms: 0 }, &[]);
    for _ in 1..64 {
        builder.push(black_box(&MESSAGE), PAYLOAD);
    }
    builder.stamp_tick(1_790_000_000_000);
    builder.finish(PartitionId(3), Offset(1), ChainHash([9; 16]))
}
