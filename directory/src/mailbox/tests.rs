//! The mailbox by itself: bounds, order, who is woken and how often, and real threads.

use super::*;
use std::sync::atomic::AtomicUsize;
use std::thread::{self, Thread};

/// Counts wake-ups.
#[derive(Default)]
struct Counter(AtomicUsize);

impl Wake for Counter {
    fn wake(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Counter {
    fn wakes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// Unparks a thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(&self) {
        self.0.unpark();
    }
}

fn counted() -> (Arc<Counter>, Doorbell) {
    let counter = Arc::new(Counter::default());
    let doorbell = Doorbell::new(Arc::clone(&counter) as Arc<dyn Wake>);
    (counter, doorbell)
}

fn drained<T>(receiver: &mut Receiver<T>, max: usize) -> Vec<T> {
    let mut items = Vec::new();
    let count = receiver.drain(max, |item| items.push(item));
    assert_eq!(count, items.len());
    items
}

#[test]
fn a_full_queue_hands_the_item_back() {
    let (_, mut doorbell) = counted();
    let (sender, mut receiver) = mailbox(2, &mut doorbell);
    assert_eq!(
        [sender.try_send(1), sender.try_send(2), sender.try_send(3)],
        [Ok(()), Ok(()), Err(3)]
    );
    assert_eq!(drained(&mut receiver, 1), [1]);
    assert_eq!(sender.try_send(4), Ok(()));
    assert_eq!(drained(&mut receiver, 9), [2, 4]);
}

#[test]
fn a_drain_stops_at_its_bound() {
    let (_, mut doorbell) = counted();
    let (sender, mut receiver) = mailbox(8, &mut doorbell);
    (0..5).for_each(|item| sender.try_send(item).unwrap());
    assert_eq!(drained(&mut receiver, 0), [0; 0]);
    assert_eq!(drained(&mut receiver, 3), [0, 1, 2]);
    assert!(!doorbell.prepare_sleep(), "two items are left");
    assert_eq!(drained(&mut receiver, 3), [3, 4]);
    assert!(doorbell.prepare_sleep());
}

#[test]
fn nobody_wakes_a_consumer_that_is_up() {
    let (counter, mut doorbell) = counted();
    let (sender, _receiver) = mailbox(8, &mut doorbell);
    sender.try_send(1).unwrap();
    sender.notify();
    assert!(!doorbell.prepare_sleep(), "an item is there");
    sender.notify();
    assert_eq!(counter.wakes(), 0, "a refused sleep is no sleep");
}

#[test]
fn a_sleeper_is_woken_once() {
    let (counter, mut doorbell) = counted();
    let (first, _first_receiver) = mailbox(8, &mut doorbell);
    let (second, _second_receiver) = mailbox(8, &mut doorbell);
    assert!(doorbell.prepare_sleep());
    first.try_send(1).unwrap();
    assert_eq!(counter.wakes(), 0, "an item alone wakes nobody");
    first.notify();
    second.try_send("two").unwrap();
    second.notify();
    first.clone().notify();
    assert_eq!(counter.wakes(), 1);
}

#[test]
fn every_sleep_can_be_ended() {
    let (counter, mut doorbell) = counted();
    let (sender, mut receiver) = mailbox(8, &mut doorbell);
    for round in 1..=3 {
        assert!(doorbell.prepare_sleep());
        sender.try_send(round).unwrap();
        sender.notify();
        assert_eq!(counter.wakes(), round);
        doorbell.awake();
        sender.notify();
        assert_eq!(counter.wakes(), round, "it said that it is up");
        assert_eq!(drained(&mut receiver, 8), [round]);
    }
}

#[test]
fn an_item_in_any_queue_keeps_the_consumer_up() {
    let (_, mut doorbell) = counted();
    let (_numbers, mut number_receiver) = mailbox::<u64>(4, &mut doorbell);
    let (texts, mut text_receiver) = mailbox::<&str>(4, &mut doorbell);
    texts.try_send("here").unwrap();
    assert!(!doorbell.prepare_sleep());
    assert_eq!(drained(&mut number_receiver, 4), [0; 0]);
    assert_eq!(drained(&mut text_receiver, 4), ["here"]);
    assert!(doorbell.prepare_sleep());
}

#[test]
fn what_is_not_drained_is_dropped_with_the_mailbox() {
    let item = Arc::new(());
    let (_, mut doorbell) = counted();
    let (sender, receiver) = mailbox(4, &mut doorbell);
    sender.try_send(Arc::clone(&item)).unwrap();
    drop((sender, receiver, doorbell));
    assert_eq!(Arc::strong_count(&item), 1);
}

/// Three producers with queues of their own against one parked consumer, queues small
/// enough to be full often. A lost wake-up hangs here; a lost item or order fails.
#[test]
fn threads_lose_nothing_and_keep_each_producers_order() {
    const ITEMS: u64 = 20_000;
    let mut doorbell = Doorbell::new(Arc::new(Unpark(thread::current())));
    let (senders, mut receivers): (Vec<_>, Vec<_>) =
        (0..3).map(|_| mailbox::<u64>(16, &mut doorbell)).unzip();
    thread::scope(|scope| {
        for sender in senders {
            scope.spawn(move || (0..ITEMS).for_each(|item| send_until_taken(&sender, item)));
        }
        let mut next = [0; 3];
        while next.iter().any(|&next| next < ITEMS) {
            for (receiver, next) in receivers.iter_mut().zip(&mut next) {
                receiver.drain(8, |item| {
                    assert_eq!(item, *next);
                    *next += 1;
                });
            }
            if doorbell.prepare_sleep() {
                // Everything taken may be the very last of it: then nobody wakes us.
                if next.iter().any(|&next| next < ITEMS) {
                    thread::park();
                }
                doorbell.awake();
            }
        }
    });
}

fn send_until_taken(sender: &Sender<u64>, item: u64) {
    while sender.try_send(item).is_err() {
        sender.notify();
        thread::yield_now();
    }
    sender.notify();
}
