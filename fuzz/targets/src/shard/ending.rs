//! The end: faults stop, everybody acknowledges, and the state is held against those that a
//! restart and a replay of everything make.

use std::collections::BTreeMap;

use answerback_directory::shard::Shard;
use answerback_directory::shard::checkpoint::Table;
use answerback_proto::id::{Position, UserId};

use super::disk::Disk;
use super::world::{Checkpointing, World};
use crate::number::Number;

/// Rounds of acknowledgements within which every inbox is empty: each brings as much as the
/// smallest credit allows.
const ROUNDS_MAX: usize = 2_000;

type Rows = BTreeMap<(Table, Vec<u8>), Vec<u8>>;

impl World {
    pub(super) fn end(mut self) {
        self.settle();
        self.acknowledge_all();
        let rows = self.check_restart();
        self.check_replay(&rows);
        self.check_left(&rows);
    }

    /// Everybody who is there acknowledges what comes, until nothing comes any more.
    fn acknowledge_all(&mut self) {
        for _ in 0..ROUNDS_MAX {
            let owing: Vec<_> = self
                .watch
                .sessions
                .values()
                .filter(|known| known.is_open && known.acknowledged < known.received)
                .map(|known| known.place)
                .collect();
            if owing.is_empty() {
                return;
            }
            owing.into_iter().for_each(|place| self.acknowledge(place, Number::Near(0)));
            self.settle();
        }
        panic!("somebody is sent entries for ever");
    }

    /// What the disk holds makes the state that the box has. The living shards are of no more
    /// use afterwards; the rows are theirs.
    pub(super) fn check_restart(&mut self) -> Rows {
        self.finish_applying();
        let mut restored = self.new_shards(&self.disk);
        let mut by_restored = self.disk.clone();
        checkpoint(&mut by_restored, &mut restored);
        let mut by_lived = self.disk.clone();
        for (partition, checkpointing) in std::mem::take(&mut self.checkpointings) {
            if let Checkpointing::Frozen(frozen) = checkpointing {
                by_lived.checkpoint(&frozen);
            }
            if let Some(shard) = self.shard(partition) {
                shard.handle_checkpointed();
            }
        }
        checkpoint(&mut by_lived, &mut self.shards);
        compare("a restart", &by_restored.rows, &by_lived.rows);
        by_lived.rows
    }

    /// Nothing that was ever checkpointed, evicted or restarted has changed a decision.
    fn check_replay(&self, rows: &Rows) {
        let nothing = Disk::default();
        let mut shards = self.new_shards(&nothing);
        for batch in &self.history {
            if let Some(shard) = shards.get_mut(usize::from(batch.partition().0)) {
                let replayed = shard.replay(batch, &nothing);
                assert!(replayed.is_ok(), "{replayed:?}");
            }
        }
        let mut disk = Disk::default();
        checkpoint(&mut disk, &mut shards);
        compare("a replay of everything", &disk.rows, rows);
    }

    /// Inboxes whose every device is there and has acknowledged are empty; and where all are,
    /// nothing is kept of what groups' members were sent.
    fn check_left(&self, rows: &Rows) {
        let has_any = |table: Table| rows.keys().any(|(of, _)| *of == table);
        assert!(has_any(Table::Inbox) || !has_any(Table::Body), "a body that nobody holds");
        for user in self.watch.devices.iter().map(|(user, _)| *user) {
            let mut devices = self.watch.devices.iter().filter(|(of, _)| *of == user);
            let is_done = devices.all(|place| {
                let open = self.watch.open(*place).and_then(|it| self.watch.sessions.get(&it));
                open.is_some_and(|known| known.received > Position(0))
            });
            if is_done {
                assert_eq!(entries_of(user, rows), [[0; 0]; 0], "left in the inbox of {user}");
            }
        }
    }
}

fn checkpoint(disk: &mut Disk, shards: &mut [Shard]) {
    for shard in shards {
        assert!(shard.can_freeze(), "all that is durable is applied");
        disk.checkpoint(&shard.freeze());
    }
}

/// When users were there last is written now and then, and nothing depends on it.
fn decides((table, _): &(Table, Vec<u8>)) -> bool {
    *table != Table::Presence
}

fn compare(what: &str, other: &Rows, lived: &Rows) {
    let differs = |(key, value): &(&(Table, Vec<u8>), &Vec<u8>)| {
        decides(key) && lived.get(*key) != Some(*value)
    };
    let first = other.iter().find(differs);
    assert!(
        first.is_none(),
        "{what} makes {first:?}, {:?} lived",
        first.map(|(key, _)| lived.get(key))
    );
    let is_missing = |key: &&(Table, Vec<u8>)| !other.contains_key(*key) && decides(key);
    let missing = lived.keys().find(is_missing);
    assert!(missing.is_none(), "{what} makes nothing of {missing:?}");
}

/// The keys of a user's entries: partition, user, position.
fn entries_of(user: UserId, rows: &Rows) -> Vec<Vec<u8>> {
    let id = user.0.to_be_bytes();
    let keys =
        rows.keys().filter(|(table, key)| *table == Table::Inbox && key.get(2..18) == Some(&id));
    keys.map(|(_, key)| key.clone()).collect()
}
