//! A socket that blocks nobody, and the wait for it.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use socket2::{Domain, Protocol, Socket, Type};

use super::ConnectError;
use crate::clock::Clock;

/// An address that does not answer within this time is not there.
const DIAL_TIMEOUT: Duration = Duration::from_secs(10);

/// The bell of a sleeping thread: what is written into one end wakes who waits at the other.
#[derive(Debug)]
pub(crate) struct Bell(UnixStream);

/// The sleeper's end.
#[derive(Debug)]
pub(crate) struct Sleeper(UnixStream);

/// Both ends.
pub(crate) fn bell() -> io::Result<(Bell, Sleeper)> {
    let (bell, sleeper) = UnixStream::pair()?;
    bell.set_nonblocking(true)?;
    sleeper.set_nonblocking(true)?;
    Ok((Bell(bell), Sleeper(sleeper)))
}

impl Bell {
    /// Wakes the sleeper, once for however many rings.
    pub(crate) fn ring(&self) {
        // A full pipe rings already; a closed one has nobody who sleeps.
        let _ = (&self.0).write(&[0]);
    }
}

impl Sleeper {
    fn silence(&self) {
        let mut rings = [0; 64];
        while (&self.0).read(&mut rings).is_ok_and(|length| length == rings.len()) {}
    }
}

/// What ended a wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Woken {
    /// The socket has something, or an error.
    pub(crate) is_readable: bool,
    /// The socket takes something.
    pub(crate) is_writable: bool,
    /// Somebody rang.
    pub(crate) is_rung: bool,
}

/// Waits for the bell, for the socket where there is one, or for the time to pass.
pub(crate) fn wait(
    sleeper: &Sleeper,
    socket: Option<&impl AsFd>,
    wants_to_write: bool,
    timeout: Option<Duration>,
) -> io::Result<Woken> {
    let mut flags = PollFlags::IN;
    flags.set(PollFlags::OUT, wants_to_write);
    let bell = PollFd::new(&sleeper.0, PollFlags::IN);
    let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
    let (bell, socket) = match socket {
        Some(socket) => {
            let mut both = [bell, PollFd::from_borrowed_fd(socket.as_fd(), flags)];
            poll_again(&mut both, timeout.as_ref())?;
            let [bell, socket] = both;
            (bell.revents(), socket.revents())
        }
        None => {
            let mut one = [bell];
            poll_again(&mut one, timeout.as_ref())?;
            let [bell] = one;
            (bell.revents(), PollFlags::empty())
        }
    };
    let is_rung = !bell.is_empty();
    if is_rung {
        sleeper.silence();
    }
    Ok(Woken {
        is_readable: socket.intersects(!PollFlags::OUT),
        is_writable: socket.contains(PollFlags::OUT),
        is_rung,
    })
}

/// A signal ends a wait like a bell that nobody rang: the caller looks and waits again.
fn poll_again(descriptors: &mut [PollFd<'_>], timeout: Option<&Timespec>) -> io::Result<()> {
    match poll(descriptors, timeout) {
        Ok(_) => Ok(()),
        Err(Errno::INTR) => {
            descriptors.iter_mut().for_each(PollFd::clear_revents);
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

/// Waits for a socket alone.
pub(super) fn wait_for(
    socket: &TcpStream,
    wants_to_write: bool,
    timeout: Duration,
) -> io::Result<()> {
    let mut flags = PollFlags::IN;
    flags.set(PollFlags::OUT, wants_to_write);
    let timeout = Timespec::try_from(timeout).ok();
    poll_again(&mut [PollFd::from_borrowed_fd(socket.as_fd(), flags)], timeout.as_ref())
}

/// Opens a socket; rung while it waits, it asks whether that is still wanted.
pub(super) fn open(
    address: SocketAddr,
    sleeper: &Sleeper,
    is_wanted: &dyn Fn() -> bool,
) -> Result<TcpStream, ConnectError> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    match socket.connect(&address.into()) {
        Ok(()) => return Ok(socket.into()),
        Err(error) if error.raw_os_error() == Some(Errno::INPROGRESS.raw_os_error()) => {}
        Err(error) => return Err(error.into()),
    }
    let socket = TcpStream::from(socket);
    let clock = Clock::new();
    loop {
        let left = DIAL_TIMEOUT.saturating_sub(clock.elapsed());
        let woken = wait(sleeper, Some(&socket), true, Some(left))?;
        if woken.is_rung && !is_wanted() {
            return Err(ConnectError::Unwanted);
        }
        if woken.is_readable || woken.is_writable {
            return match socket.take_error()? {
                Some(error) => Err(error.into()),
                None => Ok(socket),
            };
        }
        if left.is_zero() {
            return Err(io::Error::from(ErrorKind::TimedOut).into());
        }
    }
}
