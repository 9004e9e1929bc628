//! What a shard says is what a client reads: every field in its range.

use answerback_directory::shard::{Answer, Entry, reply};
use answerback_proto::access::{kind_of, read};
use answerback_proto::code::Code;
use answerback_proto::frame_buffer::{Frame, FrameBuffer};
use answerback_proto::id::UserId;
use answerback_proto::kind::*;
use answerback_proto::limits::FRAME_BYTES_HARD_MAX;

pub(super) fn check_answer(tag: u32, peer: UserId, answer: &Answer) {
    let mut wire = Vec::new();
    reply::append_answer(&mut wire, tag, peer, answer);
    assert_eq!(check(&wire), Ok(()), "{answer:?}");
}

pub(super) fn check_entry(entry: &Entry) {
    let mut wire = Vec::new();
    reply::append_entry(&mut wire, entry);
    assert_eq!(check(&wire), Ok(()), "{entry:?}");
}

pub(super) fn check_said(append: impl FnOnce(&mut Vec<u8>)) {
    let mut wire = Vec::new();
    append(&mut wire);
    assert_eq!(check(&wire), Ok(()), "{wire:?}");
}

fn check(wire: &[u8]) -> Result<(), Code> {
    let mut received = wire;
    let mut frames = FrameBuffer::default();
    match frames.next_frame(&mut received, FRAME_BYTES_HARD_MAX)? {
        Some(frame) => check_frame(&frame),
        None => Err(Code::FrameMalformed),
    }
}

fn check_frame(frame: &Frame<'_>) -> Result<(), Code> {
    let envelope = frame.envelope;
    match kind_of(&frame.header, End::Server)? {
        Some(Kind::Accepted) => read::<Accepted>(envelope).map(|_| ()),
        Some(Kind::Refused) => read::<Refused>(envelope).map(|_| ()),
        Some(Kind::OutOfOrder) => read::<OutOfOrder>(envelope).map(|_| ()),
        Some(Kind::Skipped) => read::<Skipped>(envelope).map(|_| ()),
        Some(Kind::ReadNoted) => read::<ReadNoted>(envelope).map(|_| ()),
        Some(Kind::Failed) => read::<Failed>(envelope).map(|_| ()),
        Some(Kind::Deliver) => read::<Deliver>(envelope).map(|_| ()),
        Some(Kind::Copied) => read::<Copied>(envelope).map(|_| ()),
        Some(Kind::ReadBy) => read::<ReadBy>(envelope).map(|_| ()),
        Some(Kind::ReadElsewhere) => read::<ReadElsewhere>(envelope).map(|_| ()),
        Some(Kind::Done) => read::<Done>(envelope).map(|_| ()),
        Some(Kind::Declined) => read::<Declined>(envelope).map(|_| ()),
        Some(Kind::ChatDeleted) => ChatDeleted::read(envelope).map(|_| ()),
        Some(Kind::Devices) => Devices::read(envelope).map(|_| ()),
        Some(Kind::Chats) => Chats::read(envelope).map(|_| ()),
        Some(Kind::Contacts) => Contacts::read(envelope).map(|_| ()),
        Some(Kind::Typing) => read::<Typing>(envelope).map(|_| ()),
        Some(Kind::Presence) => read::<Presence>(envelope).map(|_| ()),
        Some(Kind::ChatSet) => read::<ChatSet>(envelope).map(|_| ()),
        Some(Kind::Delivered) => Delivered::read(envelope).map(|_| ()),
        Some(Kind::GroupCreated) => read::<GroupCreated>(envelope).map(|_| ()),
        Some(Kind::GroupDeliver) => read::<GroupDeliver>(envelope).map(|_| ()),
        Some(Kind::GroupChanged) => GroupChanged::read(envelope).map(|_| ()),
        Some(Kind::GroupDescribed) => GroupDescribed::read(envelope).map(|_| ()),
        Some(Kind::GroupFailed) => GroupFailed::read(envelope).map(|_| ()),
        Some(Kind::GroupReceipt) => GroupReceipt::read(envelope).map(|_| ()),
        Some(Kind::GroupReadElsewhere) => read::<GroupReadElsewhere>(envelope).map(|_| ()),
        _ => Err(Code::UnknownKind),
    }
}
