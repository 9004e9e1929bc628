//! From the shards' effects to what is said to connections, other cores and the disk.

use answerback_directory::shard::{Effect, Entry, EntryBody, Opened, SessionRef, reply};
use answerback_proto::encode::{Address, append_frame};
use answerback_proto::id::UserId;
use answerback_proto::kind::{End, Error, Kind, Probe, Welcome};
use answerback_proto::limits::{FRAME_BYTES_MAX, UNDECIDED_MAX};

use super::{Front, Letter, Reading, Said};
use crate::model::{Breach, Model};

impl Front {
    pub(super) fn perform(
        &mut self,
        core: u16,
        effect: Effect,
        model: &Model,
    ) -> Result<(), Breach> {
        match effect {
            Effect::Mail { to, mail } => self.mail.push((to, mail)),
            Effect::Load(load) => self.readings.push(Reading::Asked(load)),
            Effect::Answer { to, .. } | Effect::Close { to, .. } if to.core != core => {
                self.post(core, to.core, Letter::Answer(effect));
            }
            Effect::Entry { to, entry } => {
                check_offer(&entry, model)?;
                reply::append_entry(&mut self.said_bytes, &entry);
                self.end_said(to, false);
            }
            effect => self.say(effect),
        }
        Ok(())
    }

    pub(super) fn say(&mut self, effect: Effect) {
        let out = &mut self.said_bytes;
        match effect {
            Effect::Answer { to, tag, peer, answer } => {
                reply::append_answer(out, tag, peer, &answer);
                self.end_said(to, false);
            }
            Effect::Devices { to, tag, user, page } => {
                reply::append_devices(out, tag, user, &page);
                self.end_said(to, false);
            }
            Effect::Chats { to, tag, user, page } => {
                reply::append_chats(out, tag, user, &page);
                self.end_said(to, false);
            }
            Effect::Contacts { to, tag, user, page } => {
                reply::append_contacts(out, tag, user, &page);
                self.end_said(to, false);
            }
            Effect::GroupDescribed { to, tag, group, described } => {
                reply::append_described(out, tag, group, &described);
                self.end_said(to, false);
            }
            Effect::Opened { to, tag, user, opened } => {
                append_welcome(out, tag, user, &opened);
                self.set_habits(to, opened.copies, opened.notes_writing);
                self.end_said(to, false);
            }
            Effect::CaughtUp { to, user, position } => {
                reply::append_caught_up(out, user, position);
                self.end_said(to, false);
            }
            Effect::Close { to, code, .. } => {
                let error = Error { code: code.number(), kind: 0, retry_after_ms: 0 };
                append_frame(out, Address::default(), &error, &[], &[]);
                self.end_said(to, true);
            }
            Effect::Probe { to } => {
                append_frame(out, Address::default(), &Probe { echo: 0 }, &[], &[]);
                if let Some(slot) = self.slots.get_mut(to.slot as usize) {
                    slot.is_probed |= slot.generation == to.generation;
                }
                self.end_said(to, false);
            }
            Effect::Signal { to, signal } => {
                reply::append_signal(out, &signal);
                self.end_said(to, false);
            }
            Effect::Copies { to, copies, notes_writing } => {
                self.set_habits(to, copies, notes_writing);
            }
            Effect::Entry { .. }
            | Effect::Mail { .. }
            | Effect::Load(_)
            | Effect::Alarm(_)
            | Effect::Wake(_)
            | Effect::Report { .. }
            | Effect::Administered { .. } => {}
        }
    }

    /// What was just appended is for this connection, where it is still there.
    pub(super) fn end_said(&mut self, to: SessionRef, closes: bool) {
        let begin = self.said.last().map_or(0, |said| said.end);
        if !self.is_current(to) {
            return self.said_bytes.truncate(begin);
        }
        let (slot, generation, end) = (to.slot, to.generation, self.said_bytes.len());
        self.slots[to.slot as usize].is_closing = closes;
        self.said.push(Said { slot, generation, end, closes });
    }

    fn set_habits(&mut self, to: SessionRef, copies: bool, notes_writing: bool) {
        if let Some(slot) = self.slots.get_mut(to.slot as usize)
            && slot.generation == to.generation
        {
            (slot.copies, slot.notes_writing) = (copies, notes_writing);
        }
    }
}

fn check_offer(entry: &Entry, model: &Model) -> Result<(), Breach> {
    match &entry.body {
        EntryBody::Message { payload, .. } | EntryBody::Copied { payload, .. } => {
            let is_copy = matches!(entry.body, EntryBody::Copied { .. });
            model.check_offered(payload, is_copy)
        }
        _ => Ok(()),
    }
}

fn append_welcome(out: &mut Vec<u8>, tag: u32, user: UserId, opened: &Opened) {
    let welcome = Welcome {
        version: 1,
        kinds_count: 0,
        ticket_length: 0,
        lapsed: u16::from(opened.lapsed),
        server_time_ms: 0,
        session: 0,
        generation: opened.generation.0,
        cursor: opened.cursor.0,
        pending_count: opened.pending_count,
        pending_bytes: opened.pending_bytes,
        frame_bytes_max: FRAME_BYTES_MAX,
        undecided_max: UNDECIDED_MAX as u16,
        heartbeat_min_s: 3_000,
        heartbeat_max_s: 6_000,
    };
    let kinds = [
        Kind::Send,
        Kind::Skip,
        Kind::Ack,
        Kind::Resync,
        Kind::Read,
        Kind::Recall,
        Kind::ListDevices,
        Kind::NameDevice,
        Kind::RevokeDevice,
        Kind::DeleteChat,
        Kind::GroupSend,
        Kind::GroupSkip,
        Kind::CreateGroup,
        Kind::ChangeMembers,
        Kind::RenameGroup,
        Kind::DescribeGroup,
        Kind::SetGroupReceipts,
        Kind::ReadGroup,
        Kind::Typing,
        Kind::SetChat,
        Kind::ListChats,
        Kind::SetContacts,
        Kind::SetWriters,
        Kind::ListContacts,
        Kind::Watch,
        Kind::SetVisibility,
        Kind::Ping,
        Kind::Pong,
    ];
    debug_assert!(kinds.iter().all(|kind| kind.is_sent_by(End::Client)));
    let appended = welcome.append(out, Address { flags: 0, tag, target: user.0 }, &kinds, &[]);
    debug_assert_eq!(appended, Ok(()));
}
