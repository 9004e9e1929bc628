//! The command `answerback`: a box, the words that users send and receive, in a chat or as
//! lines, and the loads that measure both.
//!
//! Exit codes: 0 done, 1 failed, 2 wrong usage, 3 time ran out. A failure is one line on
//! stderr that says what to do; what other programs read goes to stdout as JSON lines.

mod admin;
mod bench;
mod chat;
mod clock;
mod command;
mod config;
mod control;
mod credentials;
mod dev_certificate;
mod erasing;
mod exit;
mod help;
mod hooks;
mod inspection;
mod journal;
mod keys;
mod logs;
mod moment;
mod process;
mod random;
mod secrets;
mod serve;
mod stopped_box;
mod users;
mod watch;
mod web;

use std::process::ExitCode;

use clap::{FromArgMatches, Parser, Subcommand};

const EXIT_CODES: &str = "\
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 time ran out.

A first try; each of the last two in a terminal of its own:
  answerback dev-keys --dir run/keys
  answerback user add --data run/data --create 1 2
  answerback serve --data run/data --jwks run/keys/jwks.json
  answerback chat --user 1 --to 2
  answerback chat --user 2 --to 1";

/// A store-and-forward messaging gateway: it keeps trying until the other side has answered back.
#[derive(Parser)]
#[command(name = "answerback", version, after_help = EXIT_CODES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a box.
    Serve(command::serve::Arguments),
    /// Show the settings that a box would run with.
    CheckConfig(command::check_config::Arguments),
    /// Say how a running box is.
    Status(command::status::Arguments),
    /// Say what a box holds, or how a user stands.
    Inspect(command::inspect::Arguments),
    /// Say where a message is.
    Trace(command::trace::Arguments),
    /// Copy all that a box has committed, running or stopped.
    Backup(command::backup::Arguments),
    /// Make a new data directory from a backup.
    Restore(command::restore::Arguments),
    /// Read all that a box has on its disk, to find damage early.
    Scrub(command::scrub::Arguments),
    /// Let a box start again whose data is damaged.
    Repair(command::repair::Arguments),
    /// Add, list, revoke and purge users.
    #[command(subcommand)]
    User(command::operate::user::Command),
    /// Revoke devices.
    #[command(subcommand)]
    Device(command::operate::device::Command),
    /// Say whether the clock is right.
    #[command(subcommand)]
    Clock(command::operate::clock::Command),
    /// Make the keys that sign tokens, and a certificate, for development.
    DevKeys(command::dev_keys::Arguments),
    /// Print a token for a user's device.
    Token(command::token::Arguments),
    /// Print the pin of a box's key.
    Pin(command::pin::Arguments),
    /// List, name and log out a user's own devices, as the user.
    #[command(subcommand)]
    Account(command::account::Command),
    /// Chat in the terminal.
    Chat(command::chat::Arguments),
    /// List and delete the chats of a device.
    #[command(subcommand)]
    Chats(command::chats::Command),
    /// Send messages, and wait until they are durable or delivered.
    Send(command::send::Arguments),
    /// Receive messages, as JSON lines.
    Recv(command::recv::Arguments),
    /// Make groups, change them, look at them.
    #[command(subcommand)]
    Group(command::group::Command),
    /// When another user was there; who may see when this one was.
    Presence(command::presence::Arguments),
    /// Measure a box.
    ///
    /// Loads send more from each device than a box takes of a human: start it with
    /// `answerback serve --rate-burst-s 0`, or the waiting is measured.
    #[command(subcommand)]
    Bench(bench::Command),
}

fn main() -> ExitCode {
    // Whatever a command writes is its user's alone, but for what says otherwise itself.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let parsed = Arguments::from_arg_matches(&help::grouped::<Arguments>().get_matches());
    let outcome = match parsed.unwrap_or_else(|error| error.exit()).command {
        Command::Serve(arguments) => command::serve::run(&arguments),
        Command::CheckConfig(arguments) => command::check_config::run(&arguments),
        Command::Status(arguments) => command::status::run(&arguments),
        Command::Inspect(arguments) => command::inspect::run(&arguments),
        Command::Trace(arguments) => command::trace::run(&arguments),
        Command::Backup(arguments) => command::backup::run(&arguments),
        Command::Restore(arguments) => command::restore::run(&arguments),
        Command::Scrub(arguments) => command::scrub::run(&arguments),
        Command::Repair(arguments) => command::repair::run(&arguments),
        Command::User(command) => command::operate::user::run(&command),
        Command::Device(command) => command::operate::device::run(&command),
        Command::Clock(command) => command::operate::clock::run(&command),
        Command::DevKeys(arguments) => command::dev_keys::run(&arguments),
        Command::Token(arguments) => command::token::run(&arguments),
        Command::Pin(arguments) => command::pin::run(&arguments),
        Command::Account(command) => command::account::run(&command),
        Command::Chat(arguments) => command::chat::run(&arguments),
        Command::Chats(command) => command::chats::run(&command),
        Command::Send(arguments) => command::send::run(&arguments),
        Command::Recv(arguments) => command::recv::run(&arguments),
        Command::Group(command) => command::group::run(&command),
        Command::Presence(arguments) => command::presence::run(&arguments),
        Command::Bench(command) => bench::run(command),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
