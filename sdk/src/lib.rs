//! What a client of Answerback needs: a session, a database, and a loop that drives them.
//!
//! [`session`] is pure: bytes and times in, bytes and events out, for any event loop and
//! for the simulator. [`storage`] keeps a device in one SQLite file. [`driver`] joins both
//! to a blocking socket.
//!
//! The rule that the three keep together: an entry is stored with the new cursor in one
//! transaction, then acknowledged, then handed to the app until the app is done with it.

mod clock;
pub mod driver;
pub mod session;
pub mod storage;
