//! A stopped box under an operator's command: the shard that it concerns is loaded, told,
//! committed and checkpointed, as a running box would, with nobody connected.

use answerback_directory::partition_table::PartitionTable;
use answerback_directory::ports::Journal;
use answerback_directory::recovery::load_shard;
use answerback_directory::shard::{Administered, Alarm, Effect, Residency, Shard, ShardSettings};
use answerback_gateway::Command;
use answerback_proto::id::PartitionId;
use answerback_proto::record::Corrupt;
use answerback_store::{JournalWriter, Meta, Reader, Store};

use crate::clock;
use crate::exit::Failure;

/// There is one command at a time.
const TICKET: u64 = 0;

/// The data of a box that nobody serves.
pub(crate) struct StoppedBox {
    meta: Meta,
    table: PartitionTable,
    reader: Reader,
    writer: JournalWriter,
}

/// What a shard said.
#[derive(Default)]
struct Said {
    outcome: Option<Administered>,
    alarms: Vec<Alarm>,
}

impl StoppedBox {
    /// Has the store for itself.
    pub(crate) fn new(store: &Store) -> Self {
        let meta = store.meta();
        let table = PartitionTable::new(&meta.secret, meta.partitions, 1);
        Self { meta, table, reader: store.reader(), writer: store.writer() }
    }

    /// Does what is commanded; it is durable on return.
    pub(crate) fn perform(&mut self, command: Command) -> Result<Administered, Failure> {
        match command {
            Command::AddUser(user) => {
                let home = self.table.partition_of(user);
                self.administer(home, |shard| shard.handle_add_user(user, TICKET))
            }
            Command::Revoke(user, device) => {
                let home = self.table.partition_of(user);
                self.administer(home, |shard| shard.handle_revoke(user, device, TICKET))
            }
            Command::RevokeUser(user) => {
                let home = self.table.partition_of(user);
                self.administer(home, |shard| shard.handle_revoke_user(user, TICKET))
            }
            Command::RevokeTokens(user, issued_before_s) => {
                let home = self.table.partition_of(user);
                let tell =
                    |shard: &mut Shard| shard.handle_revoke_tokens(user, issued_before_s, TICKET);
                self.administer(home, tell)
            }
            Command::RevokeToken(user, token, expires_s) => {
                let home = self.table.partition_of(user);
                let tell =
                    |shard: &mut Shard| shard.handle_revoke_token(user, token, expires_s, TICKET);
                self.administer(home, tell)
            }
            Command::PurgeUser(user) => {
                let home = self.table.partition_of(user);
                self.administer(home, |shard| shard.handle_purge_user(user, TICKET))
            }
            Command::ConfirmClock => self.confirm_clock(),
        }
    }

    fn administer(
        &mut self,
        partition: PartitionId,
        tell: impl FnOnce(&mut Shard),
    ) -> Result<Administered, Failure> {
        let Said { outcome, alarms } = self.tell(partition, tell)?;
        alarms.iter().for_each(|alarm| eprintln!("alarm: {alarm}"));
        outcome.ok_or_else(|| unanswered(partition))
    }

    /// A partition that is out of service keeps no other from being told. What its own tick
    /// finds of the clock is confirmed right behind it, and no alarm.
    fn confirm_clock(&mut self) -> Result<Administered, Failure> {
        let mut told = Vec::new();
        for partition in (0..self.meta.partitions).map(PartitionId) {
            let said = self.tell(partition, |shard| shard.handle_confirm_clock(TICKET));
            told.push(said.and_then(|said| said.outcome.ok_or_else(|| unanswered(partition))));
        }
        let told = told.into_iter().collect::<Result<Vec<_>, _>>()?;
        let is_done = told.contains(&Administered::Done);
        Ok(if is_done { Administered::Done } else { Administered::WasSo })
    }

    fn tell(
        &mut self,
        partition: PartitionId,
        tell: impl FnOnce(&mut Shard),
    ) -> Result<Said, Failure> {
        let mut shard = self.load(partition)?;
        shard.handle_started(None);
        tell(&mut shard);
        let mut said = Said::default();
        while let Some(batch) = shard.take_batch(clock::unix_ms()) {
            self.writer.commit(std::slice::from_ref(&batch))?;
            let applied = shard.handle_committed(batch.end());
            applied.map_err(|corrupt| cannot_apply(partition, corrupt))?;
            self.listen(&mut shard, &mut said)?;
        }
        self.checkpoint(&mut shard)?;
        Ok(said)
    }

    fn load(&self, partition: PartitionId) -> Result<Shard, Failure> {
        let (table, generation) = (self.table, self.meta.generation);
        let settings =
            ShardSettings { partition, table, generation, residency: Residency::default() };
        load_shard(&self.reader, settings)?.map_err(Failure::new)
    }

    /// Nobody is connected, and what is for other partitions goes again when the box runs.
    fn listen(&self, shard: &mut Shard, said: &mut Said) -> Result<(), Failure> {
        let partition = shard.partition();
        while let Some(effect) = shard.poll_effect(0) {
            match effect {
                Effect::Load(load) => {
                    let applied = shard.handle_loaded(load.read(&self.reader)?);
                    applied.map_err(|corrupt| cannot_apply(partition, corrupt))?;
                }
                Effect::Administered { outcome, .. } => said.outcome = Some(outcome),
                Effect::Alarm(alarm) => said.alarms.push(alarm),
                _ => {}
            }
        }
        Ok(())
    }

    fn checkpoint(&mut self, shard: &mut Shard) -> Result<(), Failure> {
        if shard.can_freeze() {
            self.writer.checkpoint(&shard.freeze())?;
            shard.handle_checkpointed();
        }
        Ok(self.writer.mark()?)
    }
}

fn unanswered(partition: PartitionId) -> Failure {
    Failure::new(format_args!(
        "partition {partition} took the command and did not say what became of it; try again"
    ))
}

fn cannot_apply(partition: PartitionId, corrupt: Corrupt) -> Failure {
    Failure::new(format_args!(
        "partition {partition} cannot apply what was journaled ({corrupt}): run `answerback repair`"
    ))
}

#[cfg(test)]
mod tests {
    use answerback_directory::limits::SETTINGS;
    use answerback_proto::id::UserId;
    use answerback_proto::record::Settings;
    use answerback_store::NewBox;

    use super::*;

    /// They are the operator's, and no command knows them.
    #[test]
    fn a_command_leaves_the_journaled_settings_alone() {
        let directory = tempfile::tempdir().unwrap();
        let new_box = NewBox { partitions: 1, secret: [7; 16] };
        let mut stopped = StoppedBox::new(&Store::open(directory.path(), new_box).unwrap());
        let settings = Settings { devices_max: 3, ..SETTINGS };
        let mut shard = stopped.load(PartitionId(0)).unwrap();
        shard.handle_started(Some(&settings));
        stopped.writer.commit(&[shard.take_batch(clock::unix_ms()).unwrap()]).unwrap();
        let added = stopped.perform(Command::AddUser(UserId(2))).unwrap();
        assert_eq!(added, Administered::Done);
        assert_eq!(stopped.load(PartitionId(0)).unwrap().settings(), &settings);
    }
}
