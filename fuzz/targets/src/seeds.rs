//! Inputs made of the golden vectors, and others, which no fuzzer would come upon soon.

use serde_json::Value;

const FRAMES: &str = include_str!("../../../proto/vectors/frames.jsonl");
const BAD_FRAMES: &str = include_str!("../../../proto/vectors/bad.jsonl");
const RECORDS: &str = include_str!("../../../proto/vectors/records.jsonl");

/// Bytes of a frame before its envelope.
const HEADER_BYTES: usize = 32;
/// Where the kind stands in a header.
const KIND_AT: usize = 4;

/// The seeds of a target, by its name.
pub fn of(target: &str) -> Vec<Vec<u8>> {
    match target {
        "frame_buffer" => streams(),
        "envelope" => envelopes(),
        "record" => batches(),
        "hello" => crate::hello::seeds(),
        "resume" => crate::resume::seeds(),
        "shard" => crate::shard::seeds(),
        _ => Vec::new(),
    }
}

/// Each frame alone in chunks of 7 bytes, and all of them one after the other.
fn streams() -> Vec<Vec<u8>> {
    let frames = frames();
    let all = frames.concat();
    let cut = |stream: Vec<u8>| [&[64, 7, 7, 7, 7][..], &stream].concat();
    frames.into_iter().chain([all]).map(cut).collect()
}

/// The kind and what lies behind the header, without a payload.
fn envelopes() -> Vec<Vec<u8>> {
    let envelope = |frame: Vec<u8>| {
        let (header, rest) = frame.split_at_checked(HEADER_BYTES)?;
        let (_, [k0, k1, e0, e1, ..]) = header.split_at_checked(KIND_AT)? else { return None };
        let envelope = rest.get(..usize::from(u16::from_le_bytes([*e0, *e1])))?;
        Some([&[*k0, *k1][..], envelope].concat())
    };
    frames().into_iter().filter_map(envelope).collect()
}

/// Each batch, and each record alone in one.
fn batches() -> Vec<Vec<u8>> {
    let vectors = lines(RECORDS);
    let of_kind = |kind: &'static str| {
        vectors.iter().filter(move |vector| vector.get(kind).is_some_and(Value::is_object))
    };
    let alone = |record: Vec<u8>| {
        let place = [&[0, 0, 1, 0, 0, 0, 1][..], &[0; 23]].concat();
        [place, record].concat()
    };
    let without_checksum = |batch: Vec<u8>| {
        let (head, rest) = batch.split_at_checked(32)?;
        Some([head.get(2..)?, rest.get(16..)?].concat())
    };
    let whole = of_kind("batch").map(bytes_of);
    let bare = of_kind("batch").map(bytes_of).filter_map(without_checksum);
    whole.chain(bare).chain(of_kind("record").map(bytes_of).map(alone)).collect()
}

fn frames() -> Vec<Vec<u8>> {
    lines(FRAMES).iter().chain(&lines(BAD_FRAMES)).map(bytes_of).collect()
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn bytes_of(vector: &Value) -> Vec<u8> {
    let text = vector.get("bytes").and_then(Value::as_str).unwrap_or_default();
    let pairs = text.as_bytes().chunks(2);
    let byte = |pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    pairs.filter_map(byte).collect()
}
