//! What a session says, taken as an app's driver would.

use std::collections::btree_map::Entry;

use answerback_proto::code::{Class, Code};
use answerback_proto::id::{DeviceId, Position, Sequence, UserId};
use answerback_sdk::session::{self, EntryBody, Event};

use super::{Client, Use};
use crate::model::{Breach, MessageNumber, Model, Welcomed};
use crate::trace::Trace;

impl Client {
    pub(super) fn take_events(&mut self, model: &mut Model, trace: &Trace) -> Result<(), Breach> {
        let mut stored = None;
        while let Some(event) = self.session.poll_event() {
            self.take(event, model, &mut stored, trace)?;
        }
        if let Some(position) = stored {
            self.store.cursor = position;
            self.session.handle_stored(position);
        }
        Ok(())
    }

    fn take(
        &mut self,
        event: Event,
        model: &mut Model,
        stored: &mut Option<Position>,
        trace: &Trace,
    ) -> Result<(), Breach> {
        let device = self.device;
        match event {
            Event::Opened { generation, cursor, lapsed, .. } => {
                trace.say(format_args!(
                    "  device {device} is welcomed at {cursor}, lapsed {lapsed}"
                ));
                let is_new = self.store.generation.0 == 0;
                let stored = (!is_new).then_some(self.store.cursor);
                let counter = self.store.connection_counter;
                let welcomed = Welcomed { cursor, stored, has_lapsed: lapsed, counter };
                self.store.wallet.handle_welcome(counter);
                (self.store.generation, self.store.cursor) = (generation, cursor);
                model.handle_opened(device, welcomed)
            }
            Event::Accepted { peer, sequence, accepted_at_ms } => {
                self.store.see(peer, accepted_at_ms);
                let number = self.decided(peer, sequence, model)?;
                trace.say(format_args!(
                    "  device {device} hears that message {} is accepted",
                    number.0
                ));
                model.handle_accepted(number, accepted_at_ms)
            }
            Event::Failed { peer, sequence, code } => {
                let number = self.decided(peer, sequence, model)?;
                trace.say(format_args!(
                    "  device {device} hears that message {} failed: {code}",
                    number.0
                ));
                model.handle_failed(number, code)
            }
            Event::Refused { peer, sequence, code } => {
                let number = self.decided(peer, sequence, model)?;
                trace.say(format_args!(
                    "  device {device} hears that message {} is refused: {code}",
                    number.0
                ));
                model.handle_refused(number, code)
            }
            Event::Missing { peer, from, to } => {
                trace.say(format_args!("  device {device} lacks {from} to {to} for user {peer}"));
                self.answer_missing(peer, from, to);
                Ok(())
            }
            Event::Entry(_) if self.is_stuck => Ok(()),
            Event::Entry(entry) => {
                trace.say(format_args!("  device {device} stores {}", told(&entry)));
                *stored = Some(entry.position);
                self.take_entry(&entry);
                model.handle_stored(device, &entry)
            }
            Event::Shown(entry) => {
                trace.say(format_args!("  device {device} is shown {}", told(&entry)));
                model.handle_shown(self.user, &entry)
            }
            Event::Presence { peer, last_action_ms, .. } => {
                trace.say(format_args!(
                    "  device {device} sees that user {peer} was there at {last_action_ms}"
                ));
                model.check_presence(self.user, peer, last_action_ms, self.is_in_background)
            }
            Event::Typing { peer, .. } => {
                trace.say(format_args!("  device {device} sees that user {peer} writes"));
                model.check_typing(peer, self.user, self.is_in_background)
            }
            Event::ReadNoted { peer, device: of, up_to } => {
                self.note_read(peer, of, up_to);
                Ok(())
            }
            Event::Answered { outcome, .. } => model.handle_answered(self.user, &outcome),
            Event::DeletionNoted { number } => {
                self.store.deletions.remove(&number);
                Ok(())
            }
            Event::Closed { code, .. } => {
                trace.say(format_args!("  device {device} is closed: {code}"));
                self.close(code, model)
            }
            Event::Silent => {
                self.disconnect();
                Ok(())
            }
            Event::CaughtUp
            | Event::GoAway { .. }
            | Event::Ticket(_)
            | Event::Renewed
            | Event::WatchRefused { .. } => Ok(()),
        }
    }

