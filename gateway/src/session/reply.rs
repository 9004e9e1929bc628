//! What a core itself says, as frames; what shards say stands beside them.

use answerback_directory::limits::BUSY_RETRY_AFTER_MS;
use answerback_directory::shard::{Answer, Opened};
use answerback_proto::access::read;
use answerback_proto::code::{Class, Code};
use answerback_proto::encode::{Address, append_frame};
use answerback_proto::frame_buffer::Frame;
use answerback_proto::id::{Sequence, UserId};
use answerback_proto::kind::{
    End, Error, GoAway, GroupSend, GroupSkip, Kind, Pong, Probe, Read, Recall, Renewed, Send, Skip,
    Welcome,
};
use answerback_proto::limits::UNDECIDED_MAX;

use super::Fault;
use super::handshake::VERSION;
use crate::auth::Pass;
use crate::config::GatewayConfig;
use crate::limits::MEMORY_RETRY_AFTER_MS;

/// Why no shard took a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The reason.
    pub(crate) code: Code,
    /// When to try again.
    pub(crate) retry_after_ms: u32,
}

impl Refusal {
    /// There is more to do than may be queued.
    pub(crate) fn busy(retry_after_ms: u32) -> Self {
        Self { code: Code::Busy, retry_after_ms }
    }
}

/// The answer to a request that no shard took: nothing is kept, its number is free.
///
/// # Errors
/// As its own check: a request that cannot be read cannot be answered either.
pub(crate) fn refusal(frame: &Frame<'_>, kind: Kind, why: Refusal) -> Result<Answer, Code> {
    let Refusal { code, retry_after_ms } = why;
    if kind.is_about_own() || kind == Kind::Report {
        return Ok(Answer::Declined { code, retry_after_ms });
    }
    let sequence = match kind {
        Kind::Skip => read::<Skip>(frame.envelope)?.from,
        Kind::Recall => read::<Recall>(frame.envelope)?.sequence,
        Kind::Read => read::<Read>(frame.envelope)?.up_to,
        Kind::GroupSend => read::<GroupSend>(frame.envelope)?.sequence,
        Kind::GroupSkip => read::<GroupSkip>(frame.envelope)?.from,
        kind if kind.is_of_groups() => {
            let Refusal { code, retry_after_ms } = why;
            return Ok(Answer::Declined { code, retry_after_ms });
        }
        _ => read::<Send>(frame.envelope)?.sequence,
    };
    Ok(Answer::Refused { sequence: Sequence(sequence), code, retry_after_ms })
}

/// Appends the answer to a `Hello` or a `Resume`.
pub(crate) fn append_welcome(
    out: &mut Vec<u8>,
    tag: u32,
    user: UserId,
    opened: &Opened,
    words: WelcomeWords<'_>,
) {
    let welcome = Welcome {
        version: VERSION,
        kinds_count: 0,
        ticket_length: 0,
        lapsed: u16::from(opened.lapsed),
        server_time_ms: words.unix_ms,
        session: words.session,
        generation: opened.generation.0,
        cursor: opened.cursor.0,
        pending_count: opened.pending_count,
        pending_bytes: opened.pending_bytes,
        frame_bytes_max: words.config.frame_bytes_max,
        undecided_max: UNDECIDED_MAX as u16,
        heartbeat_min_s: words.config.heartbeat_min_s,
        heartbeat_max_s: words.config.heartbeat_max_s,
    };
    let kinds: Vec<Kind> =
        Kind::ALL.iter().copied().filter(|kind| kind.is_sent_by(End::Client)).collect();
    let appended =
        welcome.append(out, Address { flags: 0, tag, target: user.0 }, &kinds, words.ticket);
    debug_assert_eq!(appended, Ok(()));
}

/// What a `Welcome` says besides the inbox's state.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WelcomeWords<'a> {
    /// The box's settings.
    pub(crate) config: &'a GatewayConfig,
    /// The wall clock.
    pub(crate) unix_ms: u64,
    /// The session's number, for support.
    pub(crate) session: u64,
    /// The session's ticket for the next one.
    pub(crate) ticket: &'a [u8],
}

/// Appends the answer to a `Renew`.
pub(crate) fn append_renewed(out: &mut Vec<u8>, tag: u32, pass: &Pass, ticket: &[u8]) {
    let expires_at_ms = pass.grant.expires_s.saturating_mul(1000);
    let renewed = Renewed { expires_at_ms, ticket_length: 0 };
    let appended = renewed.append(out, Address { flags: 0, tag, target: pass.user.0 }, ticket);
    debug_assert_eq!(appended, Ok(()));
}

/// Appends the answer to a `Ping`.
pub(crate) fn append_pong(out: &mut Vec<u8>, tag: u32, echo: u64) {
    append_frame(out, Address { flags: 0, tag, target: 0 }, &Pong { echo }, &[], &[]);
}

/// Appends why the connection closes.
pub(crate) fn append_error(out: &mut Vec<u8>, fault: Fault) {
    let retry_after_ms = match fault.code {
        Code::MemoryReserve => MEMORY_RETRY_AFTER_MS,
        code if code.class() == Class::RetryAfter => BUSY_RETRY_AFTER_MS,
        _ => 0,
    };
    let error = Error { code: fault.code.number(), kind: fault.kind, retry_after_ms };
    append_frame(out, Address { flags: 0, tag: fault.tag, target: 0 }, &error, &[], &[]);
}

/// Appends a question whether anybody is there.
pub(crate) fn append_probe(out: &mut Vec<u8>, echo: u64) {
    append_frame(out, Address::default(), &Probe { echo }, &[], &[]);
}

/// Appends that the box stops, and when to come back.
pub(crate) fn append_draining(out: &mut Vec<u8>, delay_ms: u32) {
    let go_away = GoAway { code: Code::Draining.number(), delay_ms };
    append_frame(out, Address::default(), &go_away, &[], &[]);
}
