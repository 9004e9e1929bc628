//! The chat's world: a terminal, a client, signals. A thread waits for each of them and says
//! here what happened; one loop does the rest, and sleeps while nothing does.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use answerback_proto::id::{GroupId, UserId};
use answerback_proto::kind::role;
use answerback_proto::limits::MUTED_UNTIL_MS_MAX;
use answerback_sdk::{
    Ask, AskId, Client, ClientEvent, ConnectionState, Error, ErrorClass, MessageId, Outcome,
};
use jiff::tz::TimeZone;
use ratatui::crossterm::event::{self, Event, KeyEventKind};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::connection::Connection;
use super::group::{Change, Group};
use super::history::{self, RECALL, TEXT};
use super::model::{Action, Model, Treatment};
use super::moment::Calendar;
use super::palette::Palette;
use super::screen::Screen;
use super::view;
use crate::clock::unix_ms;
use crate::command::account::why_declined;
use crate::exit::Failure;

/// What waits to be handled; who finds no room waits.
const INPUTS_MAX: usize = 256;
/// Messages that are marked as handed over together.
const HAND_OVER_COUNT: u32 = 256;

/// Something that happened.
enum Input {
    Terminal(Event),
    Client(ClientEvent),
    /// A signal, or a thread that cannot go on.
    End(Result<(), Failure>),
}

/// Whether the loop goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    On,
    End,
}

/// Shows the chats of an open client, the one with `to` at first, until the person leaves. What
/// is sent may wait for `life_s` seconds, 0 for the longest.
pub(crate) fn run(client: Client, to: Option<UserId>, life_s: u32) -> Result<(), Failure> {
    let client = Arc::new(client);
    let screen = Screen::open()?;
    let inputs = start(&client)?;
    let mut shell = Shell { life_s, ..Shell::new(client, screen, to)? };
    let mut flow = Flow::On;
    while flow == Flow::On {
        shell.settle()?;
        shell.draw()?;
        let first = wait(&inputs, shell.model.poll_timeout());
        shell.model.handle_now(unix_ms());
        for input in first.into_iter().chain(inputs.try_iter().take(INPUTS_MAX)) {
            if shell.handle(input)? == Flow::End {
                flow = Flow::End;
            }
        }
    }
    shell.client.close();
    Ok(())
}

struct Shell {
    client: Arc<Client>,
    model: Model,
    screen: Screen,
    /// Of what is sent.
    life_s: u32,
    /// The last report, until it is answered.
    report: Option<AskId>,
    /// Whom the client watches.
    watched: Option<UserId>,
    /// The client knows more than the model.
    is_stale: bool,
}

impl Shell {
    fn new(client: Arc<Client>, screen: Screen, to: Option<UserId>) -> Result<Self, Failure> {
        let options = client.options();
        let calendar = Calendar::new(TimeZone::system(), unix_ms());
        let palette = Palette::from_environment();
        let mut model = Model::new(options.user, options.device, palette, calendar, screen.size()?);
        model.handle_connection(connection(client.connection()?));
        if let Some(peer) = to {
            model.open_chat(peer);
        }
        let (report, watched) = (None, None);
        Ok(Self { client, model, screen, life_s: 0, report, watched, is_stale: true })
    }

    /// Shows the model what the client knows, and tells the client what the person has seen.
    fn settle(&mut self) -> Result<(), Failure> {
        self.model.handle_size(self.screen.size()?);
        if self.is_stale || self.model.is_waiting_for_messages() {
            self.refresh()?;
        }
        let reads = self.model.poll_reads();
        if !reads.is_empty() {
            self.perform(reads)?;
            self.refresh()?;
        }
        Ok(())
    }

    fn refresh(&mut self) -> Result<(), Failure> {
        let mut groups = Vec::new();
        for group in self.client.groups()? {
            groups.extend(self.client.group(group)?.map(Group::of_stored));
        }
        self.model.handle_groups(groups);
        self.model.handle_chats(history::chats(self.client.chats()?));
        self.watch()?;
        if let Some((peer, count)) = self.model.wanted() {
            let messages = self.client.chat(peer, count)?;
            let messages = match self.model.group(peer) {
                Some(_) => history::group_messages(&self.client, messages)?,
                None => history::messages(messages),
            };
            self.model.handle_messages(peer, messages);
            let is_writing = self.client.typing(peer)? != 0;
            self.model.handle_peer(is_writing, self.client.presence(peer)?);
            let settings = self.client.chat_settings(peer)?;
            let (is_blocked, is_muted) =
                (settings.is_blocked(), settings.muted_until_ms > unix_ms());
            self.model.handle_treatment(Treatment { is_blocked, is_muted });
        }
        self.is_stale = false;
        Ok(())
    }

