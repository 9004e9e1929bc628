//! What users do just now: shown to whoever looks, kept nowhere.

use super::*;
use crate::limits::SIGNALS_OPEN_BYTES_MAX;

fn typing(at: &mut Box, user: UserId, peer: UserId, state: u16) {
    at.home(user).handle_mail(Mail::Typing { user, peer, state });
    at.settle();
}

/// What was shown to a session since the last call.
pub(super) fn signals(at: &mut Box, of: Origin) -> Vec<Signal> {
    let (signals, rest): (Vec<_>, _) = std::mem::take(&mut at.said)
        .into_iter()
        .partition(|effect| matches!(effect, Effect::Signal { to, .. } if *to == of.session));
    at.said = rest;
    let signal = |effect| match effect {
        Effect::Signal { signal, .. } => Some(signal),
        _ => None,
    };
    signals.into_iter().filter_map(signal).collect()
}

#[test]
fn who_looks_is_shown_who_writes_and_nothing_is_kept_of_it() {
    let (mut at, a, b) = pair();
    let tablet = at.connect_unseen(B, LAPTOP);
    let before = at.disk.journal.len();
    typing(&mut at, B, A, 1);
    typing(&mut at, B, A, 0);
    let expected = [1, 0].map(|state| Signal::Typing { peer: A, state });
    assert_eq!(signals(&mut at, b), expected);
    assert_eq!(signals(&mut at, tablet), [], "nobody looks at it");
    assert_eq!((signals(&mut at, a), at.disk.journal.len()), (vec![], before));
}

#[test]
fn of_nobody_and_of_oneself_nothing_is_shown() {
    let (mut at, a, _) = pair();
    typing(&mut at, A, A, 1);
    assert_eq!(signals(&mut at, a), []);
    let loads = at.loads.len();
    typing(&mut at, UserId(77), A, 1);
    assert_eq!(at.loads.len(), loads, "whoever is not there is not looked for");
}

#[test]
fn a_shard_with_much_to_do_drops_signals_and_nothing_else() {
    let (mut at, a, b) = pair();
    let message = Send { sequence: 1, seen_ms: 0, life_s: 0, content_type: 1 };
    let payload = vec![0; SIGNALS_OPEN_BYTES_MAX];
    at.home(B).handle_send(a, B, &envelope(&message), &payload);
    at.home(B).handle_mail(Mail::Typing { user: B, peer: A, state: 1 });
    at.settle();
    assert_eq!((at.answers(a), signals(&mut at, b)), (vec![accepted(1)], vec![]));
    typing(&mut at, B, A, 1);
    assert_eq!(signals(&mut at, b).len(), 1, "once it is done");
}
