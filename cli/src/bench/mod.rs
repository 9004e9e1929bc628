//! `answerback bench`: loads, and the relay that does a box's socket work and nothing else.
//!
//! One thread, one epoll, all connections of a run; what a run costs the server is read
//! from `/proc`. Server and generator want a core each: `taskset -c 0` and `taskset -c 1`.

mod arguments;
mod chat;
mod connection;
mod costs;
mod cover;
mod engine;
mod fanout;
mod figures;
mod idle;
mod latency;
mod load;
mod log;
mod offline;
mod pair;
mod presence;
mod progress;
mod relay;
mod soak;
mod sockets;
mod storm;
mod timer;
mod users;
mod watch;

use clap::Subcommand;

use crate::exit::Failure;

/// What to measure.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Pairs of users who write to each other: throughput, latency, losses, CPU.
    Chat(chat::Arguments),
    /// Users who are away while others write to them, and who come back at once.
    Offline(offline::Arguments),
    /// Groups in which one writes and all others read: CPU a delivery, bytes on disk.
    Fanout(fanout::Arguments),
    /// Users who log in and stay: logins a second, memory a connection.
    Idle(idle::Arguments),
    /// Everybody logs in: logins a second, and what those notice who are there.
    Storm(storm::Arguments),
    /// Users who watch each other, and all come back at once: words, CPU.
    Presence(presence::Arguments),
    /// A chat for a long time: what grows?
    Soak(soak::Arguments),
    /// A bare log with one sync at a time: the least that durable can cost.
    Log(log::Arguments),
    /// Run the bare relay, to compare a box with: it forwards and stores nothing.
    Relay(relay::Arguments),
}

/// Runs it.
pub(crate) fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Chat(arguments) => chat::run(&arguments),
        Command::Offline(arguments) => offline::run(&arguments),
        Command::Fanout(arguments) => fanout::run(&arguments),
        Command::Idle(arguments) => idle::run(&arguments),
        Command::Storm(arguments) => storm::run(&arguments),
        Command::Presence(arguments) => presence::run(&arguments),
        Command::Soak(arguments) => soak::run(&arguments),
        Command::Log(arguments) => log::run(&arguments),
        Command::Relay(arguments) => relay::run(&arguments),
    }
}
