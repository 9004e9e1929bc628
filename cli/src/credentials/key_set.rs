//! The key set of a box, taken at its start and again while it runs.
//!
//! ```text
//! file ──────────────────────────────┐
//! URL ──► fetched ──► DIR/jwks.cache ├──► Verifier
//!         not reached ──► DIR/jwks.cache, with an alarm
//! ```
//! A box that is started again while the account service is down lets in whom it let in
//! before. What is no key set changes nothing.

use std::fs::{self, File, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use answerback_gateway::Verifier;
use serde::{Deserialize, Serialize};
use tracing::{error, warn};

use super::fetch::fetch;
use super::source::KeySource;
use crate::clock::{pause, unix_s};
use crate::config::Configuration;
use crate::exit::Failure;
use crate::secrets;

/// As often is a server asked that has never answered this box.
const ATTEMPTS: u32 = 5;
/// And after as much time again.
const PAUSE: Duration = Duration::from_secs(2);
const CACHE: &str = "jwks.cache";

/// The set in force, and where the next one comes from.
#[derive(Debug)]
pub(crate) struct KeySet {
    source: KeySource,
    authorities: Option<PathBuf>,
    cache: PathBuf,
    text: String,
    key_count: usize,
    /// Of the file that the text was read from.
    stamp: Option<Stamp>,
    /// How old it was when the box began with it; none where it was the newest.
    age_at_start: Option<Duration>,
}

/// A set that was fetched once. Of another source it would let in the wrong people.
#[derive(Serialize, Deserialize)]
struct Cached {
    source: String,
    keys: String,
}

/// What is not the same of a file that was written or replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    modified_at: (i64, i64),
    bytes: u64,
    place: (u64, u64),
}

impl KeySet {
    /// Reads the first set. A server that does not answer is asked again for a while, unless
    /// it answered before.
    ///
    /// # Errors
    /// Where there is none.
    pub(crate) fn open(configuration: &Configuration) -> Result<(Self, Verifier), Failure> {
        let mut set = Self::unread(configuration);
        let verifier = match set.source.clone() {
            KeySource::File(path) => set.read_first(&path)?,
            KeySource::Url(url) => set.fetch_first(&url)?,
        };
        set.key_count = verifier.key_count();
        Ok((set, verifier))
    }

    /// None yet, of the configured source.
    pub(super) fn unread(configuration: &Configuration) -> Self {
        Self {
            source: configuration.jwks.clone(),
            authorities: configuration.jwks_ca.clone(),
            cache: configuration.data.join(CACHE),
            text: String::new(),
            key_count: 0,
            stamp: None,
            age_at_start: None,
        }
    }

    /// How many keys are in force.
    pub(super) fn keys(&self) -> usize {
        self.key_count
    }

    /// How old the set was when the box began with it; none where it was the newest.
    pub(super) fn age_at_start(&self) -> Option<Duration> {
        self.age_at_start
    }

    /// Whether its server has to be asked, which costs more than a look at a file.
    pub(super) fn is_remote(&self) -> bool {
        matches!(self.source, KeySource::Url(_))
    }

    /// Writes what another start would begin with, now that there is a data directory.
    pub(super) fn keep(&self) {
        let KeySource::Url(url) = &self.source else { return };
        let cached = Cached { source: url.clone(), keys: self.text.clone() };
        let written = serde_json::to_vec(&cached).map_err(std::io::Error::from);
        let written = written.and_then(|bytes| secrets::replace(&self.cache, &bytes));
        if let Err(error) = written {
            warn!("the key set cannot be kept for the next start: {error}");
        }
    }

    /// Nobody took the set: the next look finds it again.
    pub(super) fn forget(&mut self) {
        (self.text, self.stamp) = (String::new(), None);
    }

