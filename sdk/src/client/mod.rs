//! A device as an app uses it: open, send, read what came, close. One thread of its own keeps
//! the connection; there is no runtime.
//!
//! Nothing here has a type parameter or a lifetime: other languages get the same surface.

mod device;
mod error;
mod event;
mod fetch;
mod groups;
mod message;
mod options;
mod rosters;
mod shared;
mod signals;
mod worker;

use std::io;
use std::sync::Arc;
use std::thread;

use answerback_proto::id::{GroupId, Sequence, UserId};
use answerback_proto::kind::{BLOCKED, ChatSettings, HIDES_READS, MUTED};
use answerback_proto::limits::{FRAME_BYTES_HARD_MAX, MUTED_UNTIL_MS_MAX, WATCHED_MAX};

pub use device::Statistics;
pub use error::{Error, ErrorClass};
pub use event::{ClientEvent, ConnectionState};
pub use fetch::{Fetched, fetch_once};
pub use message::{ChatSummary, Failure, Message, MessageId, MessageState, Received};
pub use options::{Options, TokenSource};
pub use signals::Presence;

use crate::session::{Ask, AskId, Mode, ReadMark};
use crate::storage::{ChatMessage, Draft};
use crate::transport::{Connector, Distrust, bell, host_of};
use device::Device;
use shared::Shared;
use worker::Worker;

/// A device that is open. Its methods may be called from any thread, and wait for nothing but
/// the device's file; what the network does is told by [`Client::next_event`].
#[derive(Debug)]
pub struct Client {
    shared: Arc<Shared>,
    options: Options,
}

impl Client {
    /// Opens the device's file, or makes it, and starts to connect. Works without a network:
    /// what is sent waits in the file.
    ///
    /// # Errors
    /// `Storage`: the file is in use by another process, unwritable, newer, another device's.
    /// `Usage`: options that make no sense, as plain TCP to another machine that was not asked
    /// for.
    pub fn open(options: Options, tokens: Box<dyn TokenSource>) -> Result<Self, Error> {
        check(&options)?;
        if options.mode == Mode::Fetch {
            return Err(Error::usage("a client is active or in the background; see fetch_once"));
        }
        let connector = Connector::new(&options.address, &options.security)?;
        let (bell, sleeper) = bell().map_err(Error::of_system)?;
        let shared = Arc::new(Shared::new(Device::open(&options, fastrand::u64(..))?, bell));
        let worker = Worker::new(Arc::clone(&shared), connector, &options, tokens, sleeper);
        let thread = thread::Builder::new().name("answerback".to_owned());
        thread.spawn(|| worker.run()).map_err(Error::of_system)?;
        Ok(Self { shared, options })
    }

    /// What it was opened with.
    pub fn options(&self) -> Options {
        self.options.clone()
    }

    /// Stores a message and sends it as soon as there is a connection. `content_type` is from
    /// the registry of the protocol's page: 1 is a text.
    ///
    /// # Errors
    /// `Storage`, `Usage`.
    pub fn send(
        &self,
        peer: UserId,
        content_type: u16,
        payload: Vec<u8>,
    ) -> Result<MessageId, Error> {
        self.send_with_life(peer, content_type, payload, 0)
    }

    /// As `send`; a message that was not delivered within `life_s` seconds fails. 0 is the
    /// longest, 30 days.
    ///
    /// # Errors
    /// `Storage`, `Usage`.
    pub fn send_with_life(
        &self,
        peer: UserId,
        content_type: u16,
        payload: Vec<u8>,
        life_s: u32,
    ) -> Result<MessageId, Error> {
        self.send_one(Draft::new(peer, content_type, payload).with_life_s(life_s))
    }

    /// Stores several messages in one transaction, and sends them.
    ///
    /// # Errors
    /// `Storage`, `Usage`: then none of them is stored.
    pub fn send_all(&self, drafts: Vec<Draft>) -> Result<Vec<MessageId>, Error> {
        drafts.iter().try_for_each(check_draft)?;
        let peers: Vec<_> = drafts.iter().map(|draft| draft.peer).collect();
        let sequences = self.shared.with_wake(|device| device.queue(drafts))?;
        Ok(peers
            .into_iter()
            .zip(sequences)
            .map(|(peer, sequence)| self.own(peer, sequence))
            .collect())
    }

