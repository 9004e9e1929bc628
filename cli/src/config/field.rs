//! How the text of a setting becomes a field of the configuration, and back.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use ipnet::IpNet;

use crate::admin::AdminListen;
use crate::credentials::{KeySource, TicketKeyFile};
use crate::web::Url;

/// A field that a key sets. What it takes is what the key allows
/// ([`super::key::Allowed`]), and what it shows it takes again.
pub(crate) trait Field {
    /// Takes the text; false where it is none of its values.
    fn set(&mut self, text: &str) -> bool;
    /// The value as a text.
    fn show(&self) -> String;
}

macro_rules! plain_fields {
    ($($field:ty),*) => {$(
        impl Field for $field {
            fn set(&mut self, text: &str) -> bool {
                text.parse().map(|value| *self = value).is_ok()
            }

            fn show(&self) -> String {
                self.to_string()
            }
        }
    )*};
}

plain_fields!(u8, u16, u32, u64, usize, SocketAddr, AdminListen);

impl Field for PathBuf {
    fn set(&mut self, text: &str) -> bool {
        *self = text.into();
        true
    }

    fn show(&self) -> String {
        self.display().to_string()
    }
}

/// The word for a number that the box finds itself.
pub(super) const AUTO: &str = "auto";
/// The word for what there is not.
pub(super) const NONE: &str = "none";

/// What may be absent, and the word for that.
trait Absent: Field + Default {
    const WORD: &'static str;
}

impl Absent for PathBuf {
    const WORD: &'static str = NONE;
}

impl Absent for Url {
    const WORD: &'static str = NONE;
}

impl Absent for u16 {
    const WORD: &'static str = AUTO;
}

impl Absent for u64 {
    const WORD: &'static str = AUTO;
}

impl<T: Absent> Field for Option<T> {
    fn set(&mut self, text: &str) -> bool {
        if text == T::WORD {
            *self = None;
            return true;
        }
        let mut value = T::default();
        let is_value = value.set(text);
        if is_value {
            *self = Some(value);
        }
        is_value
    }

    fn show(&self) -> String {
        self.as_ref().map_or_else(|| T::WORD.to_owned(), Field::show)
    }
}

impl Field for Url {
    fn set(&mut self, text: &str) -> bool {
        Self::parse(text).map(|url| *self = url).is_some()
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Field for KeySource {
    fn set(&mut self, text: &str) -> bool {
        Self::parse(text).map(|source| *self = source).is_some()
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Field for TicketKeyFile {
    fn set(&mut self, text: &str) -> bool {
        *self = if text == AUTO { Self::InData } else { Self::At(text.into()) };
        true
    }

    fn show(&self) -> String {
        match self {
            Self::InData => AUTO.to_owned(),
            Self::At(path) => path.show(),
        }
    }
}

/// Numbers, as of processors.
impl Field for Vec<usize> {
    fn set(&mut self, text: &str) -> bool {
        let numbers = match text {
            NONE => Some(Vec::new()),
            text => text.split(',').map(|number| number.trim().parse().ok()).collect(),
        };
        numbers.map(|numbers| *self = numbers).is_some()
    }

    fn show(&self) -> String {
        match self.as_slice() {
            [] => NONE.to_owned(),
            numbers => numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(","),
        }
    }
}

/// Addresses and networks of peers.
impl Field for Vec<IpNet> {
    fn set(&mut self, text: &str) -> bool {
        networks(text).map(|networks| *self = networks).is_some()
    }

    fn show(&self) -> String {
        let show = |network: &IpNet| match network.prefix_len() == network.max_prefix_len() {
            true => network.addr().to_string(),
            false => network.to_string(),
        };
        match self.as_slice() {
            [] => NONE.to_owned(),
            networks => networks.iter().map(show).collect::<Vec<_>>().join(","),
        }
    }
}

/// The networks of a list; an address is a network of its own. One with bits behind its prefix
/// is none: which of the two was meant, nobody knows.
pub(super) fn networks(text: &str) -> Option<Vec<IpNet>> {
    let network = |text: &str| {
        let address = text.parse::<IpAddr>().map(IpNet::from);
        let network = address.or_else(|_| text.parse::<IpNet>()).ok()?;
        (network.trunc() == network).then_some(network)
    };
    match text {
        NONE => Some(Vec::new()),
        text => text.split(',').map(|part| network(part.trim())).collect(),
    }
}

/// From which level on events are logged, by the part of the program that they are of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogFilter(String);

/// The levels of a filter.
pub(super) const LEVELS: &[&str] = &["off", "error", "warn", "info", "debug", "trace"];

impl LogFilter {
    /// `LEVEL` and `TARGET=LEVEL`, separated by commas.
    pub(crate) fn text(&self) -> &str {
        &self.0
    }
}

impl Default for LogFilter {
    fn default() -> Self {
        Self("info".to_owned())
    }
}

impl Field for LogFilter {
    /// A lone word must be a level: `inf` would be a target otherwise, and all the rest silent.
    fn set(&mut self, text: &str) -> bool {
        let is_directive = |directive: &str| match directive.rsplit_once('=') {
            Some((target, level)) => !target.is_empty() && LEVELS.contains(&level),
            None => LEVELS.contains(&directive),
        };
        let is_filter = text.split(',').all(is_directive);
        if is_filter {
            text.clone_into(&mut self.0);
        }
        is_filter
    }

    fn show(&self) -> String {
        self.0.clone()
    }
}

/// Where connections without TLS are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plaintext {
    /// From this machine alone.
    Loopback,
    /// From whoever reaches the address.
    Everywhere,
}

impl Plaintext {
    pub(super) const NAMES: &[&str] = &["loopback", "everywhere"];
}

impl Field for Plaintext {
    fn set(&mut self, text: &str) -> bool {
        let words = [Self::Loopback, Self::Everywhere];
        words.into_iter().find(|word| word.show() == text).map(|word| *self = word).is_some()
    }

    fn show(&self) -> String {
        match self {
            Self::Loopback => "loopback",
            Self::Everywhere => "everywhere",
        }
        .to_owned()
    }
}

/// How an event is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// For people on a terminal, else JSON.
    Auto,
    /// A line for people.
    Human,
    /// A JSON object a line.
    Json,
}

impl LogFormat {
    pub(super) const NAMES: &[&str] = &["auto", "human", "json"];
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Human => "human",
            Self::Json => "json",
        })
    }
}

impl Field for LogFormat {
    fn set(&mut self, text: &str) -> bool {
        let formats = [Self::Auto, Self::Human, Self::Json];
        let named = formats.into_iter().find(|format| format.to_string() == text);
        named.map(|format| *self = format).is_some()
    }

    fn show(&self) -> String {
        self.to_string()
    }
}
