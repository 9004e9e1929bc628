//! All that the terminal chat shows, and what keys and events do to it. Pure: what is to be
//! done outside comes back as [`Action`]s.
//!
//! The shell hands in keys ([`Model::handle_key`], [`Model::handle_paste`]), the size, whether
//! the terminal is looked at, the time, the connection, and the chats and messages that
//! [`Model::wanted`] names. It asks [`Model::poll_reads`] after each of them, and
//! [`Model::poll_timeout`] before it waits.

mod keys;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use answerback_proto::id::{DeviceId, UserId};
use answerback_sdk::Presence;
use ratatui::layout::Size;

use super::connection::Connection;
use super::conversation::Conversation;
use super::geometry::Geometry;
use super::group::{Change, Group};
use super::input::Input;
use super::layout::{Look, Row};
use super::message::{ChatLine, Message, MessageId};
use super::moment::Calendar;
use super::palette::Palette;
use super::text;

/// What the shell is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Send {
        peer: UserId,
        text: String,
    },
    Recall(MessageId),
    Resend(MessageId),
    /// On all devices of the user.
    DeleteChat(UserId),
    Block(UserId, bool),
    Mute(UserId, bool),
    /// A group of these and the user.
    CreateGroup {
        name: String,
        members: Vec<UserId>,
    },
    /// Of a group.
    Change(UserId, Change),
    /// To the operator, with the newest message of that user's where there is one.
    Report {
        peer: UserId,
        message: Option<MessageId>,
        excerpt: String,
    },
    /// The person writes to this peer just now, or has emptied the line.
    Typing {
        peer: UserId,
        is_writing: bool,
    },
    /// The person has seen this message, and all that its device had sent before it.
    Read(MessageId),
    /// Try to connect at once.
    Connect,
    /// Draw everything anew.
    Redraw,
    Quit,
}

/// What the input is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Writing,
    /// The id of another user.
    Peer,
}

impl Purpose {
    /// What stands before the input.
    pub(super) fn prompt(self) -> &'static str {
        match self {
            Self::Writing => "› ",
            Self::Peer => "write to user › ",
        }
    }
}

/// What is done only after a yes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    Delete(UserId),
    Report(UserId),
}

/// How the user has a chat treated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Treatment {
    pub(super) is_blocked: bool,
    pub(super) is_muted: bool,
}

/// The chat's state.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) user: UserId,
    pub(super) device: DeviceId,
    pub(super) palette: Palette,
    pub(super) calendar: Calendar,
    pub(super) connection: Connection,
    pub(super) purpose: Purpose,
    pub(super) input: Input,
    /// One line about what the last key did not do.
    pub(super) notice: Option<String>,
    /// What the next key does, or does not.
    question: Option<Question>,
    chats: Vec<ChatLine>,
    groups: Vec<Group>,
    chosen: Option<UserId>,
    open: Option<Conversation>,
    /// What is written in other chats, and not sent.
    drafts: BTreeMap<UserId, Input>,
    is_looked_at: bool,
    /// The open chat's other end writes just now.
    is_peer_writing: bool,
    /// How the open chat is treated.
    treatment: Treatment,
    /// When the open chat's other end was there.
    presence: Presence,
    size: Size,
}

impl Model {
    /// Nothing is known yet but who it is for.
    pub(super) fn new(
        user: UserId,
        device: DeviceId,
        palette: Palette,
        calendar: Calendar,
        size: Size,
    ) -> Self {
        Self {
            user,
            device,
            palette,
            calendar,
            connection: Connection::Connecting,
            purpose: Purpose::Writing,
            input: Input::default(),
            notice: None,
            question: None,
            chats: Vec::new(),
            groups: Vec::new(),
            chosen: None,
            open: None,
            drafts: BTreeMap::new(),
            is_looked_at: true,
            is_peer_writing: false,
            treatment: Treatment::default(),
            presence: Presence::default(),
            size,
        }
    }

    /// The open chat, and how many of its messages are to be handed in.
    pub(super) fn wanted(&self) -> Option<(UserId, u32)> {
        self.open.as_ref().map(|open| (open.peer, open.asked_count()))
    }

    /// Whether the open chat has not been handed what it wants.
    pub(super) fn is_waiting_for_messages(&self) -> bool {
        self.open.as_ref().is_some_and(Conversation::is_waiting)
    }

