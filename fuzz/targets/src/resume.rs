//! The first frame of a connection that comes with a ticket: nobody gets in but the device that
//! the ticket was given to, on this connection, and the ticket's content is read exactly.
//!
//! ```text
//! input  │ 0 │ frame │                        as it came from a socket
//!        │ 1 │ place u16 │ change u8 │ …      a good frame, and bytes of it that are changed
//!        │ 2 │ content │                      of a ticket that the box itself has sealed
//! ```
//! Nobody comes upon a seal or a proof by chance; the second form begins with good ones.

use std::sync::LazyLock;

use answerback_gateway::{SealingKeys, Verifier, fuzzing};
use answerback_proto::access::kind_of;
use answerback_proto::encode::Address;
use answerback_proto::frame_buffer::FrameBuffer;
use answerback_proto::id::{DeviceId, UserId};
use answerback_proto::kind::{End, Hello, Kind, Resume};
use answerback_proto::limits::FRAME_BYTES_BEFORE_AUTH_MAX;
use answerback_proto::ticket::{Ticket, proof_message};

const NOW_S: u64 = 1_800_000_000;
const USER: UserId = UserId(1);
const DEVICE: DeviceId = DeviceId(7);
const EXPORTED: [u8; 32] = [9; 32];
/// Of a ticket's content: three ids, four numbers, a secret.
const CONTENT_BYTES: usize = 112;

/// A box, and a frame that is good there.
struct Good {
    keys: SealingKeys,
    verifier: Verifier,
    wire: Vec<u8>,
}

static GOOD: LazyLock<Option<Good>> = LazyLock::new(|| {
    let set = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
    let verifier = Verifier::from_jwks(set).ok()?;
    let keys = SealingKeys::from_secrets(&[[1; 32], [2; 32]]).ok()?;
    let ticket = fuzzing::ticket((&keys, &verifier), (USER, DEVICE), NOW_S + 1);
    let ticket = Ticket::read(&ticket)?;
    let hello = Hello {
        version_min: 1,
        version_max: 1,
        kinds_count: 0,
        token_length: 0,
        device: DEVICE.0,
        app_build: 0,
        mode: 0,
        credit_frames: 16,
        credit_bytes: 1024,
        connection_counter: 2,
        generation: 0,
        cursor: 0,
    };
    let proof = fuzzing::prove(&ticket.secret, &proof_message(&EXPORTED, USER, DEVICE, 2));
    let kinds: Vec<Kind> =
        Kind::ALL.iter().copied().filter(|kind| kind.is_sent_by(End::Server)).collect();
    let mut wire = Vec::new();
    let address = Address { flags: 0, tag: 1, target: USER.0 };
    Resume::new(&hello, proof).append(&mut wire, address, &kinds, ticket.sealed).ok()?;
    Some(Good { keys, verifier, wire })
});

/// Runs the target on one input.
pub fn run(input: &[u8]) {
    gets_in(input);
}

fn gets_in(input: &[u8]) -> bool {
    let Some(good) = GOOD.as_ref() else { return false };
    match input.split_first() {
        Some((0, wire)) => resume(good, wire),
        Some((1, changes)) => {
            let mut wire = good.wire.clone();
            for [low, high, change] in changes.as_chunks().0 {
                let place = usize::from(u16::from_le_bytes([*low, *high])) % wire.len();
                if let Some(byte) = wire.get_mut(place) {
                    *byte ^= change;
                }
            }
            let is_in = resume(good, &wire);
            assert!(is_in || wire != good.wire, "what is good is let in");
            is_in
        }
        Some((2, content)) => {
            let opened = fuzzing::open_sealed(&good.keys, content);
            assert_eq!(opened.is_some(), content.len() == CONTENT_BYTES, "{content:?}");
            opened.is_some()
        }
        _ => false,
    }
}

/// Whether a frame opens a session: only one that says the same of all that is proven.
fn resume(good: &Good, mut wire: &[u8]) -> bool {
    let mut frames = FrameBuffer::default();
    let Ok(Some(frame)) = frames.next_frame(&mut wire, FRAME_BYTES_BEFORE_AUTH_MAX) else {
        return false;
    };
    if kind_of(&frame.header, End::Client) != Ok(Some(Kind::Resume)) {
        return false;
    }
    let read = Resume::read(frame.envelope).map(|(resume, tail)| (resume, tail.secret().to_vec()));
    let target = frame.header.target;
    let boxed = (&good.keys, &good.verifier);
    let opened = fuzzing::resume(&frame, boxed, &EXPORTED, NOW_S);
    for (exported, unix_s) in [([0; 32], NOW_S), (EXPORTED, NOW_S + 1)] {
        assert!(fuzzing::resume(&frame, boxed, &exported, unix_s).is_err(), "not here, not now");
    }
    let Ok(identity) = opened else { return false };
    assert_eq!((identity, target), ((USER, DEVICE), USER.0));
    let Ok((resume, sealed)) = read else { panic!("a Resume that cannot be read") };
    assert_eq!((resume.device, resume.connection_counter), (DEVICE.0, 2));
    let (_, good_sealed) = good.wire.split_at(good.wire.len() - sealed.len());
    assert_eq!(sealed, good_sealed, "a ticket that nobody has sealed");
    true
}

/// Seeds: the good frame, one byte of it changed here and there, and contents of tickets.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let Some(good) = GOOD.as_ref() else { return Vec::new() };
    let change = |place: usize| {
        let [low, high] = (place as u16).to_le_bytes();
        vec![1, low, high, 0x10]
    };
    let mut seeds =
        vec![vec![1], [&[0], good.wire.as_slice()].concat(), vec![2; 1 + CONTENT_BYTES]];
    seeds.extend((0..good.wire.len()).step_by(9).map(change));
    seeds.extend([vec![2; CONTENT_BYTES], vec![2; 2 + CONTENT_BYTES]]);
    seeds
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Otherwise nothing behind the seal would be looked at. A few bytes of the frame are
    /// nobody's proof: what the app is, and how much it takes.
    #[test]
    fn the_good_seeds_get_in_and_few_others() {
        let seeds = seeds();
        let outcomes: Vec<_> = seeds.iter().map(|seed| gets_in(seed)).collect();
        let (good, changed) = outcomes.split_at(3);
        assert_eq!(good, [true; 3]);
        let let_in = changed.iter().filter(|is_in| **is_in).count();
        assert!((1..8).contains(&let_in), "{let_in} of {}", changed.len());
    }
}
