//! Who makes room.

use std::net::{Ipv4Addr, TcpListener, TcpStream as StdStream};

use super::*;
use crate::core::connection::Connection;
use crate::transport::tls::TlsTickets;

struct Under {
    listener: TcpListener,
    handshakes: Handshakes,
    connections: Connections,
}

impl Under {
    fn new() -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        let certificate = Certificate::from_pem(chain.as_bytes(), key.as_bytes()).unwrap();
        let server = TlsServer::new(&certificate, TlsTickets::new().unwrap()).unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let handshakes = Handshakes::new(Some(server));
        Self { listener, handshakes, connections: Connections::new() }
    }

    /// One that began, and since when we wait for its peer.
    fn begin(&mut self, begun_ms: u64, awaited_since_ms: u64) -> SlotKey {
        let tls = self.handshakes.server.as_ref().unwrap().accept().unwrap();
        let cover = Box::new(Cover { tls, sealed: None, awaited_since_ms });
        let socket = StdStream::connect(self.listener.local_addr().unwrap()).unwrap();
        let socket = TcpStream::from_std(socket);
        let connection = Connection::new(socket, Some(cover), Session::securing(), 0);
        let key = self.connections.table().insert(connection);
        self.handshakes.begun.push(begun_ms + 5000, key);
        key
    }

    fn longest_awaited(&mut self) -> Option<(u64, SlotKey)> {
        self.handshakes.longest_awaited(&mut self.connections)
    }
}

#[test]
fn who_waits_to_be_read_is_in_nobody_s_way() {
    let mut under = Under::new();
    assert_eq!(under.longest_awaited(), None);
    let [first, second] = [100, 200].map(|begun_ms| under.begin(begun_ms, begun_ms));
    assert_eq!(under.longest_awaited(), Some((100, first)));
    under.connections.list(first);
    assert_eq!(under.longest_awaited(), Some((200, second)));
    under.connections.list(second);
    assert_eq!(under.longest_awaited(), None);
    under.connections.take_securing(1);
    assert_eq!(under.longest_awaited(), Some((100, first)), "it is read, and did not go on");
}

/// Its peer cannot have said more before.
#[test]
fn who_was_answered_lately_has_his_time_from_then() {
    let mut under = Under::new();
    let answered = under.begin(100, 900);
    let silent = under.begin(200, 200);
    assert_eq!(under.longest_awaited(), Some((200, silent)));
    under.connections.remove(silent);
    assert_eq!(under.longest_awaited(), Some((900, answered)));
}

#[test]
fn who_is_done_or_gone_is_not_looked_at_again() {
    let mut under = Under::new();
    let [gone, done, under_way] = [1, 2, 3].map(|begun_ms| under.begin(begun_ms, begun_ms));
    under.connections.remove(gone);
    under.connections.find(done).unwrap().session.state = State::Open;
    assert_eq!(under.longest_awaited(), Some((3, under_way)));
    assert_eq!(under.handshakes.begun.keys().collect::<Vec<_>>(), [under_way]);
}
