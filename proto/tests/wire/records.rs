//! Every record and batch of `vectors/records.jsonl`, both ways.

use std::collections::HashSet;

use answerback_proto::id::{Offset, PartitionId};
use answerback_proto::record::*;
use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::vectors::{bytes_of, hexadecimal, load, number};

macro_rules! records {
    ($($name:ident { $($field:ident: $size:literal),* };)*) => {
        /// The fields of a record, in the form of the vectors.
        fn fields(record: &Record) -> Map<String, Value> {
            match record.clone() {
                $(Record::$name($name { $($field),* }) => [
                    $((stringify!($field).to_owned(), number(u128::from($field), $size))),*
                ].into_iter().collect(),)*
            }
        }

        /// Writes a record again.
        pub(crate) fn push(builder: &mut BatchBuilder, record: &Record, payload: &[u8]) {
            match record {
                $(Record::$name(record) => builder.push(record, payload),)*
            };
        }
    };
}

records! {
    Tick { now_ms: 8 };
    Connect { user: 16, device: 16, connection_counter: 8 };
    Message {
        recipient: 16, sender: 16, device: 16, sequence: 8, seen_ms: 8, life_s: 4, content_type: 2
    };
    SkipRange { recipient: 16, sender: 16, device: 16, from: 8, to: 8 };
    Acknowledge { user: 16, device: 16, up_to: 8 };
    Confirmed { destination: 2, up_to: 8 };
    DeliveredPart {
        source: 2, generation: 8, number: 8, previous: 8, user: 16, peer: 16, device: 16,
        up_to: 8, delivered_at_ms: 8
    };
    FailedPart {
        source: 2, generation: 8, number: 8, previous: 8, user: 16, peer: 16, device: 16,
        sequence: 8, code: 2
    };
    Post {
        recipient: 16, sender: 16, device: 16, sequence: 8, seen_ms: 8, life_s: 4,
        content_type: 2, flags: 2
    };
    RecallPost {
        recipient: 16, sender: 16, device: 16, sequence: 8, recalled: 8, seen_ms: 8, life_s: 4,
        content_type: 2, flags: 2
    };
    ReadUpTo { user: 16, reader_device: 16, peer: 16, device: 16, up_to: 8 };
    ReadPart {
        source: 2, generation: 8, number: 8, previous: 8, user: 16, peer: 16, device: 16,
        up_to: 8, read_at_ms: 8
    };
    CopyPart {
        source: 2, generation: 8, number: 8, previous: 8, user: 16, peer: 16, device: 16,
        sequence: 8, accepted_at_ms: 8, content_type: 2
    };
    Due { user: 16, up_to_ms: 8 };
    Attempt { user: 16, device: 16, position: 8 };
    Settings {
        inbox_messages_max: 4, inbox_bytes_max: 8, sender_messages_max: 4, device_lag_max: 4,
        devices_max: 2, lapse_s: 4, gap_s: 4, retry_limit: 2, retry_span_s: 4, clock_jump_s: 4
    };
    ApplyVersion { version: 2 };
    AddUser { user: 16 };
    Revoke { user: 16, device: 16 };
    StateDigest { offset: 8, digest: 8 };
    ConfirmClock { now_ms: 8 };
    Repair { offset: 8 };
    NewGeneration { generation: 8 };
    RevokeUser { user: 16 };
    PurgeUser { user: 16 };
    Login {
        user: 16, device: 16, connection_counter: 8, issued_s: 8, expires_s: 8, token: 16,
        ticket: 8
    };
    RevokeTokens { user: 16, issued_before_s: 8 };
    RevokeToken { user: 16, token: 16, expires_s: 8 };
    EraseChat { user: 16, device: 16, peer: 16, cursor: 8 };
    ErasePart {
        source: 2, generation: 8, number: 8, previous: 8, user: 16, peer: 16, device: 16
    };
    ErasedPart {
        source: 2, generation: 8, number: 8, previous: 8, user: 16, peer: 16, device: 16
    };
    DeviceNamed { user: 16, device: 16 };
    ChatChanged { user: 16, device: 16, peer: 16, changes: 2, flags: 2, muted_until_ms: 8 };
    DeliveredButPart {
        source: 2, generation: 8, number: 8, previous: 8, user: 16, peer: 16, device: 16,
        up_to: 8, delivered_at_ms: 8
    };
    GroupPost {
        group: 16, sender: 16, device: 16, sequence: 8, seen_ms: 8, life_s: 4, content_type: 2,
        flags: 2
    };
    GroupSkipRange { group: 16, sender: 16, device: 16, from: 8, to: 8 };
    GroupCreation { group: 16, creator: 16, device: 16, members_count: 2 };
    MembersChange { group: 16, actor: 16, device: 16, action: 2, role: 2 };
    GroupRenaming { group: 16, actor: 16, device: 16 };
    GroupPart {
        source: 2, generation: 8, number: 8, previous: 8, group: 16, sender: 16, device: 16,
        sequence: 8, at_ms: 8, expires_at_ms: 8, version: 4, content_type: 2, change: 2,
        name_length: 2, flags: 2, members_count: 2
    };
    GroupFailedPart {
        source: 2, generation: 8, number: 8, previous: 8, user: 16, group: 16, device: 16,
        sequence: 8
    };
    GroupGonePart { source: 2, generation: 8, number: 8, previous: 8, group: 16 };
    GroupReceiptsChange { group: 16, actor: 16, device: 16, on: 2 };
    GroupReadUpTo { user: 16, reader_device: 16, group: 16, up_to: 8 };
    GroupReceiptPart {
        source: 2, generation: 8, number: 8, previous: 8, user: 16, group: 16, device: 16,
        sequence: 8, version: 4, delivered_bytes: 2
    };
    ContactsChange { user: 16, mode: 2 };
    WritersChange { user: 16, who: 2 };
    WroteTo { user: 16, peer: 16 };
    VisibilityChange { user: 16, visibility: 2 };
}

