//! Tokens and tickets that an operator declared void, or that a newer one has replaced.

use answerback_proto::id::TokenId;

use super::*;
use crate::limits::{REVOKED_KEPT_S, REVOKED_TOKENS_MAX};

const NOW_S: u64 = NOW_MS / 1000;
const EXPIRES_S: u64 = NOW_S + 3600;
const LATE: DeviceId = DeviceId(12);

/// A token that was made so many seconds before now.
fn token(id: u128, age_s: u64) -> Grant {
    Grant { issued_s: NOW_S - age_s, expires_s: EXPIRES_S, token: TokenId(id), ticket: None }
}

fn ticket(of: Grant, counter: u64) -> Grant {
    Grant { ticket: Some(counter), ..of }
}

impl Box {
    /// A device comes; why it is not let in.
    fn come(&mut self, device: DeviceId, counter: u64, grant: Grant) -> Result<Origin, Code> {
        self.sessions += 1;
        let session = SessionRef { core: 0, slot: self.sessions, generation: 1 };
        let origin = Origin { session, tag: 1, user: B, device, copies: false };
        self.home(B).handle_opening(Opening {
            origin,
            grant,
            connection_counter: counter,
            generation: Generation(0),
            cursor: Position(0),
            credit_frames: 10,
            credit_bytes: 1 << 20,
            takes_presence: true,
            takes_typing: true,
        });
        self.settle();
        self.closed(origin).map_or(Ok(origin), Err)
    }

    fn revoke_older(&mut self, age_s: u64) -> Option<Administered> {
        self.home(B).handle_revoke_tokens(B, NOW_S - age_s, 7);
        self.outcome()
    }

    fn revoke(&mut self, id: u128, expires_s: u64) -> Option<Administered> {
        self.home(B).handle_revoke_token(B, TokenId(id), expires_s, 7);
        self.outcome()
    }

    fn outcome(&mut self) -> Option<Administered> {
        self.settle();
        let is_it = |effect: &Effect| matches!(effect, Effect::Administered { .. });
        let at = self.said.iter().position(is_it)?;
        match self.said.remove(at) {
            Effect::Administered { outcome, .. } => Some(outcome),
            _ => None,
        }
    }

    /// Time in which no clock jumps.
    fn wait_s(&mut self, seconds: u64) {
        let hours = seconds / 3600;
        (0..hours).for_each(|_| self.wait(3_600_000));
        self.wait(seconds % 3600 * 1000);
    }

    /// Everything again from the disk: from the rows, or from the journal alone.
    fn start_again(&mut self, from_rows: bool) {
        if from_rows {
            self.checkpoint();
        }
        self.restart();
    }
}

#[test]
fn older_tokens_are_void_and_so_are_their_tickets() {
    for from_rows in [false, true] {
        let mut at = Box::new();
        at.come(PHONE, 5, token(1, 100)).unwrap();
        assert_eq!(at.revoke_older(50), Some(Administered::Done));
        at.start_again(from_rows);
        let refused = Err(Code::TokenRevoked);
        assert_eq!(at.come(PHONE, 6, token(1, 100)), refused);
        assert_eq!(at.come(PHONE, 6, token(2, 51)), refused);
        assert_eq!(at.come(PHONE, 6, ticket(token(1, 100), 5)), refused);
        assert_eq!(at.come(PHONE, 6, Grant { issued_s: 0, ..token(3, 0) }), refused);
        assert_eq!(at.come(LATE, 1, token(4, 60)), refused, "a new device has no way around it");
        assert!(at.come(PHONE, 6, token(5, 50)).is_ok(), "made in that second, it is good");
    }
}

#[test]
fn one_token_is_void_and_the_others_are_good() {
    for from_rows in [false, true] {
        let mut at = Box::new();
        at.come(PHONE, 5, token(1, 100)).unwrap();
        assert_eq!(at.revoke(1, EXPIRES_S), Some(Administered::Done));
        at.start_again(from_rows);
        assert_eq!(at.come(PHONE, 6, token(1, 100)), Err(Code::TokenRevoked));
        assert_eq!(at.come(PHONE, 6, ticket(token(1, 100), 5)), Err(Code::TokenRevoked));
        assert!(at.come(PHONE, 6, token(2, 100)).is_ok());
        assert!(at.come(LATE, 1, token(0, 100)).is_ok(), "one without a name");
    }
}

