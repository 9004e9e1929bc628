//! Who logs in next: users who were there before, in turn, or always somebody new.

use std::collections::VecDeque;

use crate::bench::users::{Issuer, Login};
use crate::exit::Failure;

/// The users of a storm.
pub(super) struct Roster {
    issuer: Issuer,
    /// The next new user.
    next: usize,
    /// Those who return; else new ones whose tokens are signed already.
    away: VecDeque<Login>,
    takes_new_users: bool,
}

impl Roster {
    /// Users from a number on: so many who return, or new ones without end, so many of them
    /// signed for at once.
    pub(super) fn new(
        issuer: Issuer,
        first: usize,
        signed: usize,
        takes_new_users: bool,
    ) -> Result<Self, Failure> {
        let end = first + signed;
        let away = (first..end).map(|index| issuer.login(index)).collect::<Result<_, _>>()?;
        Ok(Self { issuer, next: end, away, takes_new_users })
    }

    /// Somebody who is away; the counter of a device that returns has risen.
    pub(super) fn take(&mut self) -> Result<Option<Login>, Failure> {
        if !self.away.is_empty() || !self.takes_new_users {
            return Ok(self.away.pop_front());
        }
        self.next += 1;
        self.issuer.login(self.next - 1).map(Some)
    }

    /// Somebody has left.
    pub(super) fn give_back(&mut self, login: Login) {
        if !self.takes_new_users {
            self.away.push_back(again(login));
        }
    }
}

/// The next login of the same device.
pub(in crate::bench) fn again(login: Login) -> Login {
    Login { connection_counter: login.connection_counter + 1, ..login }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::users::Bases;

    fn roster(signed: usize, takes_new_users: bool) -> Roster {
        let issuer = Issuer::without_tokens(Bases { user: 100, device: 200 });
        Roster::new(issuer, 10, signed, takes_new_users).unwrap()
    }

    fn take(roster: &mut Roster) -> Option<(u128, u64)> {
        let login = roster.take().unwrap()?;
        let taken = (login.user.0, login.connection_counter);
        roster.give_back(again(login));
        Some(taken)
    }

    #[test]
    fn those_who_return_come_in_turn_with_a_greater_counter() {
        let mut roster = roster(2, false);
        let taken: Vec<_> = (0..3).filter_map(|_| take(&mut roster)).collect();
        assert_eq!(taken.iter().map(|(user, _)| *user).collect::<Vec<_>>(), [110, 111, 110]);
        assert!(taken[2].1 > taken[0].1);
        let _both_inside = [roster.take().unwrap(), roster.take().unwrap()];
        assert!(roster.take().unwrap().is_none());
    }

    #[test]
    fn new_users_never_end() {
        for signed in [0, 2] {
            let mut roster = roster(signed, true);
            let users: Vec<_> =
                (0..3).filter_map(|_| take(&mut roster)).map(|(user, _)| user).collect();
            assert_eq!(users, [110, 111, 112], "{signed}");
        }
    }
}
