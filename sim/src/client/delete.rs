//! The user deletes a chat, on this device.

use answerback_proto::id::{DeviceId, Position, Sequence, UserId};
use answerback_proto::kind::DeviceMark;
use answerback_sdk::session::ChatDeletion;
use fastrand::Rng;

use super::Client;

impl Client {
    /// All that is decided of it; an app that is not the newest may say any older or greater
    /// number.
    pub(crate) fn delete(&mut self, peer: UserId, random: &mut Rng) {
        let is_odd = random.u8(..3) == 0;
        let (user, device) = (self.user, self.device);
        let own = (device, self.last_decided(peer));
        let copied = self.store.copied.iter().filter(|((of, _), _)| *of == peer);
        let copied = copied.map(|(&(_, device), &up_to)| (device, up_to));
        let mut marks: Vec<_> = [own].into_iter().chain(copied).collect();
        marks.retain(|(_, up_to)| up_to.0 > 0);
        let mut cursor = self.store.cursor;
        if is_odd {
            cursor = Position(random.u64(..=cursor.0));
            for (_, up_to) in &mut marks {
                *up_to = Sequence(random.u64(1..=up_to.0 + 3));
            }
            marks.push((DeviceId(user.0), Sequence(7)));
        }
        let mark = |(device, up_to)| DeviceMark { device, up_to };
        let number = self.store.last_deletion + 1;
        self.store.last_deletion = number;
        let deletion = ChatDeletion {
            number,
            peer,
            generation: self.store.generation,
            cursor,
            marks: marks.into_iter().take(10).map(mark).collect(),
        };
        self.store.deletions.insert(number, deletion.clone());
        self.session.delete_chat(deletion);
        self.is_stirred = true;
    }

    /// Somebody from whom anything came, where there is one.
    pub(crate) fn somebody(&self, random: &mut Rng) -> Option<UserId> {
        let at = random.usize(..self.store.received.len().max(1));
        self.store.received.keys().nth(at).map(|(peer, _)| *peer)
    }

    fn last_decided(&self, peer: UserId) -> Sequence {
        let first = self.store.undecided.keys().find(|(of, _)| *of == peer);
        match first {
            Some((_, first)) => Sequence(first.0 - 1),
            None => self.store.last_sequence.get(&peer).copied().unwrap_or_default(),
        }
    }
}
