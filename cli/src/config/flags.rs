//! The flags, made from the table of keys.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Args, Command, Error, FromArgMatches, value_parser};

use super::Configuration;
use super::file::{meant_key, unknown};
use super::key::Key;
use super::keys::{KEYS, find};
use super::layers::{Layers, Said};
use super::mistake::Origin;

const CONFIG: &str = "config";
const SET: &str = "set";

/// `--config`, `--set` and a flag for each key that has one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Flags {
    /// Where settings are looked for, with what the flags say.
    pub(crate) layers: Layers,
}

impl Args for Flags {
    fn augment_args(command: Command) -> Command {
        let defaults = Configuration::default();
        let flags = KEYS.iter().filter_map(|key| argument(key, &defaults));
        command.arg(config()).arg(set()).args(flags)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

fn config() -> Arg {
    Arg::new(CONFIG)
        .long(CONFIG)
        .value_name("FILE")
        .env("ANSWERBACK_CONFIG")
        .hide_env_values(true)
        .value_parser(value_parser!(PathBuf))
        .help("Read settings from this file; `check-config` shows what is in force")
}

fn set() -> Arg {
    Arg::new(SET)
        .long(SET)
        .value_name("KEY=VALUE")
        .action(ArgAction::Append)
        .value_parser(assignment)
        .help("Set any key, as gateway.heartbeat_max_s=300; docs/CONFIGURATION.md lists them")
}

fn argument(key: &'static Key, defaults: &Configuration) -> Option<Arg> {
    let (flag, value) = key.flag?;
    let default = key.show(defaults);
    let shown = if default.is_empty() { String::new() } else { format!(", default {default}") };
    let argument = Arg::new(flag)
        .long(flag)
        .value_name(value)
        .help_heading(heading(key.section()))
        .value_parser(move |text: &str| key.check(text))
        .help(format!("{} [{}{shown}]", key.meaning, key.name));
    Some(argument)
}

fn heading(section: &str) -> &'static str {
    match section {
        "box" => "The box",
        "gateway" => "Connections",
        "presence" => "What users see of each other",
        "commit" | "checkpoint" => "Commits and checkpoints",
        "admin" => "Operating",
        "log" => "Logs",
        _ => "Other settings",
    }
}

/// `KEY=VALUE` of a known key.
fn assignment(text: &str) -> Result<(&'static Key, String), String> {
    let (name, value) = text.split_once('=').ok_or("it must be KEY=VALUE")?;
    let key = find(name).ok_or_else(|| unknown(&format!("key {name}"), meant_key(name)))?;
    Ok((key, key.check(value)?))
}

impl FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let file = matches.get_one::<PathBuf>(CONFIG).cloned();
        let assigned = matches.get_many::<(&'static Key, String)>(SET).unwrap_or_default();
        let assigned = assigned.map(|(key, text)| (*key, text, format!("--{SET}")));
        let flagged = KEYS.iter().filter_map(|key| {
            let (flag, _) = key.flag?;
            Some((key, matches.get_one::<String>(flag)?, format!("--{flag}")))
        });
        let said = assigned.chain(flagged);
        let flags = said.map(|(key, text, flag)| Said {
            key,
            text: text.clone(),
            origin: Origin::Flag(flag),
        });
        Ok(Self { layers: Layers { file, flags: flags.collect() } })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
