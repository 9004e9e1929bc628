//! Tables that have all that was journaled when somebody asked.

use std::thread;
use std::time::Duration;

use answerback_directory::ports::{StateReader, StorageFault};
use answerback_proto::id::{Offset, PartitionId};
use answerback_store::Reader;

use crate::clock::Clock;

/// A box checkpoints every second, and at most every eight, unless it is told otherwise.
const PATIENCE: Duration = Duration::from_secs(12);
const PERIOD: Duration = Duration::from_millis(20);

/// Waits for the checkpoints of a running box: until the tables of these partitions have what
/// is journaled now. Says how many records they lack when patience ends.
pub(crate) fn settle(reader: &Reader, partitions: &[PartitionId]) -> Result<u64, StorageFault> {
    let (clock, mut ends) = (Clock::new(), Vec::new());
    for partition in partitions {
        ends.push((*partition, reader.journal_end(*partition)?));
    }
    loop {
        let lacking = lacking(reader, &ends)?;
        if lacking == 0 || clock.elapsed() > PATIENCE {
            return Ok(lacking);
        }
        thread::park_timeout(PERIOD);
    }
}

fn lacking(reader: &Reader, ends: &[(PartitionId, Offset)]) -> Result<u64, StorageFault> {
    let mut lacking = 0;
    for (partition, end) in ends {
        lacking += end.0.saturating_sub(reader.applied(*partition)?.offset.0);
    }
    Ok(lacking)
}
