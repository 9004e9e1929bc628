//! Peers that hold memory and do not go on: one takes nothing of what it is sent, another never
//! ends the frame that it has begun.
//!
//! A connection comes here when the kernel takes no more for it, or when a read leaves the
//! beginning of a frame; most are past that at once. While it is here it is looked at several
//! times within the shorter of the two deadlines, and what it did since the last look is two
//! bits beside it: so a connection at rest has neither a timer nor a time.

use std::collections::VecDeque;

use answerback_proto::code::Code;

use super::Core;
use super::connection::Connection;
use crate::config::GatewayConfig;
use crate::reactor::slot::SlotKey;
use crate::session::{Fault, State};

/// Whether a connection goes on: bits, since a million of them have it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    marks: u8,
}

/// What is so of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Mark {
    /// The kernel took no more for it: an event will say when it does.
    Blocked = 1,
    /// It is looked at.
    Watched = 2,
    /// The kernel took something for it since the last look.
    Written = 4,
    /// A frame ended since then.
    Framed = 8,
}

impl Progress {
    /// Whether it is so.
    #[inline]
    pub(crate) fn has(self, mark: Mark) -> bool {
        self.marks & mark as u8 != 0
    }

    /// Now it is, or is not.
    #[inline]
    pub(crate) fn set(&mut self, mark: Mark, is_so: bool) {
        self.marks = if is_so { self.marks | mark as u8 } else { self.marks & !(mark as u8) };
    }

    /// Of what was unsent, the kernel took so much.
    #[inline]
    pub(crate) fn handle_written(&mut self, length: usize, unsent: usize) {
        self.set(Mark::Blocked, length < unsent);
        if length > 0 {
            self.set(Mark::Written, true);
        }
    }

    /// What was so since the last look counts no more.
    fn begin_look(&mut self) {
        self.set(Mark::Written, false);
        self.set(Mark::Framed, false);
    }
}

/// Those that are looked at.
#[derive(Debug, Default)]
pub(super) struct Slow {
    queue: VecDeque<Look>,
}

/// The next look at a connection.
#[derive(Clone, Copy, Debug)]
struct Look {
    due_ms: u64,
    key: SlotKey,
    /// Since when nothing was written, at least.
    blocked_since_ms: u64,
    /// Since when the frame is under way, at least.
    begun_since_ms: u64,
}

/// What is wrong with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// It is past what it was watched for.
    Past,
    /// It may go on.
    Waiting,
    /// It takes nothing.
    Stalled,
    /// Its frame does not end.
    TooSlow,
}

/// Looks in the shorter of the two deadlines.
const LOOKS: u64 = 8;
/// A queue that is shorter keeps its memory.
const KEPT: usize = 64;

impl Slow {
    /// Looks at a connection from now on.
    fn watch(&mut self, key: SlotKey, now_ms: u64, config: &GatewayConfig) {
        let due_ms = now_ms + period_ms(config);
        self.queue.push_back(Look {
            due_ms,
            key,
            blocked_since_ms: now_ms,
            begun_since_ms: now_ms,
        });
    }

    /// When the next look is due, ms.
    pub(super) fn poll_timeout(&self) -> Option<u64> {
        self.queue.front().map(|look| look.due_ms)
    }

    fn pop_due(&mut self, now_ms: u64) -> Option<Look> {
        let look = self.queue.pop_front_if(|look| look.due_ms <= now_ms)?;
        if self.queue.is_empty() {
            self.queue.shrink_to(KEPT);
        }
        Some(look)
    }
}

fn period_ms(config: &GatewayConfig) -> u64 {
    (config.write_stall_ms.min(config.frame_deadline_ms) / LOOKS).max(1)
}

impl Look {
    /// A core that stood still has read and written nothing for anybody meanwhile, and looks
    /// before it does.
    fn forgive(&mut self, late_ms: u64) {
        self.blocked_since_ms += late_ms;
        self.begun_since_ms += late_ms;
    }

    /// Looks; what the connection did from here on counts for the next look.
    fn at(&mut self, connection: &mut Connection, now_ms: u64, config: &GatewayConfig) -> Verdict {
        self.forgive(now_ms.saturating_sub(self.due_ms));
        let (progress, is_begun) = (connection.progress, connection.has_begun());
        let is_blocked = progress.has(Mark::Blocked);
        connection.progress.begin_look();
        if progress.has(Mark::Written) || !is_blocked {
            self.blocked_since_ms = now_ms;
        }
        // One that is not read cannot end its frame.
        if progress.has(Mark::Framed) || !is_begun || connection.is_paused {
            self.begun_since_ms = now_ms;
        }
        if now_ms - self.blocked_since_ms >= config.write_stall_ms {
            Verdict::Stalled
        } else if now_ms - self.begun_since_ms >= config.frame_deadline_ms {
            Verdict::TooSlow
        } else if is_blocked || is_begun {
            Verdict::Waiting
        } else {
            Verdict::Past
        }
    }
}

