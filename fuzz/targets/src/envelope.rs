//! The envelope of any kind: it is read exactly where the protocol's page allows it, and
//! what was read is written as the same bytes.
//!
//! ```text
//! input  │ number of the kind u16 │ envelope and tail │
//! ```
//! A number of no kind stands for one of the kinds, so that no input is wasted.

mod groups;
mod tails;

use answerback_proto::access::{access, access_exact, decode, kind_of, read};
use answerback_proto::encode::{Address, append_frame};
use answerback_proto::frame_buffer::FrameBuffer;
use answerback_proto::kind::*;
use answerback_proto::limits::FRAME_BYTES_HARD_MAX;

const PAYLOAD: &[u8] = b"payload";

/// Runs the target on one input.
pub fn run(input: &[u8]) {
    let Some((number, envelope)) = input.split_first_chunk() else { return };
    // As much as a frame's header can count.
    if envelope.len() <= usize::from(u16::MAX) {
        check(kind(u16::from_le_bytes(*number)), envelope);
    }
}

fn kind(number: u16) -> Kind {
    let any = || Kind::ALL.get(usize::from(number) % Kind::ALL.len()).copied();
    Kind::from_number(number).or_else(any).unwrap_or(Kind::Ping)
}

fn check(kind: Kind, envelope: &[u8]) {
    match kind {
        Kind::Hello => tails::hello(envelope),
        Kind::Resume => tails::resume(envelope),
        Kind::Renew => tails::renew(envelope),
        Kind::Renewed => tails::renewed(envelope),
        Kind::Welcome => tails::welcome(envelope),
        Kind::Delivered => tails::delivered(envelope),
        Kind::NameDevice => tails::name_device(envelope),
        Kind::Devices => tails::devices(envelope),
        Kind::SetChat => plain::<SetChat>(envelope, |set| {
            let is_muted = set.changes & 4 != 0;
            set.peer > 0
                && (1..=7).contains(&set.changes)
                && set.flags & !(set.changes & 3) == 0
                && set.muted_until_ms <= 253_402_300_799_999
                && (is_muted || set.muted_until_ms == 0)
        }),
        Kind::ChatSet => plain::<ChatSet>(envelope, |set| {
            set.after < set.position && set.flags <= 3 && set.muted_until_ms <= 253_402_300_799_999
        }),
        Kind::ListChats => plain::<ListChats>(envelope, |_| true),
        Kind::Chats => tails::chats(envelope),
        Kind::ListDevices => plain::<ListDevices>(envelope, |_| true),
        Kind::RevokeDevice => plain::<RevokeDevice>(envelope, |revoke| revoke.device > 0),
        Kind::DeleteChat => tails::delete_chat(envelope),
        Kind::ChatDeleted => tails::chat_deleted(envelope),
        Kind::Report => tails::report(envelope),
        Kind::CreateGroup => groups::create(envelope),
        Kind::ChangeMembers => groups::change(envelope),
        Kind::RenameGroup => groups::rename(envelope),
        Kind::GroupChanged => groups::changed(envelope),
        Kind::GroupFailed => groups::failed(envelope),
        Kind::GroupDescribed => groups::described(envelope),
        Kind::GroupReceipt => groups::receipt(envelope),
        Kind::SetGroupReceipts => plain::<SetGroupReceipts>(envelope, |set| set.on <= 1),
        Kind::ReadGroup => {
            plain::<ReadGroup>(envelope, |read| read.group > 0 && read.up_to > 0);
        }
        Kind::GroupReadElsewhere => plain::<GroupReadElsewhere>(envelope, |elsewhere| {
            elsewhere.after < elsewhere.position
                && elsewhere.up_to > 0
                && elsewhere.up_to < elsewhere.position
        }),
        Kind::DescribeGroup => plain::<DescribeGroup>(envelope, |_| true),
        Kind::GroupSend => {
            plain::<GroupSend>(envelope, |send| send.sequence > 0 && is_life(send.life_s));
        }
        Kind::GroupSkip => plain::<GroupSkip>(envelope, |skip| is_range(skip.from, skip.to)),
        Kind::GroupCreated => plain::<GroupCreated>(envelope, |created| created.group > 0),
        Kind::GroupDeliver => plain::<GroupDeliver>(envelope, |deliver| {
            deliver.after < deliver.position
                && deliver.sequence > 0
                && deliver.sender > 0
                && deliver.version > 0
        }),
        Kind::Ping => plain::<Ping>(envelope, |_| true),
        Kind::Pong => plain::<Pong>(envelope, |_| true),
        Kind::Probe => plain::<Probe>(envelope, |_| true),
        Kind::Ack => plain::<Ack>(envelope, |_| true),
        Kind::Resync => plain::<Resync>(envelope, |_| true),
        Kind::ReadNoted => plain::<ReadNoted>(envelope, |_| true),
        Kind::Typing => plain::<Typing>(envelope, |_| true),
        Kind::Watch => tails::watch(envelope),
        Kind::ListContacts => plain::<ListContacts>(envelope, |_| true),
        Kind::Contacts => tails::contacts(envelope),
        Kind::SetWriters => plain::<SetWriters>(envelope, |set| set.who <= 1),
        Kind::SetContacts => tails::set_contacts(envelope),
        Kind::SetVisibility => plain::<SetVisibility>(envelope, |set| set.visibility <= 2),
        Kind::Presence => plain::<Presence>(envelope, |presence| {
            presence.last_action_ms > 0 || presence.online_for_ms == 0
        }),
        Kind::Done => plain::<Done>(envelope, |_| true),
        Kind::Declined => plain::<Declined>(envelope, |declined| has_class(declined.code)),
        Kind::CaughtUp => plain::<CaughtUp>(envelope, |_| true),
        Kind::Send => plain::<Send>(envelope, |send| send.sequence > 0 && is_life(send.life_s)),
        Kind::Recall => plain::<Recall>(envelope, |recall| {
            recall.recalled > 0 && recall.recalled < recall.sequence && is_life(recall.life_s)
        }),
        Kind::Skip => plain::<Skip>(envelope, |skip| is_range(skip.from, skip.to)),
        Kind::Skipped => plain::<Skipped>(envelope, |skipped| {
            is_range(skipped.from, skipped.to)
                && (skipped.to - skipped.from + 1..64).all(|bit| skipped.accepted >> bit & 1 == 0)
        }),
        Kind::Read => {
            plain::<Read>(envelope, |read| read.peer > 0 && read.device > 0 && read.up_to > 0)
        }
        Kind::GoAway => plain::<GoAway>(envelope, |away| has_class(away.code)),
        Kind::Error => plain::<Error>(envelope, |error| has_class(error.code)),
        Kind::Accepted => plain::<Accepted>(envelope, |accepted| accepted.sequence > 0),
        Kind::Refused => {
            plain::<Refused>(envelope, |refused| refused.sequence > 0 && has_class(refused.code));
        }
        Kind::OutOfOrder => plain::<OutOfOrder>(envelope, |answer| {
            answer.expected > 0 && answer.expected < answer.sequence
        }),
        Kind::Deliver => plain::<Deliver>(envelope, |deliver| {
            deliver.after < deliver.position && deliver.sequence > 0
        }),
        Kind::Copied => plain::<Copied>(envelope, |copied| {
            copied.after < copied.position && copied.sequence > 0
        }),
        Kind::ReadElsewhere => plain::<ReadElsewhere>(envelope, |elsewhere| {
            elsewhere.after < elsewhere.position && elsewhere.up_to > 0
        }),
        Kind::ReadBy => plain::<ReadBy>(envelope, |read_by| {
            is_place(read_by.position, read_by.after) && read_by.up_to > 0
        }),
        Kind::Failed => plain::<Failed>(envelope, |failed| {
            is_place(failed.position, failed.after) && failed.sequence > 0 && has_class(failed.code)
        }),
    }
}