    /// Takes an own message back, and tells the peer so by a message of its own: where nobody
    /// had the first yet, nobody gets it, and it becomes `Recalled`.
    ///
    /// # Errors
    /// `Usage`: not this device's message. `Storage`.
    pub fn recall(
        &self,
        message: MessageId,
        content_type: u16,
        payload: Vec<u8>,
    ) -> Result<MessageId, Error> {
        self.check_own(message)?;
        self.send_one(Draft::recall(message.peer, message.sequence, content_type, payload))
    }

    /// Sends the words of a failed message of this device again, as a new message; the chat
    /// shows it once, as the new one.
    ///
    /// # Errors
    /// `Usage`: it did not fail, was sent again already, or is another device's. `Storage`.
    pub fn resend(&self, message: MessageId) -> Result<MessageId, Error> {
        self.check_own(message)?;
        let MessageId { peer, sequence, .. } = message;
        let sequence = self.shared.with_wake(|device| {
            let outgoing = device.storage.resend(peer, sequence)?;
            Ok(device.send(outgoing))
        })?;
        Ok(self.own(peer, sequence))
    }

    /// The user has read a received message and all that its device had sent before it; of a
    /// group, all that came before it. The sender is told, of a group where it has receipts.
    ///
    /// # Errors
    /// `Storage`.
    pub fn read(&self, message: MessageId) -> Result<(), Error> {
        let MessageId { peer, sender, device: of, sequence } = message;
        self.shared.with_wake(|device| {
            if device.storage.is_group(peer)? {
                return Ok(device.read_group(GroupId(peer.0), Some((sender, of, sequence)))?);
            }
            let mark = device.storage.read(peer, of, sequence)?;
            note_read(device, peer, mark.into_iter().collect());
            Ok(())
        })
    }

    /// The user has read all of a chat that is here.
    ///
    /// # Errors
    /// `Storage`.
    pub fn read_chat(&self, peer: UserId) -> Result<(), Error> {
        self.shared.with_wake(|device| {
            if device.storage.is_group(peer)? {
                return Ok(device.read_group(GroupId(peer.0), None)?);
            }
            let marks = device.storage.read_all(peer)?;
            note_read(device, peer, marks);
            Ok(())
        })
    }

    /// Asks for something, now or when there is a connection; it is forgotten
    /// when the client is closed. [`ClientEvent::Answered`] says what became of it.
    ///
    /// # Errors
    /// `Usage`: the client is closed.
    pub fn ask(&self, ask: Ask) -> Result<AskId, Error> {
        self.shared.with_wake(|device| Ok(device.link.session().ask_for(ask)))
    }

    /// Deletes a chat from this device, and has the server tell the user's other devices. What
    /// the peer has deleted too is gone from the server; what comes later opens the chat again.
    /// Messages without a decision stay.
    ///
    /// # Errors
    /// `Storage`.
    pub fn delete_chat(&self, peer: UserId) -> Result<(), Error> {
        self.shared.with_wake(|device| {
            let deletions = device.storage.delete_chat(peer)?;
            deletions.into_iter().for_each(|one| device.link.session().delete_chat(one));
            device.tell_of_chat(peer);
            Ok(())
        })
    }

    /// Blocks a user, or ends that: from then on nothing of what he sends comes to any device,
    /// nor what he sent while he was blocked; he is told what he would be told of a user who is
    /// away. [`ClientEvent::Answered`] says what became of it.
    ///
    /// # Errors
    /// `Storage`, `Usage`.
    pub fn set_blocked(&self, peer: UserId, is_blocked: bool) -> Result<AskId, Error> {
        let flags = if is_blocked { BLOCKED } else { 0 };
        self.set_chat(peer, BLOCKED, ChatSettings { flags, muted_until_ms: 0 })
    }

