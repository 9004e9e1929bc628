//! What resume tickets are sealed with: a file of secrets, 32 bytes each.
//!
//! ```text
//! # the newest first: it seals, all of them open
//! 3f0e…64 hexadecimal digits
//! q2Xn…43 or 44 digits of base64
//! ```

use std::path::{Path, PathBuf};

use answerback_gateway::SEALING_KEYS_MAX;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};

use crate::exit::Failure;
use crate::{random, secrets};

/// Bytes of a secret.
const KEY_BYTES: usize = 32;
const NAME: &str = "ticket.keys";
const KEY: &str = "box.ticket_keys";

/// Which file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TicketKeyFile {
    /// One in the data directory, made where it is missing.
    InData,
    /// The operator's.
    At(PathBuf),
}

impl TicketKeyFile {
    /// Where it is.
    pub(crate) fn path(&self, data: &Path) -> PathBuf {
        match self {
            Self::At(path) => path.clone(),
            Self::InData => data.join(NAME),
        }
    }

    /// Its secrets, the newest first.
    pub(crate) fn read(&self, data: &Path) -> Result<Vec<[u8; KEY_BYTES]>, Failure> {
        let path = self.path(data);
        if *self == Self::InData {
            make(&path)?;
        }
        let text = secrets::read(&path).map_err(|error| error.of(KEY))?;
        parse(&String::from_utf8_lossy(&text))
            .map_err(|fault| Failure::new(format_args!("{KEY}: {}: {fault}", path.display())))
    }
}

fn make(path: &Path) -> Result<(), Failure> {
    if path.exists() {
        return Ok(());
    }
    let key = STANDARD.encode(random::bytes::<KEY_BYTES>()?);
    secrets::replace(path, format!("{key}\n").as_bytes())
        .map_err(|error| Failure::new(format_args!("cannot write {}: {error}", path.display())))
}

fn parse(text: &str) -> Result<Vec<[u8; KEY_BYTES]>, String> {
    let lines = (1..).zip(text.lines().map(str::trim));
    let written = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let key = |(number, line)| {
        key(line).ok_or_else(|| {
            format!("line {number} is no secret of {KEY_BYTES} bytes, hexadecimal or base64")
        })
    };
    let keys: Vec<_> = written.map(key).collect::<Result<_, _>>()?;
    match keys.len() {
        0 => Err("there is no secret in it; `openssl rand -hex 32` makes one".to_owned()),
        1..=SEALING_KEYS_MAX => Ok(keys),
        _ => Err(format!("there are more than {SEALING_KEYS_MAX} secrets in it")),
    }
}

fn key(line: &str) -> Option<[u8; KEY_BYTES]> {
    let of_base64 = || {
        let alphabets = [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD];
        alphabets.iter().find_map(|alphabet| alphabet.decode(line).ok()?.try_into().ok())
    };
    of_hexadecimal(line).or_else(of_base64)
}

fn of_hexadecimal(line: &str) -> Option<[u8; KEY_BYTES]> {
    let mut key = [0; KEY_BYTES];
    let mut digits = line.chars().map(|digit| digit.to_digit(16));
    for byte in &mut key {
        let (high, low) = (digits.next()??, digits.next()??);
        *byte = (high * 16 + low) as u8;
    }
    digits.next().is_none().then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_read_in_either_form_and_order_is_kept() {
        let (one, two) = ([0x1f; KEY_BYTES], [0xff; KEY_BYTES]);
        let text =
            format!("# mine\n\n{}\n  {}\n", "1F".repeat(KEY_BYTES), URL_SAFE_NO_PAD.encode(two));
        assert_eq!(parse(&text).unwrap(), [one, two]);
        assert_eq!(parse(&STANDARD.encode(two)).unwrap(), [two]);
    }

    #[test]
    fn what_is_no_secret_is_refused_by_its_line_and_not_shown() {
        let good = "ab".repeat(KEY_BYTES);
        for bad in ["ab".repeat(31), format!("{good}a"), "password".to_owned(), "+".repeat(64)] {
            let fault = parse(&format!("{good}\n{bad}")).unwrap_err();
            assert!(fault.starts_with("line 2 ") && !fault.contains(&bad), "{fault}");
        }
        assert!(parse("# none\n").is_err());
        assert!(parse(&format!("{good}\n").repeat(SEALING_KEYS_MAX + 1)).is_err());
    }

    #[test]
    fn a_data_directory_gets_one_and_keeps_it() {
        let directory = tempfile::tempdir().unwrap();
        let first = TicketKeyFile::InData.read(directory.path()).unwrap();
        assert_eq!(first.len(), 1);
        assert_eq!(TicketKeyFile::InData.read(directory.path()).unwrap(), first);
        let other = tempfile::tempdir().unwrap();
        assert_ne!(TicketKeyFile::InData.read(other.path()).unwrap(), first);
        assert!(TicketKeyFile::At(other.path().join("none")).read(directory.path()).is_err());
    }
}
