//! docs/LIMITS.md says what the code says: each limit with its default, its setting, its metric and
//! its code.

use std::fmt::Write;
use std::path::Path;

use answerback_directory::limits::{
    GROUP_PART_BYTES_MAX, GROUP_PARTS_MAX, GROUP_TALLIES_MAX, GROUP_UNREAD_MAX, OPEN_BYTES_MAX,
    SET_CHATS_MAX, UNDECIDED_RECORDS_MAX, WATCHES_MAX,
};
use answerback_gateway::{
    CLOSING_MS, OUT_BYTES_MAX, PROXY_HEADER_BYTES_MAX, REQUESTS_UNANSWERED_MAX,
    SESSION_CREDIT_BYTES_MAX, Stats,
};
use answerback_proto::code::Code;
use answerback_proto::limits::{
    CONTACTS_MAX, FRAME_BYTES_BEFORE_AUTH_MAX, FRAME_BYTES_HARD_MAX, GROUP_MEMBERS_MAX,
    UNDECIDED_MAX, WATCHED_MAX,
};

use super::{encode, families};
use crate::admin::{Phase, listener};
use crate::clock::Clock;
use crate::config::{Configuration, KEYS};
use crate::credentials::{CredentialFigures, fetch};
use crate::watch::{Sample, Watch};

