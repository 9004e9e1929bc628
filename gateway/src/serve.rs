//! The box's gateway as a whole: its threads, their queues, their end.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use answerback_directory::mailbox::{Doorbell, Wake, mailbox};
use answerback_directory::partition_table::PartitionTable;
use answerback_directory::ports::{Journal, StateReader, StorageFault};
use answerback_directory::recovery::panic_message;
use answerback_directory::shard::Shard;
use answerback_proto::id::PartitionId;
use rustix::thread::{CpuSet, sched_setaffinity};
use tracing::warn;

use crate::admission::{AcceptRate, Prefixes};
use crate::auth::{SealingKeys, Verifier};
use crate::config::GatewayConfig;
use crate::control::Control;
use crate::core::{Core, CoreError, Link, Mesh, Parts, Seats, Shards, Shared};
use crate::limits::PARCELS_MAX;
use crate::reactor::{CoreWaker, Reactor, listener};
use crate::reading::{self, ReaderThread, reader_threads};
use crate::storage::Storage;
use crate::transport::tls::{Certificate, TlsServer, TlsTickets};

/// Stops a box: from a signal's thread, a console, a test. Clones stop the same box.
#[derive(Clone, Default)]
pub struct StopHandle {
    inner: Arc<StopInner>,
}

#[derive(Default)]
struct StopInner {
    is_triggered: AtomicBool,
    wakers: Mutex<Vec<Arc<CoreWaker>>>,
}

impl StopHandle {
    /// A handle for a box that is about to be served.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks for the orderly stop. Not from a signal handler itself: it takes a lock.
    pub fn trigger(&self) {
        self.inner.is_triggered.store(true, Ordering::Release);
        let wakers = self.inner.wakers.lock().unwrap_or_else(PoisonError::into_inner);
        wakers.iter().for_each(|waker| waker.wake());
    }

    pub(crate) fn is_triggered(&self) -> bool {
        self.inner.is_triggered.load(Ordering::Acquire)
    }

    fn add(&self, waker: Arc<CoreWaker>) {
        self.inner.wakers.lock().unwrap_or_else(PoisonError::into_inner).push(waker);
    }
}

impl fmt::Debug for StopHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StopHandle").field("is_triggered", &self.is_triggered()).finish()
    }
}

/// Why a box does not serve, or no longer.
#[derive(Debug)]
pub enum ServeError {
    /// The settings contradict the protocol.
    Config(&'static str),
    /// The address cannot be listened on.
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        error: io::Error,
    },
    /// The kernel refused something else that a box needs.
    System(io::Error),
    /// TLS cannot be had with this certificate, or at all.
    Tls(rustls::Error),
    /// Storage cannot be trusted; nothing was written after it.
    Storage(StorageFault),
    /// A thread panicked: a bug.
    Panicked(String),
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(fault) => f.write_str(fault),
            Self::Listen { address, error } if error.kind() == io::ErrorKind::AddrInUse => {
                write!(
                    f,
                    "port {} of {} is taken: stop what listens there, or choose another",
                    address.port(),
                    address.ip()
                )
            }
            Self::Listen { address, error } => write!(f, "cannot listen on {address}: {error}"),
            Self::System(error) => write!(f, "the system refused what a box needs: {error}"),
            Self::Tls(error) => write!(f, "TLS cannot be offered: {error}"),
            Self::Storage(fault) => write!(f, "storage failed, nothing was written after: {fault}"),
            Self::Panicked(message) => write!(f, "a thread panicked: {message}"),
        }
    }
}

impl std::error::Error for ServeError {}

/// The sockets of a box that listens and does not serve yet: who connects waits.
#[derive(Debug)]
pub struct Listening {
    listeners: Vec<listener::Listener>,
    address: SocketAddr,
}

impl Listening {
    /// Listens for a box of as many cores, those with a partition. One that `takes_over`
    /// shares the address with the process that it follows.
    ///
    /// # Errors
    /// [`ServeError::Listen`].
    pub fn bind(config: &GatewayConfig, cores: u16, takes_over: bool) -> Result<Self, ServeError> {
        let address = config.listen;
        let unconfirmed = Duration::from_millis(config.unconfirmed_ms.into());
        let place = listener::Place { address, takes_over, unconfirmed };
        let bound = listener::bind(place, cores);
        let (listeners, address) =
            bound.map_err(|error| ServeError::Listen { address: config.listen, error })?;
        Ok(Self { listeners, address })
    }
}

/// What a box serves from.
#[derive(Debug)]
pub struct Backend<J, R> {
    /// Where users live.
    pub table: PartitionTable,
    /// The shards of all partitions, loaded and replayed (`directory::recovery`); one that is
    /// missing is out of service.
    pub shards: Vec<Shard>,
    /// What writes the disk.
    pub journal: J,
    /// What reads it.
    pub reader: R,
}

