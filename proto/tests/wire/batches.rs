//! A batch comes back as it was written, and no damage to it passes.

use answerback_proto::id::{Offset, PartitionId};
use answerback_proto::record::{
    BATCH_HEADER_BYTES, Batch, BatchBuilder, ChainHash, Corrupt, Message, Record, Tick,
};
use bytes::Bytes;
use proptest::prelude::*;
use xxhash_rust::xxh3::Xxh3;

use crate::records::{batches, push};

fn message(sequence: u64) -> Message {
    Message {
        recipient: 2,
        sender: 1,
        device: 7,
        sequence,
        seen_ms: 0,
        life_s: 60,
        content_type: 1,
    }
}

fn batch_of(records: &[(Record, Vec<u8>)], first_offset: u64, chain_before: [u8; 16]) -> Batch {
    let mut builder = BatchBuilder::default();
    records.iter().for_each(|(record, payload)| push(&mut builder, record, payload));
    builder.finish(PartitionId(3), Offset(first_offset), ChainHash(chain_before))
}

fn any_record() -> impl Strategy<Value = (Record, Vec<u8>)> {
    let tick = any::<u64>().prop_map(|now_ms| (Record::Tick(Tick { now_ms }), Vec::new()));
    let payload = proptest::collection::vec(any::<u8>(), 0..300);
    let message = (any::<u64>(), payload)
        .prop_map(|(sequence, payload)| (Record::Message(message(sequence)), payload));
    prop_oneof![tick, message]
}

proptest! {
    #[test]
    fn a_batch_comes_back_as_it_was_written(
        records in proptest::collection::vec(any_record(), 0..20),
        first_offset in 1..u64::MAX / 2,
        chain_before in any::<[u8; 16]>(),
    ) {
        let written = batch_of(&records, first_offset, chain_before);
        let read = Batch::parse(written.as_bytes().clone());
        prop_assert_eq!(read.as_ref(), Ok(&written));
        prop_assert_eq!(written.end(), Offset(first_offset + records.len() as u64));
        let placed: Vec<_> = written.records().map(|record| record.expect("good")).collect();
        prop_assert_eq!(placed.len(), records.len());
        for (number, (placed, (record, payload))) in placed.iter().zip(&records).enumerate() {
            prop_assert_eq!(placed.offset, Offset(first_offset + number as u64));
            prop_assert_eq!(&placed.record, record);
            prop_assert_eq!(placed.payload.as_ref(), payload.as_slice());
        }
    }

    #[test]
    fn garbage_is_no_batch(garbage in proptest::collection::vec(any::<u8>(), 0..400)) {
        let of_the_format = [&[1, 0], &garbage[..]].concat();
        prop_assert!(Batch::parse(Bytes::from(garbage)).is_err());
        prop_assert!(Batch::parse(Bytes::from(of_the_format)).is_err());
    }

    /// What a disk cannot do by itself: the checksum is right, the records are anything.
    #[test]
    fn a_batch_of_garbage_never_panics(
        count in 0..5_u32,
        records in proptest::collection::vec(prop_oneof![0..3_u8, any::<u8>()], 0..300),
    ) {
        let batch = Batch::parse(sealed(1, count, 1, &records)).expect("a good checksum");
        prop_assert!(batch.records().count() <= count as usize);
    }
}

#[test]
fn every_damaged_byte_of_a_batch_is_found() {
    for batch in batches() {
        let good = batch.as_bytes().to_vec();
        for at in 0..good.len() {
            for damage in [0x01, 0x80, 0xff] {
                let mut bytes = good.clone();
                bytes[at] ^= damage;
                assert!(Batch::parse(Bytes::from(bytes)).is_err(), "byte {at} ^ {damage:#x}");
            }
        }
        for length in 0..good.len() {
            let cut = batch.as_bytes().slice(..length);
            assert!(Batch::parse(cut).is_err(), "cut to {length}");
        }
    }
}

#[test]
fn each_damage_has_its_reason() {
    let good = batch_of(&[(Record::Message(message(1)), b"hello".to_vec())], 5, [9; 16]);
    let good_bytes = good.as_bytes();
    let parsed = |bytes: Bytes| Batch::parse(bytes).err();
    assert_eq!(parsed(good_bytes.slice(..BATCH_HEADER_BYTES - 1)), Some(Corrupt::Truncated));
    assert_eq!(parsed(good_bytes.slice(..good_bytes.len() - 1)), Some(Corrupt::Checksum));
    assert_eq!(parsed(sealed(2, 0, 1, &[])), Some(Corrupt::Unknown));
    assert_eq!(parsed(sealed(1, 2, u64::MAX - 1, &[])), Some(Corrupt::Truncated));
    assert_eq!(parsed(sealed(1, 1, u64::MAX - 1, &[])), None);

    let record = &good_bytes[BATCH_HEADER_BYTES..];
    assert_eq!(last_of(1, record), Ok(Record::Message(message(1))));
    assert_eq!(last_of(2, record), Err(Corrupt::Truncated), "a record is missing");
    assert_eq!(last_of(1, &[record, &[0]].concat()), Err(Corrupt::Truncated), "a byte too many");
    assert_eq!(last_of(1, &record[..7]), Err(Corrupt::Truncated), "half a record header");
    for (at, value, error) in [
        (0, 7, Corrupt::Truncated), // shorter than its own header
        (0, record.len() as u8 + 1, Corrupt::Truncated), // longer than the batch
        (0, 8 + 69, Corrupt::Truncated), // shorter than its envelope
        (4, 99, Corrupt::Unknown),
        (6, 1, Corrupt::Unknown),
        (7, 1, Corrupt::Unknown),
    ] {
        let mut bytes = record.to_vec();
        bytes[at] = value;
        assert_eq!(last_of(1, &bytes), Err(error), "byte {at} = {value}");
    }
}

#[test]
fn a_tick_is_stamped_when_its_batch_is_closed() {
    let mut builder = BatchBuilder::default();
    assert_eq!(builder.push(&Tick { now_ms: 0 }, &[]), 0);
    assert_eq!(builder.push(&message(1), b"hello"), 1);
    builder.stamp_tick(1_790_000_000_000);
    let stamped = builder.finish(PartitionId(3), Offset(1), ChainHash([0; 16]));
    let tick = Tick { now_ms: 1_790_000_000_000 };
    let records =
        [(Record::Tick(tick), Vec::new()), (Record::Message(message(1)), b"hello".to_vec())];
    assert_eq!(stamped, batch_of(&records, 1, [0; 16]));
}

/// A batch with a right checksum over whatever it is given.
fn sealed(format: u16, count: u32, first_offset: u64, records: &[u8]) -> Bytes {
    let mut header = Vec::new();
    header.extend_from_slice(&format.to_le_bytes());
    header.extend_from_slice(&[0, 0]);
    header.extend_from_slice(&count.to_le_bytes());
    header.extend_from_slice(&first_offset.to_le_bytes());
    header.extend_from_slice(&[0; 16]);
    let mut hasher = Xxh3::new();
    hasher.update(&header);
    hasher.update(records);
    Bytes::from([&header, &hasher.digest128().to_le_bytes()[..], records].concat())
}

fn last_of(count: u32, records: &[u8]) -> Result<Record, Corrupt> {
    let batch = Batch::parse(sealed(1, count, 1, records)).expect("a good checksum");
    batch.records().last().expect("something").map(|placed| placed.record)
}
