//! The file: TOML, a table a section.

use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::de::{DeArray, DeInteger, DeTable, DeValue};

use super::field::AUTO;
use super::key::{Allowed, Key};
use super::keys::{KEYS, find, sections};
use super::layers::Said;
use super::mistake::{Mistake, Origin};
use super::nearest::nearest;

/// A file of settings is no longer.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// What a file says; what is wrong with it goes to `mistakes`.
pub(super) fn read(path: &Path, mistakes: &mut Vec<Mistake>) -> Vec<Said> {
    match read_text(path) {
        Ok(text) => parse(path, &text, mistakes),
        Err(error) => {
            let origin = Origin::File(path.into(), None);
            mistakes.push(Mistake::at(&origin, format!("the file cannot be read: {error}")));
            Vec::new()
        }
    }
}

fn read_text(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(FILE_BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}

pub(super) fn parse(path: &Path, text: &str, mistakes: &mut Vec<Mistake>) -> Vec<Said> {
    let mut reading = Reading { path, text, said: Vec::new(), mistakes };
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        reading.wrong_at(error.span().unwrap_or_default(), error.message());
    }
    reading.take_document(table.get_ref());
    reading.said
}

struct Reading<'a> {
    path: &'a Path,
    text: &'a str,
    said: Vec<Said>,
    mistakes: &'a mut Vec<Mistake>,
}

impl Reading<'_> {
    fn take_document(&mut self, document: &DeTable<'_>) {
        for (name, value) in document {
            let (section, span) = (name.get_ref(), name.span());
            match value.get_ref() {
                DeValue::Table(table) if sections().any(|known| known == section) => {
                    self.take_section(section, table);
                }
                DeValue::Table(_) => {
                    let meant = nearest(section, sections()).map(|name| format!("[{name}]"));
                    self.wrong_at(span, &unknown(&format!("section [{section}]"), meant));
                }
                _ => {
                    let meant = meant_key(section);
                    self.wrong_at(span, &unknown(&format!("key {section}"), meant));
                }
            }
        }
    }

    fn take_section(&mut self, section: &str, table: &DeTable<'_>) {
        for (name, value) in table {
            let full = format!("{section}.{}", name.get_ref());
            match find(&full) {
                Some(key) => self.take_value(key, value.get_ref(), value.span()),
                None => {
                    let meant = meant_key(&full);
                    self.wrong_at(name.span(), &unknown(&format!("key {full}"), meant));
                }
            }
        }
    }

    fn take_value(&mut self, key: &'static Key, value: &DeValue<'_>, span: Range<usize>) {
        let origin = self.origin(span.start);
        match as_text(key.allowed, value) {
            Some(text) => {
                let text = if key.allowed.is_path(&text) { self.place(&text) } else { text };
                self.said.push(Said { key, text, origin });
            }
            None => {
                let written = self.text.get(span).unwrap_or_default();
                self.mistakes.push(Mistake::of_value(&origin, key, written));
            }
        }
    }

    /// A relative path begins where the file is, so that a box finds it wherever it is
    /// started from.
    fn place(&self, text: &str) -> String {
        let folder = self.path.parent().map(PathBuf::from).unwrap_or_default();
        if text.is_empty() { String::new() } else { folder.join(text).display().to_string() }
    }

    fn wrong_at(&mut self, span: Range<usize>, text: &str) {
        let origin = self.origin(span.start);
        self.mistakes.push(Mistake::at(&origin, text));
    }

    fn origin(&self, at: usize) -> Origin {
        let before = self.text.get(..at).unwrap_or(self.text);
        let line = 1 + before.bytes().filter(|&byte| byte == b'\n').count();
        Origin::File(self.path.into(), Some(line))
    }
}

/// The value as it would stand in the environment; none where it is of another type.
fn as_text(allowed: Allowed, value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::Integer(number) if allowed.is_number() => as_decimal(number),
        DeValue::String(text) if !allowed.is_number() || text == AUTO => Some(text.to_string()),
        DeValue::Array(values) if allowed.is_list() => as_list(allowed, values),
        _ => None,
    }
}

fn as_list(allowed: Allowed, values: &DeArray<'_>) -> Option<String> {
    let text = |value: &DeValue<'_>| match allowed {
        Allowed::Cpus => value.as_integer().and_then(as_decimal),
        _ => value.as_str().map(ToOwned::to_owned),
    };
    let texts: Option<Vec<_>> = values.iter().map(|value| text(value.get_ref())).collect();
    texts.map(|texts| if texts.is_empty() { super::field::NONE.into() } else { texts.join(",") })
}

fn as_decimal(number: &DeInteger<'_>) -> Option<String> {
    let digits = number.as_str().replace('_', "");
    i128::from_str_radix(&digits, number.radix()).ok().map(|number| number.to_string())
}

/// The key that is meant by one that does not exist: a near one, or one of its name in
/// another section.
pub(super) fn meant_key(name: &str) -> Option<String> {
    let last = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
    let here = || KEYS.iter().find(|key| last(key.name) == last(name)).map(|key| key.name);
    let near = nearest(name, KEYS.iter().map(|key| key.name));
    near.or_else(here).map(str::to_owned)
}

/// How something unknown is told.
pub(super) fn unknown(what: &str, meant: Option<String>) -> String {
    match meant {
        Some(meant) => format!("unknown {what}; did you mean {meant}?"),
        None => format!("unknown {what}; docs/CONFIGURATION.md lists all"),
    }
}
