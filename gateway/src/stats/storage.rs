//! What the storage thread counts. It alone writes; anybody may read, at any time.

use std::sync::atomic::{AtomicU64, Ordering};

use answerback_proto::record::Batch;

/// Upper bounds of the commit histogram's buckets, s. A commit takes 0.1–0.8 ms on a good disk;
/// tails of 16 ms happen, and whole seconds are a disk that fails.
pub const COMMIT_SECONDS: [f64; 14] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5];

/// What the storage thread did since the start.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StorageStats {
    /// Commits that took no longer than each of [`COMMIT_SECONDS`] and longer than the one
    /// before; the last count is of those that took longer than all.
    pub commits_by_duration: [u64; COMMIT_SECONDS.len() + 1],
    /// Time in commits, s.
    pub commit_seconds: f64,
    /// Batches committed.
    pub batches: u64,
    /// Records in them.
    pub records: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Checkpoints written.
    pub checkpoints: u64,
    /// Time in checkpoints, s.
    pub checkpoint_seconds: f64,
    /// Checkpoints that wait for their turn.
    pub checkpoints_waiting: u64,
}

/// Where the storage thread counts.
#[derive(Debug, Default)]
pub(crate) struct StorageMeter {
    commits_by_duration: [AtomicU64; COMMIT_SECONDS.len() + 1],
    commit_us: AtomicU64,
    batches: AtomicU64,
    records: AtomicU64,
    bytes: AtomicU64,
    checkpoints: AtomicU64,
    checkpoint_us: AtomicU64,
    checkpoints_waiting: AtomicU64,
}

impl StorageMeter {
    /// Batches were committed.
    pub(crate) fn count_commit(&self, group: &[Batch], duration_us: u64) {
        let seconds = duration_us as f64 / 1e6;
        let bucket = COMMIT_SECONDS.partition_point(|bound| *bound < seconds);
        if let Some(count) = self.commits_by_duration.get(bucket) {
            add(count, 1);
        }
        add(&self.commit_us, duration_us);
        add(&self.batches, group.len() as u64);
        add(&self.records, group.iter().map(|batch| u64::from(batch.count())).sum());
        add(&self.bytes, group.iter().map(|batch| batch.as_bytes().len() as u64).sum());
    }

    /// A checkpoint was written; as many wait.
    pub(crate) fn count_checkpoint(&self, duration_us: u64) {
        add(&self.checkpoints, 1);
        add(&self.checkpoint_us, duration_us);
    }

    /// As many checkpoints wait now.
    pub(crate) fn note_waiting(&self, count: usize) {
        self.checkpoints_waiting.store(count as u64, Ordering::Relaxed);
    }

    /// What was counted so far.
    pub(crate) fn read(&self) -> StorageStats {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        StorageStats {
            commits_by_duration: self.commits_by_duration.each_ref().map(of),
            commit_seconds: of(&self.commit_us) as f64 / 1e6,
            batches: of(&self.batches),
            records: of(&self.records),
            bytes: of(&self.bytes),
            checkpoints: of(&self.checkpoints),
            checkpoint_seconds: of(&self.checkpoint_us) as f64 / 1e6,
            checkpoints_waiting: of(&self.checkpoints_waiting),
        }
    }
}

/// There is one writer, so this needs no locked instruction.
fn add(count: &AtomicU64, by: u64) {
    count.store(count.load(Ordering::Relaxed) + by, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_counted_in_the_bucket_of_its_duration() {
        let meter = StorageMeter::default();
        for duration_us in [0, 100, 101, 2_500_000, 2_500_001] {
            meter.count_commit(&[], duration_us);
        }
        let StorageStats { commits_by_duration, commit_seconds, .. } = meter.read();
        assert_eq!(commits_by_duration, [2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
        assert!((commit_seconds - 5.000_202).abs() < 1e-9);
    }
}
