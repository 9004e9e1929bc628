//! What a frame costs to cut out of what a socket gave: a lent buffer of 64 KB with `Send`s of
//! 128 bytes of payload, 182 bytes each on the wire.

use std::hint::black_box;

use answerback_proto::encode::{Address, append_frame};
use answerback_proto::frame_buffer::FrameBuffer;
use answerback_proto::kind::Send;
use answerback_proto::limits::FRAME_BYTES_MAX;
use criterion::{Criterion, Throughput};

const BUFFER_BYTES: usize = 64 * 1024;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let frame = frame();
    let stream = frame.repeat(BUFFER_BYTES / frame.len());
    let mut group = criterion.benchmark_group("frame_buffer");
    group.throughput(Throughput::Elements((stream.len() / frame.len()) as u64));
    group.bench_function("64 KB of whole frames", |bencher| {
        bencher.iter(|| count_frames(black_box(&stream), stream.len()));
    });
    // Every read ends within a frame, which is kept and finished by the next read.
    let cut = 10 * frame.len() + frame.len() / 2;
    group.bench_function("64 KB in reads of ten frames and a half", |bencher| {
        bencher.iter(|| count_frames(black_box(&stream), cut));
    });
    group.finish();
    let mut group = criterion.benchmark_group("frame_buffer");
    group.throughput(Throughput::Elements(1));
    group.bench_function("one frame cut in the middle", |bencher| {
        bencher.iter(|| count_frames(black_box(&frame), frame.len() / 2));
    });
    group.finish();
    criterion.final_summary();
}

fn frame() -> Vec<u8> {
    let mut frame = Vec::new();
    let address = Address { flags: 0, tag: 7, target: 2 };
    let send = Send { sequence: 5, seen_ms: 1_790_000_000_000, life_s: 0, content_type: 1 };
    append_frame(&mut frame, address, &send, &[], &[b'x'; 128]);
    frame
}

/// Reads a stream piece by piece, as a reactor does.
fn count_frames(stream: &[u8], read_bytes: usize) -> usize {
    let mut buffer = FrameBuffer::default();
    let mut count = 0;
    for mut received in stream.chunks(read_bytes) {
        while let Ok(Some(frame)) = buffer.next_frame(&mut received, FRAME_BYTES_MAX) {
            black_box(frame.envelope);
            count += 1;
        }
    }
    count
}
