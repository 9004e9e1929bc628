//! What a storm found out, as one JSON line or as a few lines to read.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use serde::Serialize;

use super::Arguments;
use super::load::Counts;
use crate::bench::chat::report::{ChatLatencies, Judgement};
use crate::bench::costs::{Costs, GeneratorCosts};
use crate::bench::figures::{count, hundredths};
use crate::bench::latency::{Latency, table};
use crate::exit::Failure;

/// What `bench storm` found out.
#[derive(Clone, Debug, Serialize)]
pub(super) struct StormReport {
    bench: &'static str,
    addr: String,
    clients: Option<u32>,
    inflight: usize,
    /// How long each round took from the first connection to the last `Welcome`.
    rounds_s: Vec<f64>,
    seconds: f64,
    logins: u64,
    /// Where all come at one blow: of the rounds alone, not of the leaving between them.
    logins_per_second: f64,
    login: Option<Latency>,
    /// Where they come by the clock.
    offered: Option<Offered>,
    /// Logins that were refused or broken off, by reason; tried again unless they come by the
    /// clock.
    refusals: BTreeMap<String, u64>,
    /// The chat beside it is left out.
    cpu_us_per_login: Option<f64>,
    logins_per_core_second: Option<f64>,
    server: Server,
    generator: GeneratorCosts,
    chat: Option<ChatBeside>,
    #[serde(skip)]
    costs: Costs,
}

/// What became of the logins that were offered.
#[derive(Clone, Copy, Debug, Serialize)]
struct Offered {
    logins: u64,
    per_second: f64,
    /// Refused, or closed unheard.
    shed: u64,
    /// Neither in nor shed when the time was over.
    under_way: u64,
    /// For them there was no user left, or no place.
    missed: u64,
}

impl Offered {
    fn of(counts: &Counts, seconds: f64) -> Self {
        let shed = counts.refusals.values().sum();
        let begun = counts.offered - counts.missed;
        Self {
            logins: counts.offered,
            per_second: (counts.offered as f64 / seconds.max(1e-9)).round(),
            shed,
            under_way: begun.saturating_sub(counts.logins + shed),
            missed: counts.missed,
        }
    }
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Server {
    cpu_share: Option<f64>,
    rss_bytes_before: Option<u64>,
    rss_bytes_after: Option<u64>,
    rss_bytes_peak: Option<u64>,
    descriptors: Option<u64>,
}

/// Those who chatted meanwhile.
#[derive(Clone, Debug, Serialize)]
pub(super) struct ChatBeside {
    pub(super) pairs: usize,
    pub(super) before: ChatLatencies,
    pub(super) cpu_share_before: Option<f64>,
    pub(super) meanwhile: ChatLatencies,
    #[serde(flatten)]
    pub(super) judgement: Judgement,
}

impl StormReport {
    pub(super) fn new(
        arguments: &Arguments,
        counts: Counts,
        mut costs: Costs,
        rounds_s: Vec<f64>,
        chat: Option<ChatBeside>,
    ) -> Self {
        let storm_s = match rounds_s.is_empty() {
            true => costs.seconds,
            false => rounds_s.iter().sum(),
        };
        let chat_share = chat.as_ref().and_then(|chat| chat.cpu_share_before).unwrap_or(0.0);
        let cpu_us = costs.server.cpu_share.map(|share| (share - chat_share) * costs.seconds * 1e6);
        let cpu_us_per_login = cpu_us
            .filter(|cpu_us| *cpu_us > 0.0 && counts.logins > 0)
            .map(|cpu_us| hundredths(cpu_us / counts.logins as f64));
        costs.server.cpu_us_each = cpu_us_per_login;
        let server = costs.server;
        Self {
            bench: "storm",
            addr: arguments.target.addr.to_string(),
            clients: (!arguments.new_users).then_some(arguments.clients),
            inflight: arguments.plan().inflight,
            rounds_s: rounds_s.into_iter().map(hundredths).collect(),
            seconds: costs.seconds,
            logins: counts.logins,
            logins_per_second: (counts.logins as f64 / storm_s.max(1e-9)).round(),
            login: Latency::of(&counts.latencies),
            offered: arguments.login_rate.map(|_| Offered::of(&counts, storm_s)),
            refusals: counts.refusals,
            cpu_us_per_login,
            logins_per_core_second: cpu_us_per_login.map(|cpu_us| (1e6 / cpu_us).round()),
            server: Server {
                cpu_share: server.cpu_share,
                rss_bytes_before: server.rss_bytes_before,
                rss_bytes_after: server.rss_bytes_after,
                rss_bytes_peak: server.rss_bytes_peak,
                descriptors: server.descriptors,
            },
            generator: costs.generator,
            chat,
            costs,
        }
    }

    /// Whether those who chatted lost nothing.
    pub(super) fn verdict(&self) -> Result<(), Failure> {
        self.chat.as_ref().map_or(Ok(()), |chat| chat.judgement.verdict())
    }
}

impl fmt::Display for StormReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        let who = match self.clients {
            Some(clients) => format!("{} users who return", count(clients.into())),
            None => "new users".to_owned(),
        };
        writeln!(text, "storm at {}: {who}, {} under way at once", self.addr, self.inflight)?;
        write!(text, "  {} logins/s", count(self.logins_per_second as u64))?;
        if let Some(per_core) = self.logins_per_core_second {
            write!(text, ", {} a second of core", count(per_core as u64))?;
        }
        writeln!(text, ", {} in {} s", count(self.logins), self.seconds)?;
        if let Some(Offered { logins, per_second, shed, under_way, missed }) = self.offered {
            let [logins, per_second] = [logins, per_second as u64].map(count);
            let [shed, under_way, missed] = [shed, under_way, missed].map(count);
            writeln!(
                text,
                "  {logins} offered, {per_second} a second: {shed} of them shed, {under_way} under way, {missed} without a user"
            )?;
        }
        if !self.rounds_s.is_empty() {
            let rounds: Vec<_> = self.rounds_s.iter().map(|s| format!("{s} s")).collect();
            writeln!(text, "  all in after {}", rounds.join(", "))?;
        }
        text += &table(&[("login", self.login)])?;
        text += &self.costs.lines("login")?;
        for (reason, times) in &self.refusals {
            writeln!(text, "  {} times   {reason}", count(*times))?;
        }
        if let Some(chat) = &self.chat {
            writeln!(text, "chat of {} pairs, before the storm", chat.pairs)?;
            text += &chat.before.lines()?;
            writeln!(text, "and in it")?;
            text += &chat.meanwhile.lines()?;
            writeln!(text, "{}", chat.judgement)?;
        }
        f.write_str(text.trim_end())
    }
}
