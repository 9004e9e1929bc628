//! A record in a file, for whoever wants to know what was skipped.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use answerback_directory::ports::StateReader;
use answerback_directory::recovery::Broken;
use answerback_proto::record::{BATCH_HEADER_BYTES, Batch, Record};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::exit::Failure;

/// It holds what users wrote: for the box's own user only.
const MODE: u32 = 0o600;

/// The file's content.
#[derive(Debug, Serialize)]
struct Exported {
    partition: u16,
    offset: u64,
    /// Why it cannot be applied.
    cause: String,
    /// What was read of it, where it can be read.
    #[serde(flatten)]
    decoded: Option<Decoded>,
    /// As the journal has it, header and all.
    record_base64: String,
}

#[derive(Debug, Serialize)]
struct Decoded {
    kind: &'static str,
    fields: Map<String, Value>,
    payload_base64: String,
}

/// Writes the record that is at fault to `DIR/repair-PARTITION-OFFSET.json`, durably.
pub(super) fn write(
    data: &Path,
    reader: &dyn StateReader,
    broken: &Broken,
) -> Result<PathBuf, Failure> {
    let exported = find(reader, broken)?;
    let path = data.join(format!("repair-{}-{}.json", broken.partition, broken.offset));
    let mut text = serde_json::to_vec_pretty(&exported)?;
    text.push(b'\n');
    write_file(data, &path, &text).map_err(|error| {
        let path = path.display();
        Failure::new(format_args!("cannot write {path}: {error}; nothing was skipped"))
    })?;
    Ok(path)
}

fn write_file(data: &Path, path: &Path, text: &[u8]) -> io::Result<()> {
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(MODE).open(path)?;
    file.set_permissions(Permissions::from_mode(MODE))?;
    file.write_all(text)?;
    file.sync_all()?;
    File::open(data)?.sync_all()
}

fn find(reader: &dyn StateReader, broken: &Broken) -> Result<Exported, Failure> {
    let mut exported = None;
    reader.batches(broken.partition, reader.applied(broken.partition)?, &mut |batch| {
        if (batch.first_offset()..batch.end()).contains(&broken.offset) {
            exported = export(&batch, broken);
        }
        Ok(())
    })?;
    exported.ok_or_else(|| {
        let Broken { partition, offset, .. } = broken;
        Failure::new(format_args!(
            "record {offset} of partition {partition} is not in the journal, so that there is \
             nothing to skip: restore a backup"
        ))
    })
}

fn export(batch: &Batch, broken: &Broken) -> Option<Exported> {
    let index = (broken.offset.0 - batch.first_offset().0) as usize;
    let placed = batch.records().nth(index).and_then(Result::ok);
    Some(Exported {
        partition: broken.partition.0,
        offset: broken.offset.0,
        cause: broken.cause.clone(),
        decoded: placed.map(|placed| Decoded {
            kind: placed.record.kind().name(),
            fields: fields(&placed.record),
            payload_base64: STANDARD.encode(&placed.payload),
        }),
        record_base64: STANDARD.encode(record_bytes(batch, index)?),
    })
}

/// A record's bytes, which begin with their length, whether they can be read or not.
fn record_bytes(batch: &Batch, index: usize) -> Option<&[u8]> {
    let mut rest = batch.as_bytes().get(BATCH_HEADER_BYTES..)?;
    for _ in 0..index {
        rest = rest.get(record_length(rest)?..)?;
    }
    rest.get(..record_length(rest)?)
}

fn record_length(bytes: &[u8]) -> Option<usize> {
    bytes.first_chunk().map(|length| u32::from_le_bytes(*length) as usize)
}

/// A record's fields by name. All layouts are flat and of integers, so that their debug text,
/// `Tick(Tick { now_ms: 1 })`, is a list of names and digits. Digits stay a text: ids have
/// more of them than a number of JSON is good for.
fn fields(record: &Record) -> Map<String, Value> {
    let text = format!("{record:?}");
    let list = text.split_once("{ ").and_then(|(_, list)| list.split_once(" }"));
    let named =
        list.map_or("", |(list, _)| list).split(", ").filter_map(|one| one.split_once(": "));
    named.map(|(name, digits)| (name.to_owned(), digits.into())).collect()
}

#[cfg(test)]
mod tests {
    use answerback_proto::id::{Offset, PartitionId};
    use answerback_proto::record::{
        ApplyVersion, BatchBuilder, ChainHash, Post, RECORD_HEADER_BYTES, Tick,
    };
    use serde_json::json;

    use super::*;

    fn batch() -> Batch {
        let mut batch = BatchBuilder::default();
        batch.push(&Tick { now_ms: 7 }, b"");
        let post = Post {
            recipient: u128::MAX,
            sender: 2,
            device: 3,
            sequence: 4,
            seen_ms: 5,
            life_s: 6,
            content_type: 1,
            flags: 0,
        };
        batch.push(&post, b"dear aunt");
        batch.push(&ApplyVersion { version: 9 }, b"");
        batch.finish(PartitionId(3), Offset(10), ChainHash::default())
    }

    fn exported(offset: u64) -> Option<Value> {
        let (partition, offset) = (PartitionId(3), Offset(offset));
        let broken = Broken { partition, offset, cause: "a test".to_owned() };
        export(&batch(), &broken).map(|exported| serde_json::to_value(exported).unwrap())
    }

    #[test]
    fn a_message_is_exported_with_its_fields_and_its_payload() {
        let exported = exported(11).unwrap();
        assert_eq!((&exported["offset"], &exported["kind"]), (&json!(11), &json!("Post")));
        let recipient = u128::MAX.to_string();
        let fields = json!({
            "recipient": recipient, "sender": "2", "device": "3", "sequence": "4",
            "seen_ms": "5", "life_s": "6", "content_type": "1", "flags": "0"
        });
        assert_eq!(exported["fields"], fields);
        assert_eq!(exported["payload_base64"], STANDARD.encode("dear aunt"));
    }

    #[test]
    fn its_bytes_are_those_of_the_journal() {
        let exported = exported(12).unwrap();
        let bytes = STANDARD.decode(exported["record_base64"].as_str().unwrap()).unwrap();
        assert!(batch().as_bytes().ends_with(&bytes));
        assert_eq!(bytes.len(), record_length(&bytes).unwrap());
        assert!(bytes.len() > RECORD_HEADER_BYTES);
    }

    #[test]
    fn a_record_that_is_not_in_the_batch_has_no_export() {
        assert!(exported(13).is_none());
    }
}
