//! The layers put on each other.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use super::mistake::{Mistake, Mistakes, Origin};
use super::{Configuration, KEYS, Key, check, environment, file};

/// What somebody said of a setting.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(super) key: &'static Key,
    pub(super) text: String,
    pub(super) origin: Origin,
}

/// Where a box looks for its settings, now and at each reload.
#[derive(Clone, Debug, Default)]
pub(crate) struct Layers {
    /// The file, if there is one.
    pub(crate) file: Option<PathBuf>,
    /// What was said on the command line.
    pub(super) flags: Vec<Said>,
}

/// The settings as they are in force, and who said each.
#[derive(Clone, Debug)]
pub(crate) struct Resolved {
    /// The settings.
    pub(crate) configuration: Configuration,
    /// What an operator should look at, though a box runs with it.
    pub(crate) warnings: Vec<String>,
    /// By the key's name; a default is not in it.
    origins: BTreeMap<&'static str, Origin>,
}

impl Layers {
    /// Reads the file and the environment.
    ///
    /// # Errors
    /// All mistakes of all layers.
    pub(crate) fn resolve(&self) -> Result<Resolved, Mistakes> {
        self.resolve_with(std::env::vars_os())
    }

    pub(super) fn resolve_with(
        &self,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Resolved, Mistakes> {
        let (mut mistakes, mut warnings) = (Vec::new(), Vec::new());
        let mut said = Vec::new();
        if let Some(path) = &self.file {
            said = file::read(path, &mut mistakes);
        }
        said.extend(environment::read(variables, &mut mistakes, &mut warnings));
        said.extend(self.flags.iter().cloned());
        let (configuration, origins) = apply(said, &mut mistakes);
        let mut resolved = Resolved { configuration, warnings, origins };
        if mistakes.is_empty() {
            mistakes = check::contradictions(&resolved);
        }
        if mistakes.is_empty() {
            resolved.warnings.extend(check::warnings(&resolved));
            Ok(resolved)
        } else {
            Err(Mistakes::sorted(mistakes))
        }
    }
}

/// The later word counts; each is looked at, also one that does not.
fn apply(
    said: Vec<Said>,
    mistakes: &mut Vec<Mistake>,
) -> (Configuration, BTreeMap<&'static str, Origin>) {
    let (mut configuration, mut origins) = (Configuration::default(), BTreeMap::new());
    for Said { key, text, origin } in said {
        if key.set(&mut configuration, &text) {
            origins.insert(key.name, origin);
        } else {
            mistakes.push(Mistake::of_value(&origin, key, &text));
        }
    }
    (configuration, origins)
}

impl Resolved {
    /// Who said a setting.
    pub(crate) fn origin(&self, key: &Key) -> &Origin {
        self.origins.get(key.name).unwrap_or(&Origin::Default)
    }
}

/// What a reload makes of two configurations.
#[derive(Debug)]
pub(crate) struct Change {
    /// The settings of the running box: the new ones where it takes them, else the old ones.
    pub(crate) configuration: Configuration,
    /// The keys that it takes.
    pub(crate) taken: Vec<&'static str>,
    /// The keys that need a restart.
    pub(crate) pending: Vec<&'static str>,
}

impl Change {
    /// From what runs to what is now said.
    pub(crate) fn between(running: &Configuration, said: &Configuration) -> Self {
        let mut change =
            Self { configuration: running.clone(), taken: Vec::new(), pending: Vec::new() };
        for key in KEYS {
            let text = key.show(said);
            if key.show(running) == text {
                continue;
            }
            if key.reloads {
                key.set(&mut change.configuration, &text);
                change.taken.push(key.name);
            } else {
                change.pending.push(key.name);
            }
        }
        change
    }
}
