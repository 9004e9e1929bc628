//! What the storage thread does first.

use std::sync::{Arc, Mutex};

use answerback_directory::partition_table::PartitionTable;
use answerback_directory::shard::{Residency, Shard, ShardSettings};
use answerback_proto::id::{Generation, Offset, PartitionId};
use answerback_proto::record::{BatchBuilder, ChainHash, Tick};

use super::*;
use crate::limits::COMMITS_BEFORE_CHECKPOINT_MAX;

/// The cores' ends, while there are any.
type Links = Arc<Mutex<Vec<StorageLink>>>;

/// Of the two cores always one has a commit ready: while one's is written, the other comes.
struct Busy {
    links: Links,
    commits: usize,
    /// At how many commits the checkpoint came.
    checkpointed_at: Arc<Mutex<Option<usize>>>,
}

impl Journal for Busy {
    fn commit(&mut self, _batches: &[Batch]) -> Result<(), StorageFault> {
        self.commits += 1;
        if self.commits > 10 * COMMITS_BEFORE_CHECKPOINT_MAX {
            return Err(StorageFault::new("the checkpoint has no turn"));
        }
        if let Some(link) = self.links.lock().unwrap().get_mut(self.commits % 2) {
            link.receive(|_| {});
            link.commit(vec![batch()]);
        }
        Ok(())
    }

    fn checkpoint(&mut self, _checkpoint: &Checkpoint) -> Result<(), StorageFault> {
        *self.checkpointed_at.lock().unwrap() = Some(self.commits);
        self.links.lock().unwrap().clear();
        Ok(())
    }
}

struct Nobody;

impl Wake for Nobody {
    fn wake(&self) {}
}

fn batch() -> Batch {
    let mut builder = BatchBuilder::default();
    builder.push(&Tick { now_ms: 1 }, &[]);
    builder.finish(PartitionId(0), Offset(1), ChainHash::default())
}

fn checkpoint() -> Checkpoint {
    let table = PartitionTable::new(b"a test's secret!", 1, 1);
    let settings = ShardSettings {
        partition: PartitionId(0),
        table,
        generation: Generation(1),
        residency: Residency::default(),
    };
    Shard::new(settings).freeze()
}

#[test]
fn a_checkpoint_has_its_turn_however_busy_the_cores_are() {
    let (links, checkpointed_at) = (Links::default(), Arc::default());
    let (ends, told) = (Arc::clone(&links), Arc::clone(&checkpointed_at));
    let mut storage =
        Storage::new(Busy { links: ends, commits: 0, checkpointed_at: told }, Arc::default());
    for _ in 0..2 {
        let mut doorbell = Doorbell::new(Arc::new(Nobody));
        let link = storage.link(&mut doorbell);
        links.lock().unwrap().push(link);
    }
    links.lock().unwrap()[0].checkpoint(checkpoint());
    links.lock().unwrap()[0].commit(vec![batch()]);
    storage.run().unwrap();
    assert_eq!(*checkpointed_at.lock().unwrap(), Some(COMMITS_BEFORE_CHECKPOINT_MAX));
}
