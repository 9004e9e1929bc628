//! What a scrub finds: damage that was planted, and none where there is none.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

mod common;

use std::fs;
use std::path::Path;

use answerback_directory::ports::Journal;
use answerback_directory::shard::checkpoint::{Rows, Table};
use answerback_store::Store;
use common::*;

const MARKED: &[u8] = b"a value that is easily found in a file";

fn damage(store: &Store) -> Vec<String> {
    store.scrub().into_iter().map(|damage| damage.message).collect()
}

/// Writes rows to P's journal and to two tables, and reopens, so that all lies in files.
fn fill(path: &Path) {
    let mut author = Author::default();
    let mut writer = open(path).writer();
    writer.commit(&[author.batch(P, 3)]).unwrap();
    let mut rows = Rows::default();
    rows.put(Table::Inbox, &key(P, b"row"), MARKED);
    rows.put(Table::Cursor, &key(P, b"row"), b"value");
    writer.checkpoint(&checkpoint(P, author.end(P), rows)).unwrap();
    writer.commit(&[author.batch(P, 3)]).unwrap();
    writer.commit(&[author.batch(P, 3)]).unwrap();
    drop(writer);
    drop(open(path));
}

#[test]
fn a_whole_store_has_no_damage() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path());
    assert_eq!(damage(&open(dir.path())), [""; 0]);
}

#[test]
fn a_flipped_bit_in_a_file_is_found_with_its_table_and_file() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path());
    let place = |bytes: &[u8]| bytes.windows(MARKED.len()).position(|window| window == MARKED);
    let is_table = |file: &&std::path::PathBuf| file.extension().is_some_and(|e| e == "sst");
    let mut flipped = None;
    for file in files(dir.path()).iter().filter(is_table) {
        let mut bytes = fs::read(file).unwrap();
        if let Some(place) = place(&bytes) {
            bytes[place] ^= 1;
            fs::write(file, bytes).unwrap();
            flipped = Some(file.file_name().unwrap().to_string_lossy().into_owned());
        }
    }
    let found = damage(&open(dir.path()));
    let [found] = found.as_slice() else { unreachable!("{found:?}") };
    assert!(found.contains("table inbox") && found.contains("checksum"), "{found}");
    assert!(found.contains(&flipped.unwrap()), "{found}");
}

#[test]
fn a_broken_chain_is_found_with_its_place() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path());
    let db = raw(dir.path());
    db.delete_cf(db.cf_handle("journal").unwrap(), journal_key(4)).unwrap();
    drop(db);
    let found = damage(&open(dir.path()));
    let [found] = found.as_slice() else { unreachable!("{found:?}") };
    assert!(found.contains("partition 1") && found.contains("offset 4"), "{found}");
}
