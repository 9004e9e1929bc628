//! What somebody should do something about, and what. The alarms of docs/alerts.yml say the same
//! to those who do not look.

use serde::{Deserialize, Serialize};

use super::status::{CredentialStatus, DiskStatus, Seen, Status, Traffic};

/// A living session that takes nothing for so long is no accident of its network.
const UNACKNOWLEDGED_MS_MAX: u64 = 600_000;
/// A disk commits in less than a millisecond, and in 16 at times.
const COMMIT_P99_MS_MAX: f64 = 50.0;
/// Of descriptors, connections or memory, what is in use.
const SHARE_MAX: f64 = 0.8;
/// A look takes milliseconds and is taken once a second.
const AGE_MS_MAX: u64 = 10_000;
/// A certificate is renewed a month before its end as a rule.
const CERTIFICATE_LEFT_S_MIN: i64 = 14 * 86_400;
/// So many times the reserve is left when its end is in sight.
const RESERVES_LEFT: u64 = 2;

/// One thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Warning {
    /// What is so.
    pub(crate) what: String,
    /// What to do.
    pub(crate) advice: String,
}

impl Warning {
    fn new(what: impl Into<String>, advice: &str) -> Self {
        Self { what: what.into(), advice: advice.to_owned() }
    }
}

/// All warnings, the most urgent first.
pub(super) fn warnings(status: &Status) -> Vec<Warning> {
    let seen = &status.seen;
    let mut found = Vec::new();
    found.extend(seen.traffic.iter().filter_map(quarantine));
    found.extend(memory(seen));
    found.extend(seen.disk.iter().flat_map(|disk| disk_warnings(disk, seen)));
    found.extend(seen.credentials.iter().flat_map(credentials));
    found.extend(clock(seen));
    found.extend(latency(seen));
    found.extend(busy(seen));
    found.extend(seen.traffic.iter().filter_map(unacknowledged));
    found.extend(shed(seen));
    found.extend(seen.traffic.iter().filter_map(connections));
    found.extend(descriptors(seen));
    found.extend((seen.age_ms > AGE_MS_MAX).then(|| {
        Warning::new(
            format!("these figures are {} s old", seen.age_ms / 1000),
            "a core or the disk hangs: look at the kernel's log, and at the box's",
        )
    }));
    found
}

fn quarantine(traffic: &Traffic) -> Option<Warning> {
    let numbers: Vec<_> = traffic.quarantined.iter().map(ToString::to_string).collect();
    (!numbers.is_empty()).then(|| {
        Warning::new(
            format!("out of service: partition {}", numbers.join(", ")),
            "their users are refused: stop the box, then `answerback repair`",
        )
    })
}

fn disk_warnings(disk: &DiskStatus, seen: &Seen) -> Vec<Warning> {
    let is_low = seen.traffic.as_ref().is_some_and(|traffic| traffic.is_disk_low);
    let mut found = Vec::new();
    if is_low {
        found.push(Warning::new(
            "the disk is nearly full: new messages are refused",
            "free space on it, or lower --disk-reserve-mib; acknowledgements make room too",
        ));
    } else if disk.free_bytes < disk.reserve_bytes.saturating_mul(RESERVES_LEFT) {
        found.push(Warning::new(
            "the disk will soon be full",
            "free space on it before the reserve is reached: then new messages are refused",
        ));
    }
    if disk.is_write_stopped || disk.background_errors > 0 {
        found.push(Warning::new(
            "RocksDB holds writes back, or failed to compact",
            "look at the disk (errors, space, load) and at DIR/db/LOG",
        ));
    }
    found
}

fn credentials(credentials: &CredentialStatus) -> Vec<Warning> {
    let left_s = credentials.certificate_left_s.filter(|left_s| *left_s < CERTIFICATE_LEFT_S_MIN);
    let expiring = left_s.map(|left_s| {
        let what = match left_s / 86_400 {
            _ if left_s < 0 => "a certificate has expired: nobody can connect".to_owned(),
            days => format!("a certificate expires in {days} days"),
        };
        Warning::new(what, "put a new one in its place: it is read within a minute, or at SIGHUP")
    });
    let stale = (credentials.stale > 0).then(|| {
        let what = "a key set or a certificate could not be renewed";
        Warning::new(what, "the one before is in force; the log says which, and why")
    });
    expiring.into_iter().chain(stale).collect()
}

