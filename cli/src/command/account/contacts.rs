//! Whom the user has among his contacts, and whether only they may write to him first.

use std::io::{self, Write};

use answerback_proto::id::UserId;
use answerback_proto::limits::{CONTACTS_MAX, CONTACTS_PER_FRAME_MAX};
use answerback_sdk::{Ask, ContactsChange, Outcome, Visibility, Writers};
use clap::error::ErrorKind;
use clap::{Args, ValueEnum};
use serde::Serialize;

use super::{Acting, declined};
use crate::exit::Failure;

/// What may be done with contacts.
const VERBS: &str = "add|remove|set|only|anyone|list";

/// Whom, and what becomes of them.
#[derive(Args)]
pub(crate) struct ContactsArguments {
    #[command(flatten)]
    acting: Acting,
    /// Whether they are contacts too, no more, or nobody else is; or whether only contacts may
    /// write to the user first, or anyone; or to list them, as JSON lines.
    #[arg(value_enum, value_name = VERBS, hide_possible_values = true, default_value = "list")]
    verb: Verb,
    /// The other users.
    #[arg(value_name = "USER")]
    users: Vec<UserId>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Verb {
    Add,
    Remove,
    Set,
    Only,
    Anyone,
    List,
}

/// Has it done.
pub(super) fn run(arguments: &ContactsArguments) -> Result<(), Failure> {
    match arguments.verb {
        Verb::Add => change(arguments, ContactsChange::Added),
        Verb::Remove => change(arguments, ContactsChange::Removed),
        Verb::Set => change(arguments, ContactsChange::Replaced),
        Verb::Only => set_writers(arguments, Writers::Contacts),
        Verb::Anyone => set_writers(arguments, Writers::Everybody),
        Verb::List => list(arguments),
    }
}

/// Who may see and who may write, and how many contacts follow.
#[derive(Serialize)]
struct Head {
    visible_to: &'static str,
    written_to_by: &'static str,
    contacts: usize,
}

#[derive(Serialize)]
struct Line {
    contact: String,
}

fn list(arguments: &ContactsArguments) -> Result<(), Failure> {
    require_nobody(arguments);
    let listed = match arguments.acting.ask(Ask::Contacts)? {
        Outcome::Contacts(listed) => listed,
        Outcome::Declined { code } => return Err(declined(code)),
        _ => return Ok(()),
    };
    let head = Head {
        visible_to: match listed.visibility {
            Visibility::Everybody => "everybody",
            Visibility::Contacts => "contacts",
            Visibility::Nobody => "nobody",
        },
        written_to_by: match listed.writers {
            Writers::Everybody => "everybody",
            Writers::Contacts => "contacts",
        },
        contacts: listed.users.len(),
    };
    let mut out = io::stdout().lock();
    writeln!(out, "{}", serde_json::to_string(&head)?).map_err(Failure::of_output)?;
    for user in &listed.users {
        let line = serde_json::to_string(&Line { contact: user.to_string() })?;
        writeln!(out, "{line}").map_err(Failure::of_output)?;
    }
    Ok(())
}

fn require_nobody(arguments: &ContactsArguments) {
    if !arguments.users.is_empty() {
        let line = "`only`, `anyone` and `list` are of all users, and name none\n";
        clap::Error::raw(ErrorKind::ArgumentConflict, line).exit();
    }
}

fn set_writers(arguments: &ContactsArguments, writers: Writers) -> Result<(), Failure> {
    require_nobody(arguments);
    arguments.acting.have_done(|client| client.ask(Ask::SetWriters(writers)))?;
    println!("done");
    Ok(())
}

/// In pieces, where there are more than one request may name.
fn change(arguments: &ContactsArguments, mut change: ContactsChange) -> Result<(), Failure> {
    let mut users = arguments.users.clone();
    users.sort_unstable();
    users.dedup();
    if users.len() > CONTACTS_MAX {
        return Err(Failure::new(format_args!("a user has at most {CONTACTS_MAX} contacts")));
    }
    let mut rest = users.as_slice();
    loop {
        let (piece, more) = rest.split_at(rest.len().min(CONTACTS_PER_FRAME_MAX));
        let users = piece.to_vec();
        arguments.acting.have_done(|client| client.ask(Ask::SetContacts { change, users }))?;
        if change == ContactsChange::Replaced {
            change = ContactsChange::Added;
        }
        rest = more;
        if rest.is_empty() {
            println!("done");
            return Ok(());
        }
    }
}
