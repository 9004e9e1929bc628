//! What an item costs between two cores: a side is one `try_send` and its share of a
//! `notify`, or one item of a `drain` and its share of a sleep. Aim: ≤ 40 ns a side.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, Thread};

use answerback_directory::mailbox::{Doorbell, Receiver, Sender, Wake, mailbox};
use criterion::{Criterion, Throughput};

/// Items that a core puts in before it rings.
const BURST: u64 = 64;
/// Items that a queue holds.
const CAPACITY: usize = 1024;
/// About what goes from core to core: a buffer's pointer and length, and a place or two.
type Item = [u64; 4];

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(&self) {
        self.0.unpark();
    }
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    one_thread(&mut criterion);
    two_threads(&mut criterion);
    ring_at_an_awake_consumer(&mut criterion);
    criterion.final_summary();
}

fn doorbell(thread: Thread) -> Doorbell {
    Doorbell::new(Arc::new(Unpark(thread)))
}

fn send_burst(sender: &Sender<Item>) {
    for number in 0..BURST {
        while sender.try_send(black_box([number; 4])).is_err() {
            sender.notify();
            thread::yield_now();
        }
    }
    sender.notify();
}

fn take(receiver: &mut Receiver<Item>) -> usize {
    receiver.drain(CAPACITY, |item| {
        black_box(item);
    })
}

/// Both sides after each other, nothing contended: the sum of two sides.
fn one_thread(criterion: &mut Criterion) {
    let mut doorbell = doorbell(thread::current());
    let (sender, mut receiver) = mailbox(CAPACITY, &mut doorbell);
    let mut group = criterion.benchmark_group("mailbox");
    group.throughput(Throughput::Elements(BURST));
    group.bench_function("send and drain a burst, one thread", |bencher| {
        bencher.iter(|| {
            send_burst(&sender);
            take(&mut receiver)
        });
    });
    group.finish();
}

/// Bursts to a thread that drains and parks. Both sides run at once and the queue is
/// bounded, so the time of an item is that of the slower side.
fn two_threads(criterion: &mut Criterion) {
    let stop = Arc::new(AtomicBool::new(false));
    let (introduce, introduced) = std::sync::mpsc::channel();
    let consumer = thread::spawn({
        let stop = Arc::clone(&stop);
        move || {
            let mut doorbell = doorbell(thread::current());
            let (sender, receiver) = mailbox(CAPACITY, &mut doorbell);
            if introduce.send(sender).is_ok() {
                consume(&doorbell, receiver, &stop);
            }
        }
    });
    let Ok(sender) = introduced.recv() else { return };
    let mut group = criterion.benchmark_group("mailbox");
    group.throughput(Throughput::Elements(BURST));
    group.bench_function("a burst to another thread", |bencher| {
        bencher.iter(|| send_burst(&sender));
    });
    group.finish();
    stop.store(true, Ordering::Release);
    consumer.thread().unpark();
    if consumer.join().is_err() {
        std::process::abort();
    }
}

fn consume(doorbell: &Doorbell, mut receiver: Receiver<Item>, stop: &AtomicBool) {
    while !stop.load(Ordering::Acquire) {
        take(&mut receiver);
        if doorbell.prepare_sleep() {
            thread::park();
            doorbell.awake();
        }
    }
}

/// What a tick pays for asking whether the other side sleeps.
fn ring_at_an_awake_consumer(criterion: &mut Criterion) {
    let mut doorbell = doorbell(thread::current());
    let (sender, _receiver) = mailbox::<Item>(8, &mut doorbell);
    criterion.bench_function("mailbox/notify an awake consumer", |bencher| {
        bencher.iter(|| sender.notify());
    });
}
