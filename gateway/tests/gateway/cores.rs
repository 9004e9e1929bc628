//! Sockets and words that cross from core to core.

use std::io::Write;
use std::thread;

use answerback_proto::kind::{Accepted, CaughtUp, Hello, Kind, Welcome};

use crate::client::{Client, hello, send_frame};
use crate::running::Running;

/// The kernel spreads connections; a user's home is where its id says. So some move.
#[test]
fn a_session_lives_on_its_users_core_wherever_it_was_accepted() {
    let running = Running::start(4);
    let mut cores = [0; 4];
    for user in 1..=64 {
        let mut client = Client::login(running.address, user);
        client.ping(user as u64);
        cores[usize::from(running.core_of(user))] += 1;
    }
    assert!(cores.iter().all(|&users| users > 0), "{cores:?}");
}

/// More requests than a connection may have open, than may be under way to another core,
/// than a parcel holds: each is answered once, accepted or refused, and nothing stands
/// still.
fn flood(running: &Running, sender: u128, recipients: &[u128]) {
    recipients.iter().for_each(|&user| drop(Client::login(running.address, user)));
    let mut client = Client::login(running.address, sender);
    let to_all = |sequence| recipients.iter().map(move |&user| send_frame(1, user, sequence, b""));
    let frames = (1..=50).flat_map(to_all).collect::<Vec<_>>().concat();
    let mut socket = client.socket.try_clone().unwrap();
    let writer = thread::spawn(move || socket.write_all(&frames).unwrap());
    let (mut accepted, mut others) = (0, 0);
    while accepted + others < 50 * recipients.len() {
        let received = client.next().unwrap();
        match received.header.kind() {
            Some(Kind::Accepted) => accepted += 1,
            Some(Kind::Refused | Kind::OutOfOrder) => others += 1,
            other => panic!("{other:?}"),
        }
    }
    writer.join().unwrap();
    assert!(accepted > 0);
    client.ping(1);
}

#[test]
fn a_flood_is_answered_request_by_request_on_one_core_and_across() {
    for home in [0, 1] {
        let running = Running::start(2);
        let recipients: Vec<_> =
            (1..).filter(|&user| running.core_of(user) == home).take(200).collect();
        let sender = (100_000..).find(|&user| running.core_of(user) == 0).unwrap();
        flood(&running, sender, &recipients);
    }
}

#[test]
fn an_answer_to_a_connection_that_is_gone_is_lost_quietly() {
    let running = Running::start(2);
    let home = |core| (1..).find(|&user| running.core_of(user) == core).unwrap();
    let (sender, recipient) = (home(0), home(1));
    drop(Client::login(running.address, recipient));
    let mut gone = Client::login(running.address, sender);
    let commits = running.journal.commits();
    running.journal.hold();
    gone.send(1, recipient, 1, b"who sent this?");
    running.journal.wait_for_begun(commits + 1);
    drop(gone);
    let mut other = Client::connect(running.address);
    running.journal.release();
    other.say_hello(sender, Hello { connection_counter: 2, ..hello(1) });
    other.expect::<Welcome>();
    other.expect::<CaughtUp>();
    other.ping(1);
    other.send(2, recipient, 1, b"the same again");
    assert_eq!(other.expect::<Accepted>().0.tag, 2);
}
