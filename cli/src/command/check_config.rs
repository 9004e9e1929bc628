//! `answerback check-config`: what a box would run with, and who said so.

use std::io::Write;

use clap::Args;
use serde_json::{Value, json};

use crate::config::{Flags, KEYS, Key, Mistakes, Resolved, unusable_files};
use crate::exit::Failure;

const EXAMPLE: &str = "\
Reads what `answerback serve` with the same flags would read, and starts nothing. Each setting
is the last of: its default, the file, the environment, a flag.

  answerback check-config --config answerback.toml
  answerback check-config --config answerback.toml --json
  ANSWERBACK_LOG_LEVEL=debug answerback check-config --config answerback.toml

A mistake is a line with file, line, key and what is allowed. docs/CONFIGURATION.md says what
each key means, docs/answerback.toml is a file to begin with.

Exit codes: 0 a box can run with it, 1 there are mistakes.";

/// Which settings.
#[derive(Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Arguments {
    #[command(flatten)]
    flags: Flags,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Prints the settings or the mistakes.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let resolved = arguments.flags.layers.resolve().map(with_files_looked_for);
    if arguments.json {
        let (told, outcome) = match resolved {
            Ok(resolved) => (settings_as_json(&resolved), Ok(())),
            Err(mistakes) => (mistakes_as_json(&mistakes), Err(Failure::Told)),
        };
        return print(&format!("{told}\n")).and(outcome);
    }
    let resolved = resolved?;
    print(&table(&resolved))?;
    resolved.warnings.iter().for_each(|warning| eprintln!("warning: {warning}"));
    Ok(())
}

fn with_files_looked_for(mut resolved: Resolved) -> Resolved {
    resolved.warnings.extend(unusable_files(&resolved.configuration));
    resolved
}

fn print(text: &str) -> Result<(), Failure> {
    std::io::stdout().write_all(text.as_bytes()).map_err(Failure::of_output)
}

/// As a file would have it, each with its origin behind it.
fn table(resolved: &Resolved) -> String {
    let lines: Vec<_> = KEYS.iter().map(|key| assignment(key, resolved)).collect();
    let width = lines.iter().map(|line| line.chars().count()).max().unwrap_or_default();
    let mut text = String::new();
    let mut section = "";
    for (key, line) in KEYS.iter().zip(lines) {
        if key.section() != section {
            let gap = if section.is_empty() { "" } else { "\n" };
            section = key.section();
            text.push_str(&format!("{gap}[{section}]\n"));
        }
        text.push_str(&format!("{line:width$}  # {}\n", resolved.origin(key)));
    }
    text
}

fn assignment(key: &Key, resolved: &Resolved) -> String {
    let name = key.name.split_once('.').map_or(key.name, |(_, name)| name);
    format!("{name} = {}", value(key, resolved))
}

fn value(key: &Key, resolved: &Resolved) -> Value {
    let text = key.show(&resolved.configuration);
    match text.parse::<u64>() {
        Ok(number) if key.is_number() => number.into(),
        _ => text.into(),
    }
}

fn settings_as_json(resolved: &Resolved) -> Value {
    let setting = |key: &Key| {
        let origin = resolved.origin(key);
        json!({
            "key": key.name,
            "value": value(key, resolved),
            "from": origin.layer(),
            "at": origin.to_string(),
        })
    };
    let settings: Vec<_> = KEYS.iter().map(setting).collect();
    json!({ "settings": settings, "warnings": resolved.warnings, "mistakes": [] })
}

fn mistakes_as_json(Mistakes(mistakes): &Mistakes) -> Value {
    let mistakes: Vec<_> = mistakes.iter().map(ToString::to_string).collect();
    json!({ "settings": [], "warnings": [], "mistakes": mistakes })
}
