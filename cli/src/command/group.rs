//! `answerback group`: groups are made, changed and looked at, as a member's device does it.

use std::io::{self, Write};
use std::time::Duration;

use answerback_proto::id::{GroupId, UserId};
use answerback_proto::kind::role;
use answerback_sdk::{AskId, Client, Outcome};
use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;

use super::account::declined;
use super::device;
use super::waiting::Waiting;
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

impl WaitArguments {
    fn start(&self) -> Waiting {
        Waiting::start(Duration::from_secs(self.timeout))
    }
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
            let asked = client.create_group(&arguments.name, arguments.members.clone())?;
            settle(&client, asked, None, &arguments.wait)
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
        ask: impl FnOnce(&Client) -> Result<AskId, answerback_sdk::Error>,
    ) -> Result<(), Failure> {
        let client = self.device.connect()?;
        let asked = ask(&client)?;
        settle(&client, asked, Some(self.group), &self.wait)
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

/// Waits for the answer, and prints it.
fn settle(
    client: &Client,
    asked: AskId,
    group: Option<GroupId>,
    wait: &WaitArguments,
) -> Result<(), Failure> {
    let (group, state) = match wait.start().answer(client, asked)? {
        Outcome::GroupCreated { group } => (group, "created"),
        Outcome::Declined { code } => return Err(declined(code)),
        _ => (group.unwrap_or_default(), "done"),
    };
    client.close();
    print(&Line { group: group.to_string(), state })
}

/// What the device was told, once all that waited for it is here.
fn tell(arguments: &InfoArguments) -> Result<(), Failure> {
    let client = arguments.device.connect()?;
    let is_all_here = || -> Result<bool, answerback_sdk::Error> {
        Ok(client.is_caught_up()? && client.knows_groups()?)
    };
    arguments.wait.start().until(&client, is_all_here)?;
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

fn print(line: &impl Serialize) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", serde_json::to_string(line)?).map_err(Failure::of_output)
}
