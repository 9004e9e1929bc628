//! What a device logs in with: tokens of an account service, and the tickets of its own
//! sessions. Now and then somebody comes with one that he copied earlier.

use answerback_directory::shard::Grant;
use answerback_proto::id::TokenId;
use fastrand::Rng;

/// What a device shows, and has shown, in its database.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wallet {
    /// What it would show next.
    current: Option<Grant>,
    /// What it has shown, or could have.
    earlier: Vec<Grant>,
    /// What it showed last.
    shown: Grant,
}

impl Wallet {
    /// What it shows at a time: nothing that has expired.
    pub(super) fn show(&mut self, now_s: u64, is_honest: bool, random: &mut Rng) -> Grant {
        let is_good = |grant: &&Grant| grant.expires_s > now_s;
        let is_copy = !is_honest && random.u8(..8) == 0;
        let copied = self.earlier.get(random.usize(..self.earlier.len().max(1)));
        let known = if is_copy { copied } else { self.current.as_ref() };
        let is_new = !is_honest && random.u8(..8) == 0;
        self.shown = match known.filter(is_good).filter(|_| !is_new) {
            Some(known) => *known,
            None => self.add(new_token(now_s, random)),
        };
        self.shown
    }

    /// A session begins, and with it there is a ticket.
    pub(super) fn handle_welcome(&mut self, connection_counter: u64) {
        self.add(Grant { ticket: Some(connection_counter), ..self.shown });
    }

    /// What it showed is good for nothing.
    pub(super) fn handle_refused(&mut self) {
        self.current = None;
    }

    /// A token that somebody may have copied.
    pub(crate) fn any(&self, random: &mut Rng) -> Option<Grant> {
        self.earlier.get(random.usize(..self.earlier.len().max(1))).copied()
    }

    fn add(&mut self, grant: Grant) -> Grant {
        self.current = Some(grant);
        self.earlier.push(grant);
        grant
    }
}

/// As the account service makes one: some expire within the world's time, some have no id.
fn new_token(now_s: u64, random: &mut Rng) -> Grant {
    let life_s = if random.u8(..4) == 0 { random.u64(30..600) } else { 30 * 24 * 3600 };
    let token = TokenId(if random.u8(..8) == 0 { 0 } else { random.u128(1..) });
    Grant { issued_s: now_s, expires_s: now_s + life_s, token, ticket: None }
}

/// As the token of a `Hello`, which the SDK hands on unread.
pub(super) fn write(grant: &Grant) -> String {
    let Grant { issued_s, expires_s, token, ticket } = grant;
    format!("{issued_s} {expires_s} {token} {}", ticket.unwrap_or_default())
}

/// As it was written.
pub(crate) fn read(text: &[u8]) -> Option<Grant> {
    let mut words = std::str::from_utf8(text).ok()?.split(' ');
    let mut number = || words.next()?.parse::<u64>().ok();
    let (issued_s, expires_s) = (number()?, number()?);
    let token = TokenId(words.next()?.parse().ok()?);
    let ticket = words.next()?.parse().ok().filter(|ticket| *ticket != 0);
    Some(Grant { issued_s, expires_s, token, ticket })
}
