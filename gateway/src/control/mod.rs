//! What an operator asks of a running box.

mod desk;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use answerback_directory::partition_table::PartitionTable;
use answerback_directory::shard::Administered;
use answerback_proto::id::{DeviceId, PartitionId, TokenId, UserId};

use crate::auth::{SealingKeys, Verifier};
use crate::config::GatewayConfig;
use crate::hooks::Hooks;
use crate::reactor::CoreWaker;
use crate::stats::{SessionInfo, Stats, StorageMeter};
use crate::transport::tls::Certificate;
pub(crate) use desk::{Asked, Desk};

/// Something that a shard journals for the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// A user exists from now on.
    AddUser(UserId),
    /// A device is no longer the user's.
    Revoke(UserId, DeviceId),
    /// None of a user's devices is the user's any more.
    RevokeUser(UserId),
    /// Tokens of a user that were made before a second are void.
    RevokeTokens(UserId, u64),
    /// One token of a user is void, which expires at a second.
    RevokeToken(UserId, TokenId, u64),
    /// A user is no more, and what waits for it ends.
    PurgeUser(UserId),
    /// The clock is right, however far it jumped.
    ConfirmClock,
}

/// A box that does not answer a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unanswered;

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "the box did not answer: it is starting, stopping, or a partition is out of service",
        )
    }
}

impl std::error::Error for Unanswered {}

/// Far beyond what a commit takes.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks a box; clones ask the same one.
#[derive(Clone, Default)]
pub struct Control {
    inner: Arc<Mutex<Option<Inner>>>,
    is_memory_low: Arc<AtomicBool>,
    hooks: Hooks,
}

#[derive(Clone)]
struct Inner {
    table: PartitionTable,
    desks: Vec<Arc<Desk>>,
    storage: Arc<StorageMeter>,
}

impl Control {
    /// For a box that is about to be served.
    pub fn new() -> Self {
        Self::default()
    }

    /// For a box that tells the operator's servers what happens.
    #[must_use]
    pub fn with_hooks(self, hooks: Hooks) -> Self {
        Self { hooks, ..self }
    }

    /// Where the box leaves what they are to be told.
    pub(crate) fn hooks(&self) -> &Hooks {
        &self.hooks
    }

    /// Has a command journaled, and waits for what becomes of it.
    ///
    /// # Errors
    /// [`Unanswered`].
    pub fn ask(&self, command: Command) -> Result<Administered, Unanswered> {
        let inner = self.inner()?;
        let (answer, answers) = channel();
        let (desks, expected) = match command {
            Command::AddUser(user)
            | Command::Revoke(user, _)
            | Command::RevokeUser(user)
            | Command::RevokeTokens(user, _)
            | Command::RevokeToken(user, ..)
            | Command::PurgeUser(user) => (inner.home_of(user), 1),
            Command::ConfirmClock => (inner.desks.as_slice(), inner.table.partitions()),
        };
        for desk in desks {
            desk.put(Asked::Perform { command, answer: answer.clone() });
        }
        drop(answer);
        let mut outcome = Administered::WasSo;
        for _ in 0..expected {
            match answers.recv_timeout(PATIENCE).map_err(|_| Unanswered)? {
                Administered::WasSo => {}
                told => outcome = told,
            }
        }
        Ok(outcome)
    }

    /// How the box is, and what it did since its start; while it stops, the cores that still
    /// serve somebody.
    ///
    /// # Errors
    /// [`Unanswered`].
    pub fn stats(&self) -> Result<Stats, Unanswered> {
        let inner = self.inner()?;
        let (answer, answers) = channel();
        for desk in &inner.desks {
            desk.put(Asked::Report(answer.clone()));
        }
        drop(answer);
        let mut cores = Vec::new();
        loop {
            match answers.recv_timeout(PATIENCE) {
                Ok(core) => cores.push(core),
                Err(RecvTimeoutError::Disconnected) if !cores.is_empty() => break,
                Err(_) => return Err(Unanswered),
            }
        }
        Ok(Stats::new(&cores, inner.storage.read()))
    }

