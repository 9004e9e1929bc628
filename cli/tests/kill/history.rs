//! The whole history, read from the devices' files.

use std::collections::BTreeMap;

use answerback_proto::id::{DeviceId, GroupId, Sequence, UserId};
use answerback_sdk::storage::{SentState, Storage};

use crate::common::Place;
use crate::device::{path, text};
use crate::judge::Verdict;

/// A chat's direction: sender, its device, recipient: a user or the group.
type Direction = (UserId, DeviceId, UserId);

/// Checks that what each device sent is decided and delivered, and that each device of each
/// recipient has it once, in order, as it was sent.
pub(crate) fn check(place: &Place, devices: &[(u32, u32)], group: GroupId) -> Verdict {
    let group = group.as_peer();
    let mut verdict = Verdict::default();
    let storages: Vec<_> = devices
        .iter()
        .map(|&(user, device)| {
            let (user, id) = (UserId(user.into()), DeviceId(device.into()));
            (user, id, Storage::open(&path(place, device), user, id).unwrap())
        })
        .collect();
    let mut sent = BTreeMap::new();
    for (user, device, storage) in &storages {
        for (peer, _, _) in &storages {
            let told = SentState::Delivered;
            sent.insert((*user, *device, *peer), last_sent(storage, *peer, told));
        }
        let told = SentState::Accepted;
        sent.insert((*user, *device, group), last_sent(storage, group, told));
    }
    for (direction, (last, untold)) in &sent {
        verdict.sent += last;
        verdict.untold += untold;
        if *untold > 0 {
            verdict.tell(format!("{direction:?}: {untold} of {last} are not known as that"));
        }
    }
    for (user, device, storage) in &storages {
        let received = received(storage, *user, &mut verdict);
        let is_for = |(from, _, to): &Direction| to == user || *to == group && from != user;
        for (direction, (last, _)) in sent.iter().filter(|(direction, _)| is_for(direction)) {
            let numbers = received.get(direction).map_or(&[][..], Vec::as_slice);
            verdict.compare(numbers, *last, &format!("{direction:?} in {user}.{device}"));
        }
        let is_foreign = |key: &Direction| !sent.contains_key(key) || !is_for(key);
        for (direction, numbers) in received.iter().filter(|(key, _)| is_foreign(key)) {
            verdict.compare(numbers, 0, &format!("{direction:?} in {user}.{device}"));
        }
    }
    verdict
}

/// The last number to a peer, and how many up to it are not known as they should be.
fn last_sent(storage: &Storage, peer: UserId, told: SentState) -> (u64, u64) {
    let states = (1..).map_while(|number| storage.sent(peer, Sequence(number)).unwrap());
    states.fold((0, 0), |(last, untold), sent| (last + 1, untold + u64::from(sent.state != told)))
}

/// The numbers that came from each device, in the order in which they came.
fn received(
    storage: &Storage,
    user: UserId,
    verdict: &mut Verdict,
) -> BTreeMap<Direction, Vec<u64>> {
    let mut received: BTreeMap<_, Vec<_>> = BTreeMap::new();
    let mut shown_ms = BTreeMap::new();
    for message in storage.to_hand_over(u32::MAX).unwrap() {
        let (sender, device, number) = (message.sender, message.device, message.sequence.0);
        let to = if message.peer == sender { user } else { message.peer };
        if message.payload != text(sender, device, to, number) {
            verdict.foreign += 1;
            verdict.tell(format!("{number} of {sender}.{device} to {to} says something else"));
        }
        let last_ms = shown_ms.insert(message.peer, message.accepted_at_ms).unwrap_or(0);
        if last_ms > message.accepted_at_ms {
            verdict.reordered += 1;
            verdict.tell(format!("{number} of {sender}.{device} to {to} is shown too early"));
        }
        received.entry((sender, device, to)).or_default().push(number);
    }
    received
}