    /// The user at the other end of the open chat is watched, and nobody else.
    fn watch(&mut self) -> Result<(), Failure> {
        let open = self.model.wanted().map(|(peer, _)| peer);
        let open = open.filter(|peer| self.model.group(*peer).is_none());
        if open != self.watched {
            self.client.watch(open.as_slice())?;
            self.watched = open;
        }
        Ok(())
    }

    fn draw(&mut self) -> Result<(), Failure> {
        let model = &self.model;
        self.screen.draw(|frame| view::draw(model, frame)).map_err(of_terminal)
    }

    fn handle(&mut self, input: Input) -> Result<Flow, Failure> {
        let actions = match input {
            Input::Terminal(event) => self.handle_terminal(event),
            Input::Client(event) => {
                self.handle_client(event)?;
                Vec::new()
            }
            Input::End(outcome) => return outcome.map(|()| Flow::End),
        };
        self.perform(actions)
    }

    fn handle_terminal(&mut self, event: Event) -> Vec<Action> {
        match event {
            Event::Key(key) if key.kind != KeyEventKind::Release => self.model.handle_key(key),
            Event::FocusGained => self.model.handle_focus(true),
            Event::FocusLost => self.model.handle_focus(false),
            Event::Paste(text) => {
                self.model.handle_paste(&text);
                Vec::new()
            }
            Event::Key(_) | Event::Mouse(_) | Event::Resize(..) => Vec::new(),
        }
    }

    fn handle_client(&mut self, event: ClientEvent) -> Result<(), Failure> {
        match event {
            ClientEvent::ConnectionChanged { state } => {
                self.model.handle_connection(connection(state));
            }
            ClientEvent::MessagesWaiting => self.take_messages()?,
            ClientEvent::HistoryLost => self.model.handle_notice(
                "this device was away for too long: older messages may be missing here",
            ),
            ClientEvent::Answered { ask, outcome } => self.handle_answer(ask, &outcome),
            ClientEvent::WatchRefused { error } => self.model.handle_notice(error.to_string()),
            ClientEvent::ChatChanged { .. }
            | ClientEvent::TypingChanged { .. }
            | ClientEvent::PresenceChanged { .. }
            | ClientEvent::CaughtUp
            | ClientEvent::EverythingChanged => {}
        }
        self.is_stale = true;
        Ok(())
    }

    /// The client's file is what the chat shows: what is in it needs no other place.
    fn take_messages(&mut self) -> Result<(), Failure> {
        while let Some(last) = self.client.to_hand_over(HAND_OVER_COUNT)?.last() {
            self.client.done(last.row)?;
        }
        Ok(())
    }

    fn perform(&mut self, actions: Vec<Action>) -> Result<Flow, Failure> {
        for action in actions {
            match action {
                Action::Quit => return Ok(Flow::End),
                Action::Redraw => self.screen.forget().map_err(of_terminal)?,
                Action::Connect => self.client.foreground(),
                Action::Send { peer, text } => {
                    let payload = text.clone().into_bytes();
                    let sent = self.client.send_with_life(peer, TEXT, payload, self.life_s);
                    if let Err(error) = sent {
                        self.model.handle_unsent(&text, error.to_string());
                    }
                }
                Action::Recall(id) => {
                    let payload = history::recall_payload(id);
                    self.note(self.client.recall(id, RECALL, payload).map(drop));
                }
                Action::DeleteChat(peer) => self.note(self.client.delete_chat(peer)),
                Action::Block(peer, is_blocked) => {
                    self.note(self.client.set_blocked(peer, is_blocked).map(drop));
                }
                Action::Mute(peer, is_muted) => {
                    let until_ms = if is_muted { MUTED_UNTIL_MS_MAX } else { 0 };
                    self.note(self.client.mute(peer, until_ms).map(drop));
                }
                Action::CreateGroup { name, members } => {
                    self.note(self.client.create_group(&name, members).map(drop));
                }
                Action::Change(peer, change) => self.note(self.change(peer, change).map(drop)),
                Action::Report { peer, message, excerpt } => self.report(peer, message, excerpt),
                Action::Resend(id) => self.note(self.client.resend(id).map(drop)),
                Action::Typing { peer, is_writing } => {
                    self.client.say_typing(peer, u16::from(is_writing));
                    continue;
                }
                Action::Read(id) => self.note(self.client.read(id)),
            }
            self.is_stale = true;
        }
        Ok(Flow::On)
    }

