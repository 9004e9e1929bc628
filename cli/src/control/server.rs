//! The thread "control" of a box: one command after the other.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::net::{Shutdown, shutdown};

use super::desk::Desk;
use super::socket::ControlSocket;
use super::{Answer, LINE_BYTES_MAX};

/// How long a command may take to send its line, or to read its answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long taking commands rests where the system refuses one, as without descriptors.
const REST: Duration = Duration::from_secs(1);

/// A box that may be asked. Dropping it lets the request under way end, and takes no more.
#[derive(Debug)]
pub(crate) struct ControlServer {
    socket: ControlSocket,
    is_ending: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl ControlSocket {
    /// Answers commands from now on.
    pub(crate) fn serve(self, desk: Desk) -> io::Result<ControlServer> {
        let listener = self.listener.try_clone()?;
        let is_ending = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&is_ending);
        let thread = thread::Builder::new()
            .name("control".to_owned())
            .spawn(move || run(&listener, &desk, &ends))?;
        Ok(ControlServer { socket: self, is_ending, thread: Some(thread) })
    }
}

impl Drop for ControlServer {
    fn drop(&mut self) {
        self.is_ending.store(true, Ordering::Release);
        // The thread that waits in accept is woken by it; where that fails it ends with
        // the process.
        if shutdown(&self.socket.listener, Shutdown::Both).is_ok()
            && let Some(thread) = self.thread.take()
        {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

fn run(listener: &UnixListener, desk: &Desk, is_ending: &AtomicBool) {
    while !is_ending.load(Ordering::Acquire) {
        match listener.accept() {
            // A command that went away does not want its answer.
            Ok((stream, _)) => drop(serve_one(&stream, desk)),
            Err(_) => thread::park_timeout(REST),
        }
    }
}

fn serve_one(mut stream: &UnixStream, desk: &Desk) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut line = Vec::new();
    BufReader::new(stream.take(LINE_BYTES_MAX)).read_until(b'\n', &mut line)?;
    let answer = match serde_json::from_slice(&line) {
        Ok(request) => desk.answer(request),
        Err(error) => Answer::Error(format!("the box does not understand the request: {error}")),
    };
    let mut line = serde_json::to_vec(&answer)?;
    line.push(b'\n');
    stream.write_all(&line)
}
