//! All that the terminal chat shows, and what keys and events do to it. Pure: what is to be
//! done outside comes back as [`Action`]s.
//!
//! The shell hands in keys ([`Model::handle_key`], [`Model::handle_paste`]), the size, whether
//! the terminal is looked at, the time, the connection, and the chats and messages that
//! [`Model::wanted`] names. It asks [`Model::poll_reads`] after each of them, and
//! [`Model::poll_timeout`] before it waits.

use std::collections::BTreeMap;

use answerback_proto::id::{DeviceId, UserId};
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::Size;

use super::command::{self, Written};
use super::connection::Connection;
use super::conversation::Conversation;
use super::geometry::Geometry;
use super::input::Input;
use super::layout::{Look, Row};
use super::message::{ChatLine, Content, Message, MessageId};
use super::moment::Calendar;
use super::palette::Palette;
use super::text;

/// Rows that a page leaves in sight.
const PAGE_OVERLAP: usize = 2;

/// What the shell is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Send {
        peer: UserId,
        text: String,
    },
    Recall(MessageId),
    Resend(MessageId),
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
    chats: Vec<ChatLine>,
    chosen: Option<UserId>,
    open: Option<Conversation>,
    /// What is written in other chats, and not sent.
    drafts: BTreeMap<UserId, Input>,
    is_looked_at: bool,
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
            chats: Vec::new(),
            chosen: None,
            open: None,
            drafts: BTreeMap::new(),
            is_looked_at: true,
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

    /// The list; an open chat that nobody has written in stands first.
    pub(super) fn chats(&self) -> Vec<ChatLine> {
        let open = self.open.as_ref().map(|open| open.peer);
        let is_listed = |peer| self.chats.iter().any(|chat| chat.peer == peer);
        let new = open.filter(|peer| !is_listed(*peer));
        let new = new.map(|peer| ChatLine { peer, unread_count: 0, last: None });
        new.into_iter().chain(self.chats.iter().cloned()).collect()
    }

    /// The chat that is open, or else the one that Enter opens.
    pub(super) fn marked(&self) -> Option<UserId> {
        let chosen = self.chosen.filter(|peer| self.chats.iter().any(|chat| chat.peer == *peer));
        let first = self.chats.first().map(|chat| chat.peer);
        self.open.as_ref().map(|open| open.peer).or(chosen).or(first)
    }

    pub(super) fn geometry(&self) -> Geometry {
        let width = Geometry::new(self.size, self.open.is_some(), 1).input.width;
        let columns = usize::from(width).saturating_sub(text::width(self.purpose.prompt()));
        let rows = self.input.shown(columns).rows.len();
        let rows = u16::try_from(rows).unwrap_or(u16::MAX);
        Geometry::new(self.size, self.open.is_some(), rows)
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

    /// The messages of a chat; those of one that is closed again are too late.
    pub(super) fn handle_messages(&mut self, peer: UserId, messages: Vec<Message>) {
        let (columns, height) = self.conversation_size();
        let look = Look { columns, calendar: &self.calendar, palette: self.palette };
        if let Some(open) = self.open.as_mut().filter(|open| open.peer == peer) {
            open.handle_messages(messages, self.is_looked_at, look, height);
        }
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
    }

    /// Several lines or one, as they are.
    pub(super) fn handle_paste(&mut self, pasted: &str) {
        let unified = pasted.replace("\r\n", "\n").replace('\r', "\n");
        if !self.input.insert(unified.trim_end_matches('\n')) {
            self.handle_notice("only a part was pasted: the rest is too long for a message");
        }
    }

    /// A key.
    pub(super) fn handle_key(&mut self, key: KeyEvent) -> Vec<Action> {
        self.notice = None;
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('c') if control => return vec![Action::Quit],
            KeyCode::Char('d') if control && self.input.is_empty() => return vec![Action::Quit],
            KeyCode::Char('l') if control => return vec![Action::Redraw],
            KeyCode::Char('t') if control => return vec![Action::Connect],
            KeyCode::Char('r') if control => return self.resend(),
            KeyCode::Char('n') if control => self.ask_for_peer(),
            KeyCode::Esc => self.back(),
            KeyCode::Tab => self.open_neighbour(1),
            KeyCode::BackTab => self.open_neighbour(-1),
            KeyCode::PageUp => self.scroll_pages(-1),
            KeyCode::PageDown => self.scroll_pages(1),
            KeyCode::Up => self.move_by(-1),
            KeyCode::Down => self.move_by(1),
            KeyCode::Enter if key.modifiers.is_empty() => return self.enter(),
            _ => self.edit(key),
        }
        Vec::new()
    }

    fn look(&self, columns: usize) -> Look<'_> {
        Look { columns, calendar: &self.calendar, palette: self.palette }
    }

    fn conversation_size(&self) -> (usize, usize) {
        let conversation = self.geometry().conversation;
        (usize::from(conversation.width), usize::from(conversation.height))
    }

    fn edit(&mut self, key: KeyEvent) {
        if !self.input.handle_key(key) && self.input.is_full() {
            self.handle_notice("the message is as long as it may be");
        }
    }

    fn enter(&mut self) -> Vec<Action> {
        if self.purpose == Purpose::Peer {
            self.take_peer();
            return Vec::new();
        }
        match (self.input.text().trim().is_empty(), self.marked()) {
            (true, Some(peer)) if self.open.is_none() => {
                self.open_chat(peer);
                Vec::new()
            }
            (true, _) => Vec::new(),
            (false, _) => self.take_line(),
        }
    }

    /// What was written is sent or done; what cannot be stays there, to be put right.
    fn take_line(&mut self) -> Vec<Action> {
        let written = command::read(self.input.text());
        let line = self.input.take();
        match (written, &mut self.open) {
            (Written::Text(text), Some(open)) => {
                open.forget_unread_line();
                open.show_end();
                return vec![Action::Send { peer: open.peer, text }];
            }
            (Written::Text(_), None) => {
                self.input.insert(&line);
                self.handle_notice("open a chat first: /to 3, or Ctrl-N");
            }
            (Written::To(peer), _) => self.open_chat(peer),
            (Written::Recall, _) => return self.recall(),
            (Written::Resend, _) => return self.resend(),
            (Written::Quit, _) => return vec![Action::Quit],
            (Written::Wrong(reason), _) => {
                self.input.insert(&line);
                self.handle_notice(reason);
            }
        }
        Vec::new()
    }

    fn ask_for_peer(&mut self) {
        self.keep_draft();
        self.purpose = Purpose::Peer;
    }

    fn take_peer(&mut self) {
        match command::peer(self.input.text()) {
            Ok(peer) => {
                self.cancel_peer();
                self.open_chat(peer);
            }
            Err(reason) => self.handle_notice(reason),
        }
    }

    fn cancel_peer(&mut self) {
        self.purpose = Purpose::Writing;
        let draft = self.open.as_ref().and_then(|open| self.drafts.remove(&open.peer));
        self.input = draft.unwrap_or_default();
    }

    /// Esc: out of the question, then out of the chat.
    fn back(&mut self) {
        match self.purpose {
            Purpose::Peer => self.cancel_peer(),
            Purpose::Writing => self.leave_chat(),
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

    /// The chat so many lines further down in the list, and round again.
    fn open_neighbour(&mut self, step: isize) {
        if let Some(peer) = self.neighbour(step)
            && self.purpose == Purpose::Writing
        {
            self.open_chat(peer);
        }
    }

    fn neighbour(&self, step: isize) -> Option<UserId> {
        let chats = self.chats();
        let marked = self.marked();
        let at = chats.iter().position(|chat| Some(chat.peer) == marked)?;
        let next = at.checked_add_signed(step).unwrap_or(chats.len() - 1) % chats.len();
        chats.get(next).map(|chat| chat.peer)
    }

    /// Up and down: through the list, or through the open chat.
    fn move_by(&mut self, step: isize) {
        if self.open.is_some() {
            self.scroll(step);
        } else if let Some(peer) = self.neighbour(step) {
            self.chosen = Some(peer);
        }
    }

    fn scroll_pages(&mut self, pages: isize) {
        let (_, height) = self.conversation_size();
        let page = isize::try_from(height.saturating_sub(PAGE_OVERLAP).max(1)).unwrap_or(1);
        self.scroll(pages * page);
    }

    fn scroll(&mut self, rows: isize) {
        let (columns, height) = self.conversation_size();
        let look = Look { columns, calendar: &self.calendar, palette: self.palette };
        if let Some(open) = &mut self.open {
            open.scroll(rows, look, height);
        }
    }

    /// Takes back the last message of this device that the peer may have.
    fn recall(&mut self) -> Vec<Action> {
        let device = self.device;
        let can_be = |message: &&Message| {
            message.is_own()
                && !message.is_failed()
                && message.id.device == device
                && !matches!(message.content, Content::TakenBack | Content::Recall)
        };
        let Some(open) = &self.open else { return Vec::new() };
        match open.messages().iter().rev().find(can_be) {
            Some(message) => vec![Action::Recall(message.id)],
            None => {
                self.handle_notice("there is nothing that this device could take back");
                Vec::new()
            }
        }
    }

    /// Sends what failed again, in the order in which it was written.
    fn resend(&mut self) -> Vec<Action> {
        let Some(open) = &mut self.open else { return Vec::new() };
        let failed = open.messages().iter().filter(|message| message.is_failed());
        let of_device = failed.filter(|message| message.id.device == self.device);
        let actions: Vec<_> = of_device.map(|message| Action::Resend(message.id)).collect();
        if actions.is_empty() {
            self.handle_notice("nothing failed here");
        } else {
            open.show_end();
        }
        actions
    }
}

#[cfg(test)]
mod tests;