#[test]
fn sessions_of_the_user_end_and_nobody_elses() {
    let (mut at, a, b) = pair();
    let laptop = at.connect(B, LAPTOP, 0);
    at.send(a, B, 1);
    at.settle();
    assert_eq!(at.revoke(9, EXPIRES_S), Some(Administered::Done));
    assert_eq!([b, laptop].map(|of| at.closed(of)), [Some(Code::SessionRecheck); 2]);
    assert_eq!(at.closed(a), None);
    at.send(a, B, 2);
    at.settle();
    assert_eq!(at.entries(b), [message(1, 0, 1)], "an ended session is pushed nothing more");
    let back = at.come(PHONE, 3000, token(1, 0)).unwrap();
    assert_eq!(at.said_to(back), ["1:1", "1:2"], "nothing is lost by it");
    assert_eq!(at.revoke(9, EXPIRES_S), Some(Administered::WasSo));
    assert_eq!(at.closed(back), None, "and what was so already ends nothing");
}

#[test]
fn what_comes_in_the_same_batch_goes_by_the_order_of_records() {
    let (mut at, ..) = pair();
    at.home(B).handle_revoke_tokens(B, NOW_S - 50, 7);
    assert_eq!(at.come(PHONE, 9000, token(1, 51)), Err(Code::TokenRevoked));
    let late = at.come(LATE, 1, token(1, 49)).unwrap();
    assert_eq!(at.closed(late), None);
}

#[test]
fn of_a_devices_tickets_only_the_newest_is_good() {
    for from_rows in [false, true] {
        let mut at = Box::new();
        let grant = token(1, 100);
        at.come(PHONE, 5, grant).unwrap();
        assert!(at.come(PHONE, 6, ticket(grant, 5)).is_ok());
        at.start_again(from_rows);
        assert!(at.come(PHONE, 7, ticket(grant, 5)).is_ok(), "its Welcome may have been lost");
        assert!(at.come(PHONE, 8, ticket(grant, 7)).is_ok());
        at.start_again(from_rows);
        let refused = Err(Code::TicketInvalid);
        assert_eq!(at.come(PHONE, 9, ticket(grant, 5)), refused);
        assert_eq!(at.come(PHONE, 9, ticket(grant, 6)), refused);
        assert!(at.come(PHONE, 9, grant).is_ok(), "a login with a token begins anew");
        assert_eq!(at.come(PHONE, 10, ticket(grant, 8)), refused);
        assert!(at.come(PHONE, 10, ticket(grant, 9)).is_ok());
        assert_eq!(at.come(LATE, 1, ticket(grant, 5)), refused, "a device that is not known");
    }
}

#[test]
fn a_refused_login_changes_nothing() {
    let mut at = Box::new();
    let b = at.come(PHONE, 5, token(1, 100)).unwrap();
    assert_eq!(at.come(PHONE, 50, ticket(token(1, 100), 4)), Err(Code::TicketInvalid));
    assert_eq!(at.closed(b), None, "the session that is there goes on");
    assert!(at.come(PHONE, 6, ticket(token(1, 100), 5)).is_ok(), "and so does the counter");
    at.revoke(1, EXPIRES_S);
    assert_eq!(at.come(LATE, 1, token(1, 100)), Err(Code::TokenRevoked));
    assert_eq!(at.user(B).devices.len(), 1);
}

#[test]
fn tokens_are_remembered_one_by_one_until_they_have_expired() {
    let mut at = Box::new();
    at.come(PHONE, 5, token(1000, 0)).unwrap();
    for id in 1..=REVOKED_TOKENS_MAX as u128 {
        assert_eq!(at.revoke(id, EXPIRES_S + id as u64), Some(Administered::Done));
    }
    assert_eq!(at.revoke(500, EXPIRES_S), Some(Administered::Full));
    assert_eq!(at.revoke(1, EXPIRES_S), Some(Administered::WasSo));
    at.forget_all();
    at.wait_s(3600 + REVOKED_KEPT_S);
    assert_eq!(at.come(PHONE, 6, token(1, 0)), Err(Code::TokenRevoked), "a second too early");
    assert_eq!(at.revoke(500, EXPIRES_S), Some(Administered::Full));
    at.forget_all();
    at.wait_s(1);
    assert_eq!(at.come(PHONE, 6, token(2, 0)), Err(Code::TokenRevoked));
    assert_eq!(void(&mut at), REVOKED_TOKENS_MAX - 1, "the first has expired, and is forgotten");
    assert_eq!(at.revoke(501, EXPIRES_S + 3600), Some(Administered::Done));
    at.forget_all();
    at.wait_s(3 * 3600);
    assert_eq!(void(&mut at), 0);
    at.forget_all();
    at.restart();
    assert!(at.come(PHONE, 7, token(3, 0)).is_ok());
}

