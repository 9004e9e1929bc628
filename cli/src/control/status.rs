//! How a box is, as the thread "watch" saw it last.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use answerback_gateway::{COMMIT_SECONDS, Stats, StorageStats};
use serde::{Deserialize, Serialize};

use super::warnings::{Warning, warnings};
use crate::admin::Phase;
use crate::clock;
use crate::watch::{Sample, WatchView};

/// Rates are those of this time.
const RATE_PERIOD: Duration = Duration::from_secs(10);
/// And the latency of commits that of this, since there may be few of them.
const LATENCY_PERIOD: Duration = Duration::from_secs(60);

/// How a box is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Status {
    pub(crate) version: String,
    pub(crate) process: u32,
    pub(crate) listen: SocketAddr,
    /// Where metrics and probes are answered, if anywhere.
    pub(crate) admin_listen: Option<SocketAddr>,
    pub(crate) partitions: u16,
    pub(crate) cores: u16,
    /// Raised by a restore: places of an earlier one are void.
    pub(crate) generation: u64,
    /// How long reading its data took.
    pub(crate) restored_ms: u64,
    /// Since when it runs.
    pub(crate) uptime_s: u64,
    /// Whether it takes messages.
    pub(crate) phase: String,
    /// What there is to see of it; missing for a moment after the start.
    #[serde(default)]
    pub(crate) seen: Seen,
    /// What somebody should do something about.
    #[serde(default)]
    pub(crate) warnings: Vec<Warning>,
}

/// What the last look found.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Seen {
    /// How old it is.
    pub(crate) age_ms: u64,
    pub(crate) traffic: Option<Traffic>,
    pub(crate) rates: Option<Rates>,
    pub(crate) outbox: Option<OutboxStatus>,
    pub(crate) disk: Option<DiskStatus>,
    pub(crate) process: ProcessStatus,
    /// Partitions where nothing expires until somebody confirms the clock.
    pub(crate) doubting_partitions: u64,
    /// What it proves itself and checks others by.
    #[serde(default)]
    pub(crate) credentials: Option<CredentialStatus>,
}

/// Counts since the start, and what waits.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Traffic {
    pub(crate) connections: u64,
    #[serde(default)]
    pub(crate) connections_max: u64,
    pub(crate) sessions: u64,
    pub(crate) logins_total: u64,
    pub(crate) accepted_total: u64,
    pub(crate) delivered_total: u64,
    pub(crate) failed_total: u64,
    pub(crate) refused_total: BTreeMap<String, u64>,
    pub(crate) closed_total: BTreeMap<String, u64>,
    pub(crate) undecided: u64,
    pub(crate) waiting_reads: u64,
    pub(crate) waiting_checkpoints: u64,
    pub(crate) unacknowledged_ms: u64,
    pub(crate) quarantined: Vec<u16>,
    pub(crate) is_disk_low: bool,
    #[serde(default)]
    pub(crate) is_memory_low: bool,
}

/// Of the last seconds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Rates {
    /// How many seconds.
    pub(crate) over_s: f64,
    pub(crate) accepted_per_s: f64,
    pub(crate) delivered_per_s: f64,
    pub(crate) pushed_per_s: f64,
    pub(crate) refused_per_s: f64,
    /// Of them, those that were told to try later since the box has too much to do.
    pub(crate) busy_per_s: f64,
    /// Connections that were closed unheard.
    #[serde(default)]
    pub(crate) shed_per_s: f64,
    pub(crate) logins_per_s: f64,
    pub(crate) received_bytes_per_s: f64,
    pub(crate) sent_bytes_per_s: f64,
    pub(crate) commits_per_s: f64,
    pub(crate) records_per_commit: f64,
    /// Of the last minute's commits, half took no longer; none where there was none.
    pub(crate) commit_p50_ms: Option<f64>,
    /// Of 100 commits, 99 took no longer; none too where it lies beyond what is measured.
    pub(crate) commit_p99_ms: Option<f64>,
    pub(crate) cpu_percent: f64,
}

/// What waits in all inboxes, as of the last walk through them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct OutboxStatus {
    pub(crate) users: u64,
    pub(crate) waiting_users: u64,
    pub(crate) entries: u64,
    pub(crate) undelivered: u64,
    pub(crate) undelivered_bytes: u64,
    pub(crate) oldest_age_ms: Option<u64>,
    pub(crate) round_ms: u64,
}

/// The disk and what lies on it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct DiskStatus {
    pub(crate) free_bytes: u64,
    pub(crate) size_bytes: u64,
    pub(crate) reserve_bytes: u64,
    pub(crate) table_bytes: u64,
    pub(crate) wal_bytes: u64,
    pub(crate) is_write_stopped: bool,
    pub(crate) background_errors: u64,
}

