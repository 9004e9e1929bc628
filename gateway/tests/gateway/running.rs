//! A gateway that runs, and how it ends.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use answerback_directory::partition_table::PartitionTable;
use answerback_directory::recovery::load_shards;
use answerback_directory::shard::Residency;
use answerback_gateway::{
    Backend, Certificate, Control, Credentials, GatewayConfig, Hooks, Listening, ServeError,
    StopHandle, serve,
};
use answerback_proto::id::{Generation, UserId};

use crate::journal::MemoryJournal;
use crate::token::{sealing_keys, verifier};

const PARTITIONS: u16 = 16;

/// A gateway in a thread of its own.
pub(crate) struct Running {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Its disk.
    pub(crate) journal: MemoryJournal,
    /// Its operator's voice.
    pub(crate) control: Control,
    table: PartitionTable,
    stop: StopHandle,
    thread: Option<JoinHandle<Result<(), ServeError>>>,
}

/// The settings of a test, on any free port.
pub(crate) fn config() -> GatewayConfig {
    let listen = (Ipv4Addr::LOCALHOST, 0).into();
    // Clients of these tests stay until they are closed.
    GatewayConfig { listen, drain_ms: 50, ..GatewayConfig::default() }
}

/// Where users of these tests live.
pub(crate) fn table(cores: u16) -> PartitionTable {
    PartitionTable::new(b"a test's secret!", PARTITIONS, cores)
}

impl Running {
    /// A gateway with an empty disk.
    pub(crate) fn start(cores: u16) -> Self {
        Self::with(cores, config(), MemoryJournal::default())
    }

    /// A gateway with these settings and an empty disk.
    pub(crate) fn configured(cores: u16, config: GatewayConfig) -> Self {
        Self::with(cores, config, MemoryJournal::default())
    }

    /// A gateway with these settings and this disk.
    pub(crate) fn with(cores: u16, config: GatewayConfig, journal: MemoryJournal) -> Self {
        Self::start_on(cores, config, journal, Residency::default(), None, Control::new())
    }

    /// A gateway with these settings that shows a certificate.
    pub(crate) fn covered(cores: u16, config: GatewayConfig, certificate: Certificate) -> Self {
        let (journal, residency) = (MemoryJournal::default(), Residency::default());
        Self::start_on(cores, config, journal, residency, Some(certificate), Control::new())
    }

    /// A gateway with these settings and this disk that leaves here what it has to tell.
    pub(crate) fn with_hooks(
        cores: u16,
        config: GatewayConfig,
        journal: MemoryJournal,
        hooks: Hooks,
    ) -> Self {
        let control = Control::new().with_hooks(hooks);
        Self::start_on(cores, config, journal, Residency::default(), None, control)
    }

    /// A gateway with an empty disk, and as much memory for users at rest.
    pub(crate) fn with_residency(cores: u16, config: GatewayConfig, residency: Residency) -> Self {
        let (journal, control) = (MemoryJournal::default(), Control::new());
        Self::start_on(cores, config, journal, residency, None, control)
    }

    fn start_on(
        cores: u16,
        config: GatewayConfig,
        journal: MemoryJournal,
        residency: Residency,
        certificate: Option<Certificate>,
        control: Control,
    ) -> Self {
        let table = table(cores);
        let shards = load_shards(&journal, table, Generation(1), residency).unwrap().shards;
        let (stop, disk) = (StopHandle::new(), journal.clone());
        let (told, listening) = mpsc::channel();
        let handle = stop.clone();
        let commands = control.clone();
        let listening_there = Listening::bind(&config, cores, false).unwrap();
        let thread = thread::spawn(move || {
            let backend = Backend { table, shards, journal: disk.clone(), reader: disk };
            let credentials =
                Credentials { verifier: verifier(), sealing_keys: sealing_keys(1), certificate };
            serve(config, listening_there, backend, credentials, &handle, &commands, |address| {
                told.send(address).unwrap();
            })
        });
        let address = listening.recv().expect("it listens");
        Self { address, journal, control, table, stop, thread: Some(thread) }
    }

    /// Asks for the orderly stop.
    pub(crate) fn trigger_stop(&self) {
        self.stop.trigger();
    }

    /// Waits for its end.
    pub(crate) fn join(mut self) -> Result<(), ServeError> {
        self.thread.take().unwrap().join().unwrap()
    }

    /// Stops it in order.
    pub(crate) fn stop(self) {
        self.trigger_stop();
        self.join().unwrap();
    }

    /// The core of a user.
    pub(crate) fn core_of(&self, user: u128) -> u16 {
        self.table.core_of(self.table.partition_of(UserId(user)))
    }
}

impl Drop for Running {
    /// A test that fails must not leave threads behind that keep the process alive.
    fn drop(&mut self) {
        self.journal.release();
        self.stop.trigger();
        let ended = self.thread.take().map(JoinHandle::join);
        if !thread::panicking() {
            assert!(matches!(ended, None | Some(Ok(Ok(())))), "{ended:?}");
        }
    }
}
