//! What goes wrong.

use answerback_proto::id::PartitionId;

use super::World;
use crate::client::{Client, Use};
use crate::model::Breach;

impl World {
    /// A connection breaks; the box hears of it at once, or never while it runs.
    pub(super) fn cut(&mut self, at: usize, app_dies: bool) {
        let hears = self.random.bool();
        let client = &mut self.clients[at];
        if let Some(front) = self.front.as_mut().filter(|_| hears) {
            front.close(client.slot, client.connections);
        }
        if app_dies {
            client.crash();
        } else {
            client.disconnect();
        }
        self.outcome.cuts += 1;
        let what = if app_dies { "app dies" } else { "connection breaks" };
        self.trace.say(format_args!("device {}'s {what}, the box hears {hears}", client.device));
    }

    /// The box dies, and with it all that was only in memory and every connection.
    pub(super) fn crash_box(&mut self) -> Result<(), Breach> {
        if self.front.take().is_none() {
            return Ok(());
        }
        self.trace.say(format_args!("the box dies"));
        let model = &mut self.model;
        self.disk.crash(&mut self.random, |batch| model.handle_durable(batch))?;
        self.clients.iter_mut().for_each(Client::disconnect);
        self.outcome.crashes += 1;
        Ok(())
    }

    /// A partition stands still while the others go on, or goes on itself.
    pub(super) fn halt(&mut self) {
        let partition = PartitionId(self.random.u16(..self.settings.partitions));
        if let Some(front) = &mut self.front {
            let halted = front.halted().is_none().then_some(partition);
            front.halt(halted);
            self.outcome.halts += u32::from(halted.is_some());
            self.trace.say(format_args!("this partition stands still: {halted:?}"));
        }
    }

    /// The wall clock jumps; no time passes.
    pub(super) fn jump(&mut self) {
        let hours = self.random.u64(1..24 * 40);
        self.wall_ms += hours * 3_600_000;
        self.trace.say(format_args!("the clock jumps by {hours} hours"));
    }

    pub(super) fn fill_disk(&mut self) {
        if let Some(front) = &mut self.front {
            front.is_disk_full = !front.is_disk_full;
            self.trace.say(format_args!("the disk is full: {}", front.is_disk_full));
        }
    }

    /// An app lives on and stores nothing that comes.
    pub(super) fn stick(&mut self, at: usize) {
        self.clients[at].is_stuck = true;
        self.trace.say(format_args!("device {} is stuck", self.clients[at].device));
    }

    /// A device goes for a while, or comes back.
    pub(super) fn leave(&mut self, at: usize) {
        let client = &mut self.clients[at];
        client.is_away = !client.is_away;
        let (device, is_away) = (client.device, client.is_away);
        self.trace.say(format_args!("device {device} is away: {is_away}"));
        if is_away {
            self.cut(at, false);
        }
    }

    pub(super) fn roll_back(&mut self, at: usize) {
        let client = &mut self.clients[at];
        if client.usage == Use::Living && client.roll_back() {
            self.model.handle_rolled_back(client.device);
            self.trace.say(format_args!("device {}'s database goes back", client.device));
        }
    }
}