/// Keys of tokens, and certificates.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct CredentialStatus {
    pub(crate) keys: u64,
    /// How long ago they were seen to be the newest.
    pub(crate) keys_age_s: u64,
    /// How long the first certificate to expire is valid; negative once it is not.
    pub(crate) certificate_left_s: Option<i64>,
    /// How many of them could not be renewed.
    pub(crate) stale: u64,
}

/// What the process costs.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct ProcessStatus {
    pub(crate) resident_bytes: u64,
    /// What the box may take.
    #[serde(default)]
    pub(crate) memory_max_bytes: Option<u64>,
    pub(crate) open_descriptors: u64,
    pub(crate) descriptors_max: Option<u64>,
}

impl Status {
    /// The same box now.
    pub(super) fn now(&self, uptime_s: u64, phase: &Phase, watch: &WatchView) -> Self {
        let (phase, seen) = (phase.to_string(), Seen::now(watch));
        let mut now = Self { uptime_s, phase, seen, ..self.clone() };
        now.warnings = warnings(&now);
        now
    }
}

impl Seen {
    fn now(watch: &WatchView) -> Self {
        let sample = watch.latest();
        let (recently, earlier) = (watch.before(RATE_PERIOD), watch.before(LATENCY_PERIOD));
        Self {
            age_ms: watch.age_of(&sample).as_millis() as u64,
            traffic: sample.traffic.as_ref().map(Traffic::from),
            rates: Rates::between(&recently, &earlier, &sample),
            outbox: outbox(&sample),
            disk: disk(&sample),
            process: ProcessStatus {
                resident_bytes: sample.process.resident_bytes,
                memory_max_bytes: sample.memory.map(|memory| memory.max_bytes),
                open_descriptors: sample.process.open_descriptors,
                descriptors_max: sample.process.descriptors_max,
            },
            doubting_partitions: sample.doubting_partitions,
            credentials: credentials(&sample),
        }
    }
}

impl From<&Stats> for Traffic {
    fn from(stats: &Stats) -> Self {
        let owned = |counts: &BTreeMap<&'static str, u64>| {
            counts.iter().map(|(code, count)| ((*code).to_owned(), *count)).collect()
        };
        Self {
            connections: stats.connections,
            connections_max: stats.connections_max,
            sessions: stats.sessions,
            logins_total: stats.logins_total,
            accepted_total: stats.messages.accepted,
            delivered_total: stats.messages.delivered,
            failed_total: stats.messages.failed,
            refused_total: owned(&stats.refused_total),
            closed_total: owned(&stats.closed_total),
            undecided: stats.undecided,
            waiting_reads: stats.loads,
            waiting_checkpoints: stats.storage.checkpoints_waiting,
            unacknowledged_ms: stats.unacknowledged_ms,
            quarantined: stats.quarantined.iter().map(|partition| partition.0).collect(),
            is_disk_low: stats.is_disk_low,
            is_memory_low: stats.is_memory_low,
        }
    }
}

impl Rates {
    /// Rates since `recently`, and the latency of commits since `earlier`.
    fn between(recently: &Sample, earlier: &Sample, last: &Sample) -> Option<Self> {
        let (from, to) = (recently.traffic.as_ref()?, last.traffic.as_ref()?);
        let over_s = last.taken_at.checked_sub(recently.taken_at)?.as_secs_f64();
        if over_s <= 0.0 {
            return None;
        }
        let rate = |of: &dyn Fn(&Stats) -> u64| of(to).saturating_sub(of(from)) as f64 / over_s;
        let commits_per_s = rate(&|stats| commits(&stats.storage));
        let records_per_s = rate(&|stats| stats.storage.records);
        let since = earlier.traffic.as_ref().map(|stats| stats.storage.commits_by_duration);
        let latencies =
            Latencies::between(since.unwrap_or_default(), to.storage.commits_by_duration);
        Some(Self {
            over_s,
            accepted_per_s: rate(&|stats| stats.messages.accepted),
            delivered_per_s: rate(&|stats| stats.messages.delivered),
            pushed_per_s: rate(&|stats| stats.pushed_total),
            refused_per_s: rate(&|stats| stats.refused_total.values().sum()),
            busy_per_s: rate(&|stats| stats.refused_total.get("Busy").copied().unwrap_or(0)),
            shed_per_s: rate(&|stats| stats.shed_total.values().sum()),
            logins_per_s: rate(&|stats| stats.logins_total),
            received_bytes_per_s: rate(&|stats| stats.received_bytes_total),
            sent_bytes_per_s: rate(&|stats| stats.sent_bytes_total),
            commits_per_s,
            records_per_commit: if commits_per_s > 0.0 {
                records_per_s / commits_per_s
            } else {
                0.0
            },
            commit_p50_ms: latencies.at(0.5),
            commit_p99_ms: latencies.at(0.99),
            cpu_percent: (last.process.cpu_seconds - recently.process.cpu_seconds) * 100.0 / over_s,
        })
    }
}