fn clock(seen: &Seen) -> Option<Warning> {
    (seen.doubting_partitions > 0).then(|| {
        Warning::new(
            "the clock jumped: nothing expires and no device lapses",
            "check it with `date`, then `answerback clock confirm`",
        )
    })
}

fn latency(seen: &Seen) -> Option<Warning> {
    let rates = seen.rates.as_ref()?;
    // Beyond what is measured where half of them were within.
    let is_beyond = rates.commit_p99_ms.is_none() && rates.commit_p50_ms.is_some();
    let is_slow = rates.commit_p99_ms.is_some_and(|p99_ms| p99_ms > COMMIT_P99_MS_MAX);
    (is_slow || is_beyond).then(|| {
        Warning::new(
            "commits are slow: every answer waits for one",
            "look at what else writes to this disk, and at the disk itself",
        )
    })
}

fn busy(seen: &Seen) -> Option<Warning> {
    let rates = seen.rates.as_ref().filter(|rates| rates.busy_per_s > 0.0)?;
    Some(Warning::new(
        format!("{:.1} requests a second are refused as Busy", rates.busy_per_s),
        "the box has more to do than it can: see commits and cpu; clients send again later",
    ))
}

fn unacknowledged(traffic: &Traffic) -> Option<Warning> {
    let minutes = traffic.unacknowledged_ms / 60_000;
    (traffic.unacknowledged_ms > UNACKNOWLEDGED_MS_MAX).then(|| {
        Warning::new(
            format!("a living session has taken nothing for {minutes} min"),
            "an app that is connected and stores nothing: see which version it runs",
        )
    })
}

fn is_near(used: u64, max: u64) -> bool {
    used as f64 > max as f64 * SHARE_MAX
}

fn memory(seen: &Seen) -> Option<Warning> {
    let (used, max) = (seen.process.resident_bytes, seen.process.memory_max_bytes?);
    let of = format!("{} of {} MiB in memory", used >> 20, max >> 20);
    if seen.traffic.as_ref().is_some_and(|traffic| traffic.is_memory_low) {
        Some(Warning::new(
            format!("new messages and logins are refused: the box has {of}"),
            "see what grew; give it more memory (box.memory_max_mib), or fewer connections",
        ))
    } else {
        is_near(used, max).then(|| {
            Warning::new(
                format!("the box has {of}"),
                "above 90 % new messages and logins are refused: see what grows",
            )
        })
    }
}

fn shed(seen: &Seen) -> Option<Warning> {
    let rates = seen.rates.as_ref().filter(|rates| rates.shed_per_s > 0.0)?;
    Some(Warning::new(
        format!("{:.1} connections a second are closed unheard", rates.shed_per_s),
        "a limit is reached: answerback_shed_connections_total says which, docs/LIMITS.md what to do",
    ))
}

fn connections(traffic: &Traffic) -> Option<Warning> {
    let (open, max) = (traffic.connections, traffic.connections_max);
    (max > 0 && is_near(open, max)).then(|| {
        Warning::new(
            format!("{open} of {max} connections are open"),
            "raise gateway.connections_max where memory and descriptors allow, or add a box",
        )
    })
}

