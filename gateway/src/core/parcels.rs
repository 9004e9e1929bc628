//! What other cores sent: requests for shards here, answers, words, sockets.

use answerback_directory::shard::Origin;
use answerback_directory::shard::reply::append_answer;
use answerback_proto::frame_buffer::Frame;
use answerback_proto::id::UserId;

use super::Core;
use super::mesh::{Arrival, Parcel};
use crate::session::reply::Refusal;
use crate::session::{Fault, Session, reply};

impl Core {
    /// Takes the parcels of this tick.
    pub(super) fn handle_parcels(&mut self) {
        let mut parcels = Vec::new();
        self.mesh.receive(|core, parcel| parcels.push((core, parcel)));
        for (core, parcel) in parcels {
            self.handle_parcel(core, parcel);
        }
    }

    fn handle_parcel(&mut self, core: u16, mut parcel: Parcel) {
        for (key, is_last, frame) in parcel.answers() {
            if is_last {
                self.end(key, |out| out.extend_from_slice(frame));
            } else {
                self.connections.append(key, |out| out.extend_from_slice(frame));
            }
            self.handle_answered(key);
        }
        if parcel.has_released() {
            self.close_hanging(None);
        }
        if !self.phase.is_reading() {
            return;
        }
        for (origin, frame) in parcel.requests(core) {
            self.handle_forwarded(&origin, &frame);
        }
        for (partition, mail) in std::mem::take(&mut parcel.mail) {
            self.shards.take_mail(partition, mail, self.now_ms());
        }
        parcel.arrivals.drain(..).for_each(|arrival| self.handle_arrival(arrival));
    }

    /// A request for a shard here, from a connection of another core.
    fn handle_forwarded(&mut self, origin: &Origin, frame: &Frame<'_>) {
        let Some(kind) = frame.header.kind() else { return };
        let target = UserId(frame.header.target);
        let table = &self.shared.table;
        let partition = table.home_of_request(kind, origin.user, target, frame.envelope);
        let Err(retry_after_ms) = self.shards.handle_request(partition, kind, *origin, frame)
        else {
            return;
        };
        let (to, tag) = (origin.session, origin.tag);
        let refusal = Refusal::busy(retry_after_ms);
        self.counts.refused.count(refusal.code);
        match reply::refusal(frame, kind, refusal) {
            Ok(refusal) => {
                self.mesh.answer(to, false, |out| append_answer(out, tag, target, &refusal))
            }
            Err(code) => {
                let fault = Fault::of_frame(code, &frame.header);
                self.mesh.answer(to, true, |out| reply::append_error(out, fault));
            }
        }
    }

    /// A socket whose user lives here.
    fn handle_arrival(&mut self, arrival: Arrival) {
        let Arrival { socket, cover, prefix, frames, greeting } = arrival;
        let session = Session::opening(greeting.pass.user, greeting.pass.device);
        match self.insert(socket, cover, session, frames) {
            Some(key) => {
                self.entrance.put_prefix(key, prefix);
                self.open_here(key, &greeting);
            }
            None => self.let_out(prefix),
        }
    }
}
