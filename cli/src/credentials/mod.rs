//! What a box proves itself by, and what it checks others by: certificates, key sets, secrets.
//! The thread "credentials" renews them while the box runs.
//!
//! ```text
//! key set      every period, at SIGHUP, soon after a token of an unknown key
//! files        looked at as often and every minute at least, read where they changed; at SIGHUP
//! ```
//! What is of no use changes nothing and is an alarm: the box goes on with what it has. The
//! thread alone waits for servers and disks.

mod certificate;
pub(crate) mod fetch;
mod figures;
mod key_set;
mod source;
mod tickets;

use std::fmt;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use answerback_gateway::Verifier;
use tracing::{error, info};

use self::key_set::Stamp;
use crate::clock::Clock;
use crate::exit::Failure;

pub(crate) use certificate::{Pair, TlsFiles, expires_at_s};
pub(crate) use figures::{CredentialFigures, CredentialsView};
pub(crate) use key_set::KeySet;
pub(crate) use source::KeySource;
pub(crate) use tickets::TicketKeyFile;

/// How often it sees whether something is due.
const TICK: Duration = Duration::from_secs(1);
/// Files are looked at as often at least.
const FILES_PERIOD_MAX: Duration = Duration::from_secs(60);
/// A server that failed, or lacks the key of a token, is asked again after as much time.
const AGAIN: Duration = Duration::from_secs(30);

/// What is renewed, and where it goes.
pub(crate) struct Renewed {
    /// The keys of tokens.
    pub(crate) key_set: KeySet,
    /// How often they are looked for.
    pub(crate) period: Duration,
    /// What is done with others; false where the box does not serve, or no longer.
    pub(crate) take_keys: Box<dyn FnMut(Verifier) -> bool + Send>,
    /// How many tokens named a key that is not in force.
    pub(crate) unknown_keys: Box<dyn Fn() -> u64 + Send>,
    /// Files.
    pub(crate) files: Vec<Watched>,
}

/// Files that belong together, and what is done with them.
pub(crate) struct Watched {
    /// What they are, for the log.
    name: &'static str,
    stamps: Vec<(PathBuf, Option<Stamp>)>,
    /// When what is in force expires, s since 1970.
    expires_at_s: Option<u64>,
    is_stale: bool,
    take: Box<dyn FnMut() -> Result<Option<u64>, Failure> + Send>,
}

/// Renews credentials from now on, as it is told.
#[derive(Clone, Debug)]
pub(crate) struct Renewal {
    orders: Sender<Duration>,
    view: CredentialsView,
}

struct Worker {
    clock: Clock,
    renewed: Renewed,
    view: CredentialsView,
    keys_asked_at: Duration,
    keys_seen_at_s: i64,
    are_keys_stale: bool,
    unknown_before: u64,
    files_seen_at: Duration,
}

impl Renewal {
    /// Starts the thread. It ends with the last of these, and is not waited for: it may be
    /// waiting for a server itself.
    pub(crate) fn start(clock: Clock, renewed: Renewed) -> std::io::Result<Self> {
        let (orders, ordered) = channel();
        let view = CredentialsView::default();
        let age = renewed.key_set.age_at_start();
        let age_s = age.unwrap_or_default().as_secs() as i64;
        let now = clock.elapsed();
        let mut worker = Worker {
            clock,
            keys_asked_at: now,
            keys_seen_at_s: now.as_secs() as i64 - age_s,
            are_keys_stale: age.is_some(),
            unknown_before: 0,
            files_seen_at: now,
            view: view.clone(),
            renewed,
        };
        worker.tell();
        let named = thread::Builder::new().name("credentials".to_owned());
        named.spawn(move || worker.run(&ordered))?;
        Ok(Self { orders, view })
    }

    /// Reads all again, and looks for keys every period from now on.
    pub(crate) fn reload(&self, period: Duration) {
        // One that panicked has said so.
        let _ = self.orders.send(period);
    }

    /// What there is to see.
    pub(crate) fn view(&self) -> CredentialsView {
        self.view.clone()
    }
}

