//! The user's devices.

use std::io::{self, Write};

use answerback_proto::id::DeviceId;
use answerback_proto::limits::DEVICE_NAME_BYTES_MAX;
use answerback_sdk::{Ask, DeviceStanding, ListedDevice, Outcome};
use clap::Args;
use serde::Serialize;

use super::{Acting, declined};
use crate::exit::Failure;

/// Whose.
#[derive(Args)]
pub(crate) struct ListArguments {
    #[command(flatten)]
    acting: Acting,
}

/// Which, and its name.
#[derive(Args)]
pub(crate) struct NameArguments {
    #[command(flatten)]
    acting: Acting,
    /// Which device.
    #[arg(value_name = "DEVICE")]
    of: DeviceId,
    /// Its name; an empty one takes the last away.
    #[arg(value_name = "NAME", value_parser = parse_name)]
    name: String,
}

/// Which.
#[derive(Args)]
pub(crate) struct RevokeArguments {
    #[command(flatten)]
    acting: Acting,
    /// Which device; it can be the acting one.
    #[arg(value_name = "DEVICE")]
    of: DeviceId,
}

#[derive(Serialize)]
struct Line<'a> {
    device: String,
    name: &'a str,
    standing: &'static str,
    last_login_ms: u64,
    is_online: bool,
}

pub(super) fn list(arguments: &ListArguments) -> Result<(), Failure> {
    let listed = match arguments.acting.ask(Ask::Devices)? {
        Outcome::Devices(listed) => listed,
        Outcome::Declined { code } => return Err(declined(code)),
        _ => Vec::new(),
    };
    let mut out = io::stdout().lock();
    for device in &listed {
        let line = serde_json::to_string(&Line::of(device))?;
        writeln!(out, "{line}").map_err(Failure::of_output)?;
    }
    Ok(())
}

pub(super) fn name(arguments: &NameArguments) -> Result<(), Failure> {
    let (device, name) = (arguments.of, arguments.name.clone());
    arguments.acting.have_done(|client| client.ask(Ask::NameDevice { device, name }))?;
    println!("device {device} is called {:?}", arguments.name);
    Ok(())
}

pub(super) fn revoke(arguments: &RevokeArguments) -> Result<(), Failure> {
    let device = arguments.of;
    arguments.acting.have_done(|client| client.ask(Ask::RevokeDevice { device }))?;
    println!("device {device} is revoked");
    Ok(())
}

impl<'a> Line<'a> {
    fn of(device: &'a ListedDevice) -> Self {
        Self {
            device: device.device.to_string(),
            name: &device.name,
            standing: match device.standing {
                DeviceStanding::Active => "active",
                DeviceStanding::Lapsed => "lapsed",
            },
            last_login_ms: device.last_login_ms,
            is_online: device.is_online,
        }
    }
}

fn parse_name(text: &str) -> Result<String, String> {
    if text.len() > DEVICE_NAME_BYTES_MAX {
        return Err(format!("a name has at most {DEVICE_NAME_BYTES_MAX} bytes"));
    }
    if text.contains(char::is_control) {
        return Err("a name has no control characters".to_owned());
    }
    Ok(text.to_owned())
}