/// A kind without a tail, and where its fields lie as the protocol's page states it.
fn plain<E: Envelope>(envelope: &[u8], is_in_range: impl Fn(&E) -> bool) {
    let has_its_length = envelope.len() == E::BYTES;
    assert_eq!(access::<E>(envelope).is_ok(), envelope.len() >= E::BYTES);
    assert_eq!(access_exact::<E>(envelope).is_ok(), has_its_length);
    let is_read = read::<E>(envelope).is_ok();
    let Ok(values) = decode::<E>(envelope) else {
        return assert!(!has_its_length && !is_read, "too short or too long, and read");
    };
    assert!(has_its_length, "any number is one in a field of its size");
    assert_eq!(is_read, is_in_range(&values), "{}: {envelope:?}", E::KIND.name());
    check_frame(&values, envelope, &[]);
}

/// The frame of values is that of the bytes that they were read from.
fn check_frame<E: Envelope>(values: &E, envelope: &[u8], tail: &[u8]) {
    let payload = if E::KIND.carries_payload() { PAYLOAD } else { &[] };
    let address = Address { flags: 0, tag: 1, target: 2 };
    let mut wire = Vec::new();
    append_frame(&mut wire, address, values, tail, payload);
    let mut received = wire.as_slice();
    let frame =
        FrameBuffer::default().next_frame(&mut received, FRAME_BYTES_HARD_MAX).map(|frame| {
            frame.map(|frame| {
                assert_eq!((frame.envelope, frame.payload), (envelope, payload));
                frame.header
            })
        });
    let Ok(Some(header)) = frame else { return assert!(frame.is_err(), "a whole frame is one") };
    let sent_by = |end| kind_of(&header, end).is_ok_and(|kind| kind == Some(E::KIND));
    let fits = E::KIND.tag() != Tag::None;
    assert_eq!(sent_by(End::Client) || sent_by(End::Server), fits, "{}", E::KIND.name());
}

fn is_life(life_s: u32) -> bool {
    life_s <= 2_592_000
}

fn is_range(from: u64, to: u64) -> bool {
    from > 0 && to >= from && to - from <= 63
}

fn has_class(code: u16) -> bool {
    (1000..=6999).contains(&code)
}

fn is_place(position: u64, after: u64) -> bool {
    if position == 0 { after == 0 } else { after < position }
}