    fn report(&mut self, user: UserId, message: Option<MessageId>, excerpt: String) {
        let message = message.map(|id| (id.device, id.sequence));
        let excerpt = excerpt.into_bytes();
        match self.client.ask(Ask::Report { user, message, reason: 0, excerpt }) {
            Ok(ask) => self.report = Some(ask),
            Err(error) => self.model.handle_notice(error.to_string()),
        }
    }

    fn change(&self, peer: UserId, change: Change) -> Result<AskId, Error> {
        let group = GroupId(peer.0);
        match change {
            Change::Add(members) => self.client.add_members(group, members),
            Change::Remove(members) => self.client.remove_members(group, members),
            Change::Admin(members) => self.client.set_role(group, members, role::ADMIN),
            Change::Rename(name) => self.client.rename_group(group, &name),
            Change::Receipts(is_on) => self.client.set_group_receipts(group, is_on),
            Change::Leave => self.client.leave_group(group),
        }
    }

    fn handle_answer(&mut self, ask: AskId, outcome: &Outcome) {
        let is_report = self.report.take_if(|report| *report == ask).is_some();
        match outcome {
            Outcome::Declined { code } => self.model.handle_notice(why_declined(*code)),
            Outcome::GroupCreated { group } => self.model.open_chat(group.as_peer()),
            _ if is_report => self.model.handle_notice("the operator has been told"),
            _ => {}
        }
    }

    fn note(&mut self, outcome: Result<(), Error>) {
        if let Err(error) = outcome {
            self.model.handle_notice(error.to_string());
        }
    }
}

/// Until something happens, or what is shown changes by itself.
fn wait(inputs: &Receiver<Input>, until_ms: Option<u64>) -> Option<Input> {
    let received = match until_ms {
        None => inputs.recv().map_err(RecvTimeoutError::from),
        Some(until_ms) => {
            let left_ms = until_ms.saturating_sub(unix_ms());
            inputs.recv_timeout(Duration::from_millis(left_ms))
        }
    };
    match received {
        Ok(input) => Some(input),
        Err(RecvTimeoutError::Timeout) => None,
        Err(RecvTimeoutError::Disconnected) => Some(Input::End(Ok(()))),
    }
}

/// The threads that wait.
fn start(client: &Arc<Client>) -> Result<Receiver<Input>, Failure> {
    let (sender, inputs) = sync_channel(INPUTS_MAX);
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])?;
    watch("signals", &sender, move || signals.forever().next().map(|_| Input::End(Ok(()))))?;
    watch("terminal", &sender, || {
        Some(match event::read() {
            Ok(event) => Input::Terminal(event),
            Err(error) => Input::End(Err(of_terminal(error))),
        })
    })?;
    let client = Arc::clone(client);
    watch("client", &sender, move || client.next_event(u64::MAX).map(Input::Client))?;
    Ok(inputs)
}

/// A thread that sends what `next` waits for, until there is nothing more.
fn watch(
    name: &str,
    sender: &SyncSender<Input>,
    mut next: impl FnMut() -> Option<Input> + Send + 'static,
) -> Result<(), Failure> {
    let alarm = Alarm(sender.clone());
    let body = move || {
        while let Some(input) = next() {
            let is_end = matches!(input, Input::End(_));
            if alarm.0.send(input).is_err() || is_end {
                return;
            }
        }
    };
    thread::Builder::new().name(name.to_owned()).spawn(body)?;
    Ok(())
}

/// Ends the loop when its thread panics: nobody would wait for that thread's part any more.
struct Alarm(SyncSender<Input>);

impl Drop for Alarm {
    fn drop(&mut self) {
        if thread::panicking() {
            let _ = self.0.try_send(Input::End(Err(Failure::new("the chat broke; see above"))));
        }
    }
}

fn connection(state: ConnectionState) -> Connection {
    match state {
        ConnectionState::Connecting => Connection::Connecting,
        ConnectionState::Online => Connection::Online,
        ConnectionState::Offline { retry_in_ms, reason, .. } => {
            Connection::Offline { retry_at_ms: unix_ms().saturating_add(retry_in_ms), reason }
        }
        ConnectionState::Stopped { error } => Connection::Stopped { reason: what_to_do(&error) },
    }
}

fn what_to_do(error: &Error) -> String {
    match error.class {
        ErrorClass::Reauthenticate => format!("{error}: is --keys or --token for this box?"),
        _ => error.to_string(),
    }
}

fn of_terminal(error: io::Error) -> Failure {
    Failure::new(format_args!("the terminal is gone: {error}"))
}
