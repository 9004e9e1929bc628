//! Users for whom something waits are left where somebody wakes them.

use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use answerback_directory::shard::{Wake, WakePolicy};
use answerback_gateway::{GatewayConfig, Hooks};
use answerback_proto::id::UserId;
use answerback_proto::kind::{Accepted, CaughtUp, Delivered, Hello, Welcome};

use crate::client::{Client, hello};
use crate::journal::MemoryJournal;
use crate::running::{Running, config};

const ALICE: u128 = 1;
const BOB: u128 = 2;
const PATIENCE: Duration = Duration::from_secs(30);

fn start(cores: u16, after_ms: u64) -> (Running, Hooks, Receiver<Wake>) {
    let (told, woken) = sync_channel(8);
    let hooks = Hooks::default().with_wakes(told);
    let config = GatewayConfig { wake: WakePolicy { after_ms, again_s: 60 }, ..config() };
    let running = Running::with_hooks(cores, config, MemoryJournal::default(), hooks.clone());
    (running, hooks, woken)
}

/// Alice has sent to Bob, who was there once.
fn send_to_bob(running: &Running, count: u64) -> Client {
    drop(Client::login(running.address, BOB));
    let mut alice = Client::login(running.address, ALICE);
    for sequence in 1..=count {
        alice.send(sequence as u32, BOB, sequence, b"are you there?");
        alice.expect::<Accepted>();
    }
    alice
}

#[test]
fn who_is_away_is_woken_and_who_takes_it_is_not() {
    for cores in [1, 4] {
        let (running, hooks, woken) = start(cores, 100);
        let mut alice = send_to_bob(&running, 3);
        let Wake { user, messages } = woken.recv_timeout(PATIENCE).unwrap();
        assert!(user == UserId(BOB) && (1..=3).contains(&messages), "{messages}");

        let mut bob = Client::connect(running.address);
        bob.say_hello(BOB, Hello { connection_counter: 2, ..hello(1) });
        assert_eq!(bob.expect::<Welcome>().1.pending_count, 3);
        (1..=3).for_each(|_| drop(bob.expect_message()));
        bob.expect::<CaughtUp>();
        bob.ack(3);
        assert_eq!(alice.expect::<Delivered>().1.up_to, 3);
        assert_eq!(alice.expect::<Delivered>().1.up_to, 3);
        let waits = woken.recv_timeout(Duration::from_millis(400));
        assert!(waits.is_err(), "{waits:?}");
        assert_eq!(hooks.wakes_dropped(), 0);
        running.stop();
    }
}

#[test]
fn a_box_that_stops_leaves_whom_it_looked_for() {
    for cores in [1, 4] {
        let (running, _, woken) = start(cores, 60_000);
        drop(send_to_bob(&running, 1));
        running.stop();
        assert_eq!(woken.try_recv(), Ok(Wake { user: UserId(BOB), messages: 1 }));
        assert!(woken.try_recv().is_err());
    }
}

#[test]
fn a_reload_changes_when_users_are_woken() {
    let (running, _, woken) = start(1, 60_000);
    running
        .control
        .reload(GatewayConfig { wake: WakePolicy { after_ms: 50, again_s: 60 }, ..config() })
        .unwrap();
    // Whatever is asked behind it finds it done.
    running.control.stats().unwrap();
    let _alice = send_to_bob(&running, 1);
    assert_eq!(woken.recv_timeout(PATIENCE).unwrap().user, UserId(BOB));
    assert_eq!(running.control.stats().unwrap().wakes, 1);
}
