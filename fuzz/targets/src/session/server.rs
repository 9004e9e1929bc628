//! What the server's end has read: all of it what a client may write, now.

use answerback_proto::access::{kind_of, read};
use answerback_proto::code::Code;
use answerback_proto::frame_buffer::{Frame, FrameBuffer};
use answerback_proto::kind::*;
use answerback_proto::limits::FRAME_BYTES_HARD_MAX;

/// A request without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) tag: u32,
    pub(super) target: u128,
    pub(super) first: u64,
    pub(super) last: u64,
}

/// What the server let the client write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Allowed {
    Hello,
    Everything { frame_bytes_max: u32, takes_reads: bool, takes_recalls: bool },
    Acknowledgements,
}

/// What the client wrote on one connection.
#[derive(Debug, Default)]
pub(super) struct Server {
    pub(super) asked: Vec<(Kind, Asked)>,
}

impl Server {
    /// Takes what the client wrote. `stored` and `taken`: how far it may acknowledge, and how
    /// far it may say that it has come.
    pub(super) fn receive(&mut self, mut wire: &[u8], allowed: Allowed, stored: u64, taken: u64) {
        let mut frames = FrameBuffer::default();
        while let Some(frame) = next(&mut frames, &mut wire) {
            let kind = check(&frame, allowed, stored, taken);
            let (tag, target) = (frame.header.tag, frame.header.target);
            let Ok((kind, (first, last))) = kind else { panic!("{kind:?}: {frame:?}") };
            if kind.tag() == Tag::Request {
                let is_new = self.asked.iter().all(|(_, asked)| asked.tag != tag);
                assert!(is_new, "the tag {tag} is under way already");
                self.asked.push((kind, Asked { tag, target, first, last }));
            }
        }
        assert_eq!(frames.kept(), 0, "half a frame");
    }

    /// Takes a request out, to answer it.
    pub(super) fn take(&mut self, which: u8, fits: impl Fn(Kind) -> bool) -> Option<Asked> {
        let fitting: Vec<usize> =
            (0..).zip(&self.asked).filter(|(_, (kind, _))| fits(*kind)).map(|(at, _)| at).collect();
        let at = *fitting.get(usize::from(which) % fitting.len().max(1))?;
        Some(self.asked.remove(at).1)
    }
}

fn next<'a, 'r: 'a>(frames: &'a mut FrameBuffer, wire: &mut &'r [u8]) -> Option<Frame<'a>> {
    match frames.next_frame(wire, FRAME_BYTES_HARD_MAX) {
        Ok(frame) => frame,
        Err(code) => panic!("no frame: {code:?}"),
    }
}

/// The kind, and the numbers that it speaks of.
fn check(
    frame: &Frame<'_>,
    allowed: Allowed,
    stored: u64,
    taken: u64,
) -> Result<(Kind, (u64, u64)), Code> {
    let kind = kind_of(&frame.header, End::Client)?.ok_or(Code::UnknownKind)?;
    if !is_allowed(kind, frame.header.length, allowed) {
        return Err(Code::KindNotAllowed);
    }
    let numbers = match kind {
        Kind::Hello => Hello::read(frame.envelope).map(|(hello, _)| (hello.cursor, 0))?,
        Kind::Send => read::<Send>(frame.envelope).map(|send| (send.sequence, send.sequence))?,
        Kind::Recall => read::<Recall>(frame.envelope).map(|it| (it.sequence, it.sequence))?,
        Kind::Skip => read::<Skip>(frame.envelope).map(|skip| (skip.from, skip.to))?,
        Kind::Read => read::<Read>(frame.envelope).map(|read| (read.up_to, read.up_to))?,
        Kind::Ping => read::<Ping>(frame.envelope).map(|ping| (ping.echo, 0))?,
        Kind::Watch => Watch::read(frame.envelope).map(|_| (0, 0))?,
        Kind::Pong => read::<Pong>(frame.envelope).map(|pong| (pong.echo, 0))?,
        Kind::Ack => {
            let up_to = read::<Ack>(frame.envelope)?.up_to;
            assert!(up_to <= stored, "acknowledged {up_to}, stored {stored}");
            (up_to, 0)
        }
        Kind::Resync => {
            let cursor = read::<Resync>(frame.envelope)?.cursor;
            assert!(cursor <= taken, "resync behind {cursor}, taken {taken}");
            (cursor, 0)
        }
        _ => return Err(Code::KindNotAllowed),
    };
    Ok((kind, numbers))
}

fn is_allowed(kind: Kind, length: u32, allowed: Allowed) -> bool {
    match allowed {
        Allowed::Hello => kind == Kind::Hello,
        Allowed::Acknowledgements => {
            matches!(kind, Kind::Ack | Kind::Resync | Kind::Pong | Kind::Ping)
        }
        Allowed::Everything { frame_bytes_max, takes_reads, takes_recalls } => {
            length <= frame_bytes_max
                && kind != Kind::Hello
                && (kind != Kind::Read || takes_reads)
                && (kind != Kind::Recall || takes_recalls)
        }
    }
}
