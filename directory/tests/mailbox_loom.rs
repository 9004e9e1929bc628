//! The doorbell's protocol in every order that the memory model allows.
//!
//! `make loom` runs it. A lost wake-up is a consumer that sleeps for ever, which loom
//! reports as a deadlock; a lost item is one too, since the consumer waits for all.
#![cfg(loom)]

use std::sync::Arc;

use answerback_directory::mailbox::{Doorbell, Receiver, Sender, Wake, mailbox};
use loom::sync::{Condvar, Mutex};
use loom::thread;

/// What the consumer sleeps on. Not loom's `park`: that forgets an `unpark` which comes
/// while the thread waits for anything else, and a [`Wake`] must not.
#[derive(Default)]
struct Signal {
    wakes: Mutex<Wakes>,
    changed: Condvar,
}

#[derive(Default)]
struct Wakes {
    pending: bool,
    count: usize,
}

impl Signal {
    fn sleep(&self) {
        let mut wakes = self.wakes.lock().unwrap();
        while !wakes.pending {
            wakes = self.changed.wait(wakes).unwrap();
        }
        wakes.pending = false;
    }
}

impl Wake for Signal {
    fn wake(&self) {
        let mut wakes = self.wakes.lock().unwrap();
        wakes.pending = true;
        wakes.count += 1;
        self.changed.notify_one();
    }
}

struct Consumer {
    doorbell: Doorbell,
    signal: Arc<Signal>,
}

impl Consumer {
    fn new() -> Self {
        let signal = Arc::new(Signal::default());
        Self { doorbell: Doorbell::new(Arc::clone(&signal) as Arc<dyn Wake>), signal }
    }

    /// Drains until `count` items came, sleeping whenever the doorbell allows it; no more
    /// wake-ups may have come than it was asked.
    fn receive(&self, receivers: &mut [Receiver<u8>], count: usize) -> Vec<u8> {
        let mut items = Vec::new();
        let mut asked = 0;
        loop {
            for receiver in &mut *receivers {
                receiver.drain(8, |item| items.push(item));
            }
            if items.len() == count {
                assert!(self.signal.wakes.lock().unwrap().count <= asked);
                return items;
            }
            asked += 1;
            if self.doorbell.prepare_sleep() {
                self.signal.sleep();
                self.doorbell.awake();
            } else {
                thread::yield_now(); // an item is announced and not there yet
            }
        }
    }
}

fn send(sender: &Sender<u8>, item: u8) {
    while sender.try_send(item).is_err() {
        thread::yield_now();
    }
}

/// All orders with at most three preemptions: enough for a planted fault in each step of
/// the protocol to be found; without the bound a model takes minutes.
fn model(check: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(check);
}

/// Each sender sends its item and rings, in a thread of its own; all items must come.
fn all_arrive(consumer: &Consumer, senders: [Sender<u8>; 2], receivers: &mut [Receiver<u8>]) {
    let mut item = 0;
    let producers = senders.map(|sender| {
        item += 1;
        thread::spawn(move || {
            send(&sender, item);
            sender.notify();
        })
    });
    let mut items = consumer.receive(receivers, 2);
    items.sort_unstable();
    assert_eq!(items, [1, 2]);
    for producer in producers {
        producer.join().unwrap();
    }
}

#[test]
fn one_producer_two_bursts() {
    model(|| {
        let mut consumer = Consumer::new();
        let (sender, receiver) = mailbox(4, &mut consumer.doorbell);
        let producer = thread::spawn(move || {
            send(&sender, 1);
            send(&sender, 2);
            sender.notify();
            send(&sender, 3);
            sender.notify();
        });
        assert_eq!(consumer.receive(&mut [receiver], 3), [1, 2, 3]);
        producer.join().unwrap();
    });
}

#[test]
fn two_producers_two_queues_one_doorbell() {
    model(|| {
        let mut consumer = Consumer::new();
        let (first, first_receiver) = mailbox(1, &mut consumer.doorbell);
        let (second, second_receiver) = mailbox(1, &mut consumer.doorbell);
        all_arrive(&consumer, [first, second], &mut [first_receiver, second_receiver]);
    });
}

#[test]
fn two_producers_of_one_queue() {
    model(|| {
        let mut consumer = Consumer::new();
        let (sender, receiver) = mailbox(2, &mut consumer.doorbell);
        all_arrive(&consumer, [sender.clone(), sender], &mut [receiver]);
    });
}
