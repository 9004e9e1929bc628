//! Two users with two devices each, their sessions and their files, against a model of a
//! server: whatever is cut, whoever dies before it has stored, and although everything comes
//! again in another generation, every device has the whole chat once, in the same order, and
//! knows what became of it and what was read.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by it"
)]

mod model;

use std::collections::BTreeMap;
use std::path::Path;

use answerback_proto::frame_buffer::FrameBuffer;
use answerback_proto::id::{DeviceId, Sequence, UserId};
use answerback_proto::limits::FRAME_BYTES_HARD_MAX;
use answerback_sdk::session::{ClientSession, Event, ReadMark};
use answerback_sdk::storage::{ChatMessage, Draft, Fate, SentState, Storage};

use model::Model;

const ALICE: UserId = UserId(1);
const BOB: UserId = UserId(2);
const DEVICES: [(UserId, DeviceId); 4] =
    [(ALICE, DeviceId(11)), (ALICE, DeviceId(12)), (BOB, DeviceId(21)), (BOB, DeviceId(22))];
/// What each device sends.
const MESSAGES: u64 = 12;

/// xorshift: enough to vary a test.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// A device with its file; its connection is bytes in one call.
struct Device {
    id: (UserId, DeviceId),
    peer: UserId,
    storage: Storage,
    session: ClientSession,
    to_server: FrameBuffer,
    /// The app's: how often each message was handed over.
    handed_over: BTreeMap<(DeviceId, Sequence), u64>,
}

impl Device {
    fn new(directory: &Path, (user, device): (UserId, DeviceId)) -> Self {
        let storage = Storage::open(&directory.join(device.to_string()), user, device).unwrap();
        let session = ClientSession::new(storage.device_state().unwrap());
        let peer = if user == ALICE { BOB } else { ALICE };
        let mut new = Self {
            id: (user, device),
            peer,
            storage,
            session,
            to_server: FrameBuffer::default(),
            handed_over: BTreeMap::new(),
        };
        new.connect();
        new
    }

    fn connect(&mut self) {
        let counter = self.storage.raise_connection_counter().unwrap();
        self.to_server = FrameBuffer::default();
        self.session.handle_connected(counter, "token");
    }

    /// The app dies: only its file is left.
    fn restart(&mut self) {
        self.session = ClientSession::new(self.storage.device_state().unwrap());
        self.connect();
    }

    /// Now and then a message takes the one before it back; the model has no mind for that.
    fn send(&mut self, sequence: u64, random: &mut Random) {
        let text = format!("{} of {}", sequence, self.id.1).into_bytes();
        let draft = match random.below(4) {
            0 if sequence > 1 => Draft::recall(self.peer, Sequence(sequence - 1), 1, text),
            _ => Draft::new(self.peer, 1, text),
        };
        let queued = self.storage.queue([draft]).unwrap();
        queued.into_iter().for_each(|message| self.session.send(message));
    }

    /// One round trip, cut after any byte of either direction where there are faults.
    fn step(&mut self, now_ms: u64, model: &mut Model, random: &mut Random, faults: bool) {
        self.session.handle_timeout(now_ms);
        let is_cut = faults && random.below(5) == 0;
        let keep = |length: usize, random: &mut Random| match is_cut {
            true => random.below(length as u64 + 1) as usize,
            false => length,
        };
        let mut out = Vec::new();
        while self.session.poll_transmit(&mut out) {}
        let arrived = keep(out.len(), random);
        let mut answers = Vec::new();
        let mut received = &out[..arrived];
        while let Some(frame) =
            self.to_server.next_frame(&mut received, FRAME_BYTES_HARD_MAX).unwrap()
        {
            model.take(self.id, &frame, &mut answers);
        }
        if self.session.is_open() {
            model.push(self.id, &mut answers);
        }
        let arrived = keep(answers.len(), random);
        for chunk in answers[..arrived].chunks(1 + random.below(200) as usize) {
            self.session.handle_received(now_ms, chunk).unwrap();
            if is_cut && random.below(3) == 0 {
                return self.restart();
            }
            self.store();
        }
        if is_cut {
            self.connect();
        }
    }

