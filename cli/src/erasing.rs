//! The thread "erase" of a box: what was deleted leaves the files, now and then.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use answerback_store::Store;
use tracing::error;

/// Erases every so often until it is dropped, which waits for an erasure under way.
///
/// An erasure that fails ends it, and the box: a store takes no write behind a failed one, so
/// that the next one of the box's storage thread, within a second, is the fault it stops for.
#[derive(Debug)]
pub(crate) struct Eraser {
    orders: Sender<Order>,
    thread: Option<JoinHandle<()>>,
}

/// Changes how often.
#[derive(Clone, Debug)]
pub(crate) struct ErasePeriod(Sender<Order>);

#[derive(Debug)]
enum Order {
    Period(Duration),
    End,
}

impl Eraser {
    /// Begins, a period from now.
    pub(crate) fn start(store: Store, period: Duration) -> std::io::Result<Self> {
        let (orders, ordered) = channel();
        let named = thread::Builder::new().name("erase".to_owned());
        let thread = named.spawn(move || run(&store, period, &ordered))?;
        Ok(Self { orders, thread: Some(thread) })
    }

    /// What changes how often it erases.
    pub(crate) fn period(&self) -> ErasePeriod {
        ErasePeriod(self.orders.clone())
    }
}

impl ErasePeriod {
    /// Erases next in a period from now.
    pub(crate) fn set(&self, period: Duration) {
        // One that has ended erases no more, however often.
        let _ = self.0.send(Order::Period(period));
    }
}

fn run(store: &Store, mut period: Duration, orders: &Receiver<Order>) {
    loop {
        match orders.recv_timeout(period) {
            Ok(Order::Period(new)) => period = new,
            Ok(Order::End) | Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => {
                if let Err(fault) = store.erase() {
                    error!(
                        alarm = "erase_failed",
                        "what was deleted cannot be erased, the box ends: {fault}"
                    );
                    return;
                }
            }
        }
    }
}

impl Drop for Eraser {
    fn drop(&mut self) {
        let _ = self.orders.send(Order::End);
        if let Some(thread) = self.thread.take() {
            // One that panicked has said so.
            let _ = thread.join();
        }
    }
}
