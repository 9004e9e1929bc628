//! Rounds of jobs: each round gives every job to every peer, so that what else the machine
//! does hits all of them.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};

use crate::clock::Clock;
use crate::job::{Effort, Figures, Job};
use crate::outcome::{Outcome, Results, Writer};
use crate::peer::Peer;
use crate::plot;
use crate::process::{bind_to_processor, raise_open_files};
use crate::protocol::answerback::Answerback;
use crate::protocol::mqtt::Mqtt;
use crate::protocol::nats::Nats;
use crate::protocol::redis::Redis;
use crate::protocol::xmpp::Xmpp;
use crate::server::{Programs, Server};
use crate::table::{show, tables};

const SERVER_PROCESSOR: usize = 0;
const GENERATOR_PROCESSOR: usize = 1;

/// What to measure, and how much of it.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Peers, else all of them
    #[arg(long, value_name = "PEER", value_delimiter = ',')]
    peers: Vec<Peer>,
    /// Jobs, else all of them
    #[arg(long, value_name = "JOB", value_delimiter = ',')]
    jobs: Vec<Job>,
    /// A short comparison: one round, short runs, few messages and connections
    #[arg(long)]
    quick: bool,
    /// Rounds [default: 3; quick: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rounds: Option<u32>,
    /// Seconds of a chat that are measured [default: 4; quick: 2]
    #[arg(long, value_name = "S")]
    seconds: Option<f64>,
    /// Seconds of a chat before that [default: 1; quick: 0.5]
    #[arg(long, value_name = "S")]
    warm_up: Option<f64>,
    /// Senders, and as many receivers
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=5000))]
    pairs: u32,
    /// Messages to store; the slow ones get a tenth [default: 200000; quick: 50000]
    #[arg(long, value_name = "N")]
    messages: Option<u64>,
    /// Idle connections [default: 15000; quick: 3000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=60000))]
    connections: Option<u32>,
    /// Where the answerback command was built and the peers were installed
    #[arg(long, value_name = "DIR", env = "CARGO_TARGET_DIR", default_value = "target")]
    target: PathBuf,
    /// The profile that the answerback command was built with
    #[arg(long, value_name = "NAME", default_value = "release")]
    profile: String,
    /// Let server and generator run on any processor
    #[arg(long)]
    unpinned: bool,
    /// Where results go, a JSON line for each run [default: peers/results.jsonl in the target]
    #[arg(long, value_name = "FILE")]
    results: Option<PathBuf>,
    /// Go on with that file instead of beginning it anew
    #[arg(long)]
    append: bool,
    /// Draw the picture too
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

/// A peer's job in a round.
#[derive(Clone, Copy, Debug)]
struct Turn {
    round: u32,
    job: Job,
    peer: Peer,
}

/// Measures all, prints tables of everything that the file of results has then.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    raise_open_files()?;
    if !arguments.unpinned {
        bind_to_processor(GENERATOR_PROCESSOR)?;
    }
    let path = arguments.results_path();
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory)?;
    }
    let mut writer = Writer::open(&path, arguments.append)?;
    let first_round = match arguments.append {
        true => Results::read(std::slice::from_ref(&path))?.next_round(),
        false => 0,
    };
    let failed = measure_all(arguments, first_round, &mut writer)?;
    let results = Results::read(std::slice::from_ref(&path))?;
    print!("{}", tables(&results));
    if let Some(svg) = &arguments.svg {
        plot::write(&results, svg)?;
    }
    ensure!(failed == 0, "{failed} runs failed");
    Ok(())
}

impl Arguments {
    fn results_path(&self) -> PathBuf {
        self.results.clone().unwrap_or_else(|| self.target.join("peers/results.jsonl"))
    }

    fn effort(&self) -> Effort {
        let usual = |full, quick| if self.quick { quick } else { full };
        Effort {
            pairs: self.pairs,
            warm_up_s: self.warm_up.unwrap_or(usual(1.0, 0.5)),
            measured_s: self.seconds.unwrap_or(usual(4.0, 2.0)),
            messages: self.messages.unwrap_or(if self.quick { 50_000 } else { 200_000 }),
            connections: self.connections.unwrap_or(if self.quick { 3_000 } else { 15_000 }),
        }
    }