/// The batches of the vectors.
pub(crate) fn batches() -> Vec<Batch> {
    let vectors = load("records.jsonl");
    let batches = vectors.iter().filter(|vector| vector["batch"].is_object());
    batches.map(|vector| parse(bytes_of(&vector["bytes"]))).collect()
}

fn parse(bytes: Vec<u8>) -> Batch {
    Batch::parse(Bytes::from(bytes)).expect("a good batch")
}

fn records_of(batch: &Batch) -> Vec<PlacedRecord> {
    batch.records().collect::<Result<_, _>>().expect("good records")
}

fn meaning(placed: &PlacedRecord) -> Value {
    let kind = placed.record.kind();
    json!({
        "kind": kind.name(),
        "number": kind as u16,
        "fields": fields(&placed.record),
        "payload": hexadecimal(&placed.payload),
    })
}

#[test]
fn every_batch_means_what_its_vector_says() {
    let vectors = load("records.jsonl");
    let of_name = |name: &Value| vectors.iter().find(|vector| vector["name"] == *name);
    for vector in vectors.iter().filter(|vector| vector["batch"].is_object()) {
        let (batch, said) = (parse(bytes_of(&vector["bytes"])), &vector["batch"]);
        let records = records_of(&batch);
        assert_eq!(json!(batch.partition().0), said["partition"]);
        assert_eq!(json!(batch.count()), said["count"]);
        assert_eq!(json!(batch.first_offset().to_string()), said["first_offset"]);
        assert_eq!(json!(hexadecimal(&batch.chain_before().0)), said["chain_before"]);
        assert_eq!(json!(hexadecimal(&batch.chain_after().0)), said["chain_after"]);
        let names = said["records"].as_array().expect("a list");
        assert_eq!(records.len(), names.len());
        let offsets = batch.first_offset().0..;
        for ((placed, name), offset) in records.iter().zip(names).zip(offsets) {
            let record = of_name(name).expect("a record of this name");
            assert_eq!(meaning(placed), record["record"], "{name}");
            assert_eq!(placed.offset, Offset(offset), "{name}");
        }
    }
}

#[test]
fn every_batch_is_written_as_its_vector_says() {
    for batch in batches() {
        let mut builder = BatchBuilder::default();
        for placed in records_of(&batch) {
            push(&mut builder, &placed.record, &placed.payload);
        }
        assert_eq!(builder.byte_length(), batch.as_bytes().len());
        let written = builder.finish(batch.partition(), batch.first_offset(), batch.chain_before());
        assert_eq!(hexadecimal(written.as_bytes()), hexadecimal(batch.as_bytes()));
        assert_eq!(written, batch);
        assert!(builder.is_empty(), "the builder is as new");
    }
}

#[test]
fn every_record_is_written_as_its_vector_says() {
    let vectors = load("records.jsonl");
    let mut by_meaning = Vec::new();
    for batch in batches() {
        for placed in records_of(&batch) {
            let mut builder = BatchBuilder::default();
            push(&mut builder, &placed.record, &placed.payload);
            let alone = builder.finish(PartitionId(0), Offset(1), ChainHash::default());
            let (_, record) = alone.as_bytes().split_at(48);
            by_meaning.push((meaning(&placed), hexadecimal(record)));
        }
    }
    for vector in vectors.iter().filter(|vector| vector["record"].is_object()) {
        let written = by_meaning.iter().find(|(meaning, _)| *meaning == vector["record"]);
        let (_, bytes) = written.expect("a batch holds it");
        assert_eq!(json!(bytes), vector["bytes"], "{}", vector["name"]);
    }
}

#[test]
fn every_kind_of_record_has_a_vector() {
    let named: HashSet<String> = load("records.jsonl")
        .iter()
        .filter_map(|vector| vector["record"]["kind"].as_str().map(str::to_owned))
        .collect();
    for kind in RecordKind::ALL {
        assert!(named.contains(kind.name()), "{} has no vector", kind.name());
    }
}
