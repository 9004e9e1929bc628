//! A whole gateway behind real sockets, with a journal in memory.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by it")]

mod chats;
mod client;
mod cores;
mod covered_limits;
mod deletions;
mod entrance;
mod exchange;
mod faults;
mod flood;
mod group_receipts;
mod groups;
mod half_open;
mod identity;
mod journal;
mod limits;
mod load;
mod login;
mod mallory;
mod own;
mod renewal;
mod reports;
mod running;
mod signals;
mod stats;
mod stop;
mod storage;
mod ticket;
mod tickets;
mod tls;
mod token;
mod wakes;
