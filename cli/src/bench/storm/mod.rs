//! `answerback bench storm`: everybody logs in, and leaves at once or when all are in.

mod load;
mod pace;
mod report;
mod roster;

use std::time::Duration;

use clap::Args;

use super::arguments::{
    OutputArguments, TargetArguments, parse_duration, parse_rate, parse_some_duration,
};
use super::chat::nanoseconds;
use super::chat::report::{ChatLatencies, Judgement};
use super::costs::Costs;
use super::engine::Engine;
use super::latency::histogram;
use super::load::{ChatLoad, Pace};
use super::progress::Progress;
use super::watch::Watch;
use crate::exit::Failure;
use crate::process::allow_connections;
use load::{Counts, Plan, StormLoad};
use pace::LoginPace;
use report::{ChatBeside, StormReport};
use roster::Roster;
pub(super) use roster::again;

const SECOND_NS: u64 = 1_000_000_000;
/// Logins under way at once, unless something else is asked for.
const INFLIGHT: u32 = 64;
/// New users whose tokens are signed beforehand, for each second: signing costs the generator
/// as much as all else, and would be what is measured.
const SIGNED_PER_S: u64 = 20_000;
/// The same, of a storm: half a gigabyte of tokens.
const SIGNED_MAX: u64 = 1_000_000;
/// Bytes of a message of those who chat meanwhile.
const CHAT_BYTES: usize = 128;

const EXAMPLE: &str = "\
Every login is a whole one: a new connection, Hello with a token, Welcome. Users return, each
device with a greater connection counter; before anything is measured all of them have been
there once. With --new-users every login is that of a user nobody has seen; before anything is
measured tokens for 20 000 of them are signed for each second of --duration.

Again and again, each leaving as soon as it is in, or all at one blow, staying until the last
is in, and then leaving together:

  answerback bench storm --clients 15000 --keys run/keys --server-pid $(pidof answerback)
  answerback bench storm --clients 15000 --rounds 3 --keys run/keys
  answerback bench storm --new-users --duration 30s --keys run/keys

What others notice who chat meanwhile, before the storm and in it:

  answerback bench storm --chat-rate 2000 --keys run/keys --server-pid $(pidof answerback)

More than the server can take, by the clock, whatever becomes of those before:

  answerback bench storm --login-rate 3000 --clients 15000 --chat-rate 2000 --ca run/keys/tls.crt \
    --keys run/keys --server-pid $(pidof answerback)

Latency counts from a login's first try to its Welcome, refusals in between included.

Exit codes: 0 all got in, 1 failed, or nobody got in for as long as patience lasts, or the chat
lost, doubled or reordered something, 2 wrong usage.";

/// The load.
#[derive(Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Arguments {
    #[command(flatten)]
    target: TargetArguments,
    /// Users who return.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    clients: u32,
    /// Never the same user twice.
    #[arg(long, conflicts_with = "rounds")]
    new_users: bool,
    /// Logins under way at once: 64, or all where all come at one blow or by the clock.
    #[arg(long, visible_alias = "window", value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    inflight: Option<u32>,
    /// Time of measuring: seconds, or with a unit.
    #[arg(long, visible_alias = "seconds", value_name = "TIME", default_value = "10", value_parser = parse_some_duration, conflicts_with = "rounds")]
    duration: Duration,
    /// All at one blow, so many times.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: Option<u32>,
    /// Logins that are offered in a second, whatever becomes of earlier ones; who is refused does
    /// not try again.
    #[arg(long, value_name = "N", value_parser = parse_rate, conflicts_with = "rounds")]
    login_rate: Option<f64>,
    /// Messages a second of others who chat meanwhile.
    #[arg(long, value_name = "N", value_parser = parse_rate)]
    chat_rate: Option<f64>,
    /// Pairs of those others.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    chat_pairs: u32,
    /// Give up when nobody got in for so long.
    #[arg(long, value_name = "TIME", default_value = "30", value_parser = parse_duration)]
    patience: Duration,
    #[command(flatten)]
    output: OutputArguments,
}

