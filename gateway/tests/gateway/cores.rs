//! Sockets and words that cross from core to core.

use answerback_proto::kind::{Accepted, Kind};

use crate::client::{Client, send_frame};
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

/// More requests to another core than may be without an answer, and than a parcel holds:
/// each is answered once, accepted or refused, and nothing stands still.
#[test]
fn a_flood_to_another_core_is_answered_request_by_request() {
    let running = Running::start(2);
    let recipients: Vec<u128> = (1..2000).filter(|&user| running.core_of(user) == 1).collect();
    let sender = (3000..).find(|&user| running.core_of(user) == 0).unwrap();
    let (recipients, _) = recipients.split_at(200);
    recipients.iter().for_each(|&user| drop(Client::login(running.address, user)));
    let mut client = Client::login(running.address, sender);
    running.journal.hold();
    let mut reader = client.socket.try_clone().unwrap();
    let frames: Vec<u8> = (1..=50)
        .flat_map(|sequence| {
            recipients.iter().flat_map(move |&user| send_frame(1, user, sequence, &[7; 100]))
        })
        .collect();
    let writer = std::thread::spawn(move || {
        std::io::Write::write_all(&mut reader, &frames).unwrap();
    });
    running.journal.release();
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
fn an_answer_to_a_connection_that_is_gone_is_lost_quietly() {
    let running = Running::start(2);
    let home = |core| (1..).find(|&user| running.core_of(user) == core).unwrap();
    let (sender, recipient) = (home(0), home(1));
    drop(Client::login(running.address, recipient));
    running.journal.hold();
    let begun = running.journal.commits();
    let mut gone = Client::connect(running.address);
    running.journal.release();
    gone.say_hello(sender, crate::client::hello(1));
    gone.expect::<answerback_proto::kind::Welcome>();
    running.journal.hold();
    gone.send(1, recipient, 1, b"who sent this?");
    running.journal.wait_for_begun(begun + 2);
    drop(gone);
    let mut other = Client::connect(running.address);
    running.journal.release();
    other.say_hello(
        sender,
        answerback_proto::kind::Hello { connection_counter: 2, ..crate::client::hello(1) },
    );
    other.expect::<answerback_proto::kind::Welcome>();
    other.expect::<answerback_proto::kind::CaughtUp>();
    other.ping(1);
    other.send(2, recipient, 1, b"the same again");
    assert_eq!(other.expect::<Accepted>().0.tag, 2);
}
