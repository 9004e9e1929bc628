//! What each key does.

use answerback_proto::id::UserId;
use answerback_proto::limits::EXCERPT_BYTES_MAX;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::super::command::{self, Written};
use super::super::group::{Change, Group};
use super::super::layout::Look;
use super::super::message::{Content, Message};
use super::{Action, Model, Purpose, Question};

/// Rows that a page leaves in sight.
const PAGE_OVERLAP: usize = 2;

impl Model {
    /// A key.
    pub(in super::super) fn handle_key(&mut self, key: KeyEvent) -> Vec<Action> {
        self.notice = None;
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        if let Some(question) = self.question.take() {
            let is_yes = key.code == KeyCode::Char('y') && !control;
            return if is_yes { self.take_yes(question) } else { Vec::new() };
        }
        match key.code {
            KeyCode::Char('c') if control => return vec![Action::Quit],
            KeyCode::Char('d') if control && self.input.is_empty() => return vec![Action::Quit],
            KeyCode::Char('l') if control => return vec![Action::Redraw],
            KeyCode::Char('t') if control => return vec![Action::Connect],
            KeyCode::Char('r') if control => return self.resend(),
            KeyCode::Char('n') if control => self.ask_for_peer(),
            KeyCode::Char('x') if control => self.ask_to_delete(),
            KeyCode::Esc => self.back(),
            KeyCode::Tab => self.open_neighbour(1),
            KeyCode::BackTab => self.open_neighbour(-1),
            KeyCode::PageUp => self.scroll_pages(-1),
            KeyCode::PageDown => self.scroll_pages(1),
            KeyCode::Up => self.move_by(-1),
            KeyCode::Down => self.move_by(1),
            KeyCode::Enter if key.modifiers.is_empty() => return self.enter(),
            _ => return self.edit(key),
        }
        Vec::new()
    }

    fn edit(&mut self, key: KeyEvent) -> Vec<Action> {
        let before = self.input.text().to_owned();
        if !self.input.handle_key(key) && self.input.is_full() {
            self.handle_notice("the message is as long as it may be");
        }
        let is_other = self.input.text() != before;
        self.writing().filter(|_| is_other).into_iter().collect()
    }

    /// What the other end of the open chat may see of the line: that there is one, unless it is a
    /// command.
    fn writing(&self) -> Option<Action> {
        let open = self.open.as_ref().filter(|_| self.purpose == Purpose::Writing);
        let peer = open.map(|open| open.peer).filter(|peer| self.group(*peer).is_none())?;
        let text = self.input.text();
        Some(Action::Typing { peer, is_writing: !text.is_empty() && !text.starts_with('/') })
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
            (Written::Text(_), Some(_)) if self.treatment.is_blocked => {
                self.input.insert(&line);
                self.handle_notice("you have blocked this user: /unblock first");
            }
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
            (Written::Delete, _) => self.ask_to_delete(),
            (Written::Group { name, members }, _) => {
                return vec![Action::CreateGroup { name, members }];
            }
            (Written::Quit, _) => return vec![Action::Quit],
            (Written::Wrong(reason), _) => {
                self.input.insert(&line);
                self.handle_notice(reason);
            }
            (of_chat, Some(open)) => {
                let peer = open.peer;
                return self.change_chat(peer, of_chat);
            }
            (_, None) => self.handle_notice("open a chat first"),
        }
        Vec::new()
    }

    /// Does what a line asks for of the open chat, of a group or of two.
    fn change_chat(&mut self, peer: UserId, written: Written) -> Vec<Action> {
        match (written, self.group(peer).is_some()) {
            (Written::Block(is_blocked), false) => return vec![Action::Block(peer, is_blocked)],
            (Written::Block(_), true) => self.handle_notice("a group is left: /leave"),
            (Written::Mute(is_muted), _) => return vec![Action::Mute(peer, is_muted)],
            (Written::Report, is_group) => self.ask_to_report(peer, is_group),
            (written, true) => return self.change_group(peer, written),
            _ => self.handle_notice("that is for groups: /group walkers 3 4 makes one"),
        }
        Vec::new()
    }

    fn change_group(&mut self, peer: UserId, written: Written) -> Vec<Action> {
        let change = match written {
            Written::Add(members) => Change::Add(members),
            Written::Remove(members) => Change::Remove(members),
            Written::Admin(members) => Change::Admin(members),
            Written::Rename(name) => Change::Rename(name),
            Written::Receipts(is_on) => Change::Receipts(is_on),
            Written::Leave => Change::Leave,
            _ => {
                let members = self.group(peer).map(Group::members_in_words);
                self.handle_notice(members.unwrap_or_default());
                return Vec::new();
            }
        };
        vec![Action::Change(peer, change)]
    }

    /// Of the open chat, or of the one that is marked in the list.
    fn ask_to_delete(&mut self) {
        let listed = |peer: &UserId| self.chats.iter().any(|chat| chat.peer == *peer);
        let Some(peer) = self.marked().filter(listed) else {
            return self.handle_notice("there is nothing to delete");
        };
        self.question = Some(Question::Delete(peer));
        self.handle_notice(format!(
            "delete the chat with {} from all your devices? y deletes it, any other key keeps it",
            self.title(peer)
        ));
    }

    /// In a group, of who wrote last.
    fn ask_to_report(&mut self, peer: UserId, is_group: bool) {
        let newest = self.newest().map(|message| message.id.sender);
        let Some(user) = newest.or((!is_group).then_some(peer)) else {
            return self.handle_notice("nobody has written anything here");
        };
        self.question = Some(Question::Report(user));
        self.handle_notice(format!(
            "tell the operator of user {user}, and show him the newest message of that user's? y \
             tells, any other key does not"
        ));
    }

    fn take_yes(&mut self, question: Question) -> Vec<Action> {
        match question {
            Question::Delete(peer) => self.delete(peer),
            Question::Report(peer) => {
                let newest = self.newest();
                let excerpt = match newest.map(|message| &message.content) {
                    Some(Content::Text(text)) => excerpt(text).to_owned(),
                    _ => String::new(),
                };
                let message = newest.map(|message| message.id);
                vec![Action::Report { peer, message, excerpt }]
            }
        }
    }

    /// The newest message of the open chat that another user sent.
    fn newest(&self) -> Option<&Message> {
        let messages = self.open.as_ref().map_or(&[][..], |open| open.messages());
        messages.iter().rev().find(|message| !message.is_own())
    }

    fn delete(&mut self, peer: UserId) -> Vec<Action> {
        if self.open.as_ref().is_some_and(|open| open.peer == peer) {
            self.leave_chat();
        }
        self.drafts.remove(&peer);
        vec![Action::DeleteChat(peer)]
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

    /// Up and down: through what is written, through the open chat, or through the list.
    fn move_by(&mut self, step: isize) {
        let columns = self.input_columns();
        if self.input.move_row(step, columns) {
            return;
        }
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
        let Some(peer) = self.open.as_ref().map(|open| open.peer) else { return };
        let (calendar, palette) = (&self.calendar, self.palette);
        let names_senders = self.groups.iter().any(|group| group.peer == peer);
        let look = Look { columns, calendar, palette, names_senders };
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

/// As much of a text as a report may show.
fn excerpt(text: &str) -> &str {
    text.get(..text.floor_char_boundary(EXCERPT_BYTES_MAX)).unwrap_or_default()
}
