//! How a box ends in order, and goes on from there.

use answerback_directory::partition_table::PartitionTable;
use answerback_directory::recovery::load_shards;
use answerback_directory::shard::{Residency, Shard};
use answerback_gateway::{
    Backend, Control, Credentials, GatewayConfig, Listening, ServeError, StopHandle, serve,
};
use answerback_proto::code::Code;
use answerback_proto::id::Generation;
use answerback_proto::kind::{Accepted, CaughtUp, Delivered, GoAway, Hello, Refused, Welcome};

use crate::client::{Client, hello};
use crate::journal::MemoryJournal;
use crate::running::{Running, config, table};
use crate::token::{sealing_keys, verifier};

const ALICE: u128 = 1;
const BOB: u128 = 2;

#[test]
fn clients_are_told_and_closed() {
    for cores in [1, 4] {
        let running = Running::start(cores);
        let mut clients: Vec<_> =
            (1..=10).map(|user| Client::login(running.address, user)).collect();
        running.trigger_stop();
        for client in &mut clients {
            let (header, go_away) = client.expect::<GoAway>();
            assert_eq!((header.tag, go_away.code), (0, Code::Draining.number()));
            client.expect_end();
        }
        running.join().unwrap();
    }
}

#[test]
fn clients_come_back_one_after_the_other() {
    let running = Running::start(1);
    let mut clients: Vec<_> = (1..=20).map(|user| Client::login(running.address, user)).collect();
    running.trigger_stop();
    let delays = clients.iter_mut().map(|client| client.expect::<GoAway>().1.delay_ms);
    let mut delays: Vec<_> = delays.collect();
    delays.sort_unstable();
    assert_eq!(delays[0], 1000);
    assert_eq!(delays[19] - delays[0], 3, "5 a millisecond");
}

#[test]
fn who_leaves_is_still_heard_and_asks_in_vain() {
    for cores in [1, 4] {
        let config = GatewayConfig { drain_ms: 1 << 40, ..config() };
        let running = Running::with(cores, config, MemoryJournal::default());
        let mut bob = Client::login(running.address, BOB);
        let mut alice = Client::login(running.address, ALICE);
        alice.send(1, BOB, 1, b"before");
        bob.expect_message();
        alice.expect::<Accepted>();
        running.trigger_stop();
        alice.expect::<GoAway>();
        bob.expect::<GoAway>();
        assert!(running.control.stats().unwrap().is_draining);
        bob.ack(1);
        alice.expect::<Delivered>();
        alice.send(2, BOB, 2, b"too late");
        let (header, refused) = alice.expect::<Refused>();
        assert_eq!((header.tag, refused.code), (2, Code::Draining.number()));
        drop((alice, bob));
        running.join().unwrap();
    }
}

/// Cores without anybody end at once, the others go on: both are so for long.
#[test]
fn who_asks_while_some_cores_have_ended_is_answered_by_the_others() {
    let config = GatewayConfig { drain_ms: 1 << 40, ..config() };
    let running = Running::with(4, config, MemoryJournal::default());
    let mut bob = Client::login(running.address, BOB);
    running.trigger_stop();
    bob.expect::<GoAway>();
    for _ in 0..1000 {
        assert_eq!(running.control.stats().unwrap().connections, 1);
    }
    drop(bob);
    running.join().unwrap();
}

#[test]
fn who_has_no_session_yet_is_told_to_come_again() {
    let running = Running::start(1);
    let mut early = Client::connect(running.address);
    // They are taken in their order.
    let mut alice = Client::login(running.address, ALICE);
    running.trigger_stop();
    alice.expect::<GoAway>();
    assert_eq!(early.expect_error().0, Code::Draining);
    early.expect_end();
}

#[test]
fn what_was_taken_is_answered_before_the_end() {
    let running = Running::start(1);
    let mut alice = Client::login(running.address, ALICE);
    drop(Client::login(running.address, BOB));
    let commits = running.journal.commits();
    running.journal.hold();
    alice.send(7, BOB, 1, b"under way");
    running.journal.wait_for_begun(commits + 1);
    running.trigger_stop();
    alice.expect::<GoAway>();
    running.journal.release();
    assert_eq!(alice.expect::<Accepted>().0.tag, 7);
    alice.expect_end();
    running.join().unwrap();
}

