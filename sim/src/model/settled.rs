//! At the end: the faults have stopped, nothing moves, every device is there.

use std::collections::{BTreeMap, BTreeSet};

use answerback_directory::shard::checkpoint::Table;
use answerback_proto::id::{DeviceId, UserId};

use super::account::{Account, Body, Standing};
use super::message::{Decision, Exit, MemberFate, Message};
use super::{Breach, Model, require};
use crate::disk::Disk;

impl Model {
    /// Everything has its outcome, and it is told. `living` are the devices that are in use.
    pub(crate) fn check_settled(&self, living: &[DeviceId]) -> Result<(), Breach> {
        for message in &self.messages {
            if living.contains(&message.device) {
                self.check_told(message)?;
            }
            let is_accepted = matches!(message.decision, Some(Decision::Accepted { .. }));
            require(!is_accepted || message.exit.is_some(), || {
                format!("{message} was accepted and never ended")
            })?;
            for (user, fate) in &message.members {
                let has_it = message.stored_by.contains(user);
                require(*fate != MemberFate::Waiting || !self.is_there(*user, living), || {
                    format!("{message} still waits for user {user}")
                })?;
                require(*fate != MemberFate::Delivered || has_it, || {
                    format!("{message} was delivered to user {user}, who does not have it")
                })?;
            }
            require(message.exit != Some(Exit::Delivered) || message.is_stored, || {
                format!("{message} was delivered, and nobody has it")
            })?;
        }
        self.accounts.iter().try_for_each(|account| self.check_drained(account, living))?;
        let users = self.accounts.iter().take(self.users);
        let mut ended = users.filter(|account| !account.exists);
        if let Some(account) = ended.find(|account| !account.is_empty()) {
            return Err(Breach(format!("user {} is no more, and has something left", account.id)));
        }
        self.check_parts()
    }

    /// Whether all that waits for a user can come.
    fn is_there(&self, user: UserId, living: &[DeviceId]) -> bool {
        let mut devices = self.active_devices(user).peekable();
        devices.peek().is_some() && devices.all(|id| living.contains(&id))
    }

    /// What its sender knows of a message.
    fn check_told(&self, message: &Message) -> Result<(), Breach> {
        let told_delivered =
            self.device(message.device).told_delivered[message.recipient.0 as usize - 1];
        let is_told = match (message.decision, message.exit) {
            (Some(Decision::Accepted { .. }), Some(Exit::Delivered)) => {
                message.told_failed.is_none() && told_delivered >= message.sequence.0
            }
            (Some(Decision::Accepted { .. }), Some(Exit::FannedOut)) => {
                let is_told = |(user, fate): &(UserId, MemberFate)| match fate {
                    MemberFate::Failed(code) => message.told_members.contains(&(*user, *code)),
                    MemberFate::Waiting | MemberFate::Delivered => true,
                };
                message.told_failed.is_none()
                    && message.members.iter().all(is_told)
                    && message.told_seen.contains(&message.counted)
            }
            (Some(Decision::Accepted { .. }), Some(exit)) => {
                message.told_failed == exit.code().map(|code| code.number())
            }
            (Some(Decision::Rejected(code)), _) => {
                message.told_refused || message.told_failed == Some(code.number())
            }
            (Some(Decision::Skipped), _) => message.is_lost || message.told_refused,
            (None, _) => message.is_lost || message.told_refused,
            (Some(Decision::Accepted { .. }), None) => false,
        };
        let has_lapsed = self.device(message.device).start > 0;
        require(is_told || has_lapsed, || {
            format!(
                "{message} is {:?}, {:?}, and its sender was told: failed {:?}, delivered up to \
                 {told_delivered}",
                message.decision, message.exit, message.told_failed
            )
        })
    }

    /// Nothing is left in an inbox that somebody could have taken.
    fn check_drained(&self, account: &Account, living: &[DeviceId]) -> Result<(), Breach> {
        let is_away = |id: DeviceId| !living.contains(&id);
        if self.active_devices(account.id).any(is_away)
            || self.active_devices(account.id).next().is_none()
        {
            return Ok(());
        }
        let left = account.alive(0, account.last_position()).next();
        require(left.is_none(), || {
            format!("user {} has every device there, and still {left:?}", account.id)
        })?;
        let directions = account.chats.iter().flat_map(|chat| &chat.directions);
        let mut open = directions.filter(|direction| !direction.parked.is_empty());
        require(open.all(|direction| is_away(direction.device)), || {
            format!("user {} still has a gap of a device that is there", account.id)
        })
    }

