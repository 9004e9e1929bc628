//! The screen: within 80 columns and 24 lines, whatever the numbers are.

use std::fmt::Write;

use crate::command::figures::{bytes, bytes_rate, count, duration, milliseconds, rate};
use crate::control::{DiskStatus, OutboxStatus, ProcessStatus, Rates, Seen, Status, Traffic};

/// As many warnings have room.
const WARNINGS_MAX: usize = 2;

/// The whole screen.
pub(super) fn screen(status: &Status) -> String {
    let mut out = String::new();
    let _ = draw(&mut out, status);
    out
}

fn draw(out: &mut String, status: &Status) -> std::fmt::Result {
    head(out, status)?;
    let seen = &status.seen;
    writeln!(out)?;
    match (&seen.traffic, &seen.rates) {
        (Some(traffic), Some(rates)) => {
            traffic_lines(out, traffic, rates)?;
            commit_lines(out, rates)?;
            writeln!(out)?;
            outbox_lines(out, seen.outbox.as_ref())?;
            live_lines(out, traffic)?;
        }
        _ => line(out, "traffic", "not seen yet; ask again in a second")?,
    }
    if let Some(disk) = &seen.disk {
        disk_lines(out, disk)?;
    }
    process_line(out, &seen.process, seen.rates.as_ref())?;
    partitions_line(out, status.partitions, seen)?;
    writeln!(out)?;
    warning_lines(out, status)
}

fn line(out: &mut String, name: &str, what: &str) -> std::fmt::Result {
    writeln!(out, "  {name:<11} {what}")
}

fn head(out: &mut String, status: &Status) -> std::fmt::Result {
    let Status { version, process, listen, partitions, cores, generation, .. } = status;
    let phase = status.phase.split(':').next().unwrap_or_default();
    let up = duration(status.uptime_s * 1000);
    writeln!(out, "answerback {version} · {phase} · up {up} · process {process}")?;
    writeln!(
        out,
        "  {partitions} partitions on {cores} cores · generation {generation} · restored in {} ms",
        status.restored_ms
    )?;
    let admin = status.admin_listen.map_or("none".to_owned(), |address| address.to_string());
    writeln!(out, "  listens on {listen}")?;
    writeln!(out, "  metrics and probes on {admin}")
}

/// Three columns.
fn row(out: &mut String, cells: [(&str, String); 3]) -> std::fmt::Result {
    let cells = cells.map(|(name, value)| format!("{name:<11} {value:<13}"));
    writeln!(out, "  {}", cells.join(" ").trim_end())
}

fn traffic_lines(out: &mut String, traffic: &Traffic, rates: &Rates) -> std::fmt::Result {
    row(
        out,
        [
            ("sessions", count(traffic.sessions)),
            ("connections", count(traffic.connections)),
            ("logins", rate(rates.logins_per_s)),
        ],
    )?;
    row(
        out,
        [
            ("accepted", rate(rates.accepted_per_s)),
            ("delivered", rate(rates.delivered_per_s)),
            ("pushed", rate(rates.pushed_per_s)),
        ],
    )?;
    row(
        out,
        [
            ("received", bytes_rate(rates.received_bytes_per_s)),
            ("sent", bytes_rate(rates.sent_bytes_per_s)),
            ("refused", rate(rates.refused_per_s)),
        ],
    )
}

fn commit_lines(out: &mut String, rates: &Rates) -> std::fmt::Result {
    let latency =
        |ms: Option<f64>| ms.map_or("-".to_owned(), |ms| format!("≤ {}", milliseconds(ms)));
    row(
        out,
        [
            ("commits", rate(rates.commits_per_s)),
            ("p50", latency(rates.commit_p50_ms)),
            ("p99", latency(rates.commit_p99_ms)),
        ],
    )
}

fn outbox_lines(out: &mut String, outbox: Option<&OutboxStatus>) -> std::fmt::Result {
    let Some(outbox) = outbox else { return line(out, "outbox", "first walk under way") };
    let (entries, users) = (count(outbox.entries), count(outbox.waiting_users));
    line(
        out,
        "outbox",
        &format!("{entries} entries for {users} of {} users", count(outbox.users)),
    )?;
    let (undelivered, size) = (count(outbox.undelivered), bytes(outbox.undelivered_bytes));
    let oldest = outbox.oldest_age_ms.map_or("-".to_owned(), duration);
    line(out, "", &format!("{undelivered} undelivered, {size} · the oldest is {oldest} old"))
}

fn live_lines(out: &mut String, traffic: &Traffic) -> std::fmt::Result {
    let slowest = duration(traffic.unacknowledged_ms);
    line(out, "live", &format!("the slowest session has taken nothing for {slowest}"))?;
    let Traffic { undecided, waiting_reads, waiting_checkpoints, .. } = traffic;
    line(
        out,
        "queues",
        &format!(
            "undecided {} · reads {} · checkpoints {}",
            count(*undecided),
            count(*waiting_reads),
            count(*waiting_checkpoints)
        ),
    )
}

fn disk_lines(out: &mut String, disk: &DiskStatus) -> std::fmt::Result {
    line(
        out,
        "disk",
        &format!(
            "{} of {} free, reserve {} · tables {}, WAL {}",
            bytes(disk.free_bytes),
            bytes(disk.size_bytes),
            bytes(disk.reserve_bytes),
            bytes(disk.table_bytes),
            bytes(disk.wal_bytes)
        ),
    )
}