    /// Has read receipts of a chat off, both ways, or on again. As above.
    ///
    /// # Errors
    /// `Storage`, `Usage`.
    pub fn set_hides_reads(&self, peer: UserId, hides_reads: bool) -> Result<AskId, Error> {
        let flags = if hides_reads { HIDES_READS } else { 0 };
        self.set_chat(peer, HIDES_READS, ChatSettings { flags, muted_until_ms: 0 })
    }

    /// Mutes a chat until a time, ms since 1970, or 0 for not at all: for this app to heed, and
    /// for the operator's pushes. As above.
    ///
    /// # Errors
    /// `Storage`, `Usage`.
    pub fn mute(&self, peer: UserId, until_ms: u64) -> Result<AskId, Error> {
        let muted_until_ms = until_ms.min(MUTED_UNTIL_MS_MAX);
        self.set_chat(peer, MUTED, ChatSettings { flags: 0, muted_until_ms })
    }

    /// How a chat is treated.
    ///
    /// # Errors
    /// `Storage`.
    pub fn chat_settings(&self, peer: UserId) -> Result<ChatSettings, Error> {
        self.shared.with(|device| Ok(device.storage.chat_settings(peer)?))
    }

    /// All chats that are treated otherwise than at first, by the other end.
    ///
    /// # Errors
    /// `Storage`.
    pub fn set_chats(&self) -> Result<Vec<(UserId, ChatSettings)>, Error> {
        self.shared.with(|device| Ok(device.storage.set_chats()?))
    }

    fn set_chat(&self, peer: UserId, changes: u16, to: ChatSettings) -> Result<AskId, Error> {
        if peer == self.options.user || peer == UserId(0) {
            return Err(Error::usage("a chat is with another user"));
        }
        self.shared.with_wake(|device| device.change_chat(peer, changes, to))
    }

    /// All chats, the one with the latest message first.
    ///
    /// # Errors
    /// `Storage`.
    pub fn chats(&self) -> Result<Vec<ChatSummary>, Error> {
        self.shared.with(|device| {
            let mut summaries = Vec::new();
            for peer in device.storage.peers()? {
                summaries.extend(self.summary(device, peer)?);
            }
            summaries.sort_by_key(|summary| std::cmp::Reverse(place(&summary.last)));
            Ok(summaries)
        })
    }

    /// The last messages of a chat, at most so many, in the shown order; what is pending
    /// stands last, what was sent again stands in its new place.
    ///
    /// # Errors
    /// `Storage`.
    pub fn chat(&self, peer: UserId, count_max: u32) -> Result<Vec<Message>, Error> {
        self.shared.with(|device| {
            let messages = device.storage.chat(peer, count_max)?;
            Ok(messages.into_iter().map(|message| self.shown(peer, message)).collect())
        })
    }

    /// One message as it is now; none where it is not in this file.
    ///
    /// # Errors
    /// `Storage`.
    pub fn message(&self, message: MessageId) -> Result<Option<Message>, Error> {
        let MessageId { peer, sender, device: of, sequence } = message;
        self.shared.with(|device| {
            let found = device.storage.message(peer, sender, of, sequence)?;
            Ok(found.map(|message| self.shown(peer, message)))
        })
    }

    /// Received messages that the app is not done with, oldest first, at most so many. They
    /// are handed over again, after a restart too, until `done`.
    ///
    /// # Errors
    /// `Storage`.
    pub fn to_hand_over(&self, count_max: u32) -> Result<Vec<Received>, Error> {
        self.shared.with(|device| {
            let rows = device.storage.to_hand_over(count_max)?;
            Ok(rows.into_iter().map(Received::of_stored).collect())
        })
    }

    /// The app is done with all received messages up to `row`.
    ///
    /// # Errors
    /// `Storage`.
    pub fn done(&self, row: i64) -> Result<(), Error> {
        self.shared.with(|device| Ok(device.storage.handed_over(row)?))
    }