    /// Every part that was made was taken, or is contained in one that was.
    fn check_parts(&self) -> Result<(), Breach> {
        for (source, home) in self.homes.iter().enumerate() {
            for (destination, made) in home.made.iter().enumerate() {
                let taken = self.homes[destination].taken[source];
                require(taken == made.len() as u64, || {
                    format!("part {} from {source} to {destination} never came", made.len())
                })?;
            }
        }
        Ok(())
    }

    /// The disk holds what is alive, and no more: neither rows nor memory grow.
    pub(crate) fn check_rows(&self, disk: &Disk) -> Result<(), Breach> {
        let mut alive = 0;
        let mut parked = 0;
        let mut withheld = 0;
        let mut waiting: BTreeMap<(usize, UserId), u32> = BTreeMap::new();
        for account in &self.accounts {
            alive += account.alive(0, account.last_position()).count();
            let directions = account.chats.iter().flat_map(|chat| &chat.directions);
            parked += directions.map(|direction| direction.parked.len()).sum::<usize>();
            for (_, entry, number) in account.waiting() {
                if self.message(number).exit == Some(Exit::FannedOut) {
                    continue;
                }
                *waiting.entry((account.partition, entry.peer)).or_default() += 1;
            }
            withheld += account.withheld.len();
            for one in &account.withheld {
                *waiting.entry((account.partition, one.peer)).or_default() += 1;
            }
        }
        let queues = self.homes.iter().flat_map(|home| &home.made);
        let queues = queues.filter(|made| !made.is_empty()).count();
        let expected = [
            (Table::Inbox, alive),
            (Table::Parked, parked),
            (Table::Withheld, withheld),
            (Table::Sender, waiting.len()),
            (Table::Outgoing, queues),
            (Table::Group, self.groups.iter().filter(|group| group.exists).count()),
            (Table::Body, self.bodies()),
        ];
        for (table, expected) in expected {
            let rows = disk.rows(table).len();
            require(rows == expected, || {
                format!("the table {} has {rows} rows for {expected}", table.name())
            })?;
        }
        Ok(())
    }

    /// Rows of what groups' members hold: each body once a partition, each holder once.
    fn bodies(&self) -> usize {
        let (mut bodies, mut holders) = (BTreeSet::new(), 0);
        for account in &self.accounts {
            for (_, entry) in account.alive(0, account.last_position()) {
                let body = match entry.body {
                    Body::GroupMessage(number) | Body::GroupCopied(number) => {
                        (0, number.0 as usize)
                    }
                    Body::GroupChange(word) => (1, word),
                    _ => continue,
                };
                bodies.insert((account.partition, body));
                holders += 1;
            }
        }
        bodies.len() + holders
    }

    /// The users who exist.
    pub(crate) fn users(&self) -> impl Iterator<Item = UserId> {
        let existing = self.accounts.iter().filter(|account| account.exists);
        existing.map(|account| account.id)
    }

    /// Whether a message has lived too long, and its end has yet to be journaled.
    pub(crate) fn has_overdue(&self, wall_ms: u64) -> bool {
        let mut waiting = self.accounts.iter().flat_map(|account| account.waiting());
        let mut withheld = self.accounts.iter().flat_map(|account| &account.withheld);
        waiting.any(|(_, entry, _)| entry.expires_at_ms <= wall_ms)
            || withheld.any(|one| one.expires_at_ms <= wall_ms)
    }

    /// What is left in an inbox whose user has a device.
    pub(crate) fn undrained(&self) -> Option<String> {
        let has_device = |account: &&Account| self.active_devices(account.id).next().is_some();
        self.accounts.iter().filter(has_device).find_map(|account| {
            let (position, entry) = account.alive(0, account.last_position()).next()?;
            let cursors = self.active_devices(account.id).map(|id| (id, self.device(id).cursor));
            let cursors: Vec<_> = cursors.collect();
            Some(format!(
                "user {} still has {:?} at {position}, with cursors {cursors:?}",
                account.id, entry.body
            ))
        })
    }

    /// Whether any partition's clock waits for the operator.
    pub(crate) fn is_clock_doubted(&self) -> bool {
        self.homes.iter().any(|home| home.is_clock_doubted)
    }

    /// Devices that the home still counts on.
    pub(crate) fn counted_devices(&self) -> impl Iterator<Item = (UserId, DeviceId)> {
        let counts = |standing| matches!(standing, Standing::Active | Standing::Lapsed);
        let devices = self.devices.iter().filter(move |device| counts(device.standing));
        devices.map(|device| (device.user, device.id))
    }
}