    /// Looks for another set; a file that is as it was is only read if `is_forced`.
    ///
    /// # Errors
    /// Where there is none that is of use: the one in force stays.
    pub(super) fn refresh(&mut self, is_forced: bool) -> Result<Option<Verifier>, String> {
        let (text, stamp) = match &self.source {
            KeySource::Url(url) => (fetch(url, self.authorities.as_deref())?, None),
            KeySource::File(path) => {
                let stamp = Stamp::of(path);
                if stamp == self.stamp && !is_forced {
                    return Ok(None);
                }
                (read(path)?, stamp)
            }
        };
        let verifier = Verifier::from_jwks(&text).map_err(|error| error.to_string())?;
        self.stamp = stamp;
        if text == self.text {
            self.touch();
            return Ok(None);
        }
        self.text = text;
        self.key_count = verifier.key_count();
        self.keep();
        Ok(Some(verifier))
    }

    /// Waits for somebody to write, where the file is a pipe.
    fn read_first(&mut self, path: &Path) -> Result<Verifier, Failure> {
        self.stamp = Stamp::of(path);
        self.text = fs::read_to_string(path).map_err(|error| {
            Failure::new(format_args!(
                "cannot read the key set {}: {error}; `answerback dev-keys` makes one for \
                 development",
                path.display()
            ))
        })?;
        Verifier::from_jwks(&self.text).map_err(|error| {
            Failure::new(format_args!("the key set {} is of no use: {error}", path.display()))
        })
    }

    fn fetch_first(&mut self, url: &str) -> Result<Verifier, Failure> {
        let cached = self.read_cache(url);
        let attempts = if cached.is_some() { 1 } else { ATTEMPTS };
        let mut fault = String::new();
        for attempt in 0..attempts {
            if attempt > 0 {
                warn!("the key set cannot be fetched, it is tried again: {fault}");
                pause(PAUSE);
            }
            let fetched = fetch(url, self.authorities.as_deref());
            let checked = fetched.and_then(|text| match Verifier::from_jwks(&text) {
                Ok(verifier) => Ok((text, verifier)),
                Err(error) => Err(error.to_string()),
            });
            match checked {
                Ok((text, verifier)) => {
                    self.text = text;
                    return Ok(verifier);
                }
                Err(error) => fault = error,
            }
        }
        let Some((text, verifier, age)) = cached else {
            return Err(Failure::new(format_args!(
                "the key set cannot be fetched from {url}: {fault}; see that the account service \
                 answers, or have box.jwks name a file"
            )));
        };
        error!(
            alarm = "keys_stale",
            age_s = age.as_secs(),
            "the key set cannot be fetched, the box starts with the last one: {fault}"
        );
        self.text = text;
        self.age_at_start = Some(age);
        Ok(verifier)
    }

    /// What an earlier start fetched, and how long ago.
    fn read_cache(&self, url: &str) -> Option<(String, Verifier, Duration)> {
        let bytes = secrets::read(&self.cache).ok()?;
        let Cached { source, keys } = serde_json::from_slice(&bytes).ok()?;
        let verifier = Verifier::from_jwks(&keys).ok().filter(|_| source == url)?;
        let fetched_at_s = fs::metadata(&self.cache).ok()?.mtime().max(0) as u64;
        Some((keys, verifier, Duration::from_secs(unix_s().saturating_sub(fetched_at_s))))
    }

    /// The cache is as young as the last answer.
    fn touch(&self) {
        if self.is_remote()
            && let Ok(file) = File::options().append(true).open(&self.cache)
        {
            let now = SystemTime::UNIX_EPOCH + Duration::from_secs(unix_s());
            // Where it fails the set only looks older than it is.
            let _ = file.set_modified(now);
        }
    }
}

impl Stamp {
    /// Of a regular file; a pipe is read once.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let of = |metadata: Metadata| Self {
            modified_at: (metadata.mtime(), metadata.mtime_nsec()),
            bytes: metadata.len(),
            place: (metadata.dev(), metadata.ino()),
        };
        fs::metadata(path).ok().filter(Metadata::is_file).map(of)
    }
}

fn read(path: &Path) -> Result<String, String> {
    let bytes = secrets::read_public(path).map_err(|error| error.to_string())?;
    String::from_utf8(bytes).map_err(|_| format!("{} is no text", path.display()))
}
