//! What a device's database holds; its transactions survive the app.

use std::collections::BTreeMap;

use answerback_proto::id::{DeviceId, Generation, Position, Sequence, UserId};
use answerback_sdk::session::{
    ChatDeletion, ClientSession, Credit, DeviceState, Outgoing, ReadMark,
};

use super::wallet::Wallet;

/// The database of one device.
#[derive(Clone, Debug, Default)]
pub(super) struct Store {
    pub(super) connection_counter: u64,
    pub(super) wallet: Wallet,
    pub(super) generation: Generation,
    pub(super) cursor: Position,
    /// Messages without a decision.
    pub(super) undecided: BTreeMap<(UserId, Sequence), Outgoing>,
    pub(super) last_sequence: BTreeMap<UserId, Sequence>,
    pub(super) seen_ms: BTreeMap<UserId, u64>,
    /// The last message that came from each device of each peer.
    pub(super) received: BTreeMap<(UserId, DeviceId), Sequence>,
    /// The last message that came in each group.
    pub(super) in_groups: BTreeMap<UserId, Position>,
    pub(super) unnoted_reads: BTreeMap<(UserId, DeviceId), Sequence>,
    /// The last copy of each other device of the user's, by the other end.
    pub(super) copied: BTreeMap<(UserId, DeviceId), Sequence>,
    /// Deletions that the box has not noted.
    pub(super) deletions: BTreeMap<i64, ChatDeletion>,
    pub(super) last_deletion: i64,
}

impl Store {
    /// A session as the database has it.
    pub(super) fn session(&self, user: UserId, device: DeviceId, credit: Credit) -> ClientSession {
        let reads = self.unnoted_reads.iter();
        let mut session = ClientSession::new(DeviceState {
            user,
            device,
            generation: self.generation,
            cursor: self.cursor,
            undecided: self.undecided.values().cloned().collect(),
            unnoted_reads: reads
                .map(|(&(peer, device), &up_to)| ReadMark { peer, device, up_to })
                .collect(),
            ticket: None,
        });
        session.set_credit(credit);
        self.deletions.values().cloned().for_each(|one| session.delete_chat(one));
        session
    }

    pub(super) fn see(&mut self, peer: UserId, accepted_at_ms: u64) {
        let seen_ms = self.seen_ms.entry(peer).or_default();
        *seen_ms = accepted_at_ms.max(*seen_ms);
    }
}
