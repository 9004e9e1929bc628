//! Disk, outbox and store of a box.

use answerback_store::{Figures, Outbox};

use super::Family;
use crate::clock;
use crate::watch::{Disk, OutboxRound, Sample};

pub(super) fn families(sample: &Sample) -> Vec<Family> {
    let mut families = Vec::new();
    families.extend(sample.disk.iter().flat_map(of_disk));
    families.extend(sample.outbox.iter().flat_map(of_outbox));
    families.extend(sample.store.iter().flat_map(of_store));
    if sample.store.is_some() {
        families.push(Family::count(
            "answerback_clock_doubted_partitions",
            "Partitions where nothing expires until somebody confirms a clock that jumped.",
            sample.doubting_partitions,
        ));
    }
    families
}

fn of_disk(Disk { space, marks }: &Disk) -> Vec<Family> {
    vec![
        Family::count(
            "answerback_disk_free_bytes",
            "Space that is free for the data directory.",
            space.free_bytes,
        ),
        Family::count(
            "answerback_disk_size_bytes",
            "The file system of the data directory.",
            space.total_bytes,
        ),
        Family::count(
            "answerback_disk_reserve_bytes",
            "With less free space than this no new message is taken.",
            marks.low_bytes,
        ),
    ]
}

fn of_outbox(OutboxRound { outbox, lasted }: &OutboxRound) -> Vec<Family> {
    let Outbox { users, waiting_users, entries, undelivered, undelivered_bytes, oldest_put_at_ms } =
        *outbox;
    let age_ms = match oldest_put_at_ms {
        0 => 0,
        put_at_ms => clock::unix_ms().saturating_sub(put_at_ms),
    };
    vec![
        Family::count("answerback_users", "Users that exist.", users),
        Family::count("answerback_outbox_users", "Users for whom something waits.", waiting_users),
        Family::count(
            "answerback_outbox_entries",
            "Entries of all inboxes that some device has not acknowledged.",
            entries,
        ),
        Family::count(
            "answerback_outbox_undelivered_messages",
            "Messages that no device has acknowledged.",
            undelivered,
        ),
        Family::count(
            "answerback_outbox_undelivered_bytes",
            "Payloads of those messages.",
            undelivered_bytes,
        ),
        Family::gauge(
            "answerback_outbox_oldest_age_seconds",
            "Age of the oldest entry of all inboxes; 0 where there is none.",
            age_ms as f64 / 1e3,
        ),
        Family::gauge(
            "answerback_outbox_round_seconds",
            "How long the last walk through all inboxes took: the outbox is as of then.",
            lasted.as_secs_f64(),
        ),
    ]
}

fn of_store(figures: &Figures) -> Vec<Family> {
    let count = Family::count;
    vec![
        count("answerback_rocksdb_table_bytes", "Table files.", figures.table_bytes),
        count("answerback_rocksdb_memtable_bytes", "Memtables.", figures.memtable_bytes),
        count("answerback_rocksdb_wal_bytes", "Files of the write-ahead log.", figures.wal_bytes),
        count("answerback_rocksdb_inbox_rows", "Rows of inboxes, estimated.", figures.inbox_rows),
        count("answerback_rocksdb_inbox_bytes", "Their bytes, estimated.", figures.inbox_bytes),
        count(
            "answerback_rocksdb_pending_compaction_bytes",
            "What compactions still have to rewrite, estimated.",
            figures.pending_compaction_bytes,
        ),
        count("answerback_rocksdb_compactions", "Compactions under way.", figures.compactions),
        count("answerback_rocksdb_flushes", "Flushes under way.", figures.flushes),
        count(
            "answerback_rocksdb_delayed_write_bytes_per_second",
            "To what writes are held back while compactions catch up; 0 where they are not.",
            figures.delayed_write_rate,
        ),
        Family::flag(
            "answerback_rocksdb_is_write_stopped",
            "1 while writes stand still until compactions have caught up.",
            figures.is_write_stopped,
        ),
        count(
            "answerback_rocksdb_background_errors",
            "Flushes and compactions that failed.",
            figures.background_errors,
        ),
    ]
}
