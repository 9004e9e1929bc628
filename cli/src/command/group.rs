//! `answerback group`: groups are made, changed and looked at, as a member's device does it.

use std::io::{self, Write};
use std::time::Duration;

use answerback_proto::id::{GroupId, Sequence, UserId};
use answerback_proto::kind::role;
use answerback_sdk::{AskId, Client, MemberReceipt, MemberState, MessageId, Options, Outcome};
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

const SEEN_EXAMPLE: &str = "\
A line for each member that it went to: {\"user\":…,\"state\":\"accepted\"}, or \"delivered\", \"read\",
\"failed\" with its code. Nothing is known before the first of them has it, and where the group has no
receipts.

  answerback group receipts --user 1 --group 20112…08 on
  answerback group seen --user 1 --group 20112…08 3

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 time ran out.";

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
    /// Have its messages tell who has them and who has read them: an admin may, and the owner.
    Receipts(ReceiptsArguments),
    /// Print who has one of this device's messages, and who has read it, as JSON lines.
    Seen(SeenArguments),
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
pub(crate) struct ReceiptsArguments {
    #[command(flatten)]
    of: GroupArguments,
    /// What they are from now on.
    #[arg(value_enum)]
    are: Switch,
}

#[derive(Args)]
#[command(after_help = SEEN_EXAMPLE)]
pub(crate) struct SeenArguments {
    #[command(flatten)]
    of: GroupArguments,
    /// The message's number, as `send` printed it.
    #[arg(value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    sequence: u64,
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

/// Whether something is done.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Switch {
    /// It is.
    On,
    /// It is not.
    Off,
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
    has_receipts: bool,
    members: Vec<MemberInfo>,
}

#[derive(Serialize)]
struct SeenLine {
    user: String,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u16>,
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
        Command::Receipts(ReceiptsArguments { of, are }) => {
            of.ask(|client| client.set_group_receipts(of.group, *are == Switch::On))
        }
        Command::Seen(arguments) => tell_seen(arguments),
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
            has_receipts: known.has_receipts,
        })?;
    }
    client.close();
    Ok(())
}

/// Who has a message, as far as this device was told.
fn tell_seen(SeenArguments { of, sequence }: &SeenArguments) -> Result<(), Failure> {
    let client = of.device.connect()?;
    of.wait.start().until(&client, || client.is_caught_up())?;
    let Options { user: sender, device, .. } = client.options();
    let (peer, sequence) = (of.group.as_peer(), Sequence(*sequence));
    let id = MessageId { peer, sender, device, sequence };
    if client.message(id)?.is_none() {
        let line = format_args!("this device has sent no message {sequence} to this group");
        return Err(Failure::new(line));
    }
    for MemberReceipt { user, state } in client.member_receipts(id)? {
        let (state, code) = match state {
            MemberState::Accepted => ("accepted", None),
            MemberState::Delivered => ("delivered", None),
            MemberState::Read => ("read", None),
            MemberState::Failed { code } => ("failed", Some(code)),
        };
        print(&SeenLine { user: user.to_string(), state, code })?;
    }
    client.close();
    Ok(())
}

fn print(line: &impl Serialize) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", serde_json::to_string(line)?).map_err(Failure::of_output)
}
