//! The whole history, read from the devices' files.

use std::collections::BTreeMap;

use answerback_proto::id::{DeviceId, Sequence, UserId};
use answerback_sdk::storage::{SentState, Storage};

use crate::common::Place;
use crate::device::{path, text};
use crate::judge::Verdict;

/// A chat's direction: sender, its device, recipient.
type Direction = (UserId, DeviceId, UserId);

/// Checks that what each device sent is decided and delivered, and that each device of each
/// recipient has it once, in order, as it was sent.
pub(crate) fn check(place: &Place, devices: &[(u32, u32)]) -> Verdict {
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
            sent.insert((*user, *device, *peer), last_sent(storage, *peer));
        }
    }
    for (direction, (last, untold)) in &sent {
        verdict.sent += last;
        verdict.untold += untold;
        if *untold > 0 {
            verdict.tell(format!("{direction:?}: {untold} of {last} are not known as delivered"));
        }
    }
    for (user, device, storage) in &storages {
        let received = received(storage, *user, &mut verdict);
        for (direction, (last, _)) in sent.iter().filter(|((_, _, to), _)| to == user) {
            let numbers = received.get(direction).map_or(&[][..], Vec::as_slice);
            verdict.compare(numbers, *last, &format!("{direction:?} in {user}.{device}"));
        }
        for (direction, numbers) in received.iter().filter(|(key, _)| !sent.contains_key(*key)) {
            verdict.compare(numbers, 0, &format!("{direction:?} in {user}.{device}"));
        }
    }
    verdict
}

/// The last number to a peer, and how many up to it are not known as delivered.
fn last_sent(storage: &Storage, peer: UserId) -> (u64, u64) {
    let states = (1..).map_while(|number| storage.sent(peer, Sequence(number)).unwrap());
    states.fold((0, 0), |(last, untold), sent| {
        (last + 1, untold + u64::from(sent.state != SentState::Delivered))
    })
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
        if message.payload != text(sender, device, user, number) {
            verdict.foreign += 1;
            verdict.tell(format!("{number} of {sender}.{device} to {user} says something else"));
        }
        let last_ms = shown_ms.insert(sender, message.accepted_at_ms).unwrap_or(0);
        if last_ms > message.accepted_at_ms {
            verdict.reordered += 1;
            verdict.tell(format!("{number} of {sender}.{device} to {user} is shown too early"));
        }
        received.entry((sender, device, user)).or_default().push(number);
    }
    received
}
