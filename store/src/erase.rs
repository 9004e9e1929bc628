//! Erasing what was deleted: gone means gone, from every file of the data directory.
//!
//! ```text
//! flush      what is in memory goes to files: a WAL behind it is removed with all it held
//! compact    only what was noted, and each file of the bottommost level once
//! forget     the notes, durably: a crash before repeats the rest
//! ```

use std::sync::PoisonError;

use answerback_directory::ports::StorageFault;
use rocksdb::properties::BACKGROUND_ERRORS;
use rocksdb::{BottommostLevelCompaction, CompactOptions, DB, FlushOptions, LiveFile, WriteBatch};

use crate::database::durable;
use crate::erasures::KeyRange;
use crate::error::storage_fault;
use crate::open::Store;
use crate::schema::{self, family};

impl Store {
    /// Removes from every file what checkpoints have deleted since the last time; says in how
    /// many ranges. Where nothing was deleted it does nothing. Meant for a thread of its own,
    /// every few minutes: an entry's bytes are gone a call after the checkpoint that deleted
    /// them.
    ///
    /// # Errors
    /// As for a commit: nothing may follow.
    pub fn erase(&self) -> Result<usize, StorageFault> {
        let database = self.database();
        let _one_at_a_time = database.erasing().lock().unwrap_or_else(PoisonError::into_inner);
        let noted = database.erasures().take();
        if noted.is_empty() {
            return Ok(0);
        }
        let count = database.guard(|db| {
            flush(db)?;
            let newest = newest_file(db)?;
            let mut count = 0;
            for (name, ranges) in noted.by_family() {
                for range in merge_by_file(&ranges, &bottommost(files(db, name)?)) {
                    if !is_rewritten(&files(db, name)?, range, newest) {
                        compact(db, name, range)?;
                        count += 1;
                    }
                }
            }
            Ok(count)
        })?;
        let mut write = WriteBatch::default();
        noted.forget(database, &mut write)?;
        database.write(write, &durable())?;
        Ok(count)
    }
}

fn flush(db: &DB) -> Result<(), StorageFault> {
    let names = schema::names().map(|name| family(db, name));
    let families = names.collect::<Result<Vec<_>, _>>()?;
    let mut options = FlushOptions::default();
    options.set_wait(true);
    db.flush_cfs_opt(&families, &options).map_err(|error| storage_fault(&error))
}

/// Compacts a range down to the bottommost level and in it: RocksDB likes to move a deletion
/// and what it deletes there, each in its old file. Its call says nothing of a failure.
fn compact(db: &DB, name: &str, (first, end): KeyRange<'_>) -> Result<(), StorageFault> {
    let mut options = CompactOptions::default();
    options.set_exclusive_manual_compaction(false);
    options.set_bottommost_level_compaction(BottommostLevelCompaction::ForceOptimized);
    db.compact_range_cf_opt(family(db, name)?, Some(first), Some(end), &options);
    match db.property_int_value(BACKGROUND_ERRORS) {
        Ok(None | Some(0)) => Ok(()),
        Ok(Some(_)) => Err(StorageFault::new(format_args!(
            "RocksDB failed to compact {name}: free space or see to the disk, and start again"
        ))),
        Err(error) => Err(storage_fault(&error)),
    }
}

fn newest_file(db: &DB) -> Result<u64, StorageFault> {
    let all = db.live_files().map_err(|error| storage_fault(&error))?;
    Ok(all.iter().map(file_number).max().unwrap_or_default())
}

fn file_number(file: &LiveFile) -> u64 {
    let digits = file.name.trim_start_matches('/').trim_end_matches(".sst");
    digits.parse().unwrap_or_default()
}

/// The files of a column family.
fn files(db: &DB, name: &str) -> Result<Vec<LiveFile>, StorageFault> {
    let mut files = db.live_files().map_err(|error| storage_fault(&error))?;
    files.retain(|file| file.column_family_name == name);
    Ok(files)
}

/// Those of the bottommost level that has some, ascending.
fn bottommost(mut files: Vec<LiveFile>) -> Vec<LiveFile> {
    let level = files.iter().map(|file| file.level).max();
    files.retain(|file| Some(file.level) == level && file.level > 0);
    files.sort_by(|one, other| one.start_key.cmp(&other.start_key));
    files
}

