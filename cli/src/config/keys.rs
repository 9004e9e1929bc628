//! All settings. Their order is that of the page and of `check-config`.

use answerback_directory::limits::OPEN_BYTES_MAX;
use answerback_proto::limits::{FRAME_BYTES_BEFORE_AUTH_MAX, FRAME_BYTES_HARD_MAX, PARTITIONS_MAX};

use super::field::{LogFormat, Plaintext};
use super::key::Allowed::{
    Address, AddressOrNone, Cpus, Filter, Networks, Number, NumberOrAuto, Path, PathOrAuto,
    PathOrNone, PathOrUrl, PowerOfTwo, UrlOrNone, Word,
};
use super::key::Key;

/// A day, s.
const DAY: u64 = 24 * 3600;

/// Each of them, once.
pub(crate) static KEYS: &[Key] = &[
    Key::new("box.data", Path, |c| &mut c.data)
        .flag("data", "DIR")
        .required()
        .means("The data directory; made where it is missing"),
    Key::new("box.jwks", PathOrUrl, |c| &mut c.jwks)
        .flag("jwks", "FILE")
        .required()
        .means("The public keys of the tokens that are let in, a JSON Web Key Set"),
    Key::new("box.jwks_ca", PathOrNone, |c| &mut c.jwks_ca).means(
        "Certificates that vouch for the server of that URL; none is the authorities of the web",
    ),
    Key::new("box.jwks_period_s", Number(1, DAY), |c| &mut c.jwks_period_s)
        .reloads()
        .means("How often the key set is fetched from its URL, or its file looked at"),
    Key::new("box.ticket_keys", PathOrAuto, |c| &mut c.ticket_keys).means(
        "A file with what seals resume tickets, 32 bytes a line, the newest first; auto is \
         ticket.keys in the data directory, made where it is missing",
    ),
    Key::new("box.partitions", PowerOfTwo(PARTITIONS_MAX as u64), |c| &mut c.partitions)
        .flag("partitions", "N")
        .means("Partitions of a new data directory; an existing one keeps its own"),
    Key::new("box.cores", NumberOrAuto(1, 1024), |c| &mut c.cores)
        .flag("cores", "N")
        .means("Threads that serve connections; auto is one a processor"),
    Key::new("box.cpus", Cpus, |c| &mut c.gateway.cpus)
        .flag("cpu-list", "LIST")
        .means("Processors that those threads are bound to, in turn"),
    Key::new("box.shard_memory_mib", Number(0, 1 << 20), |c| &mut c.shard_memory_mib)
        .flag("shard-memory-mib", "MIB")
        .means("Memory of a partition for users at rest, read from the disk when they are needed"),
    Key::new("box.memory_max_mib", NumberOrAuto(1, 1 << 30), |c| &mut c.memory_max_mib)
        .flag("memory-max-mib", "MIB")
        .reloads()
        .means(
            "Memory of the whole box: above 90 % of it no new message is taken and nobody let in; \
             auto is what the machine or the container has",
        ),
    Key::new("box.disk_reserve_mib", NumberOrAuto(0, 1 << 40), |c| &mut c.disk_reserve_mib)
        .flag("disk-reserve-mib", "MIB")
        .reloads()
        .means(
            "With less free space than this no new message is taken; auto is 1024, or 5 % of a \
             small disk",
        ),
    Key::new("box.erase_period_s", Number(1, DAY), |c| &mut c.erase_period_s)
        .flag("erase-seconds", "SECONDS")
        .reloads()
        .means(
            "How often what was deleted is erased from the files: with the default it is gone \
             from all of them within 10 minutes",
        ),
    Key::new("gateway.listen", Address, |c| &mut c.gateway.listen)
        .flag("listen", "ADDR")
        .means("Where clients connect; port 0 takes any free one"),
    Key::new("gateway.tls_certificate", PathOrNone, |c| &mut c.tls.certificate)
        .flag("tls-certificate", "FILE")
        .means("The chain of certificates that clients know the box by, PEM"),
    Key::new("gateway.tls_key", PathOrNone, |c| &mut c.tls.key)
        .flag("tls-key", "FILE")
        .means("Its private key, PEM; only the box's user may read it"),
    Key::new("gateway.plaintext", Word(Plaintext::NAMES), |c| &mut c.plaintext).means(
        "Where a box without a certificate may listen; everywhere is for one behind a TLS proxy",
    ),
    Key::new("gateway.connections_max", Number(1, 10_000_000), |c| &mut c.gateway.connections_max)
        .flag("connections-max", "N")
        .reloads()
        .means("Connections that may be open at once; more are closed unheard"),
    Key::new("gateway.connections_per_prefix", Number(0, 10_000_000), |c| {
        &mut c.gateway.connections_per_prefix
    })
    .reloads()
    .means("Those from one network; more are closed unheard, 0 is any number"),
    Key::new("gateway.prefix_ipv4_bits", Number(8, 32), |c| &mut c.gateway.prefix_bits.ipv4)
        .reloads()
        .means("How much of an IPv4 address is a network there"),
    Key::new("gateway.prefix_ipv6_bits", Number(16, 128), |c| &mut c.gateway.prefix_bits.ipv6)
        .reloads()
        .means("How much of an IPv6 address is"),
    Key::new("gateway.accepts_per_s", Number(0, 1_000_000), |c| &mut c.gateway.accepts_per_s)
        .reloads()
        .means("Connections taken in a second; more are closed unheard, 0 is any number"),
    Key::new("gateway.proxy_from", Networks, |c| &mut c.gateway.proxy_from)
        .reloads()
        .means("Peers that begin with the PROXY protocol, version 2, and nobody else may"),
    Key::new("gateway.frame_bytes_max", FRAME_BYTES, |c| &mut c.gateway.frame_bytes_max)
        .means("The longest frame that is taken"),
    Key::new("gateway.tls_deadline_ms", Number(100, 60_000), |c| &mut c.gateway.tls_deadline_ms)
        .reloads()
        .means("How long a handshake of TLS may take"),
    Key::new("gateway.handshakes_max", Number(16, 1_000_000), |c| &mut c.gateway.handshakes_max)
        .reloads()
        .means("Handshakes of TLS that may be under way at once; more wait"),
    Key::new("gateway.hello_deadline_ms", Number(100, 60_000), |c| {
        &mut c.gateway.hello_deadline_ms
    })
    .reloads()
    .means("How long a connection may take to send its Hello"),
    Key::new("gateway.frame_deadline_ms", Number(1000, 600_000), |c| {
        &mut c.gateway.frame_deadline_ms
    })
    .reloads()
    .means("How long a frame may take from its first byte to its last"),
    Key::new("gateway.write_stall_ms", Number(1000, 600_000), |c| &mut c.gateway.write_stall_ms)
        .reloads()
        .means("Who takes nothing of what waits for him for so long is closed"),
    Key::new("gateway.rate_burst_s", Number(0, 60), |c| &mut c.gateway.rates.burst_s)
        .flag("rate-burst-s", "SECONDS")
        .reloads()
        .means(
            "So many seconds' worth of the four rates below may be sent at once; 0 switches all \
             four off",
        ),
    Key::new("gateway.device_messages_per_s", Number(0, 1_000_000), |c| {
        &mut c.gateway.rates.device_messages_per_s
    })
    .reloads()
    .means("Messages, recalls, skips and reads of a device, a second; 0 is any number"),
    Key::new("gateway.device_bytes_per_s", RATE_BYTES, |c| {
        &mut c.gateway.rates.device_bytes_per_s
    })
    .reloads()
    .means("Bytes of their frames"),
    Key::new("gateway.user_messages_per_s", Number(0, 1_000_000), |c| {
        &mut c.gateway.rates.user_messages_per_s
    })
    .reloads()
    .means("Those requests of all devices of a user together"),
    Key::new("gateway.user_bytes_per_s", RATE_BYTES, |c| &mut c.gateway.rates.user_bytes_per_s)
        .reloads()
        .means("Bytes of their frames"),
    Key::new("gateway.heartbeat_min_s", Number(1, 65_535), |c| &mut c.gateway.heartbeat_min_s)
        .reloads()
        .means("The shortest interval of pings that clients are told"),
    Key::new("gateway.heartbeat_max_s", Number(1, 65_535), |c| &mut c.gateway.heartbeat_max_s)
        .reloads()
        .means("The longest one; who is silent for half as long again is closed"),
    Key::new("gateway.unconfirmed_ms", Number(1000, 600_000), |c| &mut c.gateway.unconfirmed_ms)
        .means("Bytes that a peer's system does not confirm for so long end the connection"),
    Key::new("gateway.drain_ms", Number(0, 600_000), |c| &mut c.gateway.drain_ms)
        .flag("drain-ms", "MILLISECONDS")
        .reloads()
        .means("How long clients have to leave when the box stops"),
    Key::new("gateway.reader_threads", Number(1, 64), |c| &mut c.gateway.reader_threads)
        .means("Threads that read the disk for users at rest"),
    Key::new("presence.online_s", Number(10, 3600), |c| &mut c.gateway.presence.online_s)
        .reloads()
        .means("So long after the last thing that a user did others see that he is there"),
    Key::new("presence.write_s", Number(10, DAY), |c| &mut c.gateway.presence.write_s)
        .reloads()
        .means("How often it is written when users were there last; a kill loses as much of it"),
    Key::new("commit.linger_us", Number(0, 1_000_000), |c| &mut c.gateway.commit.linger_us)
        .flag("linger-us", "MICROSECONDS")
        .reloads()
        .means("The least time between two commits: as long may a message wait for company"),
    Key::new("commit.acknowledgement_linger_us", Number(0, 1_000_000), |c| {
        &mut c.gateway.commit.acknowledgement_linger_us
    })
    .flag("acknowledgement-linger-us", "MICROSECONDS")
    .reloads()
    .means("How long an acknowledgement waits for others to share its commit"),
    Key::new("commit.records_max", Number(1, 65_536), |c| &mut c.gateway.commit.records_max)
        .flag("batch-records", "N")
        .reloads()
        .means("As many messages wait for nobody"),
    Key::new("commit.acknowledgements_max", Number(1, 65_536), |c| {
        &mut c.gateway.commit.acknowledgements_max
    })
    .reloads()
    .means("As many acknowledgements wait for nobody"),
    Key::new("commit.bytes_max", Number(4096, OPEN_BYTES_MAX as u64), |c| {
        &mut c.gateway.commit.bytes_max
    })
    .reloads()
    .means("As many bytes wait for nobody"),
    Key::new("checkpoint.period_ms", Number(10, DAY * 1000), |c| {
        &mut c.gateway.checkpoint_period_ms
    })
    .flag("checkpoint-ms", "MILLISECONDS")
    .reloads()
    .means("How old changes may be that no checkpoint has; eight times as old where very many users changed a little"),
    Key::new("checkpoint.bytes", Number(65_536, 1 << 30), |c| &mut c.gateway.checkpoint_bytes)
        .reloads()
        .means("A partition is also checkpointed once it has journaled as many bytes"),
    Key::new("apply.inbox_messages_max", Number(4, 1 << 24), |c| {
        &mut c.gateway.settings.inbox_messages_max
    })
    .reloads()
    .means("Messages that wait in an inbox and no device of its user had; a sender has a quarter"),
    Key::new("apply.inbox_bytes_max", Number(1 << 20, 1 << 40), |c| {
        &mut c.gateway.settings.inbox_bytes_max
    })
    .reloads()
    .means("Bytes of those messages"),
    Key::new("apply.sender_messages_max", Number(1, 1 << 24), |c| {
        &mut c.gateway.settings.sender_messages_max
    })
    .reloads()
    .means("Messages of one sender that wait in one partition"),
    Key::new("apply.device_lag_max", Number(1, 1 << 24), |c| {
        &mut c.gateway.settings.device_lag_max
    })
    .reloads()
    .means("Entries that a device may owe which others of its user had; with more it lapses"),
    Key::new("apply.devices_max", Number(1, 1000), |c| &mut c.gateway.settings.devices_max)
        .reloads()
        .means("Devices of a user"),
    Key::new("apply.lapse_s", Number(3600, 3650 * DAY), |c| &mut c.gateway.settings.lapse_s)
        .reloads()
        .means("Age of the oldest entry that a device owes at which it lapses"),
    Key::new("apply.gap_s", Number(60, 30 * DAY), |c| &mut c.gateway.settings.gap_s)
        .reloads()
        .means("How long a gap in a device's numbers stays open before it is closed"),
    Key::new("apply.retry_limit", Number(1, 1000), |c| &mut c.gateway.settings.retry_limit)
        .reloads()
        .means("Attempts after which a message is undeliverable"),
    Key::new("apply.retry_span_s", Number(0, 365 * DAY), |c| &mut c.gateway.settings.retry_span_s)
        .reloads()
        .means("Time that must lie between the first of them and the last"),
    Key::new("apply.clock_jump_s", Number(3600, 3650 * DAY), |c| {
        &mut c.gateway.settings.clock_jump_s
    })
    .reloads()
    .means("A jump of the clock by more pauses expiry and lapse until it is confirmed"),
    Key::new("admin.listen", AddressOrNone, |c| &mut c.admin_listen)
        .flag("admin-listen", "ADDR")
        .means("Where Prometheus and probes are answered over HTTP; port 0 takes any free one"),
    Key::new("admin.tls_certificate", PathOrNone, |c| &mut c.admin_tls.certificate).means(
        "The chain of certificates of that listener, PEM; beyond loopback it needs one",
    ),
    Key::new("admin.tls_key", PathOrNone, |c| &mut c.admin_tls.key)
        .means("Its private key, PEM; only the box's user may read it"),
    Key::new("admin.token", PathOrNone, |c| &mut c.admin_token).means(
        "A file with the bearer token that /metrics wants; beyond loopback it needs one",
    ),
    Key::new("hooks.push_url", UrlOrNone, |c| &mut c.hooks.push_url)
        .means("Where the push service is told who has to be woken, see docs/HOOKS.md"),
    Key::new("hooks.report_url", UrlOrNone, |c| &mut c.hooks.report_url)
        .means("Where reports of users go; none is that they are declined"),
    Key::new("hooks.secret_file", PathOrNone, |c| &mut c.hooks.secret_file)
        .means("A file with what those requests are signed with; only the box's user may read it"),
    Key::new("hooks.ca", PathOrNone, |c| &mut c.hooks.authorities)
        .means("Certificates that vouch for those servers; none is the authorities of the web"),
    Key::new("hooks.timeout_ms", Number(100, 60_000), |c| &mut c.hooks.timeout_ms)
        .means("How long a request may take until its answer"),
    Key::new("hooks.push_after_ms", Number(100, DAY * 1000), |c| &mut c.gateway.wake.after_ms)
        .reloads()
        .means("A message that no session took for so long wakes its user"),
    Key::new("hooks.push_again_s", Number(1, DAY), |c| &mut c.gateway.wake.again_s)
        .reloads()
        .means("Who was woken and takes nothing is woken for newer messages after so long"),
    Key::new("hooks.push_batch_max", Number(1, 1000), |c| &mut c.hooks.push_batch_max)
        .means("Users in one request"),
    Key::new("hooks.push_queue_max", Number(1, 1 << 20), |c| &mut c.hooks.push_queue_max)
        .means("Users who wait while that service takes nothing; beyond it the oldest are dropped"),
    Key::new("log.level", Filter, |c| &mut c.log_level)
        .flag("log-level", "FILTER")
        .reloads()
        .means("What is logged: a level, and others for parts of the program"),
    Key::new("log.format", Word(LogFormat::NAMES), |c| &mut c.log_format)
        .flag("log-format", "FORMAT")
        .means("How it is written; auto is human on a terminal and json elsewhere"),
];

const FRAME_BYTES: super::key::Allowed =
    Number(FRAME_BYTES_BEFORE_AUTH_MAX as u64, FRAME_BYTES_HARD_MAX as u64);

const RATE_BYTES: super::key::Allowed = Number(0, 1 << 31);

/// The setting of a name.
pub(crate) fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// The sections, in their order.
pub(super) fn sections() -> impl Iterator<Item = &'static str> {
    let starts = KEYS.iter().zip(std::iter::once("").chain(KEYS.iter().map(Key::section)));
    starts.filter(|(key, before)| key.section() != *before).map(|(key, _)| key.section())
}
