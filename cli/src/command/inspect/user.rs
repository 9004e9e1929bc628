//! A user, as text.

use std::fmt::Write;

use crate::clock;
use crate::command::figures::{bytes, count, duration};
use crate::inspection::{
    AttemptsInspection, DeviceInspection, EntryInspection, FoundUser, SessionInspection,
    UserInspection,
};

/// All that is known, a line for each thing.
pub(super) fn text(user: &UserInspection, found: &FoundUser) -> String {
    let mut out = String::new();
    let _ = draw(&mut out, user, found, clock::unix_ms());
    out
}

fn draw(
    out: &mut String,
    user: &UserInspection,
    found: &FoundUser,
    now_ms: u64,
) -> std::fmt::Result {
    writeln!(out, "user {}, partition {}", user.user, user.partition)?;
    inbox(out, found, now_ms)?;
    let FoundUser { chats, gaps, .. } = found;
    let missing = if *gaps > 0 { format!(", {gaps} with a number missing") } else { String::new() };
    writeln!(out, "  chats       {}{missing}", count(*chats))?;
    writeln!(out, "  devices     {} of {}", found.devices.len(), found.limits.devices_max)?;
    for shown in &found.devices {
        device(out, shown, found, now_ms)?;
    }
    if user.records_behind > 0 {
        let behind = user.records_behind;
        writeln!(out, "  {behind} records of the journal are not in the tables yet, nor here")?;
    }
    Ok(())
}

fn inbox(out: &mut String, found: &FoundUser, now_ms: u64) -> std::fmt::Result {
    let (inbox, limits) = (&found.inbox, &found.limits);
    writeln!(out, "  inbox       {} entries, {}", count(inbox.entries), bytes(inbox.bytes))?;
    writeln!(
        out,
        "  undelivered {} of {} messages, {} of {}",
        count(inbox.undelivered),
        count(limits.messages_max),
        bytes(inbox.undelivered_bytes),
        bytes(limits.bytes_max)
    )?;
    if let Some(oldest) = &inbox.oldest {
        writeln!(out, "  oldest      {}", entry(oldest, now_ms))?;
    }
    if let Some(failure) = &inbox.last_failure {
        writeln!(out, "  last failure {}", entry(failure, now_ms))?;
    }
    Ok(())
}

fn entry(entry: &EntryInspection, now_ms: u64) -> String {
    let EntryInspection { kind, peer, position, .. } = entry;
    let age = duration(now_ms.saturating_sub(entry.put_at_ms));
    let mut text = format!("{kind} at position {position}, chat {peer}, {age} old");
    if let (Some(device), Some(sequence)) = (&entry.device, entry.sequence) {
        let _ = write!(text, ", number {sequence} of device {device}");
    }
    if let Some(code) = &entry.code {
        let _ = write!(text, ": {code}");
    }
    if let Some(at_ms) = entry.expires_at_ms {
        let _ = write!(text, ", ends in {}", duration(at_ms.saturating_sub(now_ms)));
    }
    text
}

fn device(
    out: &mut String,
    device: &DeviceInspection,
    found: &FoundUser,
    now_ms: u64,
) -> std::fmt::Result {
    let DeviceInspection { device: id, standing, cursor, owed, .. } = device;
    let owed = count(*owed);
    writeln!(out, "    {id}: {standing}, has all up to {cursor}, owes {owed} entries")?;
    if let Some(AttemptsInspection { position, count, first_at_ms }) = device.attempts {
        let (age, max) = (duration(now_ms.saturating_sub(first_at_ms)), found.limits.attempts_max);
        writeln!(
            out,
            "      position {position} was offered {count} of {max} times and not taken, first {age} ago"
        )?;
    }
    match &device.session {
        Some(session) => session_line(out, session),
        None if found.is_running => writeln!(out, "      not connected"),
        None => Ok(()),
    }
}

fn session_line(out: &mut String, session: &SessionInspection) -> std::fmt::Result {
    let probed = if session.is_probed { ", probed" } else { "" };
    writeln!(
        out,
        "      connected: {} in flight for {}, silent for {} s, {} not fetched{probed}",
        count(session.in_flight),
        duration(session.unacknowledged_ms),
        session.silent_s,
        bytes(session.unsent_bytes)
    )
}
