//! `answerback bench presence`: everybody watches others, everybody goes, everybody comes back.

use std::fmt;
use std::time::Duration;

use answerback_proto::frame_buffer::Frame;
use answerback_proto::id::UserId;
use answerback_proto::kind::{Kind, Welcome};
use answerback_proto::limits::WATCHED_MAX;
use clap::Args;
use serde::Serialize;

use super::arguments::{OutputArguments, TargetArguments, parse_duration};
use super::chat::nanoseconds;
use super::costs::Costs;
use super::engine::Job;
use super::figures::count;
use super::sockets::Sockets;
use super::storm::again;
use super::users::Login;
use super::watch::Watch;
use crate::exit::Failure;
use crate::process::allow_connections;

/// Logins under way at once.
const INFLIGHT: usize = 64;

const EXAMPLE: &str = "\
Each user watches the users whose numbers follow, and opens the app: that is an action. Then all
connections end at once, and all come back as fast as they get in, each with its list and another
action. What is counted from the end of the connections on: words about presence, the server's
CPU, until nothing has come for --settle. How often presence was written stands in the box's metrics
(answerback_presence_writes_total).

  answerback bench presence --clients 15000 --watched 50 --keys run/keys --server-pid $(pidof answerback)";

/// How many, and whom they watch.
#[derive(Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Arguments {
    #[command(flatten)]
    target: TargetArguments,
    /// Users.
    #[arg(long, value_name = "N", default_value_t = 15_000, value_parser = clap::value_parser!(u32).range(2..=1_000_000))]
    clients: u32,
    /// Users whom each watches.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(0..=WATCHED_MAX as i64))]
    watched: u32,
    /// It is over once nothing has come for so long.
    #[arg(long, value_name = "TIME", default_value = "3", value_parser = parse_duration)]
    settle: Duration,
    #[command(flatten)]
    output: OutputArguments,
}

/// Measures once.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let (target, clients) = (&arguments.target, arguments.clients as usize);
    allow_connections(clients)?;
    let progress = arguments.output.progress()?;
    let logins = target.users.logins(target.users.bases()?, 0..clients)?;
    let mut watch = Watch::new(target)?;
    let mut engine = target.engine()?;
    let settle_ns = nanoseconds(arguments.settle);
    let mut load = PresenceLoad::new(&logins, arguments.watched as usize);
    progress.begin("logging in", clients as u64);
    let interval = target.connect_interval();
    engine.log_in(logins, interval, &mut load, |count| progress.set(count as u64))?;
    engine.run(&mut load, |load, now_ns| load.is_quiet(now_ns, settle_ns))?;
    let first_told = std::mem::take(&mut load.told);

    watch.begin(&engine)?;
    let begun_ns = engine.now_ns();
    load.leave();
    engine.run(&mut load, |load, now_ns| load.is_quiet(now_ns, settle_ns))?;
    let costs = watch.end(&engine, load.told)?;
    let back_ns = load.all_in_ns.saturating_sub(begun_ns);
    engine.reset_all();
    progress.clear();
    arguments.output.print(&PresenceReport {
        bench: "presence",
        addr: target.addr.to_string(),
        clients,
        watched: arguments.watched,
        told_at_first: first_told,
        told: load.told,
        seconds_until_all_are_back: (back_ns as f64 / 1e7).round() / 100.0,
        costs,
    })
}

/// What `bench presence` found out.
#[derive(Clone, Debug, Serialize)]
struct PresenceReport {
    bench: &'static str,
    addr: String,
    clients: usize,
    watched: u32,
    /// Words about presence, until all were there for the first time.
    told_at_first: u64,
    /// The same, from when all went until all were back.
    told: u64,
    seconds_until_all_are_back: f64,
    #[serde(flatten)]
    costs: Costs,
}

impl fmt::Display for PresenceReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (told, first) = (count(self.told), count(self.told_at_first));
        writeln!(
            f,
            "presence at {}: {} clients, {} watched",
            self.addr, self.clients, self.watched
        )?;
        writeln!(f, "  told       {first} words at first, {told} until all were back")?;
        writeln!(f, "  back       in {} s", self.seconds_until_all_are_back)?;
        f.write_str(self.costs.lines("word")?.trim_end())
    }
}

/// Users who watch each other.
struct PresenceLoad {
    users: Vec<UserId>,
    watched: usize,
    /// Words that came.
    told: u64,
    /// Who is away, and how he comes back.
    away: Vec<(usize, Login)>,
    is_leaving: bool,
    under_way: usize,
    heard_ns: u64,
    all_in_ns: u64,
}

impl PresenceLoad {
    fn new(logins: &[Login], watched: usize) -> Self {
        Self {
            users: logins.iter().map(|login| login.user).collect(),
            watched: watched.min(logins.len() - 1),
            told: 0,
            away: Vec::new(),
            is_leaving: false,
            under_way: logins.len(),
            heard_ns: 0,
            all_in_ns: 0,
        }
    }

    /// All connections end with the next turn.
    fn leave(&mut self) {
        self.is_leaving = true;
    }

    fn is_quiet(&self, now_ns: u64, settle_ns: u64) -> bool {
        let is_complete = !self.is_leaving && self.away.is_empty() && self.under_way == 0;
        is_complete && now_ns >= self.heard_ns + settle_ns
    }

    /// Whom a user watches: those whose numbers follow.
    fn watched_by(&self, at: usize) -> Vec<UserId> {
        let following = self.users.iter().cycle().skip(at + 1);
        following.take(self.watched).copied().collect()
    }
}

impl Job for PresenceLoad {
    fn handle_open(&mut self, at: usize, now_ns: u64, _welcome: &Welcome, sockets: &mut Sockets) {
        self.heard_ns = now_ns;
        self.under_way = self.under_way.saturating_sub(1);
        if self.under_way == 0 && self.away.is_empty() {
            self.all_in_ns = now_ns;
        }
        sockets.watch(at, &self.watched_by(at));
    }

    fn handle_frame(
        &mut self,
        _at: usize,
        now_ns: u64,
        frame: Frame<'_>,
        _sockets: &mut Sockets,
    ) -> Result<(), Failure> {
        self.heard_ns = now_ns;
        match frame.header.kind() {
            Some(Kind::Presence) => self.told += 1,
            Some(Kind::Declined) => return Err(Failure::new("the server declined a list")),
            Some(Kind::GoAway) => return Err(Failure::new("the server is going away")),
            _ => {}
        }
        Ok(())
    }

    fn handle_read_end(&mut self, _at: usize, _sockets: &mut Sockets) {}

    fn pump(&mut self, now_ns: u64, sockets: &mut Sockets) {
        if std::mem::take(&mut self.is_leaving) {
            self.heard_ns = now_ns;
            for at in (0..self.users.len()).rev() {
                if let Some(login) = sockets.login(at).cloned() {
                    sockets.close(at);
                    self.away.push((at, again(login)));
                }
            }
            return;
        }
        while self.under_way < INFLIGHT && !self.away.is_empty() {
            let Some((at, login)) = self.away.pop() else { break };
            sockets.open(at, login);
            self.under_way += 1;
        }
    }
}
