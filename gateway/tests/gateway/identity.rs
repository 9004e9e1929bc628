//! Keys come and go while a box runs.

use answerback_proto::code::Code;
use answerback_proto::kind::Welcome;

use crate::client::{Client, hello, hello_frame};
use crate::running::Running;
use crate::token::{token, token_by, verifier_of};

const USER: u128 = 11;
const NEW_KEY: u8 = 7;

/// What becomes of a login of a user with a token.
fn log_in(running: &Running, user: u128, token: &[u8]) -> Result<(), Code> {
    let mut client = Client::connect(running.address);
    client.write(&hello_frame(user, hello(1), token));
    match client.next_of::<Welcome>() {
        Some(_) => Ok(()),
        None => Err(client.expect_error().0),
    }
}

#[test]
fn keys_are_exchanged_and_open_sessions_stay() {
    for cores in [1, 4] {
        let running = Running::start(cores);
        let mut early = Client::login(running.address, USER);
        let unknown = Err(Code::TokenInvalid);
        assert_eq!(log_in(&running, 21, &token_by(NEW_KEY, 21, 1)), unknown);
        for (keys, usual, new) in
            [(&[42, NEW_KEY][..], Ok(()), Ok(())), (&[NEW_KEY], unknown, Ok(()))]
        {
            running.control.set_verifier(verifier_of(keys)).unwrap();
            // Whatever is asked behind it finds it done.
            running.control.stats().unwrap();
            for user in 100 * u128::from(keys[0])..100 * u128::from(keys[0]) + 8 {
                assert_eq!(log_in(&running, user, &token(user, 1)), usual, "{keys:?}");
                let by_new = token_by(NEW_KEY, user + 50, 1);
                assert_eq!(log_in(&running, user + 50, &by_new), new, "{keys:?}");
            }
        }
        early.ping(1);
        // Those of the usual key, once it was gone, and the first.
        assert_eq!(running.control.stats().unwrap().unknown_keys_total, 8 + 1);
    }
}
