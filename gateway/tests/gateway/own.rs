//! What users do about their own things, over real sockets.

use answerback_gateway::GatewayConfig;
use answerback_proto::code::Code;
use answerback_proto::encode::Address;
use answerback_proto::kind::{
    Declined, Devices, Done, GoAway, Hello, Kind, ListDevices, NameDevice, RevokeDevice, Welcome,
};

use crate::chats::{login_device, until};
use crate::client::{Client, frame, hello};
use crate::journal::MemoryJournal;
use crate::running::{Running, config};

const ALICE: u128 = 1;
const CORES: [u16; 2] = [1, 3];

fn name_frame(tag: u32, device: u128, name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let address = Address { flags: 0, tag, target: ALICE };
    NameDevice { device, name_length: 0 }.append(&mut bytes, address, name).unwrap();
    bytes
}

#[test]
fn a_user_lists_names_and_revokes_devices() {
    for cores in CORES {
        let running = Running::start(cores);
        let mut phone = Client::login(running.address, ALICE);
        let mut laptop = login_device(&running, ALICE, 2);
        phone.write(&name_frame(7, 2, "laptop"));
        let (header, done) = phone.expect::<Done>();
        assert_eq!((header.tag, header.target), (7, ALICE));
        assert!(done.at_ms > 1_700_000_000_000);
        phone.write(&frame(8, ALICE, &ListDevices { behind: 0 }, &[]));
        let answer = until(&mut phone, Kind::Devices);
        let (page, listed) = Devices::read(&answer.envelope).unwrap();
        assert_eq!((answer.header.tag, page.has_more), (8, 0));
        let told: Vec<_> = listed
            .iter()
            .map(|device| (device.device.0, device.name.as_str(), device.is_online))
            .collect();
        assert_eq!(told, [(1, "", true), (2, "laptop", true)]);
        phone.write(&frame(9, ALICE, &RevokeDevice { device: 2 }, &[]));
        phone.expect::<Done>();
        assert_eq!(laptop.expect_error().0, Code::DeviceRevoked);
        phone.write(&frame(10, ALICE, &RevokeDevice { device: 77 }, &[]));
        let (header, declined) = phone.expect::<Declined>();
        assert_eq!((header.tag, declined.code), (10, Code::UnknownDevice.number()));
        phone.ping(1);
    }
}

#[test]
fn a_device_that_revokes_itself_is_told_both() {
    let running = Running::start(2);
    let mut phone = Client::login(running.address, ALICE);
    phone.write(&frame(3, ALICE, &RevokeDevice { device: 1 }, &[]));
    phone.expect::<Done>();
    assert_eq!(phone.expect_error().0, Code::DeviceRevoked);
    let mut again = Client::connect(running.address);
    again.say_hello(ALICE, Hello { connection_counter: 2, ..hello(1) });
    assert!(again.next_of::<Welcome>().is_none());
}

#[test]
fn a_box_that_drains_declines() {
    let config = GatewayConfig { drain_ms: 1 << 40, ..config() };
    let running = Running::with(1, config, MemoryJournal::default());
    let mut phone = Client::login(running.address, ALICE);
    running.trigger_stop();
    phone.expect::<GoAway>();
    phone.write(&frame(3, ALICE, &RevokeDevice { device: 1 }, &[]));
    let declined: Declined = until(&mut phone, Kind::Declined).read();
    assert_eq!(declined.code, Code::Draining.number());
    assert!(declined.retry_after_ms > 0);
    drop(phone);
    running.join().unwrap();
}