    /// The user does something in the chat with `peer` just now, and has touched a key: 1 writes,
    /// 0 has stopped. It is told to whoever looks at the other end, or lost; a message that is
    /// sent needs no 0 before it. Whoever is blocked is told nothing.
    pub fn say_typing(&self, peer: UserId, state: u16) {
        self.nudge(|device, now_ms| {
            let settings = device.storage.chat_settings(peer);
            if settings.is_ok_and(|settings| !settings.is_blocked()) {
                device.link.session().typing(now_ms, peer, state);
            }
        });
    }

    /// What `peer` does in the chat with this user just now, as [`ClientEvent::TypingChanged`]
    /// told; 0 for nothing.
    ///
    /// # Errors
    /// `Usage`: the client is closed.
    pub fn typing(&self, peer: UserId) -> Result<u16, Error> {
        let now_ms = self.shared.clock.now_ms();
        self.shared.with(|device| Ok(device.signals.typing(peer, now_ms)))
    }

    /// The user wants to see when these others are there, in place of the earlier ones, as long as
    /// the app is in the foreground: what stands in the chats that are on the screen.
    ///
    /// # Errors
    /// `Usage`: more than 256, or a 0 among them; the client is closed.
    pub fn watch(&self, peers: &[UserId]) -> Result<(), Error> {
        if peers.len() > WATCHED_MAX || peers.contains(&UserId(0)) {
            return Err(Error::usage("at most 256 users are watched, and none of them is 0"));
        }
        self.shared.with_wake(|device| {
            device.signals.keep_seen(peers);
            device.link.session().watch(peers.to_vec());
            Ok(())
        })
    }

    /// The user wants to see once when another was there: told by
    /// [`ClientEvent::PresenceChanged`], where there is a session.
    ///
    /// # Errors
    /// `Usage`: the client is closed.
    pub fn look(&self, peer: UserId) -> Result<(), Error> {
        self.shared.with_wake(|device| {
            device.link.session().look(peer);
            Ok(())
        })
    }

    /// When another was there, as far as this client was told.
    ///
    /// # Errors
    /// `Usage`: the client is closed.
    pub fn presence(&self, peer: UserId) -> Result<Presence, Error> {
        let now_ms = self.shared.clock.now_ms();
        self.shared.with(|device| Ok(device.signals.presence(peer, now_ms)))
    }

    /// Waits until there is something to tell, at most `timeout_ms`; none then, and once the
    /// client is closed.
    pub fn next_event(&self, timeout_ms: u64) -> Option<ClientEvent> {
        self.shared.next_event(timeout_ms)
    }

    /// How far the connection is.
    ///
    /// # Errors
    /// `Usage`: the client is closed.
    pub fn connection(&self) -> Result<ConnectionState, Error> {
        let now_ms = self.shared.clock.now_ms();
        self.shared.with(|device| Ok(device.connection(now_ms)))
    }

    /// Messages of this device without a decision.
    ///
    /// # Errors
    /// `Usage`: the client is closed.
    pub fn pending_count(&self) -> Result<u64, Error> {
        self.shared.with(|device| Ok(device.link.session().undecided() as u64))
    }

    /// What was read that the server does not know of yet, chats and groups.
    ///
    /// # Errors
    /// `Usage`: the client is closed.
    pub fn pending_reads(&self) -> Result<u64, Error> {
        self.shared.with(|device| Ok(device.unnoted_reads() as u64))
    }

    /// Deletions of chats that the server does not know of yet.
    ///
    /// # Errors
    /// `Usage`: the client is closed.
    pub fn pending_deletions(&self) -> Result<u64, Error> {
        self.shared.with(|device| Ok(device.link.session().unnoted_deletions() as u64))
    }

    /// What happened since the client was opened.
    ///
    /// # Errors
    /// `Usage`: the client is closed.
    pub fn statistics(&self) -> Result<Statistics, Error> {
        self.shared.with(|device| Ok(device.statistics))
    }

