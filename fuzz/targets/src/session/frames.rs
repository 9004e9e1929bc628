//! The server's frames.

use answerback_proto::code::Code;
use answerback_proto::encode::{Address, append_frame};
use answerback_proto::id::{Sequence, UserId};
use answerback_proto::kind::*;

use super::operation::{Welcomed, Words};
use super::server::Asked;
use crate::number::Number;

/// What a frame refers to: what was asked, and how far the device is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context {
    pub(super) asked: Option<Asked>,
    pub(super) taken: u64,
}

/// Appends what the server says.
pub(super) fn append(wire: &mut Vec<u8>, words: Words, context: Context) {
    let Words { kind, code, .. } = words;
    match kind {
        Kind::Probe => frame(wire, 0, 0, &Probe { echo: words.first.of(0) }),
        Kind::Typing => frame(wire, 0, 2, &Typing { state: code }),
        Kind::Presence => {
            let (last_action_ms, online_for_ms) = (words.first.of(context.taken), code.into());
            frame(wire, 0, 2, &Presence { last_action_ms, online_for_ms });
        }
        Kind::GoAway => frame(wire, 0, 0, &GoAway { code, delay_ms: 1 }),
        Kind::CaughtUp => {
            frame(wire, 0, 1, &CaughtUp { position: words.first.of(context.taken) });
        }
        Kind::Error | Kind::Pong | Kind::Welcome => answer(wire, words, context),
        Kind::Done | Kind::Declined | Kind::Devices => answer(wire, words, context),
        kind if kind.number() < Kind::Deliver.number() => answer(wire, words, context),
        Kind::Failed if words.which.is_multiple_of(2) => answer(wire, words, context),
        _ => entry(wire, words, context),
    }
}

/// An answer to what was asked, or to nothing.
fn answer(wire: &mut Vec<u8>, words: Words, context: Context) {
    let nothing = Asked { tag: u32::from(words.which), target: 2, first: 1, last: 1 };
    let asked = context.asked.unwrap_or(nothing);
    let (tag, target) = (asked.tag, asked.target);
    let (sequence, code) = (words.first.of(asked.first), words.code);
    match words.kind {
        Kind::Accepted => frame(wire, tag, target, &Accepted { sequence, accepted_at_ms: 1 }),
        Kind::Refused => {
            let retry_after_ms = words.second.of(0) as u32;
            frame(wire, tag, target, &Refused { sequence, retry_after_ms, code });
        }
        Kind::OutOfOrder => {
            let expected = words.second.of(sequence.saturating_sub(1));
            frame(wire, tag, target, &OutOfOrder { sequence, expected });
        }
        Kind::Skipped => {
            let to = words.second.of(asked.last);
            frame(wire, tag, target, &Skipped { from: sequence, to, accepted: 0 });
        }
        Kind::ReadNoted => frame(wire, tag, target, &ReadNoted { up_to: sequence }),
        Kind::Failed => {
            let (position, after, device) = (0, 0, u128::from(words.device));
            frame(wire, tag, target, &Failed { position, after, device, sequence, code });
        }
        Kind::Welcome => {
            let (generation, cursor) = (Number::Exactly(sequence), words.second);
            let heartbeats_s = (30, 60);
            let welcomed =
                Welcomed { generation, cursor, undecided_max: 64, choice: 3, heartbeats_s };
            let appended = append_welcome(wire, tag, welcomed, (1, context.taken));
            debug_assert!(appended.is_ok() || sequence == 0, "{welcomed:?}");
        }
        Kind::Pong => frame(wire, tag, 0, &Pong { echo: words.first.of(0) }),
        Kind::Done => frame(wire, tag, target, &Done { at_ms: sequence }),
        Kind::Declined => {
            let retry_after_ms = words.second.of(0) as u32;
            frame(wire, tag, target, &Declined { retry_after_ms, code });
        }
        Kind::Devices => frame(wire, tag, target, &Devices { count: 0, has_more: 0 }),
        _ => {
            let tag = if words.which == 0 { 0 } else { tag };
            frame(wire, tag, 0, &Error { code, kind: 0, retry_after_ms: 0 });
        }
    }
}

