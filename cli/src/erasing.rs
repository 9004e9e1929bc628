//! The thread "erase" of a box: what was deleted leaves the files, now and then.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use answerback_store::Store;

/// Erases every so often until it is dropped, which waits for an erasure under way.
///
/// An erasure that fails ends it, and the box: a store takes no write behind a failed one, so
/// that the next one of the box's storage thread, within a second, is the fault it stops for.
#[derive(Debug)]
pub(crate) struct Eraser {
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Eraser {
    /// Begins, a period from now.
    pub(crate) fn start(store: Store, period: Duration) -> std::io::Result<Self> {
        let (end, ended) = channel();
        let thread = thread::Builder::new().name("erase".to_owned()).spawn(move || {
            while ended.recv_timeout(period) == Err(RecvTimeoutError::Timeout) {
                if let Err(fault) = store.erase() {
                    eprintln!("alarm: what was deleted cannot be erased, the box ends: {fault}");
                    return;
                }
            }
        })?;
        Ok(Self { end: Some(end), thread: Some(thread) })
    }
}

impl Drop for Eraser {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            // One that panicked has said so.
            let _ = thread.join();
        }
    }
}
