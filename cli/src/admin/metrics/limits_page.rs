//! docs/LIMITS.md says what the code says: each limit with its default, its setting, its metric and
//! its code.

use std::fmt::Write;
use std::path::Path;

use answerback_directory::limits::{OPEN_BYTES_MAX, UNDECIDED_RECORDS_MAX, WATCHES_MAX};
use answerback_gateway::{
    OUT_BYTES_MAX, PROXY_HEADER_BYTES_MAX, REQUESTS_UNANSWERED_MAX, SESSION_CREDIT_BYTES_MAX, Stats,
};
use answerback_proto::code::Code;
use answerback_proto::limits::{
    FRAME_BYTES_BEFORE_AUTH_MAX, FRAME_BYTES_HARD_MAX, UNDECIDED_MAX, WATCHED_MAX,
};

use super::{encode, families};
use crate::admin::Phase;
use crate::clock::Clock;
use crate::config::{Configuration, KEYS};
use crate::watch::Watch;

/// Where the number stands.
enum Bound {
    Setting(&'static str),
    Fixed(u64),
}

use Bound::{Fixed, Setting};

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

/// Of who connects.
fn of_connections() -> Vec<Limit> {
    const SHED: &str = "answerback_shed_connections_total";
    vec![
        ("connections", Setting("gateway.connections_max"), SHED, UNHEARD),
        ("of them from one network", Setting("gateway.connections_per_prefix"), SHED, UNHEARD),
        ("connections taken in a second", Setting("gateway.accepts_per_s"), SHED, UNHEARD),
        ("the header of a proxy, bytes", Fixed(PROXY_HEADER_BYTES_MAX as u64), SHED, UNHEARD),
        (
            "handshakes of TLS at once",
            Setting("gateway.handshakes_max"),
            "answerback_tls_handshakes_shed_total",
            Nothing("wait in the kernel; one of a second or more makes room"),
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
        refusing("devices of a user", Setting("apply.devices_max"), Code::TooManyDevices),
    ]
}

/// Of who has a session.
fn of_sessions() -> Vec<Limit> {
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
        ("sent bytes are unconfirmed, ms", Setting("gateway.unconfirmed_ms"), "", CLOSED),
        (
            "silence, s, and half as long again",
            Setting("gateway.heartbeat_max_s"),
            "answerback_silent_connections_total",
            CLOSED,
        ),
        ("bytes that wait to be sent", Fixed(OUT_BYTES_MAX as u64), "", NOT_READ),
        ("requests without an answer", Fixed(REQUESTS_UNANSWERED_MAX.into()), "", NOT_READ),
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
        refusing("undecided numbers of a chat", Fixed(UNDECIDED_MAX), Code::SequenceTooFar),
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
            "",
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
    let limits = of_connections().into_iter().chain(of_sessions()).chain(of_requests());
    for (what, bound, metric, told) in limits {
        let (default, setting) = match bound {
            Fixed(number) => (number.to_string(), "fixed".to_owned()),
            Setting(name) => {
                let key = KEYS.iter().find(|key| key.name == name).unwrap();
                (key.show(&defaults), format!("`{name}`"))
            }
        };
        let metric = if metric.is_empty() { String::new() } else { format!("`{metric}`") };
        let told = match told {
            Told::Code(code) => format!("{} `{}`", code.number(), code.name()),
            Nothing(instead) => instead.to_owned(),
        };
        let _ = writeln!(text, "| {what} | {default} | {setting} | {metric} | {told} |");
    }
    text
}

#[test]
fn each_metric_of_the_page_is_one_that_a_box_has() {
    let watch = Watch::start(Clock::new()).unwrap();
    let mut all = families(&Phase::Serving, &watch.view());
    all.extend(super::of_traffic::families(&Stats::default()));
    let text = encode(all).unwrap();
    for (_, _, metric, _) in of_connections().into_iter().chain(of_sessions()).chain(of_requests())
    {
        let name = metric.strip_suffix("_total").unwrap_or(metric);
        assert!(text.contains(&format!("# TYPE {name}")), "{metric}");
    }
}