    pub(super) fn open(&self) -> Option<&Conversation> {
        self.open.as_ref()
    }

    /// The list; what nobody has written in stands first: the open chat, then groups.
    pub(super) fn chats(&self) -> Vec<ChatLine> {
        let open = self.open.as_ref().map(|open| open.peer);
        let groups = self.groups.iter().filter(|group| group.is_member).map(|group| group.peer);
        let new = open.into_iter().chain(groups.filter(|group| Some(*group) != open));
        let is_listed = |peer| self.chats.iter().any(|chat| chat.peer == peer);
        let new = new.filter(|peer| !is_listed(*peer));
        let new = new.map(|peer| ChatLine { peer, unread_count: 0, last: None });
        new.chain(self.chats.iter().cloned()).collect()
    }

    /// The group that a chat is, where it is one.
    pub(super) fn group(&self, peer: UserId) -> Option<&Group> {
        self.groups.iter().find(|group| group.peer == peer)
    }

    /// What a chat is called.
    pub(super) fn title(&self, peer: UserId) -> String {
        self.group(peer).map_or_else(|| format!("user {peer}"), |group| group.name.clone())
    }

    /// The chat that is open, or else the one that Enter opens.
    pub(super) fn marked(&self) -> Option<UserId> {
        let chats = self.chats();
        let chosen = self.chosen.filter(|peer| chats.iter().any(|chat| chat.peer == *peer));
        let first = chats.first().map(|chat| chat.peer);
        self.open.as_ref().map(|open| open.peer).or(chosen).or(first)
    }

    pub(super) fn geometry(&self) -> Geometry {
        let rows = self.input.shown(self.input_columns()).rows.len();
        let rows = u16::try_from(rows).unwrap_or(u16::MAX);
        let remark_rows = u16::try_from(self.remark().len()).unwrap_or(u16::MAX);
        Geometry::new(self.size, self.open.is_some(), rows, remark_rows)
    }

    /// What the person should know now, before the keys: in rows, none where that is nothing.
    pub(super) fn remark(&self) -> Vec<String> {
        let of_connection = match &self.connection {
            Connection::Stopped { reason } => Some(reason.clone()),
            Connection::Offline { reason, .. } => Some(format!("Ctrl-T tries at once · {reason}")),
            Connection::Connecting | Connection::Online => None,
        };
        let columns = usize::from(self.size.width).saturating_sub(1);
        let remark = self.notice.clone().or(of_connection);
        remark.map_or(Vec::new(), |line| text::wrap(&text::one_line(&line), columns))
    }

    /// The rows of the open chat that are in sight.
    pub(super) fn rows(&self) -> Vec<Row> {
        let (columns, height) = self.conversation_size();
        let open = self.open.as_ref();
        open.map(|open| open.rows_in_sight(self.look(columns), height)).unwrap_or_default()
    }

    /// Unread messages of the open chat that are out of sight.
    pub(super) fn unread_below(&self) -> usize {
        let (columns, height) = self.conversation_size();
        self.open.as_ref().map_or(0, |open| open.unread_below(self.look(columns), height))
    }

    /// When what is shown changes by itself, ms since 1970.
    pub(super) fn poll_timeout(&self) -> Option<u64> {
        self.connection.poll_timeout(self.calendar.now_ms())
    }

    /// What the user has just seen, where somebody looks at the terminal.
    pub(super) fn poll_reads(&self) -> Vec<Action> {
        let Some(open) = self.open.as_ref().filter(|_| self.is_looked_at) else {
            return Vec::new();
        };
        let (columns, height) = self.conversation_size();
        let seen = open.read_in_sight(self.look(columns), height);
        seen.into_iter().map(Action::Read).collect()
    }

    pub(super) fn handle_size(&mut self, size: Size) {
        self.size = size;
    }

    pub(super) fn handle_now(&mut self, now_ms: u64) {
        self.calendar.set_now(now_ms);
    }

    pub(super) fn handle_connection(&mut self, connection: Connection) {
        self.connection = connection;
    }

    /// The terminal is looked at, or no longer. What comes meanwhile is marked as new.
    pub(super) fn handle_focus(&mut self, is_looked_at: bool) -> Vec<Action> {
        self.is_looked_at = is_looked_at;
        if is_looked_at {
            return vec![Action::Connect];
        }
        self.open.iter_mut().for_each(Conversation::forget_unread_line);
        Vec::new()
    }

