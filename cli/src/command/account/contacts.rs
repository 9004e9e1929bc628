//! Whom the user has among his contacts.

use answerback_proto::id::UserId;
use answerback_proto::limits::{CONTACTS_MAX, CONTACTS_PER_FRAME_MAX};
use answerback_sdk::{Ask, ContactsChange};
use clap::{Args, ValueEnum};

use super::Acting;
use crate::exit::Failure;

/// Whom, and what becomes of them.
#[derive(Args)]
pub(crate) struct ContactsArguments {
    #[command(flatten)]
    acting: Acting,
    /// Whether they are contacts too, no more, or nobody else is.
    #[arg(value_enum, value_name = "add|remove|set", hide_possible_values = true)]
    change: Change,
    /// The other users.
    #[arg(value_name = "USER")]
    users: Vec<UserId>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Change {
    Add,
    Remove,
    Set,
}

/// In pieces, where there are more than one request may name.
pub(super) fn change(arguments: &ContactsArguments) -> Result<(), Failure> {
    let mut users = arguments.users.clone();
    users.sort_unstable();
    users.dedup();
    if users.len() > CONTACTS_MAX {
        return Err(Failure::new(format_args!("a user has at most {CONTACTS_MAX} contacts")));
    }
    let mut change = match arguments.change {
        Change::Add => ContactsChange::Added,
        Change::Remove => ContactsChange::Removed,
        Change::Set => ContactsChange::Replaced,
    };
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
