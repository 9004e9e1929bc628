//! What happens to the box.

use std::fmt;
use std::fs;
use std::iter::repeat_n;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use fastrand::Rng;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::common::{Place, Server, exchange};
use crate::stage::Stage;

/// Restarts in a row, at most.
const IN_A_ROW_MAX: u32 = 3;
/// Shorter than anybody's patience.
const PAUSE_MS: (u64, u64) = (1, 300);
/// Of a box that says nothing else when it is made.
const PARTITIONS: u16 = 16;
/// How long partitions hear nothing, and how many messages are accepted before the kill, at most.
const HELD_MS: (u64, u64) = (50, 1_500);
const HELD_ACCEPTED_MAX: u64 = 100;
/// About what a drain takes where clients do not leave.
const DRAIN_MS: u64 = 400;
/// Longer than the 10 s after which a box offers an entry again, and after which a client
/// no longer waits for its session.
const LONG_PAUSE_MS: (u64, u64) = (10_500, 13_000);

/// One thing that happens to a box under load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// SIGKILL, and a start.
    Kill,
    /// The same several times, while the devices find their way back.
    KillInARow,
    /// SIGKILL, and another one before the box that starts again listens.
    KillWhileStarting,
    /// SIGTERM, and a start.
    Stop,
    /// SIGTERM, and SIGKILL before the box has ended in order.
    KillWhileDraining,
    /// Another process takes the port and the data over.
    TakeOver,
    /// Half of the partitions hear nothing of the others for a while, so that what goes to a
    /// group comes to some of its members; SIGKILL meanwhile, or a while later.
    KillWhileHeld,
    /// SIGSTOP, and SIGCONT while all still wait.
    Pause,
    /// SIGSTOP, and SIGCONT when nobody waits any more.
    LongPause,
}

/// What happens before anything happens again, and how often.
const DECK: [(Fault, usize); 8] = [
    (Fault::Kill, 5),
    (Fault::KillInARow, 2),
    (Fault::KillWhileStarting, 3),
    (Fault::KillWhileDraining, 3),
    (Fault::KillWhileHeld, 3),
    (Fault::Stop, 1),
    (Fault::TakeOver, 1),
    (Fault::Pause, 2),
];

/// Every fault of a deck, in random order.
pub(crate) fn deck(random: &mut Rng, has_long_pauses: bool) -> Vec<Fault> {
    let faults = DECK.into_iter().flat_map(|(fault, count)| repeat_n(fault, count));
    let mut deck: Vec<_> = faults.chain(has_long_pauses.then_some(Fault::LongPause)).collect();
    random.shuffle(&mut deck);
    deck
}

/// The box.
pub(crate) struct Victim<'a> {
    place: &'a Place,
    cores: u16,
    server: Server,
    random: Rng,
    /// Reads and writes that a start takes.
    calls_of_start: u64,
    pub(crate) kills: u32,
    kills_while_starting: u32,
    kills_while_draining: u32,
    kills_while_held: u32,
    stops: u32,
    take_overs: u32,
    pauses: u32,
}

impl<'a> Victim<'a> {
    /// A box that listens.
    pub(crate) fn new(place: &'a Place, cores: u16, random: Rng) -> Self {
        let server = Server::start(&mut serve(place, cores, "127.0.0.1:0"));
        let calls_of_start = calls(&server.child);
        Self {
            place,
            cores,
            server,
            random,
            calls_of_start,
            kills: 0,
            kills_while_starting: 0,
            kills_while_draining: 0,
            kills_while_held: 0,
            stops: 0,
            take_overs: 0,
            pauses: 0,
        }
    }

    pub(crate) fn address(&self) -> &str {
        &self.server.address
    }

    /// Does it; when it returns the box listens.
    pub(crate) fn suffer(&mut self, fault: Fault, stage: &Stage) {
        match fault {
            Fault::Kill => self.kill(),
            Fault::KillInARow => {
                (0..self.random.u32(2..=IN_A_ROW_MAX)).for_each(|_| self.kill());
            }
            Fault::KillWhileStarting => self.kill_while_starting(stage),
            Fault::Stop => {
                self.stop();
                self.start();
            }
            Fault::KillWhileDraining => self.kill_while_draining(stage),
            Fault::KillWhileHeld => self.kill_while_held(stage),
            Fault::TakeOver => self.take_over(),
            Fault::Pause => self.pause(PAUSE_MS, stage),
            Fault::LongPause => self.pause(LONG_PAUSE_MS, stage),
        }
    }