    /// The live sessions of a user.
    ///
    /// # Errors
    /// [`Unanswered`].
    pub fn sessions(&self, user: UserId) -> Result<Vec<SessionInfo>, Unanswered> {
        let inner = self.inner()?;
        let (answer, answers) = channel();
        for desk in inner.home_of(user) {
            desk.put(Asked::Sessions { user, answer: answer.clone() });
        }
        drop(answer);
        answers.recv_timeout(PATIENCE).map_err(|_| Unanswered)
    }

    /// Has partitions hear nothing of other partitions for a while: what the others tell them
    /// in that time is lost, as any of it may be, and told again. A fault, for tests of what
    /// goes on beside it and after it.
    ///
    /// # Errors
    /// [`Unanswered`].
    pub fn hold(&self, partitions: &[PartitionId], for_ms: u64) -> Result<(), Unanswered> {
        let partitions: Arc<[_]> = partitions.into();
        for desk in &self.inner()?.desks {
            desk.put(Asked::Hold { partitions: Arc::clone(&partitions), for_ms });
        }
        Ok(())
    }

    /// Has a running box go by other settings: those that [`GatewayConfig::needs_restart`]
    /// does not name.
    ///
    /// # Errors
    /// [`Unanswered`].
    pub fn reload(&self, config: GatewayConfig) -> Result<(), Unanswered> {
        let config = Arc::new(config);
        for desk in &self.inner()?.desks {
            desk.put(Asked::Reload(Arc::clone(&config)));
        }
        Ok(())
    }

    /// Has a running box show another certificate to those who come from now on; it goes on
    /// without one if it was started without.
    ///
    /// # Errors
    /// [`Unanswered`].
    pub fn set_certificate(&self, certificate: &Certificate) -> Result<(), Unanswered> {
        for desk in &self.inner()?.desks {
            desk.put(Asked::Certificate(certificate.clone()));
        }
        Ok(())
    }

    /// Has a running box check tokens by other keys. What is open stays open; tickets are void
    /// once the key of the token behind them is gone.
    ///
    /// # Errors
    /// [`Unanswered`].
    pub fn set_verifier(&self, verifier: Verifier) -> Result<(), Unanswered> {
        let verifier = Arc::new(verifier);
        for desk in &self.inner()?.desks {
            desk.put(Asked::Verifier(Arc::clone(&verifier)));
        }
        Ok(())
    }

    /// Has a running box seal tickets with other keys. Those that none of them opens are void.
    ///
    /// # Errors
    /// [`Unanswered`].
    pub fn set_sealing_keys(&self, keys: &SealingKeys) -> Result<(), Unanswered> {
        for desk in &self.inner()?.desks {
            desk.put(Asked::SealingKeys(keys.clone()));
        }
        Ok(())
    }

    /// Has the box take no new messages and let nobody in until it may again, since it has as
    /// much in memory as it may have. What it has taken goes on.
    pub fn set_memory_low(&self, is_low: bool) {
        // A core that reads the older word for a moment does no harm.
        self.is_memory_low.store(is_low, Ordering::Relaxed);
    }

    /// What [`Control::set_memory_low`] sets.
    pub(crate) fn memory_flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.is_memory_low)
    }

    fn inner(&self) -> Result<Inner, Unanswered> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).clone().ok_or(Unanswered)
    }

    /// The box serves: each core gets its desk.
    pub(crate) fn attach(
        &self,
        table: PartitionTable,
        storage: Arc<StorageMeter>,
        wakers: impl Iterator<Item = Arc<CoreWaker>>,
    ) -> Vec<Arc<Desk>> {
        let desks: Vec<_> = wakers.map(|waker| Arc::new(Desk::new(waker))).collect();
        let inner = Inner { table, desks: desks.clone(), storage };
        *self.inner.lock().unwrap_or_else(PoisonError::into_inner) = Some(inner);
        desks
    }

    /// The box serves no more: nobody would answer.
    pub(crate) fn detach(&self) {
        *self.inner.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Inner {
    fn home_of(&self, user: UserId) -> &[Arc<Desk>] {
        let core = usize::from(self.table.core_of(self.table.partition_of(user)));
        self.desks.get(core..core + 1).unwrap_or_default()
    }
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control").finish_non_exhaustive()
    }
}
