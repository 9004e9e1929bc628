//! The lock between the app's threads and the client's own.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Error;
use super::device::Device;
use super::event::ClientEvent;
use crate::clock::Clock;
use crate::transport::Bell;

/// An orderly close waits at most so long for the socket to take what is owed to the server.
const CLOSING_MAX: Duration = Duration::from_secs(1);

/// A device that threads share; none once the client is closed.
#[derive(Debug)]
pub(super) struct Shared {
    device: Mutex<Option<Device>>,
    changed: Condvar,
    bell: Bell,
    pub(super) clock: Clock,
}

impl Shared {
    pub(super) fn new(device: Device, bell: Bell) -> Self {
        Self {
            device: Mutex::new(Some(device)),
            changed: Condvar::new(),
            bell,
            clock: Clock::new(),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Option<Device>> {
        self.device.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes who waits for events, where there are some, or for the end.
    pub(super) fn tell(&self, device: &Device) {
        if !device.events.is_empty() || device.is_closing {
            self.changed.notify_all();
        }
    }

    pub(super) fn is_dialing(&self) -> bool {
        self.lock().as_ref().is_some_and(|device| device.link.is_dialing())
    }

    /// Does something for the app.
    pub(super) fn with<T>(
        &self,
        act: impl FnOnce(&mut Device) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut device = self.lock();
        let Some(device) = device.as_mut() else {
            return Err(Error::usage("the client is closed; open it again"));
        };
        let outcome = act(device);
        self.tell(device);
        outcome
    }

    /// The same, and the client's thread is to look at it.
    pub(super) fn with_wake<T>(
        &self,
        act: impl FnOnce(&mut Device) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let outcome = self.with(act);
        self.bell.ring();
        outcome
    }

    pub(super) fn next_event(&self, timeout_ms: u64) -> Option<ClientEvent> {
        let is_quiet = |device: &mut Option<Device>| {
            device.as_ref().is_some_and(|device| device.events.is_empty())
        };
        let timeout = Duration::from_millis(timeout_ms);
        let (mut device, _) = self
            .changed
            .wait_timeout_while(self.lock(), timeout, is_quiet)
            .unwrap_or_else(PoisonError::into_inner);
        device.as_mut()?.events.pop()
    }

    /// Closes the file as soon as the socket has taken what is owed to the server.
    pub(super) fn close(&self) {
        let mut device = self.lock();
        if let Some(device) = device.as_mut() {
            device.is_closing = true;
        }
        self.bell.ring();
        let owes = |device: &mut Option<Device>| device.as_mut().is_some_and(Device::owes);
        let waited = self.changed.wait_timeout_while(device, CLOSING_MAX, owes);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
        self.abandon();
    }

    /// Closes the file, at once; the thread ends by itself.
    pub(super) fn abandon(&self) {
        let device = self.lock().take();
        drop(device);
        self.bell.ring();
        self.changed.notify_all();
    }
}
