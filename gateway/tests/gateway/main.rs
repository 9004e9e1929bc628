//! A whole gateway behind real sockets, with a journal in memory.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by it")]

mod chats;
mod client;
mod cores;
mod entrance;
mod exchange;
mod faults;
mod half_open;
mod identity;
mod journal;
mod limits;
mod load;
mod login;
mod renewal;
mod running;
mod signals;
mod stats;
mod stop;
mod storage;
mod ticket;
mod tickets;
mod tls;
mod token;
