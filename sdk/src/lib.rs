//! What an app needs to use Answerback: a device that sends, receives and keeps everything in
//! one file.
//!
//! [`Client`] is what an app opens. It works with and without a network: what is sent waits in
//! the device's file until the server has accepted it, what came is stored there before it is
//! acknowledged, and is handed over to the app until the app says that it is done. A thread of
//! the client's own keeps the connection; there is no runtime.
//!
//! ```
//! use answerback_sdk::{Client, MessageState, Options, TokenSource};
//! use answerback_sdk::{DeviceId, UserId};
//!
//! struct Account;
//!
//! impl TokenSource for Account {
//!     fn token(&self) -> Result<String, String> {
//!         Ok("what the operator's account service signed".to_owned())
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("phone.sqlite");
//! let (alice, phone, bob) = (UserId(1), DeviceId(11), UserId(2));
//! let options = Options::new("127.0.0.1:1".to_owned(), alice, phone, path);
//! let client = Client::open(options, Box::new(Account))?;
//!
//! // Nobody listens there; the message waits in the file.
//! let sent = client.send(bob, 1, b"dinner at eight?".to_vec())?;
//! let chat = client.chat(bob, 50)?;
//! assert_eq!((chat[0].id, chat[0].state), (sent, MessageState::Pending));
//! client.close();
//! # Ok(())
//! # }
//! ```
//!
//! # Receiving
//!
//! Events are hints; what is true stands in the file. An app takes what waits, and says when it
//! is done with it: what it is not done with is handed over again, after a restart too.
//!
//! ```no_run
//! # use answerback_sdk::{Client, ClientEvent, Error, Message};
//! # fn show(_: &Message) {}
//! # fn run(client: &Client) -> Result<(), Error> {
//! while let Some(event) = client.next_event(60_000) {
//!     if event == ClientEvent::MessagesWaiting {
//!         for received in client.to_hand_over(100)? {
//!             show(&received.message);
//!             client.done(received.row)?;
//!         }
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//! A list of chats is [`Client::chats`], the end of one [`Client::chat`]; look again at what
//! [`ClientEvent::ChatChanged`] names. When the user has seen it: [`Client::read_chat`].
//!
//! # What becomes of a message
//!
//! [`MessageState`]: pending → accepted → delivered → read, or failed, or recalled. What failed
//! says why, and its class whether [`Client::resend`] may help; it is shown once, under its new
//! number. [`Client::recall`] takes back what nobody has yet.
//!
//! # The user's own things
//!
//! [`Client::ask`] lists, names and revokes the user's devices ([`Ask`]); the answer comes as
//! [`ClientEvent::Answered`]. [`Client::set_blocked`], [`Client::mute`] and
//! [`Client::set_hides_reads`] hold at once on this device, and on the others once the server
//! knows.
//!
//! # Groups
//!
//! [`Client::create_group`] and the like are asks too. [`Client::group`] is what this device knows
//! of one, [`Client::send_to_group`] writes to it. A message to a group fails for members one by
//! one ([`Client::member_failures`]). Where the group has receipts
//! ([`Client::set_group_receipts`]), [`Client::member_receipts`] says who has it and who has read
//! it; it is delivered, and read, once that is so of all who can get it.
//!
//! # Connections
//!
//! The client connects by itself, and again after 0.05 to 64 s, at random. Say what the system
//! tells the app: [`Client::foreground`] and [`Client::network_changed`] end any wait and find
//! out about a dead connection at once, [`Client::background`] makes heartbeats rare. While
//! the system has the app suspended nothing runs; `foreground` makes up for it.
//!
//! Each session leaves a resume ticket in the file, which opens the next one; the [`TokenSource`]
//! is asked when there is none that is still good, and before the token of an open session
//! expires. The file is therefore for its owner alone, and in no backup that others read.
//!
//! [`ConnectionState::Stopped`] means that no attempt can help: its error's class says what the
//! app does. Where [`Error::is_end_of_device`] says so, it logs in anew with another device id
//! and another file.
//!
//! # Security
//!
//! [`Options::security`] says how connections are protected. What it is at first, plain TCP to this
//! machine, is for trying out; everything else is [`Security::Tls`]:
//!
//! ```
//! # use answerback_sdk::{DeviceId, Options, Roots, Security, Tls, UserId};
//! # fn options(pins: Vec<answerback_sdk::Pin>) -> Options {
//! # let (alice, phone, path) = (UserId(1), DeviceId(11), "phone.sqlite".into());
//! let mut options = Options::new("chat.example:7400".to_owned(), alice, phone, path);
//! options.security = Security::Tls(Tls { pins, ..Tls::default() });
//! # options
//! # }
//! ```
//! Then it is TLS 1.3 or nothing. Who signed the certificate and for which name is always looked
//! at; with [`Pin`]s its key must be one of them too. A server that does not pass is
//! [`ConnectionState::Offline`] with `is_untrusted`, and is tried again after half a minute to a
//! minute.
//!
//! # Pushes
//!
//! The operator's push wakes an extension of the app, which calls [`fetch_once`] with the same
//! options: it stores what waits and leaves, on the calling thread, within a few megabytes.
//!
//! # Below
//!
//! Two pure parts are for other event loops and for the simulator: [`session`] is one
//! device's end of the protocol, [`link`] decides when to connect and when to stop. Beside them,
//! [`storage`] is the device in one SQLite file, [`transport`] the way to a box. The rule that they keep together: an entry is
//! stored with the new cursor in one transaction, then acknowledged, then handed to the app.

pub mod client;
mod clock;
pub mod link;
pub mod session;
pub mod storage;
pub mod transport;

pub use answerback_proto::id::{DeviceId, GroupId, Sequence, UserId};
pub use answerback_proto::kind::{ChatSettings, DeviceStanding, ListedChat, ListedDevice};
pub use client::{
    ChatSummary, Client, ClientEvent, ConnectionState, Error, ErrorClass, Failure, Fetched,
    Message, MessageId, MessageState, Options, Presence, Received, Statistics, TokenSource,
    fetch_once,
};
pub use session::{Ask, AskId, ContactList, ContactsChange, Mode, Outcome, Visibility, Writers};
pub use storage::{Draft, GroupMember, MemberReceipt, MemberState, StoredGroup};
pub use transport::{Pin, Roots, Security, Tls};
