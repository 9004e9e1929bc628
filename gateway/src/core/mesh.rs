//! What a core has for the others: one parcel a tick and core.
//!
//! ```text
//! parcel │ requests  frames for shards there, each with its origin
//!        │ answers   frames for connections there, which asked for them
//!        │ mail      words between partitions; may be lost
//!        │ arrivals  sockets whose user lives there
//! ```
//! A request leaves only if there is room for its answer: as many requests as may be
//! without an answer, so many answers there can be, and a parcel holds them all. A
//! parcel that finds the queue full stays and is filled further, within its bounds; so
//! no core ever waits for another, and what is between two of them stays in order.

use answerback_directory::mailbox::{Receiver, Sender};
use answerback_directory::shard::{Mail, Origin, SessionRef};
use answerback_proto::frame_buffer::{Frame, FrameBuffer};
use answerback_proto::header::{HEADER_BYTES, Header};
use answerback_proto::id::{DeviceId, PartitionId, UserId};
use answerback_proto::limits::FRAME_BYTES_HARD_MAX;
use ipnet::IpNet;
use mio::net::TcpStream;

use super::connection::Cover;
use crate::limits::{
    PARCEL_ARRIVALS_MAX, PARCEL_MAIL_MAX, PARCEL_REQUEST_BYTES_MAX, PARCEL_SIGNALS_MAX,
    PARCELS_PER_TICK, REQUESTS_FORWARDED_MAX,
};
use crate::reactor::slot::SlotKey;
use crate::session::handshake::Greeting;

/// One core's links to all others.
pub(crate) struct Mesh {
    core: u16,
    /// By core; none for this one.
    links: Vec<Option<Link>>,
}

/// The two queues between this core and another.
pub(crate) struct Link {
    to: Sender<Parcel>,
    from: Receiver<Parcel>,
    /// What goes with the next.
    parcel: Parcel,
    /// Requests there without an answer.
    forwarded: u32,
}

/// What one core has for another.
#[derive(Debug, Default)]
pub(crate) struct Parcel {
    requests: Vec<u8>,
    answers: Vec<u8>,
    /// Words, each with its partition.
    pub(crate) mail: Vec<(PartitionId, Mail)>,
    /// Sockets.
    pub(crate) arrivals: Vec<Arrival>,
    /// Requests that will have no answer.
    released: u32,
}

/// A socket that moves to its user's core, its `Hello` checked.
#[derive(Debug)]
pub(crate) struct Arrival {
    /// The socket, watched by nobody.
    pub(crate) socket: TcpStream,
    /// Its cover.
    pub(crate) cover: Option<Box<Cover>>,
    /// The network that it counts to, if to any.
    pub(crate) prefix: Option<IpNet>,
    /// What came behind `Hello`.
    pub(crate) frames: Option<Box<FrameBuffer>>,
    /// What `Hello` said.
    pub(crate) greeting: Greeting,
}

/// Bytes before each request: slot, generation, user, device, copies.
const ORIGIN_BYTES: usize = 41;

impl Link {
    /// A link with nothing under way.
    pub(crate) fn new(to: Sender<Parcel>, from: Receiver<Parcel>) -> Self {
        Self { to, from, parcel: Parcel::default(), forwarded: 0 }
    }
}

impl Mesh {
    /// The links of a core, by the other's number.
    pub(crate) fn new(core: u16, links: Vec<Option<Link>>) -> Self {
        Self { core, links }
    }

    /// Sends a request to its home; `false` where there is no room for it or its answer.
    pub(crate) fn forward(&mut self, core: u16, origin: &Origin, frame: &Frame<'_>) -> bool {
        let Some(link) = self.link(core) else { return false };
        let length = ORIGIN_BYTES + frame.header.length as usize;
        let requests = &mut link.parcel.requests;
        let has_room = requests.is_empty() || requests.len() + length <= PARCEL_REQUEST_BYTES_MAX;
        if !has_room || link.forwarded >= REQUESTS_FORWARDED_MAX {
            return false;
        }
        link.forwarded += 1;
        append_request(requests, origin, frame);
        true
    }

    /// Sends the answer to a request that another core forwarded.
    pub(crate) fn answer(
        &mut self,
        to: SessionRef,
        is_last: bool,
        write: impl FnOnce(&mut Vec<u8>),
    ) {
        let Some(link) = self.link(to.core) else { return };
        let answers = &mut link.parcel.answers;
        answers.extend_from_slice(&to.slot.to_le_bytes());
        answers.extend_from_slice(&to.generation.to_le_bytes());
        answers.push(u8::from(is_last));
        write(answers);
    }

    /// Tells a core that as many of its requests will have no answer.
    pub(crate) fn release(&mut self, core: u16, count: u32) {
        if let Some(link) = self.link(core) {
            link.parcel.released += count;
        }
    }

    /// Sends a word to a partition of another core, or drops it.
    pub(crate) fn mail(&mut self, core: u16, to: PartitionId, mail: Mail) {
        let most = if mail.is_signal() { PARCEL_SIGNALS_MAX } else { PARCEL_MAIL_MAX };
        if let Some(link) = self.link(core)
            && link.parcel.mail.len() < most
        {
            link.parcel.mail.push((to, mail));
        }
    }

