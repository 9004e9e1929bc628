//! A timer that is finer than `epoll_wait`, which rounds to milliseconds: a commit's
//! linger is one to three of them.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

/// A one-shot timer in a poll. It is never read: each expiry is an edge of its own.
#[derive(Debug)]
pub(crate) struct Timer {
    descriptor: OwnedFd,
    /// What it is set to, so that it is set only where that changes.
    due_us: Option<u64>,
}

impl Timer {
    /// A timer that is not set, whose expiry is an event with `token`.
    pub(crate) fn register(registry: &Registry, token: Token) -> io::Result<Self> {
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        let descriptor = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        registry.register(&mut SourceFd(&descriptor.as_raw_fd()), token, Interest::READABLE)?;
        Ok(Self { descriptor, due_us: None })
    }

    /// Sets it; a time that has passed expires at once.
    pub(crate) fn set(&mut self, due_us: u64, now_us: u64) -> io::Result<()> {
        if self.due_us == Some(due_us) {
            return Ok(());
        }
        // Zero would be "never".
        let wait_us = due_us.saturating_sub(now_us).max(1);
        let it_value = Timespec {
            tv_sec: i64::try_from(wait_us / 1_000_000).unwrap_or(i64::MAX),
            tv_nsec: (wait_us % 1_000_000 * 1000) as _,
        };
        let never = Timespec { tv_sec: 0, tv_nsec: 0 };
        let setting = Itimerspec { it_interval: never, it_value };
        timerfd_settime(&self.descriptor, TimerfdTimerFlags::empty(), &setting)?;
        self.due_us = Some(due_us);
        Ok(())
    }

    /// It has expired.
    pub(crate) fn handle_expired(&mut self) {
        self.due_us = None;
    }
}
