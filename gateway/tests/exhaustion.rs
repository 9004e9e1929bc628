//! A process that runs out of descriptors: it goes on with what it has, says so, closes at once
//! whoever connects, and takes new connections once there are descriptors again. Alone in its
//! process, whose limit it sets.
#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use std::fmt::Debug;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Mutex;
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::Duration;

use answerback_directory::partition_table::PartitionTable;
use answerback_directory::ports::{
    Applied, EachBatch, EachRow, Journal, StateReader, StorageFault,
};
use answerback_directory::recovery::load_shards;
use answerback_directory::shard::Residency;
use answerback_directory::shard::checkpoint::{Checkpoint, Table};
use answerback_gateway::{
    Backend, Control, Credentials, GatewayConfig, Listening, SealingKeys, StopHandle, Verifier,
    serve,
};
use answerback_proto::header::HEADER_BYTES;
use answerback_proto::id::{Generation, PartitionId};
use answerback_proto::record::Batch;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Passes on the names of alarms.
struct Alarms(Mutex<Sender<String>>);

impl Subscriber for Alarms {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut AlarmName(&self.0));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct AlarmName<'a>(&'a Mutex<Sender<String>>);

impl Visit for AlarmName<'_> {
    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "alarm" {
            self.0.lock().unwrap().send(value.to_owned()).unwrap();
        }
    }
}

/// Takes everything; no test here writes.
struct Nowhere;

impl Journal for Nowhere {
    fn commit(&mut self, _batches: &[Batch]) -> Result<(), StorageFault> {
        Ok(())
    }

    fn checkpoint(&mut self, _checkpoint: &Checkpoint) -> Result<(), StorageFault> {
        Ok(())
    }
}

impl StateReader for Nowhere {
    fn applied(&self, _: PartitionId) -> Result<Applied, StorageFault> {
        Ok(Applied::default())
    }

    fn row(&self, _: Table, _: &[u8]) -> Result<Option<Vec<u8>>, StorageFault> {
        Ok(None)
    }

    fn range(&self, _: Table, _: &[u8], _: &[u8], _: &mut EachRow<'_>) -> Result<(), StorageFault> {
        Ok(())
    }

    fn batches(
        &self,
        _: PartitionId,
        _: Applied,
        _: &mut EachBatch<'_>,
    ) -> Result<(), StorageFault> {
        Ok(())
    }
}

/// Sees whether the box speaks to a connection: it refuses 32 zeros.
fn is_served(socket: &mut TcpStream) -> bool {
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    std::io::Write::write_all(socket, &[0; HEADER_BYTES]).unwrap();
    let mut answer = [0; HEADER_BYTES];
    socket.read_exact(&mut answer).is_ok()
}

#[test]
fn a_box_without_descriptors_closes_who_connects_until_it_has_some() {
    let (alarms, raised) = mpsc::channel();
    tracing::subscriber::set_global_default(Alarms(Mutex::new(alarms))).unwrap();
    let (told, listening) = mpsc::channel::<SocketAddr>();
    let stop = StopHandle::new();
    let handle = stop.clone();
    let config =
        GatewayConfig { listen: (Ipv4Addr::LOCALHOST, 0).into(), ..GatewayConfig::default() };
    let server = thread::spawn(move || {
        let keys = r#"{"keys": [{"kty": "OKP", "crv": "Ed25519",
            "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
        let table = PartitionTable::new(b"a test's secret!", 16, 1);
        let verifier = Verifier::from_jwks(keys).unwrap();
        let shards =
            load_shards(&Nowhere, table, Generation(1), Residency::default()).unwrap().shards;
        let backend = Backend { table, shards, journal: Nowhere, reader: Nowhere };
        let listening = Listening::bind(&config, 1, false).unwrap();
        let sealing_keys = SealingKeys::random().unwrap();
        let credentials = Credentials { verifier, sealing_keys, certificate: None };
        serve(config, listening, backend, credentials, &handle, &Control::new(), |address| {
            told.send(address).unwrap();
        })
    });
    let address = listening.recv().unwrap();

    let mut first = TcpStream::connect(address).unwrap();
    // They are taken in their order: once the second is served, the first is there.
    assert!(is_served(&mut TcpStream::connect(address).unwrap()));
    let before = getrlimit(Resource::Nofile);
    let low = first.try_clone().map(|probe| std::os::fd::AsRawFd::as_raw_fd(&probe)).unwrap();
    // Room for some of our own ends, and not for as many of the box's.
    let limit = |count| Rlimit { current: Some(u64::try_from(low).unwrap() + count), ..before };
    let mut count = 9;
    setrlimit(Resource::Nofile, limit(count)).unwrap();
    let mut held = Vec::new();
    // One after the other, so that it is the box that finds no descriptor.
    loop {
        let Ok(mut socket) = TcpStream::connect(address) else {
            count += 1;
            setrlimit(Resource::Nofile, limit(count)).unwrap();
            continue;
        };
        if !is_served(&mut socket) {
            break;
        }
        held.push(socket);
    }
    let alarm = raised.recv_timeout(Duration::from_secs(30)).expect("an alarm");
    assert_eq!(alarm, "accept_exhausted");
    assert!(is_served(&mut first), "who is there is served");
    assert!(!is_served(&mut TcpStream::connect(address).unwrap()), "it can close another");

    setrlimit(Resource::Nofile, before).unwrap();
    let mut late = TcpStream::connect(address).unwrap();
    assert!(is_served(&mut late), "and so is who comes when there is room");
    stop.trigger();
    server.join().unwrap().unwrap();
}
