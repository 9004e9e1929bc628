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
//! Below it lie two pure parts, for other event loops and for the simulator: [`session`] is one
//! device's end of the protocol, [`link`] decides when to connect and when to stop; and
//! [`storage`], the device in one SQLite file. The rule that they keep together: an entry is
//! stored with the new cursor in one transaction, then acknowledged, then handed to the app.

pub mod client;
mod clock;
pub mod link;
pub mod session;
pub mod storage;

pub use answerback_proto::id::{DeviceId, Sequence, UserId};
pub use client::{
    ChatSummary, Client, ClientEvent, ConnectionState, Error, ErrorClass, Failure, Fetched,
    Message, MessageId, MessageState, Options, Received, Statistics, TokenSource, fetch_once,
};
pub use session::Mode;
pub use storage::Draft;