impl Core {
    /// Looks at connections from now on that may be slow.
    pub(super) fn watch_slow(&mut self) {
        let now_ms = self.now_ms();
        for key in self.connections.take_slow() {
            self.slow.watch(key, now_ms, &self.config);
        }
    }

    /// Closes those that are.
    pub(super) fn close_slow(&mut self) {
        let now_ms = self.now_ms();
        while let Some(mut look) = self.slow.pop_due(now_ms) {
            let Some(connection) = self.connections.find(look.key) else { continue };
            match look.at(connection, now_ms, &self.config) {
                Verdict::Past => connection.progress.set(Mark::Watched, false),
                Verdict::Waiting => {
                    look.due_ms = now_ms + period_ms(&self.config);
                    self.slow.queue.push_back(look);
                }
                Verdict::Stalled => {
                    self.counts.stalled += 1;
                    self.close(look.key);
                }
                Verdict::TooSlow => {
                    connection.progress.set(Mark::Watched, false);
                    if connection.session.state != State::Closing {
                        self.fail(look.key, Fault::of_connection(Code::FrameTooSlow));
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener, TcpStream as StdStream};

    use answerback_proto::frame_buffer::FrameBuffer;
    use mio::net::TcpStream;

    use super::*;
    use crate::session::Session;

    const KEY: SlotKey = SlotKey { index: 0, generation: 0 };

    fn config() -> GatewayConfig {
        GatewayConfig { write_stall_ms: 100, frame_deadline_ms: 300, ..GatewayConfig::default() }
    }

    fn connection() -> Connection {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let socket = StdStream::connect(listener.local_addr().unwrap()).unwrap();
        Connection::new(TcpStream::from_std(socket), None, Session::new(), 0)
    }

    /// What looks find, 50 ms apart, a connection that is changed before each.
    fn looks<const COUNT: usize>(change: impl Fn(&mut Connection, usize)) -> [Verdict; COUNT] {
        let (mut connection, mut slow) = (connection(), Slow::default());
        slow.watch(KEY, 1000, &config());
        let mut look = slow.pop_due(2000).unwrap();
        let mut number = 0;
        [(); COUNT].map(|()| {
            number += 1;
            change(&mut connection, number);
            look.due_ms = 1000 + 50 * number as u64;
            look.at(&mut connection, look.due_ms, &config())
        })
    }

    use Verdict::{Past, Stalled, TooSlow, Waiting};

    #[test]
    fn who_takes_nothing_is_stalled() {
        let verdicts = looks(|connection, _| connection.progress.set(Mark::Blocked, true));
        assert_eq!(verdicts, [Waiting, Stalled]);
    }

    #[test]
    fn who_takes_a_little_is_not() {
        let verdicts = looks(|connection, number| {
            connection.progress.set(Mark::Blocked, number < 6);
            connection.progress.set(Mark::Written, number < 4);
        });
        assert_eq!(verdicts, [Waiting, Waiting, Waiting, Waiting, Stalled, Past]);
    }

    #[test]
    fn a_frame_that_does_not_end_is_too_slow() {
        let verdicts =
            looks(|connection, _| connection.frames = Some(Box::new(FrameBuffer::default())));
        assert_eq!(verdicts, [Waiting, Waiting, Waiting, Waiting, Waiting, TooSlow]);
    }

    #[test]
    fn frames_that_end_are_not_nor_those_that_nobody_reads() {
        for is_ending in [true, false] {
            let verdicts = looks(|connection, number| {
                connection.frames = Some(Box::new(FrameBuffer::default()));
                connection.progress.set(Mark::Framed, is_ending && number % 5 == 0);
                connection.is_paused = !is_ending && number % 5 == 0;
            });
            assert_eq!(verdicts, [Waiting; 9]);
        }
    }

    #[test]
    fn a_core_that_stood_still_blames_nobody() {
        let (mut connection, mut slow) = (connection(), Slow::default());
        connection.progress.set(Mark::Blocked, true);
        connection.frames = Some(Box::new(FrameBuffer::default()));
        slow.watch(KEY, 1000, &config());
        let mut look = slow.pop_due(60_000).unwrap();
        assert_eq!(look.at(&mut connection, 60_000, &config()), Waiting);
        look.due_ms = 60_080;
        assert_eq!(look.at(&mut connection, 60_080, &config()), Waiting);
        look.due_ms = 60_090;
        assert_eq!(look.at(&mut connection, 60_090, &config()), Stalled);
    }

    #[test]
    fn a_storm_leaves_no_memory() {
        let mut slow = Slow::default();
        (0..1000).for_each(|_| slow.watch(KEY, 1000, &config()));
        assert_eq!(slow.poll_timeout(), Some(1012));
        while slow.pop_due(1012).is_some() {}
        assert!(slow.queue.capacity() <= 2 * KEPT);
    }
}
