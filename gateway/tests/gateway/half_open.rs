//! Peers whose network is gone without a word, while messages wait for them. Takes as long as
//! the shards wait for an acknowledgement and an answer: 20 s.

use answerback_proto::code::Code;
use answerback_proto::id::UserId;
use answerback_proto::kind::{Accepted, CaughtUp, Hello, Pong, Probe, Welcome};

use crate::client::{Client, frame, hello};
use crate::running::Running;

const ALICE: u128 = 1;
const BOB: u128 = 2;
const CAROL: u128 = 3;

#[test]
fn who_does_not_answer_a_probe_is_closed_and_gets_his_messages_when_he_is_back() {
    let running = Running::start(2);
    let mut bob = Client::login(running.address, BOB);
    let mut carol = Client::login(running.address, CAROL);
    let mut alice = Client::login(running.address, ALICE);
    for (tag, peer) in [(1, BOB), (2, CAROL)] {
        alice.send(tag, peer, 1, b"are you there?");
        alice.expect::<Accepted>();
    }
    bob.expect_message();
    carol.expect_message();

    // Carol is slow, but there: she is offered the same again.
    let (_, probe) = carol.expect::<Probe>();
    assert!(probe.echo > 1 << 40, "and no time since the start: {}", probe.echo);
    carol.write(&frame(0, 0, &Pong { echo: probe.echo }, &[]));
    carol.expect_message();
    bob.expect::<Probe>();
    assert_eq!(bob.expect_error().0, Code::ProbeUnanswered);
    bob.expect_end();
    assert!(running.control.sessions(UserId(BOB)).unwrap().is_empty());
    let stats = running.control.stats().unwrap();
    assert_eq!(stats.closed_total, [(Code::ProbeUnanswered.name(), 1)].into());
    assert!(stats.probes_total >= 2);

    let mut bob = Client::connect(running.address);
    bob.say_hello(BOB, Hello { connection_counter: 2, ..hello(1) });
    assert_eq!(bob.expect::<Welcome>().1.pending_count, 1);
    assert_eq!(bob.expect_message().2, b"are you there?");
    bob.expect::<CaughtUp>();
    bob.finish();
    alice.ping(1);
}