impl Worker {
    fn run(&mut self, orders: &Receiver<Duration>) {
        if !self.are_keys_stale {
            self.renewed.key_set.keep();
        }
        loop {
            match orders.recv_timeout(TICK) {
                Ok(period) => {
                    self.renewed.period = period;
                    self.renew_keys(true);
                    self.renew_files(true);
                }
                Err(RecvTimeoutError::Timeout) => self.look(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.tell();
        }
    }

    /// Renews what is due.
    fn look(&mut self) {
        let now = self.clock.elapsed();
        if now.saturating_sub(self.keys_asked_at) >= self.keys_wait() {
            self.renew_keys(false);
        }
        let files_wait = self.renewed.period.min(FILES_PERIOD_MAX);
        if now.saturating_sub(self.files_seen_at) >= files_wait {
            self.renew_files(false);
        }
    }

    /// From one question for keys to the next.
    fn keys_wait(&self) -> Duration {
        let is_wanted = (self.renewed.unknown_keys)() > self.unknown_before;
        let limit = match self.renewed.key_set.is_remote() {
            true if is_wanted || self.are_keys_stale => AGAIN,
            true => Duration::MAX,
            false => FILES_PERIOD_MAX,
        };
        self.renewed.period.min(limit)
    }

    fn renew_keys(&mut self, is_forced: bool) {
        self.unknown_before = (self.renewed.unknown_keys)();
        let found = self.renewed.key_set.refresh(is_forced);
        self.keys_asked_at = self.clock.elapsed();
        match found {
            Err(fault) => {
                if !self.are_keys_stale || is_forced {
                    error!(alarm = "keys_stale", "the key set stays as it is: {fault}");
                }
                self.are_keys_stale = true;
                return;
            }
            Ok(None) if self.are_keys_stale => info!("the key set is the newest again"),
            Ok(None) => {}
            Ok(Some(verifier)) => {
                if !(self.renewed.take_keys)(verifier) {
                    self.renewed.key_set.forget();
                    return;
                }
                info!(keys = self.renewed.key_set.keys(), "there is another key set");
            }
        }
        self.are_keys_stale = false;
        self.keys_seen_at_s = self.keys_asked_at.as_secs() as i64;
    }

    fn renew_files(&mut self, is_forced: bool) {
        self.files_seen_at = self.clock.elapsed();
        self.renewed.files.iter_mut().for_each(|watched| watched.renew(is_forced));
    }

    fn tell(&self) {
        let stale_files = self.renewed.files.iter().filter(|watched| watched.is_stale).count();
        let ends = self.renewed.files.iter().filter_map(|watched| watched.expires_at_s);
        self.view.put(CredentialFigures {
            keys: self.renewed.key_set.keys() as u64,
            keys_seen_at_s: self.keys_seen_at_s,
            certificate_expires_at_s: ends.min(),
            stale: stale_files as u64 + u64::from(self.are_keys_stale),
        });
    }
}

impl Watched {
    /// Files that were just read; `take` reads them again and says when they expire.
    pub(crate) fn new(
        name: &'static str,
        paths: Vec<PathBuf>,
        expires_at_s: Option<u64>,
        take: impl FnMut() -> Result<Option<u64>, Failure> + Send + 'static,
    ) -> Self {
        let stamps = paths.into_iter().map(|path| (path.clone(), Stamp::of(&path))).collect();
        Self { name, stamps, expires_at_s, is_stale: false, take: Box::new(take) }
    }

    fn renew(&mut self, is_forced: bool) {
        let stamps: Vec<_> = self.stamps.iter().map(|(path, _)| Stamp::of(path)).collect();
        let is_same = self.stamps.iter().zip(&stamps).all(|((_, old), new)| old == new);
        if is_same && !is_forced && !self.is_stale {
            return;
        }
        let name = self.name;
        match (self.take)() {
            Ok(expires_at_s) => {
                self.expires_at_s = expires_at_s;
                self.is_stale = false;
                if !is_same {
                    info!("{name}: read again");
                }
            }
            Err(failure) => {
                let fault = failure.line();
                if !self.is_stale || is_forced || !is_same {
                    error!(alarm = "credentials_refused", "{name}: it stays as it was: {fault}");
                }
                self.is_stale = true;
            }
        }
        // As they were before they were read: what was written meanwhile is read next time.
        self.stamps.iter_mut().zip(stamps).for_each(|((_, old), new)| *old = new);
    }
}

impl fmt::Debug for Renewed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Renewed").field("key_set", &self.key_set).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::config::Configuration;

    /// A worker whose server has just been asked, and its counter of unknown keys.
    fn worker(source: KeySource, period_s: u64) -> (Worker, Arc<AtomicU64>) {
        let unknown = Arc::new(AtomicU64::new(7));
        let counter = Arc::clone(&unknown);
        let configuration = Configuration { jwks: source, ..Configuration::default() };
        let renewed = Renewed {
            key_set: KeySet::unread(&configuration),
            period: Duration::from_secs(period_s),
            take_keys: Box::new(|_| true),
            unknown_keys: Box::new(move || counter.load(Ordering::Relaxed)),
            files: Vec::new(),
        };
        let worker = Worker {
            clock: Clock::new(),
            renewed,
            view: CredentialsView::default(),
            keys_asked_at: Duration::ZERO,
            keys_seen_at_s: 0,
            are_keys_stale: false,
            unknown_before: 7,
            files_seen_at: Duration::ZERO,
        };
        (worker, unknown)
    }

    #[test]
    fn a_server_is_asked_sooner_where_a_key_is_missing_or_it_failed() {
        let remote = || KeySource::Url("https://id.example.org/keys".to_owned());
        let (mut worker, unknown) = worker(remote(), 300);
        assert_eq!(worker.keys_wait(), Duration::from_secs(300));
        unknown.store(8, Ordering::Relaxed);
        assert_eq!(worker.keys_wait(), AGAIN, "a token names a key that is not there");
        worker.unknown_before = 8;
        assert_eq!(worker.keys_wait(), Duration::from_secs(300), "which that server does not have");
        worker.are_keys_stale = true;
        assert_eq!(worker.keys_wait(), AGAIN);
        worker.renewed.period = Duration::from_secs(1);
        assert_eq!(worker.keys_wait(), Duration::from_secs(1), "never later than it was told");
    }

    #[test]
    fn a_file_is_looked_at_every_minute_at_least() {
        let (worker, _) = worker(KeySource::File("keys.json".into()), 3600);
        assert_eq!(worker.keys_wait(), FILES_PERIOD_MAX);
    }
}