fn process_line(
    out: &mut String,
    process: &ProcessStatus,
    rates: Option<&Rates>,
) -> std::fmt::Result {
    let cpu = rates.map_or(0.0, |rates| rates.cpu_percent);
    let max = process.descriptors_max.map_or("any number".to_owned(), count);
    line(
        out,
        "process",
        &format!(
            "{} · cpu {cpu:.0} % · {} of {max} descriptors",
            bytes(process.resident_bytes),
            count(process.open_descriptors)
        ),
    )
}

fn partitions_line(out: &mut String, partitions: u16, seen: &Seen) -> std::fmt::Result {
    let broken = seen.traffic.as_ref().map_or(0, |traffic| traffic.quarantined.len());
    let what = match (seen.traffic.is_some(), broken) {
        (false, _) => return Ok(()),
        (true, 0) => format!("all {partitions} in service"),
        (true, broken) => format!("{broken} of {partitions} out of service"),
    };
    line(out, "partitions", &what)
}

fn warning_lines(out: &mut String, status: &Status) -> std::fmt::Result {
    let warnings = &status.warnings;
    if warnings.is_empty() {
        return line(out, "warnings", "none");
    }
    for warning in warnings.iter().take(WARNINGS_MAX) {
        writeln!(out, "  ! {}", warning.what)?;
        writeln!(out, "    {}", warning.advice)?;
    }
    match warnings.len().checked_sub(WARNINGS_MAX) {
        Some(more @ 1..) => writeln!(out, "  ! {more} more: see --json"),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Warning;

    fn full() -> Status {
        let traffic = Traffic {
            connections: 9_999_999,
            sessions: 9_999_999,
            undecided: 16_384 * 1024,
            waiting_reads: 1_000_000,
            waiting_checkpoints: 1024,
            unacknowledged_ms: 4 * 3_600_000,
            quarantined: (0..1024).collect(),
            ..Traffic::default()
        };
        let rates = Rates {
            accepted_per_s: 1_234_567.8,
            delivered_per_s: 1_234_567.8,
            pushed_per_s: 1_234_567.8,
            refused_per_s: 1_234_567.8,
            received_bytes_per_s: 9.9e11,
            sent_bytes_per_s: 9.9e11,
            commits_per_s: 123_456.7,
            records_per_commit: 12_345.6,
            commit_p50_ms: Some(2500.0),
            commit_p99_ms: Some(0.25),
            cpu_percent: 6400.0,
            ..Rates::default()
        };
        let outbox = OutboxStatus {
            users: 9_999_999_999,
            waiting_users: 9_999_999_999,
            entries: 999_999_999_999,
            undelivered: 999_999_999_999,
            undelivered_bytes: u64::MAX,
            oldest_age_ms: Some(30 * 86_400_000),
            round_ms: 1,
        };
        let disk = DiskStatus {
            free_bytes: u64::MAX,
            size_bytes: u64::MAX,
            reserve_bytes: u64::MAX,
            table_bytes: u64::MAX,
            wal_bytes: u64::MAX,
            ..DiskStatus::default()
        };
        let process = ProcessStatus {
            resident_bytes: u64::MAX,
            memory_max_bytes: Some(u64::MAX),
            open_descriptors: 1_073_741_816,
            descriptors_max: Some(1_073_741_816),
        };
        let seen = Seen {
            age_ms: 1,
            traffic: Some(traffic),
            rates: Some(rates),
            outbox: Some(outbox),
            disk: Some(disk),
            process,
            doubting_partitions: 1024,
            credentials: None,
        };
        let warning = Warning { what: "w".repeat(70), advice: "a".repeat(70) };
        Status {
            version: "10.20.30".into(),
            process: 4_194_304,
            listen: "[2001:db8:1111:2222:3333:4444:5555:6666]:65535".parse().unwrap(),
            admin_listen: Some("127.0.0.1:7480".parse().unwrap()),
            partitions: 1024,
            cores: 1024,
            generation: 1_000_000,
            restored_ms: 1_000_000,
            uptime_s: 1_000_000_000,
            phase: "draining: what was taken is committed".into(),
            seen,
            warnings: vec![warning; 9],
        }
    }

    #[test]
    fn the_fullest_screen_has_room_on_a_terminal() {
        let screen = screen(&full());
        for line in screen.lines() {
            assert!(line.chars().count() <= 80, "{line:?} has {}", line.chars().count());
        }
        assert!(screen.lines().count() < 24, "{} lines:\n{screen}", screen.lines().count());
        assert!(screen.contains("7 more") && screen.contains("draining ·"), "{screen}");
    }

    #[test]
    fn a_box_that_was_not_looked_at_says_so() {
        let screen = screen(&Status { seen: Seen::default(), warnings: Vec::new(), ..full() });
        assert!(screen.contains("not seen yet") && screen.contains("none"), "{screen}");
        assert!(!screen.contains("in service"), "{screen}");
    }

    #[test]
    fn what_is_told_is_what_was_seen() {
        let mut status = full();
        status.warnings.clear();
        let seen = &mut status.seen;
        seen.traffic = Some(Traffic { sessions: 12_034, ..Traffic::default() });
        seen.outbox = Some(OutboxStatus {
            entries: 5,
            waiting_users: 2,
            users: 9,
            ..OutboxStatus::default()
        });
        let screen = screen(&status);
        for expected in [
            "sessions    12 034",
            "accepted    1 234 568/s",
            "outbox      5 entries for 2 of 9 users",
            "0 undelivered, 0 B · the oldest is - old",
            "p50         ≤ 2.5 s",
            "p99         ≤ 0.25 ms",
            "partitions  all 1024 in service",
            "warnings    none",
        ] {
            assert!(screen.contains(expected), "{expected} in\n{screen}");
        }
    }
}
