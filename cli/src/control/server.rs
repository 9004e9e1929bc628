//! The threads "control" of a box: each takes one command after the other, so that one that is
//! slow keeps no other waiting.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::net::{Shutdown, shutdown};

use super::desk::Desk;
use super::socket::ControlSocket;
use super::{Answer, LINE_BYTES_MAX, Request};

/// How long a command may take to send its line, or to read its answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Commands that are answered at once.
const THREADS: usize = 4;
/// Of them, those that read much: one thread always answers the others.
const SLOW_MAX: usize = THREADS - 1;
/// How long taking commands rests where the system refuses one, as without descriptors.
const REST: Duration = Duration::from_secs(1);

/// A box that may be asked. Dropping it lets the requests under way end, and takes no more.
#[derive(Debug)]
pub(crate) struct ControlServer {
    socket: ControlSocket,
    is_ending: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

/// What the threads share.
struct Office {
    listener: UnixListener,
    desk: Desk,
    is_ending: Arc<AtomicBool>,
    slow: AtomicUsize,
}

/// A place among the slow commands; dropping it gives it back.
struct SlowSeat<'a>(&'a AtomicUsize);

impl ControlSocket {
    /// Answers commands from now on.
    pub(crate) fn serve(self, desk: Desk) -> io::Result<ControlServer> {
        let listener = self.listener.try_clone()?;
        let is_ending = Arc::new(AtomicBool::new(false));
        let slow = AtomicUsize::new(0);
        let office = Office { listener, desk, is_ending: Arc::clone(&is_ending), slow };
        let office = Arc::new(office);
        let mut server = ControlServer { socket: self, is_ending, threads: Vec::new() };
        for _ in 0..THREADS {
            let office = Arc::clone(&office);
            let thread = thread::Builder::new().name("control".to_owned());
            server.threads.push(thread.spawn(move || office.run())?);
        }
        Ok(server)
    }
}

impl Drop for ControlServer {
    fn drop(&mut self) {
        self.is_ending.store(true, Ordering::Release);
        // The threads that wait in accept are woken by it; where that fails they end with the
        // process.
        if shutdown(&self.socket.listener, Shutdown::Both).is_ok() {
            for thread in self.threads.drain(..) {
                thread.thread().unpark();
                let _ = thread.join();
            }
        }
    }
}

impl Office {
    fn run(&self) {
        while !self.is_ending.load(Ordering::Acquire) {
            match self.listener.accept() {
                // A command that went away does not want its answer.
                Ok((stream, _)) => drop(self.serve_one(&stream)),
                Err(_) => thread::park_timeout(REST),
            }
        }
    }

    fn serve_one(&self, mut stream: &UnixStream) -> io::Result<()> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut line = Vec::new();
        BufReader::new(stream.take(LINE_BYTES_MAX)).read_until(b'\n', &mut line)?;
        let answer = match serde_json::from_slice(&line) {
            Ok(request) => self.answer(request),
            Err(error) => {
                Answer::Error(format!("the box does not understand the request: {error}"))
            }
        };
        let mut line = serde_json::to_vec(&answer)?;
        line.push(b'\n');
        stream.write_all(&line)
    }

    fn answer(&self, request: Request) -> Answer {
        if !request.is_slow() {
            return self.desk.answer(request);
        }
        match SlowSeat::take(&self.slow) {
            Some(_seat) => self.desk.answer(request),
            None => Answer::Error(format!(
                "{SLOW_MAX} commands that read much are under way: try again when one has ended"
            )),
        }
    }
}

impl<'a> SlowSeat<'a> {
    fn take(slow: &'a AtomicUsize) -> Option<Self> {
        let seat = Self(slow);
        (slow.fetch_add(1, Ordering::AcqRel) < SLOW_MAX).then_some(seat)
    }
}

impl Drop for SlowSeat<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_commands_leave_a_thread_for_the_others() {
        let slow = AtomicUsize::new(0);
        let seats: Vec<_> = (0..SLOW_MAX).map(|_| SlowSeat::take(&slow).unwrap()).collect();
        assert!(SlowSeat::take(&slow).is_none());
        assert!(SlowSeat::take(&slow).is_none(), "who was refused has none to give back");
        drop(seats);
        assert!(SlowSeat::take(&slow).is_some());
        assert_eq!(slow.load(Ordering::Relaxed), 0);
    }
}
