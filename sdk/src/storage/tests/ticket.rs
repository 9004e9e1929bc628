//! The resume ticket in the device's file.

use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::session::Ticket;

fn ticket(sealed: &[u8]) -> Ticket {
    Ticket { expires_at_ms: 77, secret: [5; 32], sealed: sealed.to_vec() }
}

fn kept(file: &File) -> Option<Ticket> {
    file.open().device_state().unwrap().ticket
}

#[test]
fn the_last_ticket_is_kept_until_it_is_void() {
    let file = File::new();
    assert_eq!(kept(&file), None);
    for next in [Some(ticket(b"first")), Some(ticket(b"second")), None] {
        record(&mut file.open(), &[Event::Ticket(next.clone())]);
        assert_eq!(kept(&file), next);
    }
}

#[test]
fn a_ticket_can_be_forgotten() {
    let file = File::new();
    let mut storage = file.open();
    record(&mut storage, &[Event::Ticket(Some(ticket(b"first")))]);
    storage.forget_ticket().unwrap();
    drop(storage);
    assert_eq!(kept(&file), None);
}

#[test]
fn a_ticket_is_stored_with_what_came_beside_it_or_not_at_all() {
    let file = File::new();
    let mut storage = file.open();
    let mut burst = storage.burst().unwrap();
    burst.record(&Event::Ticket(Some(ticket(b"lost")))).unwrap();
    drop(burst);
    drop(storage);
    assert_eq!(kept(&file), None);
}

/// Half of one, as by a mistake of another program: a token does.
#[test]
fn what_is_no_ticket_is_none() {
    let file = File::new();
    drop(file.open());
    let connection = Connection::open(&file.path).unwrap();
    connection.execute("UPDATE device SET ticket = x'0102'", []).unwrap();
    drop(connection);
    assert_eq!(kept(&file), None);
}

#[test]
fn a_new_file_is_for_its_owner_alone() {
    let file = File::new();
    let _storage = file.open();
    for entry in std::fs::read_dir(file.path.parent().unwrap()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{:?}", entry.file_name());
    }
}