    /// Somebody looks at the app: connect at once, or ask whether the connection lives.
    pub fn foreground(&self) {
        self.nudge(|device, now_ms| device.link.foreground(now_ms));
    }

    /// Nobody looks at the app any more: rarer heartbeats.
    pub fn background(&self) {
        self.nudge(|device, _| device.link.background());
    }

    /// The device is in another network: connect anew, at once.
    pub fn network_changed(&self) {
        self.nudge(|device, now_ms| device.link.network_changed(now_ms));
    }

    /// Closes the file and the connection, after the server was told what is stored; waits at
    /// most a second for that. What is pending goes when it is opened again. A client that is
    /// dropped closes at once, and what was not acknowledged comes again.
    pub fn close(&self) {
        self.shared.close();
    }

    /// Does nothing to a client that is closed.
    fn nudge(&self, act: impl FnOnce(&mut Device, u64)) {
        let now_ms = self.shared.clock.now_ms();
        let _ = self.shared.with_wake(|device| {
            act(device, now_ms);
            Ok(())
        });
    }

    fn shared(&self) -> &Shared {
        &self.shared
    }

    fn send_one(&self, draft: Draft) -> Result<MessageId, Error> {
        let sent = self.send_all(vec![draft])?;
        sent.first().copied().ok_or_else(|| Error::usage("nothing to send"))
    }

    fn summary(&self, device: &Device, peer: UserId) -> Result<Option<ChatSummary>, Error> {
        let Some(last) = device.storage.chat(peer, 1)?.pop() else { return Ok(None) };
        let (unread_count, pending_count) = device.storage.open_counts(peer)?;
        let last = self.shown(peer, last);
        Ok(Some(ChatSummary { peer, last, unread_count, pending_count }))
    }

    fn shown(&self, peer: UserId, message: ChatMessage) -> Message {
        Message::of_stored(peer, self.options.user, message)
    }

    fn own(&self, peer: UserId, sequence: Sequence) -> MessageId {
        MessageId { peer, sender: self.options.user, device: self.options.device, sequence }
    }

    fn check_own(&self, message: MessageId) -> Result<(), Error> {
        match message == self.own(message.peer, message.sequence) {
            true => Ok(()),
            false => Err(Error::usage("this device has not sent that message")),
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.shared.abandon();
    }
}

/// Tells the session what is stored as read, and the app that the chat looks different.
fn note_read(device: &mut Device, peer: UserId, marks: Vec<ReadMark>) {
    if !marks.is_empty() {
        device.tell_of_chat(peer);
    }
    for ReadMark { peer, device: of, up_to } in marks {
        device.link.session().read(peer, of, up_to);
    }
}

/// What is pending stands behind everything.
fn place(message: &Message) -> u64 {
    match message.state {
        MessageState::Pending => u64::MAX,
        _ => message.accepted_at_ms.unwrap_or(0),
    }
}

fn check(options: &Options) -> Result<(), Error> {
    let port = options.address.rsplit_once(':').map(|(_, port)| port.parse::<u16>());
    if !matches!(port, Some(Ok(_))) {
        let address = &options.address;
        return Err(Error::usage(format!("{address:?} is no address of the form host:port")));
    }
    let host = host_of(&options.address);
    if let Ok(address) = host.parse()
        && !options.security.allows(address)
    {
        return Err(Error::usage(Distrust::Plain(host.to_owned()).to_string()));
    }
    if options.user == UserId(0) || options.device.0 == 0 {
        return Err(Error::usage("user and device are not 0"));
    }
    Ok(())
}

fn check_draft(draft: &Draft) -> Result<(), Error> {
    if draft.peer == UserId(0) {
        return Err(Error::usage("the recipient is not 0"));
    }
    if draft.payload.len() >= FRAME_BYTES_HARD_MAX as usize {
        return Err(Error::usage("the payload is longer than any server takes"));
    }
    Ok(())
}

impl Error {
    fn of_system(error: io::Error) -> Self {
        Self::usage(format!("the system gives no socket or no thread: {error}"))
    }
}
