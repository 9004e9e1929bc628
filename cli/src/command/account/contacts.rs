//! Whom the user has among his contacts, and whether only they may write to him first.

use answerback_proto::id::UserId;
use answerback_proto::limits::{CONTACTS_MAX, CONTACTS_PER_FRAME_MAX};
use answerback_sdk::{Ask, ContactsChange, Writers};
use clap::error::ErrorKind;
use clap::{Args, ValueEnum};

use super::Acting;
use crate::exit::Failure;

/// Whom, and what becomes of them.
#[derive(Args)]
pub(crate) struct ContactsArguments {
    #[command(flatten)]
    acting: Acting,
    /// Whether they are contacts too, no more, or nobody else is; or whether only contacts may
    /// write to the user first, or anyone.
    #[arg(value_enum, value_name = "add|remove|set|only|anyone", hide_possible_values = true)]
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
}

/// Has it done.
pub(super) fn run(arguments: &ContactsArguments) -> Result<(), Failure> {
    match arguments.verb {
        Verb::Add => change(arguments, ContactsChange::Added),
        Verb::Remove => change(arguments, ContactsChange::Removed),
        Verb::Set => change(arguments, ContactsChange::Replaced),
        Verb::Only => set_writers(arguments, Writers::Contacts),
        Verb::Anyone => set_writers(arguments, Writers::Everybody),
    }
}

fn set_writers(arguments: &ContactsArguments, writers: Writers) -> Result<(), Failure> {
    if !arguments.users.is_empty() {
        let line = "`only` and `anyone` say it of all users, and name none\n";
        clap::Error::raw(ErrorKind::ArgumentConflict, line).exit();
    }
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