    fn programs(&self) -> Result<Programs> {
        Ok(Programs {
            target: self.target.canonicalize().context("nothing is built yet")?,
            profile: self.profile.clone(),
            processor: (!self.unpinned).then_some(SERVER_PROCESSOR),
        })
    }

    fn turns(&self, first_round: u32) -> Vec<Turn> {
        let rounds = self.rounds.unwrap_or(if self.quick { 1 } else { 3 });
        let jobs = if self.jobs.is_empty() { Job::value_variants() } else { &self.jobs };
        let peers = if self.peers.is_empty() { Peer::all() } else { &self.peers };
        let mut turns = Vec::new();
        for round in first_round..first_round + rounds {
            for job in jobs {
                let suited = peers.iter().filter(|peer| job.suits(**peer));
                turns.extend(suited.map(|peer| Turn { round, job: *job, peer: *peer }));
            }
        }
        turns
    }
}

/// How many runs failed. One that does is told, and the others go on.
fn measure_all(arguments: &Arguments, first_round: u32, writer: &mut Writer) -> Result<usize> {
    let (programs, effort) = (arguments.programs()?, arguments.effort());
    let turns = arguments.turns(first_round);
    ensure!(!turns.is_empty(), "none of these peers is given any of these jobs");
    let clock = Clock::new();
    let mut failed = 0;
    for (index, turn) in turns.iter().enumerate() {
        let Turn { round, job, peer } = *turn;
        let left_s = clock.seconds() / index.max(1) as f64 * (turns.len() - index) as f64;
        let left = if index == 0 { String::new() } else { format!(", {left_s:.0} s left") };
        eprint!("{} of {}{left}: {}, {} … ", index + 1, turns.len(), job.name(), peer.title());
        match measure(*turn, &programs, &effort) {
            Ok(figures) => {
                eprintln!("{}", summary(&figures));
                let (job, peer) = (job.name(), peer.name());
                writer.write(&Outcome { round, job, peer, figures })?;
            }
            Err(error) => {
                failed += 1;
                eprintln!("failed: {error:#}");
            }
        }
    }
    Ok(failed)
}

fn measure(turn: Turn, programs: &Programs, effort: &Effort) -> Result<Figures> {
    let Turn { job, peer, .. } = turn;
    let server = Server::start(peer, programs)?;
    let nats = |keeps_acks_in_memory| Nats { keeps_acks_in_memory };
    let figures = match peer {
        Peer::Relay | Peer::RelayReceipts => {
            job.measure(Answerback::new(None), &server, peer, effort)
        }
        Peer::Answerback => {
            job.measure(Answerback::new(Some(server.keys())), &server, peer, effort)
        }
        Peer::Mosquitto => job.measure(Mqtt, &server, peer, effort),
        Peer::RedisEverysec | Peer::RedisAlways => job.measure(Redis, &server, peer, effort),
        Peer::Nats | Peer::NatsAlways => job.measure(nats(true), &server, peer, effort),
        Peer::NatsDefault => job.measure(nats(false), &server, peer, effort),
        Peer::Ejabberd => job.measure(Xmpp, &server, peer, effort),
    };
    figures.with_context(|| format!("{} said last:\n{}\nand the run", peer.title(), server.log()))
}

/// The figures that tell most, for whoever looks on.
fn summary(figures: &Figures) -> String {
    let told = [
        ("server_us", "µs"),
        ("messages_per_s", "messages/s"),
        ("stored_per_s", "stored/s"),
        ("drained_per_s", "drained/s"),
        ("bytes_per_connection", "B a connection"),
        ("logins_per_core_s", "logins/s of core"),
    ];
    let known = told.iter().filter_map(|(name, unit)| {
        figures.get(*name).map(|value| format!("{} {unit}", show(*value)))
    });
    known.collect::<Vec<_>>().join(", ")
}
