//! What requests to the operator's servers are signed with: the text of a file.

use std::fmt::Write;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::hmac;

use crate::exit::Failure;
use crate::secrets;

/// The setting that names the file.
pub(crate) const KEY: &str = "hooks.secret_file";
/// Whoever can guess it can forge a request.
const BYTES_MIN: usize = 32;
const BYTES_MAX: usize = 1024;

/// The secret in force; clones are the same.
#[derive(Clone)]
pub(super) struct HookSecret(Arc<Mutex<hmac::Key>>);

impl HookSecret {
    /// Reads it. White space around it is none of it.
    ///
    /// # Errors
    /// A file that others may read, or that is too short to be a secret.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        read_key(path).map(|key| Self(Arc::new(Mutex::new(key))))
    }

    /// Reads it again.
    ///
    /// # Errors
    /// As above: the one before stays.
    pub(super) fn renew(&self, path: &Path) -> Result<(), Failure> {
        let key = read_key(path)?;
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = key;
        Ok(())
    }

    /// The signature of a request: of the time, s since 1970, a dot, and the body.
    pub(super) fn sign(&self, at_s: u64, body: &[u8]) -> String {
        let key = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut context = hmac::Context::with_key(&key);
        context.update(format!("{at_s}.").as_bytes());
        context.update(body);
        let tag = context.sign();
        tag.as_ref().iter().fold("v1=".to_owned(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

fn read_key(path: &Path) -> Result<hmac::Key, Failure> {
    let bytes = secrets::read(path).map_err(|error| error.of(KEY))?;
    let secret = bytes.trim_ascii();
    if !(BYTES_MIN..=BYTES_MAX).contains(&secret.len()) {
        return Err(Failure::new(format_args!(
            "{KEY}: {} must have {BYTES_MIN} to {BYTES_MAX} bytes; `openssl rand -hex 32` makes one",
            path.display()
        )));
    }
    Ok(hmac::Key::new(hmac::HMAC_SHA256, secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Worked out by another implementation:
    /// `printf '1790000000.{"hook":"push"}' | openssl dgst -sha256 -hmac "$SECRET"`
    const SECRET: &str = "00112233445566778899aabbccddeeff";
    const SIGNATURE: &str = "v1=c09bd65870843d77f5109405c40efa304c49b4407fb3643fa19401f44a37b5d7";

    #[test]
    fn a_request_is_signed_as_the_page_says() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret");
        secrets::write_new(&path, format!("  {SECRET}\n").as_bytes()).unwrap();
        let secret = HookSecret::read(&path).unwrap();
        assert_eq!(secret.sign(1_790_000_000, br#"{"hook":"push"}"#), SIGNATURE);
        assert_ne!(secret.sign(1_790_000_001, br#"{"hook":"push"}"#), SIGNATURE);

        secrets::replace(&path, b"too short").unwrap();
        let line = secret.renew(&path).unwrap_err();
        assert!(line.line().contains("32 to 1024 bytes"), "{}", line.line());
        assert_eq!(secret.sign(1_790_000_000, br#"{"hook":"push"}"#), SIGNATURE, "it stays");
        secrets::replace(&path, &[b'x'; 32]).unwrap();
        secret.renew(&path).unwrap();
        assert_ne!(secret.sign(1_790_000_000, br#"{"hook":"push"}"#), SIGNATURE);
    }
}