    /// Whether a socket can move to a core now.
    pub(crate) fn has_room_for_arrival(&mut self, core: u16) -> bool {
        self.link(core).is_some_and(|link| link.parcel.arrivals.len() < PARCEL_ARRIVALS_MAX)
    }

    /// Moves a socket to a core that has room for it.
    pub(crate) fn move_there(&mut self, core: u16, arrival: Arrival) {
        if let Some(link) = self.link(core) {
            link.parcel.arrivals.push(arrival);
        }
    }

    /// Takes what the others sent: the number of the other and its parcel.
    pub(crate) fn receive(&mut self, mut each: impl FnMut(u16, Parcel)) {
        for (core, link) in (0..).zip(&mut self.links) {
            let Some(link) = link else { continue };
            let forwarded = &mut link.forwarded;
            link.from.drain(PARCELS_PER_TICK, |parcel| {
                let answered = parcel.answers().count() as u32 + parcel.released;
                *forwarded = forwarded.saturating_sub(answered);
                each(core, parcel);
            });
        }
    }

    /// Sends what there is; `false` where something had to stay.
    pub(crate) fn flush(&mut self) -> bool {
        let mut is_all_sent = true;
        for link in self.links.iter_mut().flatten().filter(|link| !link.parcel.is_empty()) {
            match link.to.try_send(std::mem::take(&mut link.parcel)) {
                Ok(()) => link.to.notify(),
                Err(parcel) => {
                    link.parcel = parcel;
                    is_all_sent = false;
                }
            }
        }
        is_all_sent
    }

    fn link(&mut self, core: u16) -> Option<&mut Link> {
        debug_assert_ne!(core, self.core);
        self.links.get_mut(usize::from(core))?.as_mut()
    }
}

impl Parcel {
    /// Whether requests were given up there: a partition is in quarantine.
    pub(crate) fn has_released(&self) -> bool {
        self.released > 0
    }

    fn is_empty(&self) -> bool {
        self.requests.is_empty()
            && self.answers.is_empty()
            && self.mail.is_empty()
            && self.arrivals.is_empty()
            && self.released == 0
    }

    /// The requests, each with its origin on core `core`.
    pub(crate) fn requests(&self, core: u16) -> impl Iterator<Item = (Origin, Frame<'_>)> {
        let mut rest = self.requests.as_slice();
        std::iter::from_fn(move || take_request(core, &mut rest))
    }

    /// The answers: for whom, whether the connection closes behind it, the frame.
    pub(crate) fn answers(&self) -> impl Iterator<Item = (SlotKey, bool, &[u8])> {
        let mut rest = self.answers.as_slice();
        std::iter::from_fn(move || {
            let key = take_key(&mut rest)?;
            let [is_last] = take(&mut rest)?;
            let header = Header::read(rest.first_chunk()?, FRAME_BYTES_HARD_MAX).ok()?;
            let frame = take_bytes(&mut rest, header.length as usize)?;
            Some((key, is_last != 0, frame))
        })
    }
}

fn append_request(requests: &mut Vec<u8>, origin: &Origin, frame: &Frame<'_>) {
    requests.reserve(ORIGIN_BYTES + frame.header.length as usize);
    requests.extend_from_slice(&origin.session.slot.to_le_bytes());
    requests.extend_from_slice(&origin.session.generation.to_le_bytes());
    requests.extend_from_slice(&origin.user.0.to_le_bytes());
    requests.extend_from_slice(&origin.device.0.to_le_bytes());
    requests.push(u8::from(origin.copies));
    requests.extend_from_slice(&frame.header.to_bytes());
    requests.extend_from_slice(frame.envelope);
    requests.extend_from_slice(frame.payload);
}

fn take_request<'a>(core: u16, bytes: &mut &'a [u8]) -> Option<(Origin, Frame<'a>)> {
    let key = take_key(bytes)?;
    let user = UserId(u128::from_le_bytes(take(bytes)?));
    let device = DeviceId(u128::from_le_bytes(take(bytes)?));
    let [copies] = take(bytes)?;
    let frame = take_frame(bytes)?;
    let session = SessionRef { core, slot: key.index, generation: key.generation };
    Some((Origin { session, tag: frame.header.tag, user, device, copies: copies != 0 }, frame))
}

fn take_key(bytes: &mut &[u8]) -> Option<SlotKey> {
    let index = u32::from_le_bytes(take(bytes)?);
    let generation = u32::from_le_bytes(take(bytes)?);
    Some(SlotKey { index, generation })
}

fn take_frame<'a>(bytes: &mut &'a [u8]) -> Option<Frame<'a>> {
    let header = Header::read(bytes.first_chunk()?, FRAME_BYTES_HARD_MAX).ok()?;
    let (_, body) = take_bytes(bytes, header.length as usize)?.split_at_checked(HEADER_BYTES)?;
    let (envelope, payload) = body.split_at_checked(usize::from(header.envelope_length))?;
    Some(Frame { header, envelope, payload })
}

fn take<const LENGTH: usize>(bytes: &mut &[u8]) -> Option<[u8; LENGTH]> {
    let (taken, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*taken)
}

fn take_bytes<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

#[cfg(test)]
mod tests;
