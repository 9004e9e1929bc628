//! When storage cannot be trusted, nothing more is said.

use answerback_gateway::ServeError;

use crate::client::{Client, hello};
use crate::running::Running;

#[test]
fn a_fault_closes_everything_without_a_word() {
    for cores in [1, 4] {
        let running = Running::start(cores);
        let mut clients: Vec<_> =
            (1..=20).map(|user| Client::login(running.address, user)).collect();
        running.journal.break_it();
        clients[0].send(1, 2, 1, b"never accepted");
        clients.iter_mut().for_each(Client::expect_end);
        let journal = running.journal.clone();
        match running.join() {
            Err(ServeError::Storage(fault)) => assert!(fault.message.contains("broken")),
            other => panic!("{other:?}"),
        }
        assert_eq!(journal.calls_after_failure(), 0);
    }
}

#[test]
fn a_fault_at_login_says_nothing_either() {
    let running = Running::start(2);
    running.journal.break_it();
    let mut client = Client::connect(running.address);
    client.say_hello(1, hello(1));
    client.expect_end();
    assert!(matches!(running.join(), Err(ServeError::Storage(_))));
}
