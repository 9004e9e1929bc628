//! What cores and storage thread count.

use std::collections::BTreeMap;

use answerback_gateway::{COMMIT_SECONDS, Stats, StorageStats};
use answerback_proto::code::Code;

use super::Family;

pub(super) fn families(stats: &Stats) -> Vec<Family> {
    let mut families = of_connections(stats);
    families.extend(of_messages(stats));
    families.extend(of_presence(stats));
    families.extend(of_queues(stats));
    families.extend(of_storage(&stats.storage));
    families
}

fn of_connections(stats: &Stats) -> Vec<Family> {
    vec![
        Family::count(
            "answerback_connections",
            "Open connections, those without a session included.",
            stats.connections,
        ),
        Family::count(
            "answerback_connections_max",
            "Connections that may be open at once.",
            stats.connections_max,
        ),
        Family::count("answerback_sessions", "Live sessions.", stats.sessions),
        total("answerback_connections_taken", "Connections taken.", stats.connections_total),
        total("answerback_tls_handshakes", "Handshakes of TLS done.", stats.handshakes.done_total),
        total(
            "answerback_tls_handshakes_resumed",
            "Of them, with a ticket of an earlier connection.",
            stats.handshakes.resumed_total,
        ),
        total(
            "answerback_tls_handshakes_failed",
            "Handshakes of TLS that broke a rule, or asked for another protocol.",
            stats.handshakes.failed_total,
        ),
        total(
            "answerback_tls_handshakes_overdue",
            "Handshakes of TLS that took too long.",
            stats.handshakes.overdue_total,
        ),
        total(
            "answerback_tls_handshakes_shed",
            "Handshakes of TLS that were closed to make room for others.",
            stats.handshakes.shed_total,
        ),
        total("answerback_logins", "Sessions opened.", stats.logins_total),
        total("answerback_logins_by_ticket", "Of them, without a token.", stats.resumed_total),
        total("answerback_renewals", "New tokens that open sessions brought.", stats.renewed_total),
        total(
            "answerback_unknown_keys",
            "Tokens that named a key that is not in the set.",
            stats.unknown_keys_total,
        ),
        total(
            "answerback_received_bytes",
            "Bytes read from connections.",
            stats.received_bytes_total,
        ),
        total("answerback_sent_bytes", "Bytes written to connections.", stats.sent_bytes_total),
        total("answerback_probes", "Sessions asked whether anybody is there.", stats.probes_total),
        total(
            "answerback_silent_connections",
            "Connections closed because nothing came from them.",
            stats.silent_total,
        ),
        total(
            "answerback_stalled_connections",
            "Connections closed because their peers took nothing of what waited for them.",
            stats.stalled_total,
        ),
        total(
            "answerback_paused_connections",
            "Times that a connection began not to be read, since as much as may waited to be sent \
             or answered.",
            stats.paused_total,
        ),
        Family::counters(
            "answerback_shed_connections",
            "Connections closed unheard, by the reason.",
            "reason",
            stats.shed_total.iter().map(|(reason, count)| (*reason, *count)).collect(),
        ),
        by_code(
            "answerback_closed_connections",
            "Connections that were told why they are closed, by the code's name.",
            &stats.closed_total,
        ),
    ]
}

fn of_messages(stats: &Stats) -> Vec<Family> {
    vec![
        total(
            "answerback_messages_accepted",
            "Messages that are durable and their senders told.",
            stats.messages.accepted,
        ),
        total(
            "answerback_messages_delivered",
            "Messages that a first device has acknowledged.",
            stats.messages.delivered,
        ),
        total(
            "answerback_messages_failed",
            "Messages that ended without delivery, their senders told.",
            stats.messages.failed,
        ),
        total(
            "answerback_lapsed_devices",
            "Devices that owed too much, or for too long: inboxes wait for them no more.",
            stats.messages.lapsed,
        ),
        total(
            "answerback_entries_pushed",
            "Entries offered to sessions, repeats included.",
            stats.pushed_total,
        ),
        by_code(
            "answerback_refused_requests",
            "Requests that were refused, by the code's name.",
            &stats.refused_total,
        ),
        Family::gauge(
            "answerback_unacknowledged_seconds",
            "For how long a living session has been offered something and taken nothing, at most.",
            stats.unacknowledged_ms as f64 / 1e3,
        ),
    ]
}

fn of_presence(stats: &Stats) -> Vec<Family> {
    let presence = stats.presence;
    vec![
        Family::count(
            "answerback_watches",
            "Pairs of a session that watches and a user whom it watches.",
            presence.watches,
        ),
        total(
            "answerback_presence_told",
            "Words to sessions about when a user was there.",
            presence.told,
        ),
        total(
            "answerback_presence_writes",
            "Checkpoints that had in them when users were there.",
            presence.writes,
        ),
        total("answerback_presence_rows", "Users in those.", presence.rows),
    ]
}

fn of_queues(stats: &Stats) -> Vec<Family> {
    vec![
        Family::count(
            "answerback_undecided_requests",
            "Requests that wait to be journaled, committed or applied.",
            stats.undecided,
        ),
        Family::count(
            "answerback_waiting_reads",
            "Reads of the disk that shards wait for.",
            stats.loads,
        ),
        Family::count(
            "answerback_waiting_checkpoints",
            "Checkpoints that wait for the storage thread.",
            stats.storage.checkpoints_waiting,
        ),
        Family::count(
            "answerback_uncheckpointed_bytes",
            "Bytes journaled that no checkpoint has: what a start would replay.",
            stats.uncheckpointed_bytes,
        ),
        Family::count("answerback_resident_users", "Users in memory.", stats.resident_users),
        Family::count(
            "answerback_quarantined_partitions",
            "Partitions out of service; `answerback status` says which.",
            stats.quarantined.len() as u64,
        ),
        Family::flag(
            "answerback_memory_is_low",
            "1 while new messages and logins are refused, since the box has as much in memory as \
             it may.",
            stats.is_memory_low,
        ),
        Family::flag(
            "answerback_disk_is_low",
            "1 while new messages are refused, since the disk is nearly full.",
            stats.is_disk_low,
        ),
    ]
}

fn of_storage(storage: &StorageStats) -> Vec<Family> {
    let bounds = COMMIT_SECONDS.into_iter().chain([f64::INFINITY]);
    vec![
        Family::histogram(
            "answerback_commit_seconds",
            "How long a commit took, its fsync included.",
            storage.commit_seconds,
            bounds.zip(storage.commits_by_duration).collect(),
        ),
        total("answerback_committed_batches", "Batches committed.", storage.batches),
        total("answerback_committed_records", "Records committed.", storage.records),
        total("answerback_committed_bytes", "Bytes of those records.", storage.bytes),
        total("answerback_checkpoints", "Checkpoints written.", storage.checkpoints),
        Family::counter(
            "answerback_checkpoint_seconds",
            "Time in checkpoints.",
            storage.checkpoint_seconds,
        ),
    ]
}

fn total(name: &'static str, help: &'static str, value: u64) -> Family {
    Family::counter(name, help, value as f64)
}

/// Every code is told from the start: of a series that only begins with its first count, that
/// count would be seen by nobody.
fn by_code(name: &'static str, help: &'static str, counts: &BTreeMap<&'static str, u64>) -> Family {
    let codes = Code::ALL.iter().map(|code| code.name());
    let counts = codes.map(|code| (code, counts.get(code).copied().unwrap_or_default()));
    Family::counters(name, help, "code", counts.collect())
}
