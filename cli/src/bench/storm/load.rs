//! The job of a storm: places that users log in on, beside a chat of others.
//!
//! ```text
//! free ─► connecting ─► in ─► (leaves at once, or when all are in) ─► free
//!           ▲     │ refused
//!           │     ▼
//!          waits as long as the server asked for
//! ```
//! The connections of the chat come first, then the storm's places.

use std::collections::BTreeMap;
use std::mem;

use answerback_proto::frame_buffer::Frame;
use answerback_proto::kind::Welcome;
use hdrhistogram::Histogram;

use super::pace::LoginPace;
use super::roster::{Roster, again};
use crate::bench::engine::{Ended, Job};
use crate::bench::load::ChatLoad;
use crate::bench::sockets::Sockets;
use crate::bench::users::Login;
use crate::exit::Failure;

/// A server that does not say when gets so much time before the next try.
const RETRY_NS_MIN: u64 = 100_000_000;

/// How a storm goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    /// Users who can be there at once.
    pub(super) places: usize,
    /// Logins under way at once.
    pub(super) inflight: usize,
    /// Users stay until they are sent away; else each leaves at once.
    pub(super) stays: bool,
}

/// The load.
pub(super) struct StormLoad {
    pub(super) chat: ChatLoad,
    plan: Plan,
    /// None where somebody comes as soon as there is room.
    pace: Option<LoginPace>,
    roster: Roster,
    places: Vec<Option<Guest>>,
    free: Vec<usize>,
    /// Refused, and when the next try is due.
    waiting: Vec<(u64, usize)>,
    under_way: usize,
    /// Users who are in, of those who stay.
    pub(super) inside: usize,
    is_running: bool,
    is_dismissing: bool,
    /// What stopped it from within.
    pub(super) outcome: Result<(), Failure>,
    pub(super) counts: Counts,
}

/// What happened since the counts were taken last.
#[derive(Clone, Debug)]
pub(super) struct Counts {
    pub(super) logins: u64,
    /// Logins that began, or by the clock should have.
    pub(super) offered: u64,
    /// Those for whom there was no user, or no place.
    pub(super) missed: u64,
    /// From the first try to `Welcome`, ns.
    pub(super) latencies: Histogram<u64>,
    /// Logins that were refused or broken off, by reason.
    pub(super) refusals: BTreeMap<String, u64>,
}

/// Who has a place.
#[derive(Clone, Debug)]
struct Guest {
    login: Login,
    begun_ns: u64,
}

impl Counts {
    /// Nothing yet.
    pub(super) fn new(latencies: Histogram<u64>) -> Self {
        Self { logins: 0, offered: 0, missed: 0, latencies, refusals: BTreeMap::new() }
    }

    fn take(&mut self) -> Self {
        let empty = Self::new(Histogram::new_from(&self.latencies));
        mem::replace(self, empty)
    }
}

impl StormLoad {
    /// A storm that has not begun.
    pub(super) fn new(plan: Plan, roster: Roster, chat: ChatLoad, counts: Counts) -> Self {
        Self {
            chat,
            plan,
            pace: None,
            roster,
            places: vec![None; plan.places],
            free: (0..plan.places).rev().collect(),
            waiting: Vec::new(),
            under_way: 0,
            inside: 0,
            is_running: false,
            is_dismissing: false,
            outcome: Ok(()),
            counts,
        }
    }

    /// Users come by the clock; who is refused then does not try again.
    pub(super) fn set_pace(&mut self, pace: LoginPace) {
        self.pace = Some(pace);
    }

    /// Users come, or nobody more.
    pub(super) fn set_running(&mut self, is_running: bool) {
        self.is_running = is_running;
    }

    /// Whether users come.
    pub(super) fn is_running(&self) -> bool {
        self.is_running
    }

    /// All who are there or on their way leave at once.
    pub(super) fn dismiss(&mut self) {
        self.is_dismissing = true;
    }

    /// Counting begins anew.
    pub(super) fn take_counts(&mut self) -> Counts {
        self.counts.take()
    }

    /// The connection of a place.
    fn connection(&self, place: usize) -> usize {
        2 * self.chat.pairs.len() + place
    }

    /// The place of a connection that is not the chat's.
    fn place(&self, at: usize) -> Option<usize> {
        at.checked_sub(2 * self.chat.pairs.len())
    }

    fn connect(&mut self, place: usize, guest: Guest, sockets: &mut Sockets) {
        sockets.open(self.connection(place), guest.login.clone());
        self.under_way += 1;
        if let Some(slot) = self.places.get_mut(place) {
            *slot = Some(guest);
        }
    }

    fn leave(&mut self, place: usize, sockets: &mut Sockets) {
        sockets.close(self.connection(place));
        self.clear(place);
    }