impl Arguments {
    fn plan(&self) -> Plan {
        let stays = self.rounds.is_some();
        let are_many = stays || self.login_rate.is_some();
        let inflight = self.inflight.unwrap_or(if are_many { self.clients } else { INFLIGHT });
        let places = if stays { self.clients } else { inflight };
        Plan { places: places as usize, inflight: inflight as usize, stays }
    }

    /// Users for whom tokens are signed before anybody comes.
    fn signed(&self) -> usize {
        match self.new_users {
            true => (self.duration.as_secs() * SIGNED_PER_S).min(SIGNED_MAX) as usize,
            false => self.clients as usize,
        }
    }

    fn chat_pairs(&self) -> usize {
        self.chat_rate.map_or(0, |_| self.chat_pairs as usize)
    }
}

/// Measures once.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let progress = arguments.output.progress()?;
    let mut storm = Storm::new(arguments, &progress)?;
    storm.prepare()?;
    let before = storm.chat_before()?;
    storm.watch.begin(&storm.engine)?;
    storm.load.take_counts();
    let rounds = storm.measure()?;
    let counts = storm.load.take_counts();
    let costs = storm.watch.end(&storm.engine, counts.logins)?;
    let beside = storm.finish(before)?;
    progress.clear();
    let report = StormReport::new(arguments, counts, costs, rounds, beside);
    arguments.output.print(&report)?;
    report.verdict()
}

struct Storm<'a> {
    arguments: &'a Arguments,
    progress: &'a Progress,
    engine: Engine,
    load: StormLoad,
    watch: Watch,
}

/// The chat as it was before the storm.
struct Before {
    latencies: ChatLatencies,
    costs: Costs,
}

impl<'a> Storm<'a> {
    /// Those who chat are in.
    fn new(arguments: &'a Arguments, progress: &'a Progress) -> Result<Self, Failure> {
        let (target, plan) = (&arguments.target, arguments.plan());
        let chat_users = 2 * arguments.chat_pairs();
        allow_connections(plan.places + chat_users)?;
        let bases = target.users.bases()?;
        progress.begin("signing", 1);
        let issuer = target.users.issuer(bases)?;
        let roster = Roster::new(issuer, chat_users, arguments.signed(), arguments.new_users)?;
        let chat = ChatLoad::new(arguments.chat_pairs(), CHAT_BYTES, true)?;
        let mut load = StormLoad::new(plan, roster, chat, Counts::new(histogram()?));
        let watch = Watch::new(target)?;
        let mut engine = target.engine()?;
        let logins = target.users.logins(bases, 0..chat_users)?;
        engine.log_in(logins, target.connect_interval(), &mut load, |_| ())?;
        Ok(Self { arguments, progress, engine, load, watch })
    }

    /// Those who return have all been there.
    fn prepare(&mut self) -> Result<(), Failure> {
        if self.arguments.new_users {
            return Ok(());
        }
        let clients = u64::from(self.arguments.clients);
        self.progress.begin("first logins", clients);
        self.load.set_running(true);
        self.run(|load, _| load.counts.logins >= clients)?;
        self.load.set_running(false);
        self.clear_out()
    }

    /// Nobody of the storm is there.
    fn clear_out(&mut self) -> Result<(), Failure> {
        self.load.dismiss();
        let mut turns = 0..2;
        self.run(|_, _| turns.next().is_none())
    }

