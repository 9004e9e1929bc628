//! The whole history, read from the devices' files.

use std::collections::BTreeMap;

use answerback_proto::id::{DeviceId, Sequence, UserId};
use answerback_sdk::storage::{SentState, Storage};

use crate::common::Place;
use crate::device::{path, text};

/// As many numbers are shown to each side of a breach.
const SHOWN: usize = 8;

/// A chat's direction: sender, its device, recipient.
type Direction = (UserId, DeviceId, UserId);

/// Checks that what each device sent is decided and delivered, and that each device of each
/// recipient has it once, in order, as it was sent; returns how many messages there were.
pub(crate) fn check(place: &Place, devices: &[(u32, u32)]) -> u64 {
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
            let last = last_sent(storage, *peer);
            if last > 0 {
                sent.insert((*user, *device, *peer), last);
            }
        }
    }
    for (user, device, storage) in &storages {
        let received = received(storage, *user);
        for direction in received.keys() {
            assert!(sent.contains_key(direction), "{direction:?} was never sent");
        }
        for (direction, last) in sent.iter().filter(|((_, _, to), _)| to == user) {
            let numbers = received.get(direction).map_or(&[][..], Vec::as_slice);
            compare(numbers, *last, &format!("{direction:?} in the file of {user}.{device}"));
        }
    }
    sent.values().sum()
}

/// What came must be all numbers up to the last one, in order; else says what came where
/// it first is not.
fn compare(received: &[u64], last: u64, direction: &str) {
    let breach = (1..).zip(received).position(|(number, came)| number != *came);
    if breach.is_none() && received.len() as u64 == last {
        return;
    }
    let breach = breach.unwrap_or(received.len());
    let first = breach.saturating_sub(SHOWN);
    let shown: Vec<_> = received.iter().skip(first).take(2 * SHOWN).collect();
    let (count, first) = (received.len(), first + 1);
    panic!("{direction}: {count} of {last} came; from place {first} on they are {shown:?}");
}

/// The last number to a peer; all up to it are delivered.
fn last_sent(storage: &Storage, peer: UserId) -> u64 {
    let states = (1..).map_while(|number| storage.sent(peer, Sequence(number)).unwrap());
    let mut last = 0;
    for (number, sent) in (1..).zip(states) {
        assert_eq!(sent.state, SentState::Delivered, "message {number} to {peer}");
        last = number;
    }
    last
}

/// The numbers that came from each device, in the order in which they came.
fn received(storage: &Storage, user: UserId) -> BTreeMap<Direction, Vec<u64>> {
    let mut received: BTreeMap<_, Vec<_>> = BTreeMap::new();
    let mut shown_ms = BTreeMap::new();
    for message in storage.to_hand_over(u32::MAX).unwrap() {
        let (sender, device, number) = (message.sender, message.device, message.sequence.0);
        assert_eq!(message.payload, text(sender, device, user, number));
        let last_ms = shown_ms.insert(sender, message.accepted_at_ms).unwrap_or(0);
        assert!(last_ms <= message.accepted_at_ms, "{number} of {sender}.{device} goes back");
        received.entry((sender, device, user)).or_default().push(number);
    }
    received
}
