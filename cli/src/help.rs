//! The commands in groups, as `answerback --help` lists them.

use std::fmt::Write;

use clap::builder::StyledStr;
use clap::{Command, CommandFactory};

const GROUPS: [(&str, &[&str]); 5] = [
    ("The box", &["serve", "check-config", "status", "inspect", "trace"]),
    ("Users and their devices", &["user", "device", "clock"]),
    ("Keep its data", &["backup", "restore", "scrub", "repair"]),
    (
        "Try it by hand",
        &[
            "dev-keys", "token", "pin", "chat", "chats", "send", "recv", "group", "presence",
            "account",
        ],
    ),
    ("Measure it", &["bench"]),
];

/// A command whose help lists its subcommands by group.
pub(crate) fn grouped<T: CommandFactory>() -> Command {
    let command = T::command();
    let groups = groups(&command);
    command.help_template(format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{groups}Options:\n{{options}}{{after-help}}"
    ))
}

fn groups(command: &Command) -> String {
    let mut text = String::new();
    for (title, names) in GROUPS {
        let _ = writeln!(text, "{title}:");
        let found = names.iter().filter_map(|name| command.find_subcommand(name));
        for subcommand in found {
            let about = subcommand.get_about().map(StyledStr::to_string).unwrap_or_default();
            let _ = writeln!(text, "  {:<13}{about}", subcommand.get_name());
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_command_is_in_one_group() {
        let grouped: Vec<_> = GROUPS.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        let command = crate::Arguments::command();
        let all: BTreeSet<_> = command.get_subcommands().map(Command::get_name).collect();
        assert_eq!(grouped.len(), all.len());
        assert_eq!(grouped.into_iter().collect::<BTreeSet<_>>(), all);
    }
}