fn commits(storage: &StorageStats) -> u64 {
    storage.commits_by_duration.iter().sum()
}

/// Commits by duration, within [`COMMIT_SECONDS`] and beyond them.
struct Latencies([u64; COMMIT_SECONDS.len() + 1]);

impl Latencies {
    fn between(
        from: [u64; COMMIT_SECONDS.len() + 1],
        mut to: [u64; COMMIT_SECONDS.len() + 1],
    ) -> Self {
        for (count, before) in to.iter_mut().zip(from) {
            *count = count.saturating_sub(before);
        }
        Self(to)
    }

    /// The bound that such a share of the commits kept, ms.
    fn at(&self, share: f64) -> Option<f64> {
        let wanted = (self.0.iter().sum::<u64>() as f64 * share).ceil() as u64;
        let mut seen = 0;
        let within = COMMIT_SECONDS.iter().zip(self.0).find(|(_, count)| {
            seen += count;
            seen >= wanted
        });
        within.filter(|_| wanted > 0).map(|(bound, _)| bound * 1e3)
    }
}

fn outbox(sample: &Sample) -> Option<OutboxStatus> {
    let round = sample.outbox?;
    let outbox = round.outbox;
    let age_ms = || clock::unix_ms().saturating_sub(outbox.oldest_put_at_ms);
    Some(OutboxStatus {
        users: outbox.users,
        waiting_users: outbox.waiting_users,
        entries: outbox.entries,
        undelivered: outbox.undelivered,
        undelivered_bytes: outbox.undelivered_bytes,
        oldest_age_ms: (outbox.oldest_put_at_ms > 0).then(age_ms),
        round_ms: round.lasted.as_millis() as u64,
    })
}

fn credentials(sample: &Sample) -> Option<CredentialStatus> {
    let figures = sample.credentials?;
    Some(CredentialStatus {
        keys: figures.keys,
        keys_age_s: figures.keys_age_s(sample.taken_at),
        certificate_left_s: figures.certificate_left_s(),
        stale: figures.stale,
    })
}

fn disk(sample: &Sample) -> Option<DiskStatus> {
    let (disk, figures) = (sample.disk?, sample.store.unwrap_or_default());
    Some(DiskStatus {
        free_bytes: disk.space.free_bytes,
        size_bytes: disk.space.total_bytes,
        reserve_bytes: disk.marks.low_bytes,
        table_bytes: figures.table_bytes,
        wal_bytes: figures.wal_bytes,
        is_write_stopped: figures.is_write_stopped,
        background_errors: figures.background_errors,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(second: u64, accepted: u64, commits: &[(usize, u64)]) -> Sample {
        let mut stats = Stats::default();
        stats.messages.accepted = accepted;
        stats.storage.records = accepted;
        for (bucket, count) in commits {
            stats.storage.commits_by_duration[*bucket] = *count;
        }
        let taken_at = Duration::from_secs(second);
        Sample { taken_at, traffic: Some(stats), ..Sample::default() }
    }

    #[test]
    fn rates_are_of_the_last_seconds_and_latencies_of_the_last_minute() {
        let earlier = sample(0, 0, &[(0, 50)]);
        let recently = sample(50, 500, &[(0, 100), (2, 48)]);
        let last = sample(60, 700, &[(0, 100), (2, 98), (6, 2)]);
        let rates = Rates::between(&recently, &earlier, &last).unwrap();
        assert_eq!((rates.over_s, rates.accepted_per_s, rates.commits_per_s), (10.0, 20.0, 5.2));
        assert!((rates.records_per_commit - 20.0 / 5.2).abs() < 1e-9);
        assert_eq!((rates.commit_p50_ms, rates.commit_p99_ms), (Some(0.5), Some(10.0)));
    }

    #[test]
    fn what_was_not_measured_is_not_told() {
        let one = sample(5, 10, &[]);
        assert!(Rates::between(&one, &one, &one).is_none(), "one look has no rate");
        let later = sample(6, 10, &[]);
        let rates = Rates::between(&one, &one, &later).unwrap();
        assert_eq!((rates.commit_p50_ms, rates.records_per_commit), (None, 0.0));
        let beyond = sample(7, 10, &[(COMMIT_SECONDS.len(), 3)]);
        let rates = Rates::between(&one, &one, &beyond).unwrap();
        assert_eq!(rates.commit_p99_ms, None);
        assert!(Rates::between(&Sample::default(), &one, &one).is_none());
    }
}
