//! `answerback group`: groups are made, changed and looked at, as a member's device does it.

use std::io::{self, Write};
use std::time::Duration;

use answerback_proto::id::{GroupId, UserId};
use answerback_proto::kind::role;
use answerback_sdk::{Client, ConnectionState, GroupAnswer};
use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;

use super::device;
use crate::clock::Clock;
use crate::exit::Failure;

const EXAMPLE: &str = "\
Prints one JSON line: {\"group\":…,\"state\":\"created\"} or {\"group\":…,\"state\":\"done\"}. What is so already
is done, so that a command may be repeated. A refusal is a failure that names its code.

  answerback group create --user 1 --name walkers 2 3
  answerback send --user 1 --group 20112…08 \"hello all\"
  answerback group leave --user 3 --group 20112…08

Exit codes: 0 done, 1 refused, 2 wrong usage, 3 time ran out.";

/// What to do with a group.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make a group, which the user owns.
    Create(CreateArguments),
    /// Add members: an admin may, and the owner.
    Add(MembersArguments),
    /// Remove members: an admin may, and the owner.
    Remove(MembersArguments),
    /// Give members a role: the owner may.
    Role(RoleArguments),
    /// Leave a group.
    Leave(GroupArguments),
    /// Give a group another name: an admin may, and the owner.
    Rename(RenameArguments),
    /// Print what the device knows of a group, or of all, once it has caught up.
    Info(InfoArguments),
}

#[derive(Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct CreateArguments {
    #[command(flatten)]
    device: device::DeviceArguments,
    /// What it is called.
    #[arg(long, value_name = "TEXT")]
    name: String,
    /// The other members.
    #[arg(value_name = "ID")]
    members: Vec<UserId>,
    #[command(flatten)]
    wait: WaitArguments,
}

#[derive(Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct MembersArguments {
    #[command(flatten)]
    of: GroupArguments,
    /// Who.
    #[arg(value_name = "ID", required = true)]
    members: Vec<UserId>,
}

#[derive(Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct RoleArguments {
    #[command(flatten)]
    of: GroupArguments,
    /// Which role.
    #[arg(long, value_enum)]
    role: Role,
    /// Who.
    #[arg(value_name = "ID", required = true)]
    members: Vec<UserId>,
}

#[derive(Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct RenameArguments {
    #[command(flatten)]
    of: GroupArguments,
    /// What it is called from now on.
    #[arg(value_name = "TEXT")]
    name: String,
}

#[derive(Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct GroupArguments {
    #[command(flatten)]
    device: device::DeviceArguments,
    /// Which group.
    #[arg(long, value_name = "ID")]
    group: GroupId,
    #[command(flatten)]
    wait: WaitArguments,
}

#[derive(Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct InfoArguments {
    #[command(flatten)]
    device: device::DeviceArguments,
    /// Which group; all where none is named.
    #[arg(long, value_name = "ID")]
    group: Option<GroupId>,
    #[command(flatten)]
    wait: WaitArguments,
}

#[derive(Args)]
struct WaitArguments {
    /// Seconds to wait for the answer.
    #[arg(long, value_name = "S", default_value_t = 30)]
    timeout: u64,
}

/// What a member may do.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Role {
    /// Send, leave.
    Member,
    /// Add and remove members too, and rename.
    Admin,
    /// All of it; the owner before becomes an admin.
    Owner,
}

#[derive(Serialize)]
struct Line {
    group: String,
    state: &'static str,
}

#[derive(Serialize)]
struct Info {
    group: String,
    name: String,
    version: u32,
    is_member: bool,
    members: Vec<MemberInfo>,
}

#[derive(Serialize)]
struct MemberInfo {
    user: String,
    role: &'static str,
}

/// Does it.
pub(crate) fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Create(arguments) => {
            let client = arguments.device.connect()?;
            let ticket = client.create_group(&arguments.name, arguments.members.clone())?;
            settle(&client, ticket, None, &arguments.wait)
        }
        Command::Add(MembersArguments { of, members }) => {
            of.ask(|client| client.add_members(of.group, members.clone()))
        }
        Command::Remove(MembersArguments { of, members }) => {
            of.ask(|client| client.remove_members(of.group, members.clone()))
        }
        Command::Role(RoleArguments { of, role, members }) => {
            of.ask(|client| client.set_role(of.group, members.clone(), role.number()))
        }
        Command::Leave(of) => of.ask(|client| client.leave_group(of.group)),
        Command::Rename(RenameArguments { of, name }) => {
            of.ask(|client| client.rename_group(of.group, name))
        }
        Command::Info(arguments) => tell(arguments),
    }
}

impl GroupArguments {
    fn ask(
        &self,
        ask: impl FnOnce(&Client) -> Result<u64, answerback_sdk::Error>,
    ) -> Result<(), Failure> {
        let client = self.device.connect()?;
        let ticket = ask(&client)?;
        settle(&client, ticket, Some(self.group), &self.wait)
    }
}

impl Role {
    fn number(self) -> u16 {
        match self {
            Self::Member => role::MEMBER,
            Self::Admin => role::ADMIN,
            Self::Owner => role::OWNER,
        }
    }
}

/// Waits for the answer, over any number of connections, and prints it.
fn settle(
    client: &Client,
    ticket: u64,
    group: Option<GroupId>,
    wait: &WaitArguments,
) -> Result<(), Failure> {
    let answer = wait_for(client, wait, || client.group_answer(ticket))?;
    let line = match answer {
        GroupAnswer::Created(group) => Line { group: group.to_string(), state: "created" },
        GroupAnswer::Done => Line { group: group.unwrap_or_default().to_string(), state: "done" },
        GroupAnswer::Declined(failure) => {
            let (name, code) = (failure.name, failure.code);
            return Err(Failure::new(format_args!("the box declined it: {name} ({code})")));
        }
    };
    client.close();
    print(&line)
}

/// What the device was told, once all that waited for it is here.
fn tell(arguments: &InfoArguments) -> Result<(), Failure> {
    let client = arguments.device.connect()?;
    let is_all_here = || -> Result<bool, answerback_sdk::Error> {
        Ok(client.is_caught_up()? && client.knows_groups()?)
    };
    wait_for(&client, &arguments.wait, || Ok(is_all_here()?.then_some(())))?;
    let groups = match arguments.group {
        Some(group) => vec![group],
        None => client.groups()?,
    };
    for group in groups {
        let Some(known) = client.group(group)? else {
            return Err(Failure::new(format_args!("the device knows no group {group}")));
        };
        let members = known.members.iter().map(|member| MemberInfo {
            user: member.user.to_string(),
            role: match member.role {
                role::OWNER => "owner",
                role::ADMIN => "admin",
                _ => "member",
            },
        });
        print(&Info {
            group: group.to_string(),
            members: members.collect(),
            name: known.name,
            version: known.version,
            is_member: known.is_member,
        })?;
    }
    client.close();
    Ok(())
}

fn wait_for<T>(
    client: &Client,
    wait: &WaitArguments,
    mut look: impl FnMut() -> Result<Option<T>, answerback_sdk::Error>,
) -> Result<T, Failure> {
    let (clock, timeout) = (Clock::new(), Duration::from_secs(wait.timeout));
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        if let ConnectionState::Stopped { error } = client.connection()? {
            return Err(error.into());
        }
        let left = timeout.saturating_sub(clock.elapsed());
        if left.is_zero() {
            return Err(Failure::TimedOut("the box has not answered in time".to_owned()));
        }
        client.next_event(left.as_millis() as u64 + 1);
    }
}

fn print(line: &impl Serialize) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", serde_json::to_string(line)?).map_err(Failure::of_output)
}
