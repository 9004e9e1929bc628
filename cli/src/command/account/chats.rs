//! How the user has chats treated: blocked, muted, without read receipts.

use std::io::{self, Write};

use answerback_proto::id::UserId;
use answerback_proto::limits::MUTED_UNTIL_MS_MAX;
use answerback_sdk::{Ask, Outcome};
use clap::{Args, ValueEnum};
use serde::Serialize;

use super::{Acting, declined};
use crate::clock::unix_ms;
use crate::exit::Failure;

/// Whose.
#[derive(Args)]
pub(crate) struct ListArguments {
    #[command(flatten)]
    acting: Acting,
}

/// With whom.
#[derive(Args)]
pub(crate) struct PeerArguments {
    #[command(flatten)]
    acting: Acting,
    /// The other user.
    #[arg(value_name = "USER")]
    peer: UserId,
}

/// With whom, and for how long.
#[derive(Args)]
pub(crate) struct MuteArguments {
    #[command(flatten)]
    chat: PeerArguments,
    /// For so many hours; without it until it is unmuted.
    #[arg(long, value_name = "H", value_parser = clap::value_parser!(u32).range(1..))]
    hours: Option<u32>,
}

/// With whom, and whether.
#[derive(Args)]
pub(crate) struct ReceiptsArguments {
    #[command(flatten)]
    chat: PeerArguments,
    /// Whether either end is told what the other has read.
    #[arg(value_enum, value_name = "on|off", hide_possible_values = true)]
    receipts: Switch,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Switch {
    On,
    Off,
}

#[derive(Serialize)]
struct Line {
    chat: String,
    is_blocked: bool,
    hides_reads: bool,
    muted_until_ms: u64,
}

/// What the box has, not what this device remembers.
pub(super) fn list(arguments: &ListArguments) -> Result<(), Failure> {
    let chats = match arguments.acting.ask(Ask::Chats)? {
        Outcome::Chats(chats) => chats,
        Outcome::Declined { code } => return Err(declined(code)),
        _ => Vec::new(),
    };
    let mut out = io::stdout().lock();
    // Groups are told of besides, for devices that have to know where the user is.
    for chat in chats.into_iter().filter(|chat| !chat.settings.is_default()) {
        let line = serde_json::to_string(&Line {
            chat: chat.peer.to_string(),
            is_blocked: chat.settings.is_blocked(),
            hides_reads: chat.settings.hides_reads(),
            muted_until_ms: chat.settings.muted_until_ms,
        })?;
        writeln!(out, "{line}").map_err(Failure::of_output)?;
    }
    Ok(())
}

pub(super) fn block(arguments: &PeerArguments, is_blocked: bool) -> Result<(), Failure> {
    let PeerArguments { acting, peer } = arguments;
    acting.have_done(|client| client.set_blocked(*peer, is_blocked))?;
    println!("user {peer} is {}blocked", if is_blocked { "" } else { "not " });
    Ok(())
}

pub(super) fn mute(arguments: &MuteArguments) -> Result<(), Failure> {
    let PeerArguments { acting, peer } = &arguments.chat;
    let hours = arguments.hours.map(|hours| u64::from(hours) * 3_600_000);
    let until_ms = hours.map_or(MUTED_UNTIL_MS_MAX, |ms| unix_ms().saturating_add(ms));
    acting.have_done(|client| client.mute(*peer, until_ms))?;
    println!("the chat with user {peer} is muted");
    Ok(())
}

pub(super) fn unmute(arguments: &PeerArguments) -> Result<(), Failure> {
    let PeerArguments { acting, peer } = arguments;
    acting.have_done(|client| client.mute(*peer, 0))?;
    println!("the chat with user {peer} is not muted");
    Ok(())
}

pub(super) fn receipts(arguments: &ReceiptsArguments) -> Result<(), Failure> {
    let PeerArguments { acting, peer } = &arguments.chat;
    let is_off = arguments.receipts == Switch::Off;
    acting.have_done(|client| client.set_hides_reads(*peer, is_off))?;
    println!("read receipts with user {peer} are {}", if is_off { "off" } else { "on" });
    Ok(())
}
