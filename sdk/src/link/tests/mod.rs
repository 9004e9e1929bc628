//! Minutes and hours of connections, in virtual time.

mod attempts;
mod goodbye;
mod harness;
mod heartbeats;
mod tickets;