    fn close(&mut self, number: u16, model: &Model) -> Result<(), Breach> {
        let code = Code::from_number(number).unwrap_or(Code::FrameMalformed);
        self.disconnect();
        if matches!(code, Code::DeviceRevoked | Code::DeviceRolledBack) {
            self.usage = Use::Gone;
        }
        if code.class() == Class::Reauthenticate {
            self.store.wallet.handle_refused();
        }
        model.handle_closed(self.device, self.store.connection_counter, code)
    }

    fn take_entry(&mut self, entry: &session::Entry) {
        let peer = entry.peer;
        match &entry.body {
            EntryBody::Message { device, sequence, accepted_at_ms, .. } => {
                self.store.see(peer, *accepted_at_ms);
                let received = self.store.received.entry((peer, *device)).or_default();
                *received = (*received).max(*sequence);
            }
            EntryBody::Copied { device, sequence, accepted_at_ms, .. } => {
                self.store.see(peer, *accepted_at_ms);
                let copied = self.store.copied.entry((peer, *device)).or_default();
                *copied = (*copied).max(*sequence);
            }
            EntryBody::GroupMessage { accepted_at_ms, .. } => {
                self.store.see(peer, *accepted_at_ms);
                self.store.in_groups.insert(peer, entry.position);
            }
            EntryBody::Failed { device, sequence, .. } if *device == self.device => {
                self.store.undecided.remove(&(peer, *sequence));
            }
            EntryBody::ReadElsewhere { device, up_to, .. } => {
                self.note_read(peer, *device, *up_to);
            }
            _ => {}
        }
    }

    /// The box knows of all that was read up to a number.
    fn note_read(&mut self, peer: UserId, device: DeviceId, up_to: Sequence) {
        if let Entry::Occupied(own) = self.store.unnoted_reads.entry((peer, device))
            && *own.get() <= up_to
        {
            own.remove();
        }
    }

    /// What is still kept goes again; what was lost is given up, or kept silent about.
    fn answer_missing(&mut self, peer: UserId, from: Sequence, to: Sequence) {
        for number in (from.0..=to.0).map(Sequence) {
            match self.store.undecided.get(&(peer, number)) {
                Some(kept) => self.session.send(kept.clone()),
                None if self.skips_nothing => self.was_asked = true,
                None => self.session.skip(peer, number),
            }
        }
    }

    fn decided(
        &mut self,
        peer: UserId,
        sequence: Sequence,
        model: &Model,
    ) -> Result<MessageNumber, Breach> {
        self.store.undecided.remove(&(peer, sequence));
        model.sent(self.device, peer, sequence)
    }
}

fn told(entry: &session::Entry) -> String {
    let session::Entry { position, peer, body } = entry;
    match body {
        EntryBody::Message { device, sequence, .. } => {
            format!("{position}: number {sequence} of user {peer}'s device {device}")
        }
        EntryBody::Copied { device, sequence, .. } => {
            format!("{position}: a copy of device {device}'s number {sequence} to user {peer}")
        }
        EntryBody::Delivered { device, up_to, .. } => {
            format!("{position}: device {device}'s are delivered to user {peer} up to {up_to}")
        }
        EntryBody::ChatSet { settings } => format!("{position}: user {peer} {settings:?}"),
        EntryBody::ReadBy { device, up_to, .. } => {
            format!("{position}: device {device}'s are read by user {peer} up to {up_to}")
        }
        EntryBody::ReadElsewhere { device, up_to, .. } => {
            format!("{position}: user {peer}'s device {device} is read elsewhere up to {up_to}")
        }
        EntryBody::ChatDeleted { up_to, .. } => {
            format!("{position}: the chat with user {peer} is deleted up to {up_to}")
        }
        EntryBody::Failed { device, sequence, code } => {
            format!("{position}: device {device}'s {sequence} to user {peer} failed: {code}")
        }
        EntryBody::GroupMessage { sender, device, sequence, .. } => {
            format!("{position}: number {sequence} of {sender}'s device {device} in group {peer}")
        }
        EntryBody::GroupChanged { version, change, .. } => {
            format!("{position}: group {peer} changes ({change}) to version {version}")
        }
        EntryBody::GroupFailed { device, sequence, members } => {
            format!("{position}: device {device}'s {sequence} in group {peer} fails {members:?}")
        }
        EntryBody::GroupReceipt { device, sequence, version, delivered, read } => {
            format!(
                "{position}: device {device}'s {sequence} in group {peer}, of version {version}, \
                 is delivered to {delivered:?}, read by {read:?}"
            )
        }
        EntryBody::GroupReadElsewhere { up_to, .. } => {
            format!("{position}: group {peer} is read elsewhere up to {up_to}")
        }
    }
}