/// Whom a box lets in, and how it shows that it is itself.
#[derive(Debug)]
pub struct Credentials {
    /// Checks tokens.
    pub verifier: Verifier,
    /// What tickets are sealed with.
    pub sealing_keys: SealingKeys,
    /// What clients are shown over TLS; without one they come over plain TCP.
    pub certificate: Option<Certificate>,
}

/// Serves until `stop` is triggered or storage fails. `serving` is told the address, once
/// connections are taken.
///
/// After a trigger: clients are told to go and nothing new is taken, what was taken is
/// committed, all that changed is checkpointed. After a storage fault: all sockets close
/// without another word, and nothing more is written.
///
/// # Errors
/// See [`ServeError`].
pub fn serve<J: Journal + 'static, R: StateReader + 'static>(
    config: GatewayConfig,
    listening: Listening,
    backend: Backend<J, R>,
    credentials: Credentials,
    stop: &StopHandle,
    control: &Control,
    serving: impl FnOnce(SocketAddr),
) -> Result<(), ServeError> {
    if let Some(fault) = config.fault() {
        return Err(ServeError::Config(fault));
    }
    let Backend { table, mut shards, journal, reader } = backend;
    if !are_different(&table, &shards) {
        return Err(ServeError::Config("there must be one shard of a partition"));
    }
    let hooks = control.hooks().clone();
    for shard in &mut shards {
        shard.set_presence(config.presence);
        shard.handle_started(Some(&config.settings));
        shard.handle_wake_policy(hooks.wakes().then_some(config.wake));
    }
    let cores = cores_of(&table);
    let Listening { listeners, address } = listening;
    if listeners.len() != usize::from(cores) {
        return Err(ServeError::Config("there must be one listener a core"));
    }
    let (seats, prefixes, accept_rate) = (Seats::new(), Prefixes::default(), AcceptRate::new());
    let is_disk_low = Arc::new(AtomicBool::new(false));
    let mut storage = Storage::new(journal, Arc::clone(&is_disk_low));
    let mut readers = reader_threads(reader, config.reader_threads.max(1));
    let stop = stop.clone();
    let Credentials { verifier, sealing_keys, certificate } = credentials;
    let covers = tls_servers(certificate.as_ref(), cores)?;
    let verifier = Arc::new(verifier);
    let shared = Arc::new(Shared {
        table,
        cores,
        verifier,
        sealing_keys,
        stop: stop.clone(),
        seats,
        prefixes,
        accept_rate,
        is_disk_low,
        is_memory_low: control.memory_flag(),
        hooks,
    });
    let config = Arc::new(config);
    let threads = (&mut storage, readers.as_mut_slice());
    let doors = listeners.into_iter().zip(covers).collect();
    let parts = assemble(&config, &shared, doors, shards, threads, control);
    let parts = parts.map_err(ServeError::System)?;
    serving(address);
    let ended = run(parts, storage, readers, &stop);
    control.detach();
    ended
}

fn are_different(table: &PartitionTable, shards: &[Shard]) -> bool {
    let partitions: BTreeSet<_> = shards.iter().map(Shard::partition).collect();
    partitions.len() == shards.len()
        && partitions.last().is_none_or(|last| last.0 < table.partitions())
}

/// How many cores have a partition; more would have nothing to do.
fn cores_of(table: &PartitionTable) -> u16 {
    let cores = (0..table.partitions()).map(|number| table.core_of(PartitionId(number)) + 1);
    cores.max().unwrap_or(1)
}

/// Each core's end of handshakes.
fn tls_servers(
    certificate: Option<&Certificate>,
    cores: u16,
) -> Result<Vec<Option<TlsServer>>, ServeError> {
    let Some(certificate) = certificate else {
        return Ok((0..cores).map(|_| None).collect());
    };
    let tickets = TlsTickets::new().map_err(ServeError::Tls)?;
    let server = |_| TlsServer::new(certificate, tickets.clone()).map(Some);
    (0..cores).map(server).collect::<Result<_, _>>().map_err(ServeError::Tls)
}

/// Makes the cores and all queues between them.
fn assemble<J: Journal, R: StateReader>(
    config: &Arc<GatewayConfig>,
    shared: &Arc<Shared>,
    doors: Vec<(listener::Listener, Option<TlsServer>)>,
    shards: Vec<Shard>,
    (storage, readers): (&mut Storage<J>, &mut [ReaderThread<R>]),
    control: &Control,
) -> io::Result<Vec<Parts>> {
    let (listeners, covers): (Vec<_>, Vec<_>) = doors.into_iter().unzip();
    let mut reactors = listeners.into_iter().map(Reactor::new).collect::<io::Result<Vec<_>>>()?;
    let mut doorbells = Vec::new();
    for reactor in &reactors {
        shared.stop.add(reactor.waker());
        doorbells.push(Doorbell::new(reactor.waker()));
    }
    let wakers = reactors.iter().map(Reactor::waker);
    let desks = control.attach(shared.table, storage.meter(), wakers);
    let meshes = link_cores(&mut doorbells);
    let places = reactors.drain(..).zip(doorbells).zip(meshes).zip(desks).zip(covers);
    let homes = split(shared, shards);
    let parts = (0..).zip(places).zip(homes).map(
        |((core, ((((reactor, mut doorbell), mesh), desk), tls)), shards)| Parts {
            core,
            config: Arc::clone(config),
            shared: Arc::clone(shared),
            reactor,
            storage: storage.link(&mut doorbell),
            reading: reading::link(readers, &mut doorbell),
            doorbell,
            shards,
            mesh,
            desk,
            tls,
        },
    );
    Ok(parts.collect())
}

