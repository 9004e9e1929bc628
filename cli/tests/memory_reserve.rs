//! A box that has nearly as much in memory as it may takes no new message and lets nobody in; who
//! is there goes on, it says so, and all of that ends with a higher ceiling.
#![expect(clippy::unwrap_used, reason = "a test fails by it")]

mod common;

use std::fs;
use std::process::Stdio;

use answerback_proto::code::Code;
use answerback_proto::kind::{Kind, Refused};
use common::http::metrics_when;
use common::log::Log;
use common::raw::{Raw, hello_frame, read};
use common::{Place, Server, admin_address, answerback};
use rustix::process::Signal;

/// Settings with this ceiling.
fn configure(place: &Place, memory_max_mib: &str) {
    let text = format!(
        "[box]\ndata = \"data\"\njwks = \"keys/jwks.json\"\nmemory_max_mib = {memory_max_mib}\n\
         [gateway]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n"
    );
    fs::write(place.path("box.toml"), text).unwrap();
}

#[test]
fn without_memory_nothing_new_is_taken_until_there_is_some() {
    let place = Place::new();
    configure(&place, "\"auto\"");
    let mut command = answerback();
    command.arg("serve").arg("--config").arg(place.path("box.toml")).stderr(Stdio::piped());
    let mut server = Server::start(&mut command);
    let mut log = Log::of(&mut server);
    let address = admin_address(&place.path("data"));
    place.log_in_once(&server, 2);
    let mut sender = Raw::log_in(&place, &server, 1, 1);
    sender.send(2, 1, b"with memory");
    sender.answer(101, Kind::Accepted);

    // Less than any box has.
    configure(&place, "1");
    server.signal(Signal::HUP);
    let told = log.event("are refused: the box has");
    assert_eq!((&told["level"], &told["alarm"]), (&"ERROR".into(), &"memory_low".into()));
    assert_eq!(told["max_mib"], 1);
    sender.send(2, 2, b"without");
    let refused: Refused = read(&sender.answer(102, Kind::Refused));
    assert_eq!(Code::from_number(refused.code), Some(Code::MemoryReserve));
    assert!(refused.retry_after_ms >= 1000);
    let told = Raw::connect(&server).say_last(&hello_frame(&place, 3, 1));
    assert_eq!(told, Some(Code::MemoryReserve), "nobody is let in");
    let seen = metrics_when(&address, |metrics| {
        metrics.value("answerback_refused_requests_total{code=\"MemoryReserve\"}") > 0.0
            && metrics.value("answerback_closed_connections_total{code=\"MemoryReserve\"}") > 0.0
            && metrics.value("answerback_memory_is_low") > 0.0
    });
    assert!((seen.value("answerback_memory_max_bytes") - f64::from(1 << 20)).abs() < 1e-9);
    assert!(seen.value("process_resident_memory_bytes") > f64::from(1 << 20));

    configure(&place, "\"auto\"");
    server.signal(Signal::HUP);
    log.event("are taken again");
    sender.send(2, 2, b"with memory again");
    sender.answer(102, Kind::Accepted);
    place.log_in_once(&server, 3);
    metrics_when(&address, |metrics| metrics.value("answerback_memory_is_low") < 1.0);
    assert!(server.stop().success());
}
