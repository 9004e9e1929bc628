//! A batch of the journal: what is read of it is what stands in it, and whatever was damaged
//! is noticed.
//!
//! ```text
//! input  │ partition u16 │ count u32 │ first offset u64 │ chain before 16 │ records │
//! ```
//! The checksum is put in its place, since nobody would come upon it by chance; the input is
//! read as a batch as it is, too.

use answerback_proto::record::*;
use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_128;

/// A batch's header: format, what the input says, checksum.
const PLACE_BYTES: usize = 30;

/// Runs the target on one input.
pub fn run(input: &[u8]) {
    read(Bytes::copy_from_slice(input));
    if let Some((place, records)) = input.split_first_chunk() {
        read(with_checksum(place, records));
    }
}

/// A batch of format 1 whose checksum is right.
fn with_checksum(place: &[u8; PLACE_BYTES], records: &[u8]) -> Bytes {
    let head = [&1_u16.to_le_bytes()[..], place].concat();
    let checksum = xxh3_128(&[&head, records].concat());
    Bytes::from([&head, &checksum.to_le_bytes()[..], records].concat())
}

fn read(bytes: Bytes) {
    let Ok(batch) = Batch::parse(bytes.clone()) else { return };
    assert_eq!(batch.as_bytes(), &bytes);
    notice_damage(&bytes);
    let read: Result<Vec<_>, Corrupt> = batch.records().collect();
    check_marks(&batch);
    if let Ok(records) = read {
        assert_eq!(records.len() as u64, u64::from(batch.count()));
        write_again(&batch, &records);
    }
}

/// What was read is written as the same bytes.
fn write_again(batch: &Batch, records: &[PlacedRecord]) {
    let mut builder = BatchBuilder::default();
    for (placed, number) in records.iter().zip(0_u64..) {
        assert_eq!(placed.offset, batch.first_offset().plus(number));
        assert_eq!(u64::from(push(&mut builder, &placed.record, &placed.payload)), number);
    }
    let is_bare = records.is_empty();
    assert_eq!(builder.is_empty(), is_bare);
    let written = builder.finish(batch.partition(), batch.first_offset(), batch.chain_before());
    // Bytes behind a batch without records belong to nobody, and are not written again.
    if !is_bare {
        assert_eq!(&written, batch);
    }
}

/// Going on from any record gives the records that follow it.
fn check_marks(batch: &Batch) {
    let mut records = batch.records();
    let mut marks = vec![records.mark()];
    let mut all = Vec::new();
    while let Some(Ok(placed)) = records.next() {
        all.push(placed);
        marks.push(records.mark());
    }
    for (number, mark) in marks.into_iter().enumerate().rev().take(3) {
        assert_eq!(mark.offset(), batch.first_offset().plus(number as u64));
        let rest = batch.records_from(mark).map_while(Result::ok);
        assert!(rest.eq(all.iter().skip(number).cloned()), "from record {number} on");
    }
}

/// A bit that changed, or a byte that is missing, is noticed, wherever it is.
fn notice_damage(bytes: &Bytes) {
    let at = bytes.iter().fold(0_usize, |sum, byte| sum.wrapping_mul(31) + usize::from(*byte));
    let mut damaged = bytes.to_vec();
    if let Some(byte) = damaged.get_mut(at % bytes.len()) {
        *byte ^= 1 << (at % 8);
    }
    assert!(Batch::parse(Bytes::from(damaged)).is_err(), "a bit of byte {}", at % bytes.len());
    assert!(Batch::parse(bytes.slice(..bytes.len() - 1)).is_err(), "the last byte is missing");
}

macro_rules! push {
    ($($kind:ident)*) => {
        /// Writes a record again.
        fn push(builder: &mut BatchBuilder, record: &Record, payload: &[u8]) -> u32 {
            match record {
                $(Record::$kind(record) => builder.push(record, payload),)*
            }
        }
    };
}

push! {
    Tick Connect Message SkipRange Acknowledge Confirmed DeliveredPart FailedPart Post RecallPost
    ReadUpTo ReadPart CopyPart Due Attempt Settings ApplyVersion AddUser Revoke StateDigest
    ConfirmClock Repair NewGeneration RevokeUser PurgeUser Login RevokeTokens RevokeToken EraseChat
    ErasePart ErasedPart DeviceNamed ChatChanged DeliveredButPart GroupPost GroupSkipRange
    GroupCreation MembersChange GroupRenaming GroupPart GroupFailedPart GroupGonePart
    ContactsChange WritersChange WroteTo VisibilityChange GroupReceiptsChange GroupReadUpTo
    GroupReceiptPart
}