    fn store(&mut self) {
        let mut burst = self.storage.burst().unwrap();
        while let Some(event) = self.session.poll_event() {
            let is_loss = matches!(event, Event::Missing { .. } | Event::Refused { .. });
            assert!(!is_loss, "{event:?}");
            burst.record(&event).unwrap();
        }
        if let Some(position) = burst.commit().unwrap() {
            self.session.handle_stored(position);
        }
    }

    /// The app takes what waits for it, and reads some of it.
    fn hand_over(&mut self, random: &mut Random) {
        for message in self.storage.to_hand_over(100).unwrap() {
            *self.handed_over.entry((message.device, message.sequence)).or_default() += 1;
            self.storage.handed_over(message.row).unwrap();
            if random.below(3) == 0 {
                self.read(message.device, message.sequence);
            }
        }
    }

    fn read(&mut self, device: DeviceId, up_to: Sequence) {
        if let Some(ReadMark { peer, device, up_to }) =
            self.storage.read(self.peer, device, up_to).unwrap()
        {
            self.session.read(peer, device, up_to);
        }
    }

    fn chat(&self) -> Vec<ChatMessage> {
        self.storage.chat(self.peer, 1_000).unwrap()
    }

    /// Whether it has all of both sides, and all of it was read.
    fn is_done(&self) -> bool {
        let chat = self.chat();
        let is_read = |one: &ChatMessage| {
            matches!(one.fate, Fate::Sent(SentState::Read) | Fate::Received { is_read: true })
        };
        chat.len() as u64 == MESSAGES * 4
            && chat.iter().all(is_read)
            && self.session.undecided() == 0
            && self.storage.device_state().unwrap().unnoted_reads.is_empty()
    }
}

fn live(seed: u64) {
    let directory = tempfile::tempdir().unwrap();
    let (mut random, mut model) = (Random(seed), Model::new());
    let mut devices = DEVICES.map(|id| Device::new(directory.path(), id));
    for round in 1.. {
        let faults = round <= 40;
        for device in &mut devices {
            if round <= MESSAGES {
                device.send(round, &mut random);
            }
            device.step(round * 10, &mut model, &mut random, faults);
            device.hand_over(&mut random);
        }
        if faults && random.below(15) == 0 {
            model.change_generation();
            devices.iter_mut().for_each(Device::connect);
        }
        if !faults {
            devices[2].read(DeviceId(11), Sequence(MESSAGES));
            devices[3].read(DeviceId(12), Sequence(MESSAGES));
            devices[0].read(DeviceId(21), Sequence(MESSAGES));
            devices[0].read(DeviceId(22), Sequence(MESSAGES));
        }
        if devices.iter().all(Device::is_done) {
            break;
        }
        assert!(round < 200, "seed {seed}: {:#?}", devices.each_ref().map(Device::chat));
    }
    check(&devices);
}

fn check(devices: &[Device; 4]) {
    let shown = |device: &Device| -> Vec<_> {
        let chat = device.chat().into_iter();
        chat.map(|one| (one.sender, one.device, one.sequence, one.payload)).collect()
    };
    let first = shown(&devices[0]);
    for device in devices {
        assert_eq!(shown(device), first, "one order for all");
        assert!(device.handed_over.values().all(|count| *count == 1));
        assert_eq!(device.handed_over.len() as u64, MESSAGES * 2, "from the peer's devices");
    }
    for id in DEVICES {
        let of_device = first.iter().filter(|(_, device, ..)| *device == id.1);
        assert!(of_device.map(|(_, _, sequence, _)| sequence.0).eq(1..=MESSAGES));
    }
}

#[test]
fn every_device_has_the_whole_chat_once_and_in_one_order() {
    for seed in 1..=8 {
        live(seed * 0x9e37_79b9);
    }
}