    /// As an operator would; the box says that it ended well.
    pub(crate) fn stop(&mut self) {
        let status = self.server.stop();
        assert!(status.success(), "the box did not end in order: {status}");
        self.stops += 1;
    }

    fn kill(&mut self) {
        self.server.kill();
        self.kills += 1;
        self.start();
    }

    /// How far the start comes is drawn: so many reads and writes, or until it listens where
    /// this start needs fewer than the last one.
    fn kill_while_starting(&mut self, stage: &Stage) {
        self.server.kill();
        let enough = self.random.u64(..self.calls_of_start);
        let mut serve = serve(self.place, self.cores, self.address());
        let mut child = serve.stdout(Stdio::piped()).spawn().unwrap();
        while calls(&child) < enough && !says_something(&child) {
            let ended = child.try_wait().unwrap();
            assert!(ended.is_none(), "the box does not start: {ended:?}");
            stage.check();
            thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        self.kills += 2;
        self.kills_while_starting += 1;
        self.start();
    }

    fn kill_while_draining(&mut self, stage: &Stage) {
        kill_process(Pid::from_child(&self.server.child), Signal::TERM).unwrap();
        stage.rest(Duration::from_millis(self.random.u64(..DRAIN_MS)));
        self.server.kill();
        self.kills += 1;
        self.kills_while_draining += 1;
        self.start();
    }

    /// A kill comes so many messages later: among them are some to the group.
    fn kill_while_held(&mut self, stage: &Stage) {
        let mut partitions: Vec<u16> = (0..PARTITIONS).collect();
        self.random.shuffle(&mut partitions);
        partitions.truncate(usize::from(PARTITIONS / 2));
        let for_ms = self.random.u64(HELD_MS.0..HELD_MS.1);
        let request = json!({
            "request": "hold_partitions", "partitions": partitions, "for_ms": for_ms
        });
        let line = format!("{request}\n");
        let answer = exchange(&self.place.path("data").join("control.sock"), line.as_bytes());
        assert!(answer.get("done").is_some(), "{answer}");
        stage.wait_for_accepted(self.random.u64(1..HELD_ACCEPTED_MAX));
        self.kill();
        self.kills_while_held += 1;
    }

    /// The old box ends well while the new one listens already.
    fn take_over(&mut self) {
        let mut serve = serve(self.place, self.cores, self.address());
        let new = Server::start(serve.arg("--take-over"));
        let mut old = std::mem::replace(&mut self.server, new);
        let status = old.child.wait().unwrap();
        assert!(status.success(), "the box that was followed did not end in order: {status}");
        self.take_overs += 1;
    }

    fn start(&mut self) {
        self.server = Server::start(&mut serve(self.place, self.cores, self.address()));
        self.calls_of_start = calls(&self.server.child);
    }

    fn pause(&mut self, (least_ms, most_ms): (u64, u64), stage: &Stage) {
        let pid = Pid::from_child(&self.server.child);
        kill_process(pid, Signal::STOP).unwrap();
        stage.rest(Duration::from_millis(self.random.u64(least_ms..most_ms)));
        kill_process(pid, Signal::CONT).unwrap();
        self.pauses += 1;
    }
}

impl fmt::Display for Victim<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cores, kills, kills_while_starting, kills_while_draining, .. } = self;
        let Self { kills_while_held, stops, take_overs, pauses, .. } = self;
        write!(
            f,
            "{kills} kills on {cores} cores, {kills_while_starting} of them while it started and \
             {kills_while_draining} while it drained, {kills_while_held} while partitions were held, \
             {stops} stops, {take_overs} take-overs, \
             {pauses} pauses"
        )
    }
}

/// Checkpoints come often, so that kills fall beside them.
fn serve(place: &Place, cores: u16, listen: &str) -> Command {
    let mut command = place.serve(listen);
    command.args(["--cores", &cores.to_string(), "--checkpoint-ms", "50", "--drain-ms", "300"]);
    command
}

/// Whether a process has printed something, as a box does once it listens.
fn says_something(child: &Child) -> bool {
    let mut stdout = [PollFd::new(child.stdout.as_ref().unwrap(), PollFlags::IN)];
    poll(&mut stdout, Some(&Timespec::default())).unwrap() > 0
}

/// How often a process has read and written so far.
fn calls(child: &Child) -> u64 {
    let io = fs::read_to_string(format!("/proc/{}/io", child.id())).unwrap();
    let counts = io.lines().filter_map(|line| line.strip_prefix("sysc"));
    counts.map(|line| line.split(' ').nth(1).unwrap().parse::<u64>().unwrap()).sum()
}