fn descriptors(seen: &Seen) -> Option<Warning> {
    let (open, max) = (seen.process.open_descriptors, seen.process.descriptors_max?);
    is_near(open, max).then(|| {
        Warning::new(
            format!("{open} of {max} descriptors are in use"),
            "raise LimitNOFILE of the service, or connections are closed unheard",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::status::{ProcessStatus, Rates};

    fn found(seen: Seen) -> Vec<String> {
        let status = Status {
            version: String::new(),
            process: 1,
            listen: ([127, 0, 0, 1], 1).into(),
            admin_listen: None,
            partitions: 16,
            cores: 1,
            generation: 1,
            restored_ms: 0,
            uptime_s: 0,
            phase: String::new(),
            seen,
            warnings: Vec::new(),
        };
        warnings(&status).into_iter().map(|warning| warning.what).collect()
    }

    fn healthy() -> Seen {
        let disk = DiskStatus { free_bytes: 201, reserve_bytes: 100, ..DiskStatus::default() };
        let rates =
            Rates { commit_p50_ms: Some(0.5), commit_p99_ms: Some(50.0), ..Rates::default() };
        let process = ProcessStatus {
            resident_bytes: 80 << 20,
            memory_max_bytes: Some(100 << 20),
            open_descriptors: 80,
            descriptors_max: Some(100),
        };
        let traffic = Traffic {
            unacknowledged_ms: UNACKNOWLEDGED_MS_MAX,
            connections: 80,
            connections_max: 100,
            ..Traffic::default()
        };
        Seen {
            age_ms: AGE_MS_MAX,
            disk: Some(disk),
            rates: Some(rates),
            process,
            traffic: Some(traffic),
            ..Seen::default()
        }
    }

    fn only(change: impl FnOnce(&mut Seen)) -> String {
        let mut seen = healthy();
        change(&mut seen);
        let found = found(seen);
        assert_eq!(found.len(), 1, "{found:?}");
        found[0].clone()
    }

    fn traffic(seen: &mut Seen) -> &mut Traffic {
        seen.traffic.as_mut().unwrap()
    }

    fn disk(seen: &mut Seen) -> &mut DiskStatus {
        seen.disk.as_mut().unwrap()
    }

    fn with_credentials(change: impl FnOnce(&mut CredentialStatus)) -> String {
        only(|seen| {
            let mut credentials = CredentialStatus {
                certificate_left_s: Some(CERTIFICATE_LEFT_S_MIN),
                ..CredentialStatus::default()
            };
            change(&mut credentials);
            seen.credentials = Some(credentials);
        })
    }

    fn rates(seen: &mut Seen) -> &mut Rates {
        seen.rates.as_mut().unwrap()
    }

    #[test]
    fn a_healthy_box_and_one_that_just_began_have_none() {
        assert_eq!(found(healthy()), [""; 0]);
        assert_eq!(found(Seen::default()), [""; 0]);
    }

    #[test]
    fn each_trouble_has_one() {
        assert!(only(|seen| traffic(seen).quarantined = vec![3, 7]).contains("partition 3, 7"));
        assert!(only(|seen| traffic(seen).is_disk_low = true).contains("refused"));
        assert!(only(|seen| disk(seen).free_bytes = 199).contains("soon"));
        assert!(only(|seen| disk(seen).is_write_stopped = true).contains("RocksDB"));
        assert!(only(|seen| disk(seen).background_errors = 1).contains("RocksDB"));
        assert!(only(|seen| seen.doubting_partitions = 1).contains("clock"));
        assert!(only(|seen| rates(seen).commit_p99_ms = Some(100.0)).contains("slow"));
        assert!(only(|seen| rates(seen).commit_p99_ms = None).contains("slow"));
        assert!(only(|seen| rates(seen).busy_per_s = 0.1).contains("Busy"));
        assert!(only(|seen| traffic(seen).unacknowledged_ms += 60_000).contains("11 min"));
        assert!(with_credentials(|had| had.stale = 1).contains("renewed"));
        assert!(with_credentials(|had| had.certificate_left_s = Some(86_400)).contains("1 days"));
        assert!(with_credentials(|had| had.certificate_left_s = Some(-1)).contains("expired"));
        assert!(only(|seen| seen.process.open_descriptors = 81).contains("81 of 100 descr"));
        assert!(only(|seen| traffic(seen).connections = 81).contains("81 of 100 conn"));
        assert!(only(|seen| seen.process.resident_bytes += 1 << 20).contains("81 of 100 MiB"));
        assert!(only(|seen| traffic(seen).is_memory_low = true).contains("refused"));
        assert!(only(|seen| rates(seen).shed_per_s = 2.5).contains("2.5 connections a second"));
        assert!(only(|seen| seen.age_ms = 11_000).contains("11 s old"));
    }
}
