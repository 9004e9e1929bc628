//! Connections that come, go, and die without a word.

use answerback_proto::kind::GoAway;

use super::server::Server;
use super::*;

#[test]
fn nobody_listens_and_the_app_is_told() {
    let place = Place::new();
    let client = place.open(&nowhere());
    let state =
        wait_for_connection(&client, |state| matches!(state, ConnectionState::Offline { .. }));
    let ConnectionState::Offline { reason, .. } = state else { panic!() };
    assert!(reason.contains("cannot connect to 127.0.0.1"), "{reason}");
    client.close();
}

#[test]
fn a_server_that_goes_away_is_left_and_met_again_after_its_delay() {
    let server = Server::run(vec![
        Box::new(|peer| {
            peer.welcome(0);
            let code = answerback_proto::code::Code::Draining.number();
            peer.write(0, UserId(0), &GoAway { code, delay_ms: 40 });
            assert_eq!(peer.read_to_end(), [], "the client closes");
        }),
        Box::new(|peer| {
            assert_eq!(peer.welcome(0).connection_counter, 2);
            peer.read_to_end();
        }),
    ]);
    let place = Place::new();
    let client = place.open(&server.address);
    wait_until(&client, |client| client.statistics().unwrap().opened_count == 2);
    client.close();
    server.finish();
}