/// Whether a compaction of a neighbouring range has done this one too: all that is left of it
/// lies on the bottommost level, in files that are newer than the deletions.
fn is_rewritten(files: &[LiveFile], (first, end): KeyRange<'_>, newest: u64) -> bool {
    let level = files.iter().map(|file| file.level).max();
    let overlaps = |file: &&LiveFile| {
        let starts_before = file.start_key.as_deref().is_none_or(|start| start < end);
        starts_before && file.end_key.as_deref().is_none_or(|last| last >= first)
    };
    let is_done = |file: &LiveFile| Some(file.level) == level && file_number(file) > newest;
    files.iter().filter(overlaps).all(|file| file.level > 0 && is_done(file))
}

/// Makes one of the ranges that begin in one file, so that it is rewritten once.
fn merge_by_file<'a>(ranges: &[KeyRange<'a>], files: &[LiveFile]) -> Vec<KeyRange<'a>> {
    let mut merged: Vec<(usize, KeyRange<'a>)> = Vec::new();
    for &(first, end) in ranges {
        let file = files.partition_point(|file| {
            file.end_key.as_ref().is_some_and(|end_key| end_key.as_slice() < first)
        });
        match merged.last_mut() {
            Some((last_file, (_, last_end))) if *last_file == file || *last_end >= first => {
                *last_end = end.max(*last_end);
            }
            _ => merged.push((file, (first, end))),
        }
    }
    merged.into_iter().map(|(_, range)| range).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(start: &[u8], end: &[u8]) -> LiveFile {
        numbered_file(1, 6, start, end)
    }

    fn numbered_file(number: u64, level: i32, start: &[u8], end: &[u8]) -> LiveFile {
        LiveFile {
            column_family_name: "inbox".into(),
            name: format!("/{number:06}.sst"),
            size: 1,
            level,
            start_key: Some(start.to_vec()),
            end_key: Some(end.to_vec()),
            num_entries: 1,
            num_deletions: 0,
        }
    }

    #[test]
    fn ranges_of_one_file_become_one_and_those_of_others_do_not() {
        let files = [file(b"b", b"f"), file(b"g", b"k")];
        let ranges: [KeyRange<'_>; 4] = [(b"b", b"c"), (b"e", b"f"), (b"h", b"i"), (b"m", b"n")];
        let expected: [KeyRange<'_>; 3] = [(b"b", b"f"), (b"h", b"i"), (b"m", b"n")];
        assert_eq!(merge_by_file(&ranges, &files), expected);
    }

    #[test]
    fn ranges_that_overlap_become_one_with_the_farther_end() {
        let files = [file(b"a", b"b"), file(b"c", b"d")];
        let ranges: [KeyRange<'_>; 2] = [(b"a", b"z"), (b"c", b"d")];
        let expected: [KeyRange<'_>; 1] = [(b"a", b"z")];
        assert_eq!(merge_by_file(&ranges, &files), expected);
    }

    #[test]
    fn without_lower_files_all_ranges_are_one() {
        let ranges: [KeyRange<'_>; 2] = [(b"a", b"b"), (b"m", b"n")];
        let expected: [KeyRange<'_>; 1] = [(b"a", b"n")];
        assert_eq!(merge_by_file(&ranges, &[]), expected);
    }

    #[test]
    fn a_range_is_rewritten_when_only_newer_files_of_the_last_level_hold_it() {
        let range: KeyRange<'_> = (b"d", b"f");
        let elsewhere = numbered_file(3, 5, b"f", b"z");
        let done = [elsewhere.clone(), numbered_file(8, 6, b"a", b"e")];
        assert!(is_rewritten(&done, range, 7));
        assert!(!is_rewritten(&done, range, 8), "older than the deletion");
        let above = [numbered_file(9, 5, b"a", b"d"), numbered_file(8, 6, b"a", b"e")];
        assert!(!is_rewritten(&above, range, 7), "the deletion may have moved there");
        assert!(!is_rewritten(&[numbered_file(9, 0, b"a", b"z")], range, 7));
    }
}
