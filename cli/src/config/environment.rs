//! The environment: `ANSWERBACK_GATEWAY_LISTEN` for `gateway.listen`.

use std::ffi::OsString;

use super::file::unknown;
use super::key::PREFIX;
use super::keys::{KEYS, sections};
use super::layers::Said;
use super::mistake::{Mistake, Origin};
use super::nearest::nearest;

/// What else the command reads, and its tests.
const OTHERS: &[&str] =
    &["ADDR", "CONFIG", "CORES", "KILLS", "LONG_PAUSES", "SECONDS", "SEED", "TOKEN"];

/// What the environment says. A variable that is empty is none.
pub(super) fn read(
    variables: impl IntoIterator<Item = (OsString, OsString)>,
    mistakes: &mut Vec<Mistake>,
    warnings: &mut Vec<String>,
) -> Vec<Said> {
    let names: Vec<_> = KEYS.iter().map(|key| (key, key.environment())).collect();
    let mut said = Vec::new();
    for (name, value) in variables {
        let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else { continue };
        let (text, origin) = (value.to_string_lossy().into_owned(), name.to_owned());
        let origin = Origin::Environment(origin);
        match names.iter().find(|(_, known)| known == name) {
            Some(_) if text.is_empty() => {}
            Some((key, _)) => said.push(Said { key, text, origin }),
            None => {
                let known = names.iter().map(|(_, known)| known.as_str());
                tell_unknown(name, nearest(name, known), mistakes, warnings);
            }
        }
    }
    said
}

/// What looks like a setting must be one. Other names may be for others, and are only warned of.
fn tell_unknown(
    name: &str,
    meant: Option<&str>,
    mistakes: &mut Vec<Mistake>,
    warnings: &mut Vec<String>,
) {
    let rest = name.trim_start_matches(PREFIX);
    if OTHERS.contains(&rest) {
        return;
    }
    let is_of_section = sections().any(|section| {
        let behind = rest.strip_prefix(section.to_ascii_uppercase().as_str());
        behind.is_some_and(|behind| behind.starts_with('_'))
    });
    let text = unknown("setting", meant.map(str::to_owned));
    if is_of_section || meant.is_some() {
        mistakes.push(Mistake::at(&Origin::Environment(name.to_owned()), text));
    } else {
        warnings.push(format!("{name}: {text}"));
    }
}
