//! A ticket that is good, and all that may be wrong with one.

use super::*;

const PLAIN: Exported = [0; 32];

fn keys(secret: u8) -> SealingKeys {
    SealingKeys::from_secrets(&[[secret; 32]]).unwrap()
}

fn pass() -> Pass {
    let grant = Grant {
        issued_s: 1_700_000_000,
        expires_s: 1_800_000_000,
        token: TokenId::of("3f6c"),
        ticket: None,
    };
    Pass { user: UserId(1), device: DeviceId(7), grant, key: KeyMark(99) }
}

/// The whole ticket, as a client gets it.
fn ticket(keys: &SealingKeys) -> Vec<u8> {
    let mut out = Vec::new();
    issue(keys, &pass(), 5, &mut out);
    out
}

/// As a client proves it.
fn proof(secret: &[u8; 32], message: &[u8]) -> [u8; 32] {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    hmac::sign(&key, message).as_ref().try_into().unwrap()
}

#[test]
fn a_ticket_holds_what_the_session_was_opened_by() {
    let bytes = ticket(&keys(1));
    let ticket = Ticket::read(&bytes).unwrap();
    assert_eq!(ticket.expires_at_ms, 1_800_000_000_000);
    assert_eq!(ticket.sealed.len(), CONTENT_BYTES + SEAL_BYTES);
    let ticketed = Ticketed::open(&keys(1), ticket.sealed).unwrap();
    let grant = Grant { ticket: Some(5), ..pass().grant };
    assert_eq!(ticketed.pass, Pass { grant, ..pass() });
    assert_eq!(ticketed.secret, ticket.secret);
    assert!(Ticketed::open(&keys(2), ticket.sealed).is_none());
}

#[test]
fn a_proof_is_for_one_connection_of_one_device() {
    let bytes = ticket(&keys(1));
    let ticket = Ticket::read(&bytes).unwrap();
    let ticketed = Ticketed::open(&keys(1), ticket.sealed).unwrap();
    let message = |exported, user, device, counter| {
        proof_message(exported, UserId(user), DeviceId(device), counter)
    };
    let good = proof(&ticket.secret, &message(&PLAIN, 1, 7, 6));
    assert!(has_proven(&ticketed, &PLAIN, 6, &good));
    assert!(!has_proven(&ticketed, &PLAIN, 7, &good), "of another connection of the device");
    assert!(!has_proven(&ticketed, &[1; 32], 6, &good), "of another TLS connection");
    for (secret, wrong) in [
        (ticket.secret, message(&PLAIN, 2, 7, 6)),
        (ticket.secret, message(&PLAIN, 1, 8, 6)),
        ([0; 32], message(&PLAIN, 1, 7, 6)),
    ] {
        assert!(!has_proven(&ticketed, &PLAIN, 6, &proof(&secret, &wrong)));
    }
    for bit in 0..256 {
        let mut changed = good;
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(!has_proven(&ticketed, &PLAIN, 6, &changed), "{bit}");
    }
}

#[test]
fn tickets_of_one_session_are_different_ones() {
    let keys = keys(1);
    let (one, other) = (ticket(&keys), ticket(&keys));
    assert_ne!(Ticket::read(&one).unwrap().secret, Ticket::read(&other).unwrap().secret);
}

#[test]
fn what_was_sealed_for_another_purpose_is_no_ticket() {
    let keys = keys(1);
    for length in [0, 1, CONTENT_BYTES - 1, CONTENT_BYTES + 1] {
        let mut sealed = Vec::new();
        keys.seal(&vec![0; length], &mut sealed).unwrap();
        assert!(Ticketed::open(&keys, &sealed).is_none(), "{length}");
    }
}

#[test]
fn a_secret_is_in_no_log() {
    let bytes = ticket(&keys(1));
    let ticketed = Ticketed::open(&keys(1), Ticket::read(&bytes).unwrap().sealed).unwrap();
    assert!(!format!("{ticketed:?}").contains("secret"));
}