#[test]
fn everything_is_checkpointed_and_the_next_start_goes_on() {
    for cores in [1, 4] {
        let running = Running::start(cores);
        drop(Client::login(running.address, BOB));
        let mut alice = Client::login(running.address, ALICE);
        alice.send(1, BOB, 1, b"before");
        alice.expect::<Accepted>();
        let journal = running.journal.clone();
        running.stop();
        assert_eq!(journal.batches_in_journal(), 0);

        let running = Running::with(cores, config(), journal);
        let mut bob = Client::connect(running.address);
        bob.say_hello(BOB, Hello { connection_counter: 2, ..hello(1) });
        assert_eq!(bob.expect::<Welcome>().1.pending_count, 1);
        assert_eq!(bob.expect_message().2, b"before");
        bob.expect::<CaughtUp>();
        let mut alice = Client::connect(running.address);
        alice.say_hello(ALICE, Hello { connection_counter: 2, ..hello(1) });
        alice.expect::<Welcome>();
        alice.expect::<CaughtUp>();
        alice.send(2, BOB, 2, b"after");
        assert_eq!(bob.expect_message().2, b"after");
    }
}

#[test]
fn a_box_checkpoints_by_itself() {
    let eager = GatewayConfig { checkpoint_period_ms: 1, ..config() };
    let often = GatewayConfig { checkpoint_bytes: 1, checkpoint_period_ms: 1 << 40, ..config() };
    for config in [eager, often] {
        let running = Running::with(2, config, MemoryJournal::default());
        let _alice = Client::login(running.address, ALICE);
        running.journal.wait_for_checkpoints(1);
        let _bob = Client::login(running.address, BOB);
        running.journal.wait_for_checkpoints(2);
    }
}

#[test]
fn settings_may_say_never() {
    let (hello_deadline_ms, checkpoint_period_ms) = (u64::MAX, u64::MAX);
    let config = GatewayConfig { hello_deadline_ms, checkpoint_period_ms, ..config() };
    let running = Running::with(1, config, MemoryJournal::default());
    Client::login(running.address, ALICE).ping(1);
    Client::login(running.address, BOB).ping(1);
    running.stop();
}

fn load(journal: &MemoryJournal, table: PartitionTable) -> Vec<Shard> {
    load_shards(journal, table, Generation(1), Residency::default()).unwrap().shards
}

/// What serving comes to with a disk of its own and a stop that was asked for.
fn serve_briefly(config: GatewayConfig, shards: Option<Vec<Shard>>) -> Result<(), ServeError> {
    let (stop, journal, table) = (StopHandle::new(), MemoryJournal::default(), table(1));
    stop.trigger();
    let shards = shards.unwrap_or_else(|| load(&journal, table));
    let backend = Backend { table, shards, journal: journal.clone(), reader: journal };
    let listening = Listening::bind(&config, 1, false)?;
    let credentials =
        Credentials { verifier: verifier(), sealing_keys: sealing_keys(1), certificate: None };
    serve(config, listening, backend, credentials, &stop, &Control::new(), |_| {})
}

#[test]
fn a_box_that_was_told_to_stop_stops_at_once() {
    serve_briefly(config(), None).unwrap();
}

#[test]
fn a_box_with_two_shards_of_a_partition_does_not_start() {
    let journal = MemoryJournal::default();
    let mut shards = load(&journal, table(1));
    shards.extend(load(&journal, table(1)));
    let error = serve_briefly(config(), Some(shards)).unwrap_err();
    assert!(matches!(error, ServeError::Config(_)), "{error}");
}

#[test]
fn a_port_that_is_taken_is_one_clear_line() {
    let running = Running::start(2);
    let config = GatewayConfig { listen: running.address, ..config() };
    let error = serve_briefly(config, None).unwrap_err();
    assert!(matches!(error, ServeError::Listen { .. }));
    let line = error.to_string();
    assert!(line.contains(&running.address.port().to_string()) && line.contains("taken"), "{line}");
    assert!(!line.contains('\n'));
}
