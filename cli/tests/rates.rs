//! A box with the rates that it has by default, and the SDK: whoever sends more at once than a
//! human does waits, and loses nothing.

mod common;

use std::io::Write;
use std::process::Stdio;

use common::http::metrics_when;
use common::{Place, Server, admin_address, answerback, json_lines};

/// Some more than the 1000 that a device may send at once.
const MESSAGES: usize = 1200;

#[test]
fn who_sends_more_than_a_human_waits_and_loses_nothing() {
    let place = Place::new();
    let data = place.path("data");
    let mut serving = answerback();
    serving.args(["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--data"]);
    serving.arg(&data).arg("--jwks").arg(place.keys().join("jwks.json"));
    let server = Server::start(&mut serving);
    place.log_in_once(&server, 2);

    let mut sending = place.client("send", &server.address, 1);
    sending.args(["--to", "2", "--stdin"]).stdin(Stdio::piped()).stdout(Stdio::null());
    let mut sending = sending.spawn().unwrap();
    let lines: String = (1..=MESSAGES).map(|number| format!("{number}\n")).collect();
    sending.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    assert!(sending.wait().unwrap().success());

    let mut receiving = place.client("recv", &server.address, 2);
    let receiving = receiving.args(["--count", &MESSAGES.to_string()]).output().unwrap();
    let texts = json_lines(&receiving).into_iter().map(|line| line["text"].clone());
    assert!(texts.eq((1..=MESSAGES).map(|number| number.to_string())));
    let limited = "answerback_refused_requests_total{code=\"RateLimited\"}";
    metrics_when(&admin_address(&data), |metrics| {
        metrics.value(limited) > 0.0
            && metrics.value("answerback_messages_accepted_total") > MESSAGES as f64 - 0.5
    });
}