/// Where the number stands.
enum Bound {
    Setting(&'static str),
    Fixed(u64),
    /// With the system, under this name there.
    System(&'static str),
}

use Bound::{Fixed, Setting, System};

/// What whoever reaches it is told.
enum Told {
    Code(Code),
    /// What happens instead.
    Nothing(&'static str),
}

use Told::Nothing;

type Limit = (&'static str, Bound, &'static str, Told);

const UNHEARD: Told = Nothing("closed unheard");
const CLOSED: Told = Nothing("closed");
const NOT_READ: Told = Nothing("not read until half of it is gone");

/// Nothing counts these: the kernel alone knows of the first, `OutOfOrder` is what every gap is
/// answered, a peer that does not close is as good as gone, receipts of a group are no promise, and
/// the admin listener shares nothing with whoever is asked.
const UNCOUNTED: [&str; 9] = [
    "sent bytes are unconfirmed, ms",
    "undecided numbers of a chat",
    "until who was told why he is closed has gone, ms",
    "messages of a user to a group whose receipts are counted",
    "messages of a group that a member has not read, and will be told of",
    "connections to the admin listener",
    "a handshake with it, and again a request's headers, ms",
    "a connection to it in all, ms",
    "the headers of a request to it, bytes",
];
/// Of those.
const NO_METRIC: &str = "";

/// Of who connects.
fn of_connections() -> Vec<Limit> {
    const SHED: &str = "answerback_shed_connections_total";
    vec![
        ("connections", Setting("gateway.connections_max"), SHED, UNHEARD),
        ("of them from one network", Setting("gateway.connections_per_prefix"), SHED, UNHEARD),
        ("connections taken in a second", Setting("gateway.accepts_per_s"), SHED, UNHEARD),
        ("descriptors", System("LimitNOFILE"), SHED, UNHEARD),
        ("the header of a proxy, bytes", Fixed(PROXY_HEADER_BYTES_MAX as u64), SHED, UNHEARD),
        (
            "handshakes of TLS at once",
            Setting("gateway.handshakes_max"),
            "answerback_tls_handshakes_shed_total",
            Nothing("wait in the kernel; one that keeps the box waiting for a second makes room"),
        ),
        (
            "a handshake, ms",
            Setting("gateway.tls_deadline_ms"),
            "answerback_tls_handshakes_overdue_total",
            UNHEARD,
        ),
        closing("until `Hello`, ms", Setting("gateway.hello_deadline_ms"), Code::HelloExpected),
        closing(
            "a frame before `Welcome`, bytes",
            Fixed(FRAME_BYTES_BEFORE_AUTH_MAX.into()),
            Code::FrameTooLarge,
        ),
        closing("devices of a user", Setting("apply.devices_max"), Code::TooManyDevices),
    ]
}

/// Of who has a session.
fn of_sessions() -> Vec<Limit> {
    const PAUSED: &str = "answerback_paused_connections_total";
    vec![
        closing("a frame, bytes", Setting("gateway.frame_bytes_max"), Code::FrameTooLarge),
        closing(
            "the most that this may be set to, bytes",
            Fixed(FRAME_BYTES_HARD_MAX.into()),
            Code::FrameTooLarge,
        ),
        closing(
            "from a frame's first byte to its last, ms",
            Setting("gateway.frame_deadline_ms"),
            Code::FrameTooSlow,
        ),
        (
            "nothing is taken of what waits, ms",
            Setting("gateway.write_stall_ms"),
            "answerback_stalled_connections_total",
            CLOSED,
        ),
        ("sent bytes are unconfirmed, ms", Setting("gateway.unconfirmed_ms"), NO_METRIC, CLOSED),
        (
            "silence, s, and half as long again",
            Setting("gateway.heartbeat_max_s"),
            "answerback_silent_connections_total",
            CLOSED,
        ),
        ("until who was told why he is closed has gone, ms", Fixed(CLOSING_MS), NO_METRIC, CLOSED),
        ("bytes that wait to be sent", Fixed(OUT_BYTES_MAX as u64), PAUSED, NOT_READ),
        ("requests without an answer", Fixed(REQUESTS_UNANSWERED_MAX.into()), PAUSED, NOT_READ),
        (
            "bytes of entries without an acknowledgement",
            Fixed(SESSION_CREDIT_BYTES_MAX.into()),
            "answerback_unacknowledged_seconds",
            Nothing("the rest waits in the inbox"),
        ),
    ]
}

/// Of what is sent.
fn of_requests() -> Vec<Limit> {
    let limited = |what, key| refusing(what, Setting(key), Code::RateLimited);
    vec![
        limited("seconds' worth of the next four at once", "gateway.rate_burst_s"),
        limited("messages of a device, a second", "gateway.device_messages_per_s"),
        limited("bytes of a device, a second", "gateway.device_bytes_per_s"),
        limited("messages of a user, a second", "gateway.user_messages_per_s"),
        limited("bytes of a user, a second", "gateway.user_bytes_per_s"),
        (
            "undecided numbers of a chat",
            Fixed(UNDECIDED_MAX),
            NO_METRIC,
            Told::Code(Code::OutOfOrder),
        ),
        refusing(
            "requests of a partition without a commit",
            Fixed(UNDECIDED_RECORDS_MAX as u64),
            Code::Busy,
        ),
        refusing("bytes of its next batch", Fixed(OPEN_BYTES_MAX as u64), Code::Busy),
        refusing("messages of an inbox", Setting("apply.inbox_messages_max"), Code::InboxFull),
        refusing("bytes of an inbox", Setting("apply.inbox_bytes_max"), Code::InboxFull),
        refusing(
            "messages of a sender that wait in a partition",
            Setting("apply.sender_messages_max"),
            Code::SenderQuota,
        ),
        refusing(
            "chats of a user that are blocked, muted or without receipts",
            Fixed(u64::from(SET_CHATS_MAX)),
            Code::ListFull,
        ),
        refusing("contacts of a user", Fixed(CONTACTS_MAX as u64), Code::ListFull),
        refusing("members of a group", Fixed(GROUP_MEMBERS_MAX as u64), Code::GroupFull),
        refusing(
            "words of groups that wait for one partition of members",
            Fixed(GROUP_PARTS_MAX as u64),
            Code::Busy,
        ),
        refusing("bytes of them", Fixed(GROUP_PART_BYTES_MAX as u64), Code::Busy),
        (
            "messages of a user to a group whose receipts are counted",
            Fixed(GROUP_TALLIES_MAX as u64),
            NO_METRIC,
            Nothing("nothing of further ones, meanwhile"),
        ),
        (
            "messages of a group that a member has not read, and will be told of",
            Fixed(GROUP_UNREAD_MAX as u64),
            NO_METRIC,
            Nothing("nobody is told who reads the older ones"),
        ),
        (
            "users that a session watches",
            Fixed(WATCHED_MAX as u64),
            "answerback_closed_connections_total",
            Told::Code(Code::FrameMalformed),
        ),
        (
            "those pairs of a partition",
            Fixed(WATCHES_MAX as u64),
            "answerback_watches",
            Nothing("its users are not seen"),
        ),
        (
            "entries that a device owes",
            Setting("apply.device_lag_max"),
            "answerback_lapsed_devices_total",
            Nothing("the device lapses"),
        ),
        (
            "free space that is left, MiB",
            Setting("box.disk_reserve_mib"),
            "answerback_disk_is_low",
            Told::Code(Code::DiskReserve),
        ),
        (
            "memory, MiB, at 90 %",
            Setting("box.memory_max_mib"),
            "answerback_memory_is_low",
            Told::Code(Code::MemoryReserve),
        ),
    ]
}

/// Of who looks, and of what the box asks others for.
fn beside_clients() -> Vec<Limit> {
    const STALE: &str = "answerback_stale_credentials";
    const KEPT: Told = Nothing("the set before stays in force");
    let ms = |time: std::time::Duration| Fixed(time.as_millis() as u64);
    vec![
        (
            "connections to the admin listener",
            Fixed(listener::CONNECTIONS_MAX as u64),
            NO_METRIC,
            Nothing("the oldest is closed"),
        ),
        (
            "a handshake with it, and again a request's headers, ms",
            ms(listener::HEADERS_DEADLINE),
            NO_METRIC,
            CLOSED,
        ),
        ("a connection to it in all, ms", ms(listener::DEADLINE), NO_METRIC, CLOSED),
        (
            "the headers of a request to it, bytes",
            Fixed(listener::BUFFER_BYTES as u64),
            NO_METRIC,
            Nothing("431, closed"),
        ),
        ("a key set from its server, ms", ms(fetch::DEADLINE), STALE, KEPT),
        ("its length, bytes", Fixed(fetch::BYTES_MAX), STALE, KEPT),
    ]
}

fn all() -> impl Iterator<Item = Limit> {
    let parts = [of_connections(), of_sessions(), of_requests(), beside_clients()];
    parts.into_iter().flatten()
}

fn closing(what: &'static str, bound: Bound, code: Code) -> Limit {
    (what, bound, "answerback_closed_connections_total", Told::Code(code))
}

fn refusing(what: &'static str, bound: Bound, code: Code) -> Limit {
    (what, bound, "answerback_refused_requests_total", Told::Code(code))
}

#[test]
fn the_page_of_limits_says_what_the_code_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/LIMITS.md");
    let text = std::fs::read_to_string(path).unwrap();
    let behind = text.split_once("<!-- limits -->\n").unwrap().1;
    let table = behind.split_once("<!-- end of limits -->").unwrap().0;
    assert!(table == expected(), "docs/LIMITS.md must have:\n{}", expected());
}

fn expected() -> String {
    let mut text =
        String::from("| what | default | setting | metric | told |\n|---|---|---|---|---|\n");
    let defaults = Configuration::default();
    for (what, bound, metric, told) in all() {
        let (default, setting) = match bound {
            Fixed(number) => (number.to_string(), "fixed".to_owned()),
            System(name) => ("the system's".to_owned(), format!("`{name}`")),
            Setting(name) => {
                let key = KEYS.iter().find(|key| key.name == name).unwrap();
                (key.show(&defaults), format!("`{name}`"))
            }
        };
        let metric = if metric == NO_METRIC { "none".to_owned() } else { format!("`{metric}`") };
        let told = match told {
            Told::Code(code) => format!("{} `{}`", code.number(), code.name()),
            Nothing(instead) => instead.to_owned(),
        };
        let _ = writeln!(text, "| {what} | {default} | {setting} | {metric} | {told} |");
    }
    text
}

/// What stands before the samples of each metric that a box can have.
fn types() -> String {
    let watch = Watch::start(Clock::new()).unwrap();
    let mut families = families(&Phase::Serving, &watch.view());
    families.extend(super::of_traffic::families(&Stats::default()));
    let credentials = Some(CredentialFigures::default());
    families.extend(super::of_credentials::families(&Sample { credentials, ..Sample::default() }));
    encode(families).unwrap()
}

#[test]
fn each_metric_of_the_page_is_one_that_a_box_has() {
    let text = types();
    for (what, _, metric, _) in all() {
        if metric == NO_METRIC {
            assert!(UNCOUNTED.contains(&what), "{what}: what shows that it is reached?");
            continue;
        }
        let line = match metric.strip_suffix("_total") {
            Some(name) => format!("# TYPE {name} counter"),
            None => format!("# TYPE {metric} gauge"),
        };
        assert!(text.lines().any(|one| one == line), "{what}: {line}");
    }
}

#[test]
fn what_nothing_counts_stands_on_the_page() {
    for name in UNCOUNTED {
        assert!(all().any(|(what, _, metric, _)| what == name && metric == NO_METRIC), "{name}");
    }
}