    /// How the chat is while nobody else comes.
    fn chat_before(&mut self) -> Result<Option<Before>, Failure> {
        let Some(per_second) = self.arguments.chat_rate else { return Ok(None) };
        let from_ns = self.engine.now_ns();
        let warm_ns = from_ns + SECOND_NS;
        let end_ns = warm_ns + nanoseconds(self.arguments.duration);
        self.load.chat.set_pace(Pace::Rate { per_second, from_ns });
        self.load.chat.measure(warm_ns..u64::MAX);
        self.progress.begin("chat alone", self.arguments.duration.as_secs());
        self.run(|_, now_ns| now_ns >= warm_ns)?;
        self.watch.begin(&self.engine)?;
        let delivered = self.load.chat.counts.delivered;
        self.run(|_, now_ns| now_ns >= end_ns)?;
        let messages = self.load.chat.counts.delivered - delivered;
        let costs = self.watch.end(&self.engine, messages)?;
        let latencies = ChatLatencies::of(&self.load.chat);
        self.load.chat.latencies.clear();
        self.load.chat.measure(end_ns..u64::MAX);
        Ok(Some(Before { latencies, costs }))
    }

    /// The storm itself; how long each round took, s.
    fn measure(&mut self) -> Result<Vec<f64>, Failure> {
        let Some(rounds) = self.arguments.rounds else {
            let end_ns = self.engine.now_ns() + nanoseconds(self.arguments.duration);
            self.progress.begin("storm", self.arguments.duration.as_secs());
            if let Some(per_second) = self.arguments.login_rate {
                self.load.set_pace(LoginPace::new(per_second, self.engine.now_ns()));
            }
            self.load.set_running(true);
            self.run(|_, now_ns| now_ns >= end_ns)?;
            return Ok(Vec::new());
        };
        self.progress.begin("rounds", u64::from(rounds));
        let mut seconds = Vec::new();
        for round in 1..=rounds {
            let begun_ns = self.engine.now_ns();
            let clients = self.arguments.clients as usize;
            self.load.set_running(true);
            self.run(|load, _| load.inside == clients)?;
            seconds.push((self.engine.now_ns() - begun_ns) as f64 / SECOND_NS as f64);
            self.load.set_running(false);
            self.progress.set(u64::from(round));
            self.clear_out()?;
        }
        Ok(seconds)
    }

    fn finish(mut self, before: Option<Before>) -> Result<Option<ChatBeside>, Failure> {
        self.load.set_running(false);
        self.load.chat.set_pace(Pace::Stopped);
        let end_ns = self.engine.now_ns() + nanoseconds(self.arguments.patience);
        self.engine
            .run(&mut self.load, |load, now_ns| load.chat.is_settled() || now_ns > end_ns)?;
        self.engine.reset_all();
        Ok(before.map(|before| ChatBeside {
            pairs: self.load.chat.pairs.len(),
            before: before.latencies,
            cpu_share_before: before.costs.server.cpu_share,
            meanwhile: ChatLatencies::of(&self.load.chat),
            judgement: Judgement::of(&self.load.chat),
        }))
    }

    /// Turns until then, or until nobody gets in any more who should.
    fn run(&mut self, mut is_over: impl FnMut(&StormLoad, u64) -> bool) -> Result<(), Failure> {
        let patience_ns = nanoseconds(self.arguments.patience);
        let begun_ns = self.engine.now_ns();
        let (mut changed_ns, mut logins, mut told_ns) = (begun_ns, 0, begun_ns);
        let (progress, mut is_stuck) = (self.progress, false);
        self.engine.run(&mut self.load, |load, now_ns| {
            if load.counts.logins != logins || !load.is_running() {
                (logins, changed_ns) = (load.counts.logins, now_ns);
            }
            if now_ns - told_ns >= SECOND_NS {
                told_ns = now_ns;
                progress.note(format!("{logins} logins"));
            }
            is_stuck = now_ns - changed_ns > patience_ns;
            is_over(load, now_ns) || is_stuck || load.outcome.is_err()
        })?;
        std::mem::replace(&mut self.load.outcome, Ok(()))?;
        match is_stuck {
            true => Err(self.stuck()),
            false => Ok(()),
        }
    }

    fn stuck(&self) -> Failure {
        let reasons: Vec<_> = self.load.counts.refusals.keys().map(String::as_str).collect();
        let reason = if reasons.is_empty() { "no answer" } else { &reasons.join("; ") };
        Failure::new(format_args!("nobody gets in any more: {reason}"))
    }
}
