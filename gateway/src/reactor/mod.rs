//! One core's end of the kernel: a poll, its waker, its timer, its listener.
//!
//! mio's epoll is edge-triggered. Whoever stops before the kernel said "would block" gets
//! no further event and must remember that there is more: connections on the core's ready
//! list, the listener by a flag of its own. A socket's expiry as a source is its close;
//! a socket must leave the poll before it is registered with another.

pub(crate) mod listener;
pub(crate) mod slot;
mod timer;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use answerback_directory::mailbox::{Doorbell, Wake};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token, Waker};

use crate::limits::EVENTS_PER_TICK;
use listener::Listener;
use slot::SlotKey;
use timer::Timer;

const LISTENER: Token = Token(usize::MAX);
const WAKER: Token = Token(usize::MAX - 1);
const TIMER: Token = Token(usize::MAX - 2);

// A key is packed into a token.
const _: () = assert!(usize::BITS == 64);

/// What the kernel said of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Readiness {
    /// Whose.
    pub(crate) key: SlotKey,
    /// There may be something to read, or the end.
    pub(crate) is_readable: bool,
    /// The peer will send no more: after the last bytes comes the end, without an event.
    pub(crate) is_read_closed: bool,
    /// There may be room to write.
    pub(crate) is_writable: bool,
}

/// Poll, waker, timer and listener of one core.
pub(crate) struct Reactor {
    poll: Poll,
    events: Events,
    waker: Arc<CoreWaker>,
    timer: Timer,
    listener: Option<Listener>,
}

/// Ends a core's sleep from another thread.
pub(crate) struct CoreWaker(Waker);

impl Wake for CoreWaker {
    fn wake(&self) {
        // It fails only where the poll is gone, and then nobody sleeps in it.
        let _ = self.0.wake();
    }
}

impl Reactor {
    /// A reactor that listens.
    pub(crate) fn new(mut listener: Listener) -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(CoreWaker(Waker::new(poll.registry(), WAKER)?));
        let timer = Timer::register(poll.registry(), TIMER)?;
        poll.registry().register(listener.source(), LISTENER, Interest::READABLE)?;
        Ok(Self {
            poll,
            events: Events::with_capacity(EVENTS_PER_TICK),
            waker,
            timer,
            listener: Some(listener),
        })
    }

    /// What ends this core's sleep.
    pub(crate) fn waker(&self) -> Arc<CoreWaker> {
        Arc::clone(&self.waker)
    }

    /// Sleeps until something happens or `wait` is over, unless a mailbox holds
    /// something, and hands out what happened to connections.
    pub(crate) fn poll(
        &mut self,
        doorbell: &Doorbell,
        wait: Option<Duration>,
        mut each: impl FnMut(Readiness),
    ) -> io::Result<()> {
        let may_sleep = wait != Some(Duration::ZERO) && doorbell.prepare_sleep();
        let polled =
            self.poll.poll(&mut self.events, if may_sleep { wait } else { Some(Duration::ZERO) });
        if may_sleep {
            doorbell.awake();
        }
        match polled {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            Err(_) => return Ok(()),
            Ok(()) => {}
        }
        for event in &self.events {
            match event.token() {
                LISTENER => self.listener.iter_mut().for_each(Listener::handle_ready),
                WAKER => {}
                TIMER => self.timer.handle_expired(),
                token => each(Readiness {
                    key: key(token),
                    is_readable: event.is_readable() || event.is_read_closed() || event.is_error(),
                    is_read_closed: event.is_read_closed() || event.is_error(),
                    is_writable: event.is_writable(),
                }),
            }
        }
        Ok(())
    }

    /// Wakes this core at a time, finer than a millisecond.
    pub(crate) fn wake_at(&mut self, due_us: u64, now_us: u64) -> io::Result<()> {
        self.timer.set(due_us, now_us)
    }

    /// Watches a socket under a key.
    pub(crate) fn watch(&self, socket: &mut TcpStream, key: SlotKey) -> io::Result<()> {
        self.poll.registry().register(socket, token(key), Interest::READABLE | Interest::WRITABLE)
    }

    /// Watches a socket no longer, so that another core can.
    pub(crate) fn release(&self, socket: &mut TcpStream) -> io::Result<()> {
        self.poll.registry().deregister(socket)
    }

    /// The listener, until the box stops.
    pub(crate) fn listener(&mut self) -> Option<&mut Listener> {
        self.listener.as_mut()
    }

    /// Listens no longer.
    pub(crate) fn close_listener(&mut self) {
        self.listener = None;
    }
}

fn token(key: SlotKey) -> Token {
    Token((key.generation as usize) << u32::BITS | key.index as usize)
}

fn key(token: Token) -> SlotKey {
    SlotKey { index: token.0 as u32, generation: (token.0 >> u32::BITS) as u32 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_its_token() {
        for (index, generation) in [(0, 0), (7, 1), (u32::MAX - 3, u32::MAX), (1, u32::MAX)] {
            let whole = SlotKey { index, generation };
            assert_eq!(key(token(whole)), whole);
        }
    }
}