    pub(super) fn handle_chats(&mut self, chats: Vec<ChatLine>) {
        self.chats = chats;
    }

    /// The groups that the user is in, or was.
    pub(super) fn handle_groups(&mut self, groups: Vec<Group>) {
        self.groups = groups;
    }

    /// The messages of a chat; those of one that is closed again are too late.
    pub(super) fn handle_messages(&mut self, peer: UserId, messages: Vec<Message>) {
        let (columns, height) = self.conversation_size();
        let (calendar, palette) = (&self.calendar, self.palette);
        let names_senders = self.groups.iter().any(|group| group.peer == peer);
        let look = Look { columns, calendar, palette, names_senders };
        if let Some(open) = self.open.as_mut().filter(|open| open.peer == peer) {
            open.handle_messages(messages, self.is_looked_at, look, height);
        }
    }

    /// What the other end of the open chat does just now, and when it was there.
    pub(super) fn handle_peer(&mut self, is_writing: bool, presence: Presence) {
        (self.is_peer_writing, self.presence) = (is_writing, presence);
    }

    /// How the user has the open chat treated.
    pub(super) fn handle_treatment(&mut self, treatment: Treatment) {
        self.treatment = treatment;
    }

    /// The same, in a word; none where nothing is out of the ordinary.
    pub(super) fn treatment(&self) -> Option<&'static str> {
        match self.treatment {
            Treatment { is_blocked: true, .. } => Some("blocked"),
            Treatment { is_muted: true, .. } => Some("muted"),
            _ => None,
        }
    }

    /// What the other end of the open chat does just now, or when it was there, in words.
    pub(super) fn doing(&self) -> Option<String> {
        self.open.as_ref()?;
        if self.is_peer_writing {
            return Some("typing…".to_owned());
        }
        if self.presence.is_online {
            return Some("online".to_owned());
        }
        let last_seen_ms = self.presence.last_seen_ms?;
        Some(format!("last seen {}", self.calendar.short(last_seen_ms)))
    }

    /// A text could not be stored: it is there again, to be sent later.
    pub(super) fn handle_unsent(&mut self, text: &str, reason: String) {
        if self.input.is_empty() {
            self.input.insert(text);
        }
        self.handle_notice(reason);
    }

    /// One line to read.
    pub(super) fn handle_notice(&mut self, notice: impl Into<String>) {
        self.notice = Some(notice.into());
    }

    /// Opens a chat; what was written in the one before stays there.
    pub(super) fn open_chat(&mut self, peer: UserId) {
        if peer == self.user {
            self.handle_notice("that is you; write to another user");
            return;
        }
        self.leave_chat();
        self.input = self.drafts.remove(&peer).unwrap_or_default();
        let listed = self.chats.iter().find(|chat| chat.peer == peer);
        let unread_count = listed.map_or(0, |chat| chat.unread_count);
        self.open = Some(Conversation::new(peer, unread_count));
        (self.is_peer_writing, self.treatment) = (false, Treatment::default());
    }

    /// Several lines or one, as they are.
    pub(super) fn handle_paste(&mut self, pasted: &str) {
        let unified = pasted.replace("\r\n", "\n").replace('\r', "\n");
        if !self.input.insert(unified.trim_end_matches('\n')) {
            self.handle_notice("only a part was pasted: the rest is too long for a message");
        }
    }

    fn leave_chat(&mut self) {
        self.keep_draft();
        if let Some(open) = self.open.take() {
            self.chosen = Some(open.peer);
        }
    }

    fn keep_draft(&mut self) {
        let input = std::mem::take(&mut self.input);
        if let Some(open) = self.open.as_ref().filter(|_| !input.is_empty()) {
            self.drafts.insert(open.peer, input);
        }
    }

    fn look(&self, columns: usize) -> Look<'_> {
        let names_senders = self.open.as_ref().is_some_and(|open| self.group(open.peer).is_some());
        Look { columns, calendar: &self.calendar, palette: self.palette, names_senders }
    }

    /// The columns behind the prompt.
    fn input_columns(&self) -> usize {
        let width = Geometry::new(self.size, self.open.is_some(), 1, 1).input.width;
        usize::from(width).saturating_sub(text::width(self.purpose.prompt()))
    }

    fn conversation_size(&self) -> (usize, usize) {
        let conversation = self.geometry().conversation;
        (usize::from(conversation.width), usize::from(conversation.height))
    }
}