/// A queue from each core to each other.
fn link_cores(doorbells: &mut [Doorbell]) -> Vec<Mesh> {
    let count = doorbells.len();
    let mut senders: Vec<Vec<_>> = (0..count).map(|_| Vec::new()).collect();
    let mut receivers: Vec<Vec<_>> = (0..count).map(|_| Vec::new()).collect();
    for (from, from_senders) in senders.iter_mut().enumerate() {
        for (to, (doorbell, to_receivers)) in doorbells.iter_mut().zip(&mut receivers).enumerate() {
            let queue = (from != to).then(|| mailbox(PARCELS_MAX, doorbell)).unzip();
            from_senders.push(queue.0);
            to_receivers.push(queue.1);
        }
    }
    let links = senders.into_iter().zip(receivers);
    let meshes = links.map(|(to, from)| {
        let ends = to.into_iter().zip(from);
        ends.map(|(to, from)| Some(Link::new(to?, from?))).collect()
    });
    (0..).zip(meshes).map(|(core, links)| Mesh::new(core, links)).collect()
}

/// Each core's shards.
fn split(shared: &Shared, shards: Vec<Shard>) -> Vec<Shards> {
    let (table, cores) = (shared.table, shared.cores);
    let mut by_core: Vec<Vec<_>> = (0..cores).map(|_| Vec::new()).collect();
    for shard in shards {
        if let Some(core) = by_core.get_mut(usize::from(table.core_of(shard.partition()))) {
            core.push(shard);
        }
    }
    let shards = (0..).zip(by_core).map(|(core, shards)| Shards::new(core, cores, &table, shards));
    shards.collect()
}

fn run<J: Journal, R: StateReader>(
    parts: Vec<Parts>,
    storage: Storage<J>,
    readers: Vec<ReaderThread<R>>,
    stop: &StopHandle,
) -> Result<(), ServeError> {
    thread::scope(|scope| {
        let spawn_reader = |reader: ReaderThread<R>| {
            let named = thread::Builder::new().name("reader".to_owned());
            named.spawn_scoped(scope, || reader.run()).map_err(ServeError::System)
        };
        let readers = readers.into_iter().map(spawn_reader).collect::<Result<Vec<_>, _>>()?;
        let storage = thread::Builder::new()
            .name("storage".to_owned())
            .spawn_scoped(scope, || storage.run())
            .map_err(ServeError::System)?;
        let mut cores = Vec::new();
        for parts in parts {
            let name = format!("core-{}", parts.core);
            let spawned =
                thread::Builder::new().name(name).spawn_scoped(scope, || run_core(parts, stop));
            match spawned {
                Ok(core) => cores.push(core),
                Err(error) => {
                    stop.trigger();
                    return Err(ServeError::System(error));
                }
            }
        }
        let ended = cores.into_iter().map(|core| core.join().unwrap_or(Ok(())));
        let ended = ended.fold(Ok(()), Result::and);
        let readers = readers.into_iter().map(thread::ScopedJoinHandle::join);
        let mut faults =
            [storage.join()].into_iter().chain(readers).filter_map(|ended| ended.ok()?.err());
        faults.next().map_or(ended, |fault| Err(ServeError::Storage(fault)))
    })
}

/// A core that ends before it was told to takes the box with it, in order.
fn run_core(parts: Parts, stop: &StopHandle) -> Result<(), ServeError> {
    if let Err(error) = bind_to_cpu(parts.core, &parts.config.cpus) {
        warn!("core {} is not bound to its cpu: {error}", parts.core);
    }
    let ended = match catch_unwind(AssertUnwindSafe(|| Core::new(parts).run())) {
        // The storage thread has the details.
        Ok(Ok(()) | Err(CoreError::Storage)) => return Ok(()),
        Ok(Err(CoreError::Reactor(error))) => Err(ServeError::System(error)),
        Err(panic) => Err(ServeError::Panicked(panic_message(panic.as_ref()))),
    };
    stop.trigger();
    ended
}

fn bind_to_cpu(core: u16, cpus: &[usize]) -> rustix::io::Result<()> {
    let Some(&cpu) = cpus.iter().cycle().nth(usize::from(core)) else { return Ok(()) };
    let mut set = CpuSet::new();
    set.set(cpu);
    sched_setaffinity(None, &set)
}
