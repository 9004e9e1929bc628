//! A file of an older version is used as it is, and all in it is still there.

use super::*;

const VERSION_1: &str = include_str!("version_1.sql");

fn version(path: &Path) -> i64 {
    let connection = Connection::open(path).unwrap();
    connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
}

fn old_file() -> File {
    let file = File::new();
    Connection::open(&file.path).unwrap().execute_batch(VERSION_1).unwrap();
    assert_eq!(version(&file.path), 1);
    file
}

#[test]
fn a_file_of_version_1_goes_on() {
    let file = old_file();
    let mut storage = file.open();
    let device = storage.device_state().unwrap();
    assert_eq!((device.generation, device.cursor), (Generation(3), Position(42)));
    assert_eq!((device.unnoted_reads, device.ticket), (Vec::new(), None));
    let undecided = Outgoing {
        peer: BOB,
        sequence: Sequence(5),
        content_type: 1,
        seen_ms: 900,
        life_s: 0,
        payload: b"five".to_vec(),
        recalled: None,
        to_group: false,
    };
    assert_eq!(device.undecided, [undecided]);
    use SentState::{Accepted, Delivered, Failed, Queued, Refused};
    let states: Vec<_> = (1..=5).map(|sequence| state(&storage, sequence)).collect();
    assert_eq!(states, [Delivered, Failed, Accepted, Delivered, Queued]);
    let refused = storage.sent(UserId(3), Sequence(1)).unwrap().unwrap();
    assert_eq!((refused.state, refused.code), (Refused, Some(3006)));
    let to_hand_over = storage.to_hand_over(10).unwrap();
    assert_eq!(
        to_hand_over.iter().map(|one| one.payload.as_slice()).collect::<Vec<_>>(),
        [b"world"]
    );
    assert_eq!(storage.chat(BOB, 10).unwrap().len(), 7);
    assert_eq!(storage.raise_connection_counter().unwrap(), 8);
    assert_eq!(queue(&mut storage, 1), [6]);
}

#[test]
fn what_a_migrated_file_knows_goes_with_what_comes() {
    let file = old_file();
    let mut storage = file.open();
    record(&mut storage, &[message(43, 22, 2, 900), copied(44, 12, 1, 5), read_by(PHONE, 4)]);
    use SentState::{Accepted, Failed, Read};
    let states = [1, 2, 3, 4].map(|sequence| state(&storage, sequence));
    assert_eq!(states, [Read, Failed, Accepted, Read], "a receipt had excepted the third");
    assert_eq!(storage.to_hand_over(10).unwrap().len(), 1, "a repeat is a repeat");
    assert_eq!(storage.read(BOB, DeviceId(22), Sequence(2)).unwrap().unwrap().up_to.0, 2);
}

#[test]
fn a_file_is_migrated_once() {
    let file = old_file();
    drop(file.open());
    assert_eq!(version(&file.path), 6);
    let states = |storage: &Storage| [1, 4, 5].map(|sequence| state(storage, sequence));
    let once = states(&file.open());
    assert_eq!(states(&file.open()), once);
}

#[test]
fn a_new_file_has_the_tables_of_a_migrated_one() {
    let (new, migrated) = (File::new(), old_file());
    let tables = |file: &File| -> Vec<(String, String)> {
        drop(file.open());
        let connection = Connection::open(&file.path).unwrap();
        let select = "SELECT name, coalesce(sql, '') FROM sqlite_schema ORDER BY name";
        let mut statement = connection.prepare(select).unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)));
        let words = |sql: String| sql.split_whitespace().collect::<Vec<_>>().join(" ");
        rows.unwrap().map(|row| row.map(|(name, sql)| (name, words(sql))).unwrap()).collect()
    };
    assert_eq!(tables(&new), tables(&migrated));
}

#[test]
fn another_devices_old_file_is_refused_and_left_as_it_is() {
    let file = old_file();
    let other = Storage::open(&file.path, ALICE, DeviceId(12));
    assert!(matches!(other, Err(StorageError::OtherDevice { .. })), "{other:?}");
    drop(other);
    assert_eq!(version(&file.path), 1);
}