fn entry(wire: &mut Vec<u8>, words: Words, context: Context) {
    let position = words.first.of(context.taken.saturating_add(1));
    let after = words.second.of(context.taken.min(position.saturating_sub(1)));
    let (UserId(target), Sequence(sequence)) = spoken_of(words.which);
    let (device, up_to) = (u128::from(words.device), sequence);
    let (code, content_type, accepted_at_ms) = (words.code, words.code, position);
    let time_ms = position;
    match words.kind {
        Kind::Deliver => {
            let deliver =
                Deliver { position, after, device, sequence, accepted_at_ms, content_type };
            append_frame(wire, address(0, target), &deliver, &[], b"hello");
        }
        Kind::Copied => {
            let copied = Copied { position, after, device, sequence, accepted_at_ms, content_type };
            append_frame(wire, address(0, target), &copied, &[], b"hello");
        }
        Kind::Delivered => {
            let delivered = Delivered {
                position,
                after,
                device,
                up_to,
                delivered_at_ms: time_ms,
                except_count: 0,
            };
            frame(wire, 0, target, &delivered);
        }
        Kind::ReadBy => {
            frame(wire, 0, target, &ReadBy { position, after, device, up_to, read_at_ms: time_ms });
        }
        Kind::ReadElsewhere => {
            let read = ReadElsewhere { position, after, device, up_to, read_at_ms: time_ms };
            frame(wire, 0, target, &read);
        }
        Kind::ChatDeleted => {
            let deleted = ChatDeleted { position, after, up_to: after, marks_count: 0 };
            frame(wire, 0, target, &deleted);
        }
        _ => frame(wire, 0, target, &Failed { position, after, device, sequence, code }),
    }
}

/// The chat and number that an entry speaks of.
pub(super) fn spoken_of(which: u8) -> (UserId, Sequence) {
    (UserId(2 + u128::from(which & 1)), Sequence(u64::from(which >> 1) / 4 + 1))
}

/// Appends the `Welcome` that a server means by this, where there is one.
pub(super) fn append_welcome(
    wire: &mut Vec<u8>,
    tag: u32,
    welcomed: Welcomed,
    (generation, cursor): (u64, u64),
) -> Result<(), Code> {
    let (shorter, longer) = welcomed.heartbeats_s;
    let welcome = Welcome {
        version: 1,
        kinds_count: 0,
        ticket_length: 0,
        lapsed: u16::from(welcomed.choice >> 7),
        server_time_ms: 1,
        session: 1,
        generation: welcomed.generation.of(generation),
        cursor: welcomed.cursor.of(cursor),
        pending_count: 0,
        pending_bytes: 0,
        frame_bytes_max: if welcomed.choice & 4 == 0 { 4096 } else { 65_536 },
        undecided_max: u16::from(welcomed.undecided_max),
        heartbeat_min_s: u16::from(shorter.max(1)),
        heartbeat_max_s: u16::from(shorter.max(1)) + u16::from(longer),
    };
    let takes = |kind: &Kind| match kind {
        Kind::Read => welcomed.choice & 1 != 0,
        Kind::Recall => welcomed.choice & 2 != 0,
        kind => kind.is_sent_by(End::Client),
    };
    let kinds: Vec<Kind> = Kind::ALL.iter().copied().filter(takes).collect();
    welcome.append(wire, address(tag, 1), &kinds, &[])
}

fn frame<E: Envelope>(wire: &mut Vec<u8>, tag: u32, target: u128, envelope: &E) {
    append_frame(wire, address(tag, target), envelope, &[], &[]);
}

fn address(tag: u32, target: u128) -> Address {
    Address { flags: 0, tag, target }
}
