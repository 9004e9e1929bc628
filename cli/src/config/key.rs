//! One setting: its names, what is allowed, what it means.

use std::fmt;
use std::net::SocketAddr;

use super::Configuration;
use super::field::{AUTO, Field, LEVELS, LogFilter, NONE, networks};
use crate::credentials::KeySource;
use crate::web::Url;

/// What the names in the environment begin with.
pub(crate) const PREFIX: &str = "ANSWERBACK_";

/// A setting.
pub(crate) struct Key {
    /// `section.name` in the file.
    pub(crate) name: &'static str,
    /// `--flag VALUE` of `serve`; the others are set by `--set`.
    pub(crate) flag: Option<(&'static str, &'static str)>,
    /// What may stand there.
    pub(crate) allowed: Allowed,
    /// Whether a box cannot run without.
    pub(crate) is_required: bool,
    /// Whether a running box takes a new value.
    pub(crate) reloads: bool,
    /// What it is, for the help and the page.
    pub(crate) meaning: &'static str,
    /// Where it is.
    pub(crate) place: fn(&mut Configuration) -> &mut dyn Field,
}

impl Key {
    /// A setting that may be left out and needs a restart to change.
    pub(super) const fn new(
        name: &'static str,
        allowed: Allowed,
        place: fn(&mut Configuration) -> &mut dyn Field,
    ) -> Self {
        let (flag, is_required, reloads, meaning) = (None, false, false, "");
        Self { name, flag, allowed, is_required, reloads, meaning, place }
    }

    pub(super) const fn means(self, meaning: &'static str) -> Self {
        Self { meaning, ..self }
    }

    pub(super) const fn flag(self, flag: &'static str, value: &'static str) -> Self {
        Self { flag: Some((flag, value)), ..self }
    }

    pub(super) const fn required(self) -> Self {
        Self { is_required: true, ..self }
    }

    pub(super) const fn reloads(self) -> Self {
        Self { reloads: true, ..self }
    }

    /// The section of the file that it stands in.
    pub(crate) fn section(&self) -> &'static str {
        self.name.split_once('.').map_or(self.name, |(section, _)| section)
    }

    /// Its name in the environment: `ANSWERBACK_GATEWAY_LISTEN` for `gateway.listen`.
    pub(crate) fn environment(&self) -> String {
        format!("{PREFIX}{}", self.name.replace('.', "_").to_ascii_uppercase())
    }

    /// Whether its value is a number, or a word in place of one.
    pub(crate) fn is_number(&self) -> bool {
        self.allowed.is_number()
    }

    /// Takes a text, where it is allowed.
    pub(crate) fn set(&self, configuration: &mut Configuration, text: &str) -> bool {
        self.allowed.has(text) && (self.place)(configuration).set(text)
    }

    /// Its value as a text that [`Self::set`] takes.
    pub(crate) fn show(&self, configuration: &Configuration) -> String {
        (self.place)(&mut configuration.clone()).show()
    }

    /// Whether the text is one of its values, and what is, if it is not.
    pub(crate) fn check(&self, text: &str) -> Result<String, String> {
        if self.set(&mut Configuration::default(), text) {
            Ok(text.to_owned())
        } else {
            Err(format!("{} must be {}", self.name, self.allowed))
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Key").field(&self.name).finish()
    }
}

/// What a setting may be; shown as an operator should read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Allowed {
    /// From, to.
    Number(u64, u64),
    /// The same, or a number that the box finds.
    NumberOrAuto(u64, u64),
    /// A power of two up to.
    PowerOfTwo(u64),
    /// Where to listen.
    Address,
    /// The same, or nowhere.
    AddressOrNone,
    /// A file or a directory.
    Path,
    /// The same, or none.
    PathOrNone,
    /// The same, or one that the box knows.
    PathOrAuto,
    /// A file, or where it is fetched.
    PathOrUrl,
    /// A server, or none.
    UrlOrNone,
    /// Processors.
    Cpus,
    /// Addresses and networks.
    Networks,
    /// What is logged.
    Filter,
    /// One of these.
    Word(&'static [&'static str]),
}

impl Allowed {
    /// Whether a text is in the range.
    fn has(self, text: &str) -> bool {
        let number = || text.parse::<u64>();
        match self {
            Self::Number(min, max) => number().is_ok_and(|number| (min..=max).contains(&number)),
            Self::NumberOrAuto(min, max) => text == AUTO || Self::Number(min, max).has(text),
            Self::PowerOfTwo(max) => {
                number().is_ok_and(|number| number.is_power_of_two() && number <= max)
            }
            Self::Address => text.parse::<SocketAddr>().is_ok(),
            Self::AddressOrNone => text == NONE || Self::Address.has(text),
            Self::Path | Self::PathOrNone | Self::PathOrAuto => !text.is_empty(),
            Self::PathOrUrl => KeySource::parse(text).is_some(),
            Self::UrlOrNone => text == NONE || Url::parse(text).is_some(),
            Self::Cpus => text == NONE || text.split(',').all(|cpu| Self::CPU.has(cpu.trim())),
            Self::Networks => networks(text).is_some(),
            Self::Filter => LogFilter::default().set(text),
            Self::Word(words) => words.contains(&text),
        }
    }

    /// Linux counts no more processors.
    const CPU: Self = Self::Number(0, 1023);

    /// Whether several values in the file stand in an array.
    pub(super) const fn is_list(self) -> bool {
        matches!(self, Self::Cpus | Self::Networks)
    }

    /// Whether a text in the file is a path, and not a word in place of one.
    pub(super) fn is_path(self, text: &str) -> bool {
        match self {
            Self::Path => true,
            Self::PathOrNone => text != NONE,
            Self::PathOrAuto => text != AUTO,
            Self::PathOrUrl => !text.contains("://"),
            _ => false,
        }
    }

    /// Whether a number in the file is written without quotes.
    pub(super) const fn is_number(self) -> bool {
        matches!(self, Self::Number(..) | Self::NumberOrAuto(..) | Self::PowerOfTwo(_))
    }
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(min, max) => write!(f, "a whole number from {min} to {max}"),
            Self::NumberOrAuto(min, max) => {
                write!(f, "a whole number from {min} to {max}, or \"{AUTO}\"")
            }
            Self::PowerOfTwo(max) => write!(f, "a power of two up to {max}"),
            Self::Address => f.write_str("an address with a port, as \"127.0.0.1:7400\""),
            Self::AddressOrNone => write!(f, "{}, or \"{NONE}\"", Self::Address),
            Self::Path => f.write_str("a path"),
            Self::PathOrNone => write!(f, "a path, or \"{NONE}\""),
            Self::PathOrAuto => write!(f, "a path, or \"{AUTO}\""),
            Self::PathOrUrl => {
                f.write_str("a path, or an https:// URL (http:// only of this machine)")
            }
            Self::UrlOrNone => {
                write!(f, "an https:// URL (http:// only of this machine), or \"{NONE}\"")
            }
            Self::Cpus => write!(f, "a list of processors, as 0,2, or \"{NONE}\""),
            Self::Networks => write!(
                f,
                "a list of addresses and networks, as 10.0.0.7,10.1.0.0/16, or \"{NONE}\""
            ),
            Self::Filter => {
                write!(f, "LEVEL or LEVEL,TARGET=LEVEL,… where a LEVEL is {}", one_of(LEVELS))
            }
            Self::Word(words) => f.write_str(&one_of(words)),
        }
    }
}

/// `"a", "b" or "c"`.
fn one_of(words: &[&str]) -> String {
    let quoted: Vec<_> = words.iter().map(|word| format!("{word:?}")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}
