//! Where a setting comes from, and what is wrong with it.

use std::fmt;
use std::path::PathBuf;

use super::key::Key;
use crate::exit::Failure;

/// Who said a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Nobody.
    Default,
    /// A file, in this line, where it is known.
    File(PathBuf, Option<usize>),
    /// The variable of this name.
    Environment(String),
    /// The flag.
    Flag(String),
}

impl Origin {
    /// Its layer in one word.
    pub(crate) fn layer(&self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::File(..) => "file",
            Self::Environment(_) => "environment",
            Self::Flag(_) => "flag",
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path, Some(line)) => write!(f, "{}:{line}", path.display()),
            Self::File(path, None) => write!(f, "{}", path.display()),
            Self::Environment(name) => f.write_str(name),
            Self::Flag(flag) => f.write_str(flag),
        }
    }
}

/// A value that cannot be used: one line with where it stands and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mistake {
    /// Where it stands; none: it is missing, or in the whole.
    pub(crate) origin: Option<Origin>,
    /// What is wrong.
    pub(crate) text: String,
}

impl Mistake {
    pub(super) fn at(origin: &Origin, text: impl Into<String>) -> Self {
        Self { origin: Some(origin.clone()), text: text.into() }
    }

    /// Not one of the key's values.
    pub(super) fn of_value(origin: &Origin, key: &Key, written: &str) -> Self {
        let (name, written) = (key.name, shorten(written));
        Self::at(origin, format!("{name} = {written}: must be {}", key.allowed))
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Some(origin) => write!(f, "{origin}: {}", self.text),
            None => f.write_str(&self.text),
        }
    }
}

/// What an operator reads of a text that may be anything.
fn shorten(text: &str) -> String {
    const CHARACTERS_MAX: usize = 60;
    let plain = |character: char| if character.is_control() { ' ' } else { character };
    let shown: String = text.chars().map(plain).take(CHARACTERS_MAX).collect();
    if text.chars().count() > CHARACTERS_MAX { format!("{shown}…") } else { shown }
}

/// All of them, in the order in which they stand; never none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mistakes(pub(crate) Vec<Mistake>);

impl Mistakes {
    pub(super) fn sorted(mut mistakes: Vec<Mistake>) -> Self {
        mistakes.sort_by_key(|mistake| match &mistake.origin {
            Some(Origin::File(_, line)) => *line,
            _ => Some(usize::MAX),
        });
        Self(mistakes)
    }
}

impl From<Mistakes> for Failure {
    fn from(Mistakes(mistakes): Mistakes) -> Self {
        let lines: Vec<_> = mistakes.iter().map(ToString::to_string).collect();
        Self::new(lines.join("\n"))
    }
}