    /// Who had a place is away again.
    fn clear(&mut self, place: usize) {
        if let Some(guest) = self.places.get_mut(place).and_then(Option::take) {
            self.roster.give_back(again(guest.login));
            self.free.push(place);
        }
    }

    fn dismiss_all(&mut self, sockets: &mut Sockets) {
        if mem::take(&mut self.is_dismissing) {
            (self.inside, self.under_way) = (0, 0);
            self.waiting.clear();
            (0..self.plan.places).for_each(|place| self.leave(place, sockets));
        }
    }

    /// Those who were refused try again, in their time.
    fn retry(&mut self, now_ns: u64, sockets: &mut Sockets) {
        let due = self.waiting.extract_if(.., |(due_ns, _)| *due_ns <= now_ns);
        for (_, place) in due.collect::<Vec<_>>() {
            if let Some(guest) = self.places.get_mut(place).and_then(Option::take) {
                self.connect(place, Guest { login: again(guest.login), ..guest }, sockets);
            }
        }
    }

    fn fill(&mut self, now_ns: u64, sockets: &mut Sockets) -> Result<(), Failure> {
        if !self.is_running {
            return Ok(());
        }
        if self.pace.is_none() {
            while self.begin(now_ns, sockets)? {}
        }
        while let Some(due_ns) = self.pace.as_mut().and_then(|pace| pace.take_due(now_ns)) {
            if !self.begin(due_ns, sockets)? {
                self.counts.offered += 1;
                self.counts.missed += 1;
            }
        }
        Ok(())
    }

    /// Somebody comes, where there is room for one, and somebody who is away.
    fn begin(&mut self, begun_ns: u64, sockets: &mut Sockets) -> Result<bool, Failure> {
        if self.under_way >= self.plan.inflight || self.free.is_empty() {
            return Ok(false);
        }
        let Some(login) = self.roster.take()? else { return Ok(false) };
        let Some(place) = self.free.pop() else { return Ok(false) };
        self.connect(place, Guest { login, begun_ns }, sockets);
        self.counts.offered += 1;
        Ok(true)
    }
}

impl Job for StormLoad {
    fn handle_open(&mut self, at: usize, now_ns: u64, welcome: &Welcome, sockets: &mut Sockets) {
        let Some(place) = self.place(at) else {
            return self.chat.handle_open(at, now_ns, welcome, sockets);
        };
        let Some(Some(guest)) = self.places.get_mut(place) else { return };
        // It comes back with the ticket that it has just been given.
        guest.login.ticket = sockets.login(at).and_then(|login| login.ticket.clone());
        let latency_ns = now_ns.saturating_sub(guest.begun_ns).max(1);
        self.counts.latencies.saturating_record(latency_ns);
        self.counts.logins += 1;
        self.under_way -= 1;
        match self.plan.stays {
            true => self.inside += 1,
            false => self.leave(place, sockets),
        }
    }

    fn handle_frame(
        &mut self,
        at: usize,
        now_ns: u64,
        frame: Frame<'_>,
        sockets: &mut Sockets,
    ) -> Result<(), Failure> {
        match self.place(at) {
            None => self.chat.handle_frame(at, now_ns, frame, sockets),
            Some(_) => Ok(()),
        }
    }

    fn handle_read_end(&mut self, at: usize, sockets: &mut Sockets) {
        if self.place(at).is_none() {
            self.chat.handle_read_end(at, sockets);
        }
    }

    fn pump(&mut self, now_ns: u64, sockets: &mut Sockets) {
        self.chat.pump(now_ns, sockets);
        self.dismiss_all(sockets);
        self.retry(now_ns, sockets);
        let filled = self.fill(now_ns, sockets);
        self.outcome = mem::replace(&mut self.outcome, Ok(())).and(filled);
    }

    fn due_ns(&self) -> Option<u64> {
        let retry_ns = self.waiting.iter().map(|(due_ns, _)| *due_ns).min();
        let paced_ns = self.pace.filter(|_| self.is_running).map(|pace| pace.due_ns());
        [retry_ns, paced_ns, self.chat.due_ns()].into_iter().flatten().min()
    }

    fn handle_end(&mut self, at: usize, now_ns: u64, ended: Ended) -> Result<(), Failure> {
        let Some(place) = self.place(at) else { return Err(ended.failure) };
        *self.counts.refusals.entry(ended.failure.line().to_owned()).or_default() += 1;
        self.under_way = self.under_way.saturating_sub(1);
        if self.pace.is_some() {
            self.clear(place);
            return Ok(());
        }
        let wait_ns = (u64::from(ended.retry_after_ms) * 1_000_000).max(RETRY_NS_MIN);
        self.waiting.push((now_ns + wait_ns, place));
        Ok(())
    }
}