fn void(at: &mut Box) -> usize {
    at.user(B).revocations().map_or(0, |void| void.tokens.len())
}

#[test]
fn a_clock_that_jumped_forgets_nothing() {
    let mut at = Box::new();
    at.come(PHONE, 5, token(2, 0)).unwrap();
    at.revoke(1, EXPIRES_S);
    at.checkpoint();
    at.now_ms += 1000 * 24 * 3_600_000;
    at.wait(10_000);
    assert_eq!(at.come(PHONE, 6, token(1, 0)), Err(Code::TokenRevoked));
    assert_eq!(at.revoke(2, EXPIRES_S), Some(Administered::Done));
    assert_eq!(void(&mut at), 2);
    at.checkpoint();
    for shard in &mut at.shards {
        shard.handle_confirm_clock(8);
    }
    at.settle();
    at.wait(10_000);
    assert_eq!(void(&mut at), 0);
}

#[test]
fn what_is_void_outlives_a_purge() {
    for from_rows in [false, true] {
        let mut at = Box::new();
        at.come(PHONE, 5, token(1, 100)).unwrap();
        at.revoke_older(50);
        at.revoke(2, EXPIRES_S);
        at.home(B).handle_purge_user(B, 7);
        assert_eq!(at.outcome(), Some(Administered::Done));
        at.start_again(from_rows);
        assert_eq!(at.come(LATE, 1, token(1, 100)), Err(Code::TokenRevoked));
        assert_eq!(at.come(LATE, 1, token(2, 0)), Err(Code::TokenRevoked));
        at.checkpoint();
        at.wait_s(3600 + REVOKED_KEPT_S + 2);
        at.forget_all();
        at.restart();
        assert_eq!(at.revoke(3, EXPIRES_S), Some(Administered::Done));
        assert_eq!(void(&mut at), 1, "and is forgotten all the same");
        assert!(at.come(LATE, 1, token(4, 0)).is_ok(), "with a newer one the user is there again");
    }
}

#[test]
fn of_a_user_who_never_was_there_is_nothing_to_revoke() {
    let mut at = Box::new();
    assert_eq!(at.revoke_older(0), Some(Administered::Unknown));
    assert_eq!(at.revoke(1, EXPIRES_S), Some(Administered::Unknown));
    at.home(B).handle_add_user(B, 7);
    assert_eq!(at.outcome(), Some(Administered::Done));
    assert_eq!(at.revoke(0, EXPIRES_S), Some(Administered::Unknown), "0 is no token's id");
    assert_eq!(at.revoke_older(0), Some(Administered::Done));
    assert_eq!(at.revoke_older(10), Some(Administered::WasSo), "it only ever rises");
    assert_eq!(at.come(PHONE, 1, token(1, 1)), Err(Code::TokenRevoked));
}

#[test]
fn a_session_may_go_on_with_another_token_unless_that_is_void() {
    let mut at = Box::new();
    let b = at.come(PHONE, 5, token(1, 100)).unwrap();
    assert_eq!(at.home(B).check_grant(B, PHONE, &token(2, 10)), Ok(5));
    at.revoke(2, EXPIRES_S);
    at.revoke_older(50);
    let home = at.home(B);
    assert_eq!(home.check_grant(B, PHONE, &token(2, 10)), Err(Code::TokenRevoked));
    assert_eq!(home.check_grant(B, PHONE, &token(3, 51)), Err(Code::TokenRevoked));
    assert_eq!(home.check_grant(B, PHONE, &token(3, 50)), Ok(5));
    assert_eq!(home.check_grant(B, LATE, &token(3, 50)), Err(Code::SessionRecheck));
    let nobody = UserId(77);
    assert_eq!(at.home(nobody).check_grant(nobody, PHONE, &token(3, 0)), Err(Code::SessionRecheck));
    assert_eq!(at.closed(b), Some(Code::SessionRecheck));
}
