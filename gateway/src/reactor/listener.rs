//! The listening sockets: one for each core, all on one address.
//!
//! The kernel spreads new connections over sockets that share an address
//! (`SO_REUSEPORT`). It would also share the address with another process of the same
//! user, silently; so an exclusive socket is bound first to see that nobody is there, unless
//! it is known that somebody is, whose place is taken over.
//!
//! What is set on a listening socket is inherited by what it accepts, which saves a system
//! call a connection.
//!
//! A process without descriptors cannot even turn anybody away: who connects would wait in the
//! kernel and time out. So each listener keeps a spare one, which it gives up to take a
//! connection and close it.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::Duration;

use mio::event::Source;
use mio::net::{TcpListener, TcpStream};
use rustix::event::{EventfdFlags, eventfd};
use rustix::io::Errno;
use socket2::{Domain, Protocol, Socket, Type};

use crate::limits::{ACCEPT_BACKLOG, ACCEPT_PAUSE_MS, EXHAUSTION_ALARM_MS};

/// The listening socket of one core.
#[derive(Debug)]
pub(crate) struct Listener {
    socket: TcpListener,
    /// Connections may wait; edges do not repeat themselves.
    is_ready: bool,
    /// Accepting rests until then, where the process ran out of something.
    paused_until_ms: Option<u64>,
    /// Until then the operator knows of it.
    told_until_ms: u64,
    /// Given up where there is no other descriptor; none where somebody else took it then.
    spare: Option<OwnedFd>,
}

/// What accepting came to.
#[derive(Debug)]
pub(crate) enum Accepted {
    /// A new connection, and whose.
    Socket(TcpStream, SocketAddr),
    /// This one failed; the next may not.
    Failed,
    /// None waits, or accepting rests.
    Nothing,
    /// There was no descriptor for a connection: it was closed. The operator should know of
    /// it, unless he was told lately.
    TurnedAway(Option<io::Error>),
    /// The process ran out of descriptors or memory: accepting rests from now on, which the
    /// operator should know.
    Exhausted(io::Error),
}

/// Where a box listens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// The address; port 0 takes any free one.
    pub(crate) address: SocketAddr,
    /// Another process listens there, and is about to leave.
    pub(crate) takes_over: bool,
    /// Sent bytes that a peer's kernel does not confirm for so long end the connection.
    pub(crate) unconfirmed: Duration,
}

/// Binds a listener for each of `count` cores; says the address, its port chosen.
pub(crate) fn bind(mut place: Place, count: u16) -> io::Result<(Vec<Listener>, SocketAddr)> {
    let first = listening_socket(place, place.takes_over)?;
    let address = first.local_addr()?.as_socket().ok_or(io::ErrorKind::Unsupported)?;
    drop(first);
    place.address = address;
    let sockets: Vec<_> =
        (0..count).map(|_| listening_socket(place, true)).collect::<io::Result<_>>()?;
    Ok((sockets.into_iter().map(Listener::new).collect(), address))
}

fn listening_socket(place: Place, is_shared: bool) -> io::Result<Socket> {
    let domain = Domain::for_address(place.address);
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    // A box that restarts must not wait for its old connections to time out.
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(is_shared)?;
    socket.set_nonblocking(true)?;
    // Frames are written a tick at a time; holding them back gains nothing.
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_user_timeout(Some(place.unconfirmed))?;
    socket.bind(&place.address.into())?;
    socket.listen(ACCEPT_BACKLOG)?;
    Ok(socket)
}

impl Listener {
    fn new(socket: Socket) -> Self {
        let socket = TcpListener::from_std(socket.into());
        let spare = spare();
        Self { socket, is_ready: true, paused_until_ms: None, told_until_ms: 0, spare }
    }

    /// What a poll registers.
    pub(crate) fn source(&mut self) -> &mut impl Source {
        &mut self.socket
    }

    /// Connections wait.
    pub(crate) fn handle_ready(&mut self) {
        self.is_ready = true;
    }

    /// When there is something to accept, or may be: ms; 0 for now.
    pub(crate) fn poll_timeout(&self) -> Option<u64> {
        self.is_ready.then(|| self.paused_until_ms.unwrap_or(0))
    }

    /// Takes the next connection.
    pub(crate) fn accept(&mut self, now_ms: u64) -> Accepted {
        if !self.is_ready || self.paused_until_ms.is_some_and(|until_ms| now_ms < until_ms) {
            return Accepted::Nothing;
        }
        self.paused_until_ms = None;
        match self.socket.accept() {
            Ok((socket, address)) => {
                self.spare = self.spare.take().or_else(spare);
                Accepted::Socket(socket, address)
            }
            Err(error) => self.handle_error(error, now_ms),
        }
    }

    fn handle_error(&mut self, error: io::Error, now_ms: u64) -> Accepted {
        if !lacks_descriptor(&error) || self.spare.take().is_none() {
            return self.handle_failure(error, now_ms);
        }
        // Without a descriptor the kernel does not even say whether somebody waits.
        let turned_away = self.socket.accept().map(drop);
        self.spare = spare();
        match turned_away {
            Ok(()) => Accepted::TurnedAway(self.is_news(now_ms).then_some(error)),
            Err(error) => self.handle_failure(error, now_ms),
        }
    }

    fn handle_failure(&mut self, error: io::Error, now_ms: u64) -> Accepted {
        if error.kind() == io::ErrorKind::WouldBlock {
            self.is_ready = false;
            Accepted::Nothing
        } else if is_exhaustion(&error) {
            self.paused_until_ms = Some(now_ms + ACCEPT_PAUSE_MS);
            if self.is_news(now_ms) { Accepted::Exhausted(error) } else { Accepted::Nothing }
        } else {
            Accepted::Failed
        }
    }

    /// Whether the operator was not told of a shortage lately; now he is.
    fn is_news(&mut self, now_ms: u64) -> bool {
        let is_news = self.told_until_ms <= now_ms;
        if is_news {
            self.told_until_ms = now_ms + EXHAUSTION_ALARM_MS;
        }
        is_news
    }
}

/// A descriptor of nothing much. Where there is none, it is tried again.
fn spare() -> Option<OwnedFd> {
    eventfd(0, EventfdFlags::CLOEXEC).ok()
}

fn lacks_descriptor(error: &io::Error) -> bool {
    let code = error.raw_os_error().map(Errno::from_raw_os_error);
    matches!(code, Some(Errno::MFILE | Errno::NFILE))
}

/// Errors that the next `accept` would meet too, at once and again.
fn is_exhaustion(error: &io::Error) -> bool {
    let code = error.raw_os_error().map(Errno::from_raw_os_error);
    lacks_descriptor(error) || matches!(code, Some(Errno::NOBUFS | Errno::NOMEM))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const ANY_PORT: Place = Place {
        address: SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
        takes_over: false,
        unconfirmed: Duration::from_secs(7),
    };

    #[test]
    fn cores_share_an_address() {
        let (listeners, address) = bind(ANY_PORT, 3).unwrap();
        assert_eq!(listeners.len(), 3);
        for listener in &listeners {
            assert_eq!(listener.socket.local_addr().unwrap(), address);
        }
    }

    #[test]
    fn boxes_do_not_share_an_address_unless_one_takes_over() {
        for (ours, theirs) in [(1, 1), (1, 2), (2, 1), (2, 2)] {
            let (_held, address) = bind(ANY_PORT, ours).unwrap();
            let there = Place { address, ..ANY_PORT };
            let error = bind(there, theirs).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::AddrInUse, "{ours} {theirs}");
            let (_taken, taken) = bind(Place { takes_over: true, ..there }, theirs).unwrap();
            assert_eq!(taken, address);
        }
    }

    #[test]
    fn what_is_accepted_inherits_what_is_set() {
        let (mut listeners, address) = bind(ANY_PORT, 1).unwrap();
        let _peer = std::net::TcpStream::connect(address).unwrap();
        let Accepted::Socket(socket, peer) = listeners[0].accept(0) else { panic!("a connection") };
        assert_eq!(peer.ip(), Ipv4Addr::LOCALHOST);
        let socket = socket2::SockRef::from(&socket);
        assert!(socket.tcp_nodelay().unwrap());
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(ANY_PORT.unconfirmed));
    }

    #[test]
    fn accepting_rests_after_the_process_ran_out() {
        let (mut listeners, _address) = bind(ANY_PORT, 1).unwrap();
        let listener = &mut listeners[0];
        let exhausted = listener.handle_error(Errno::NOBUFS.into(), 1000);
        assert!(matches!(exhausted, Accepted::Exhausted(_)));
        assert_eq!(listener.poll_timeout(), Some(1000 + ACCEPT_PAUSE_MS));
        assert!(matches!(listener.accept(1000), Accepted::Nothing));
        assert_eq!(listener.poll_timeout(), Some(1000 + ACCEPT_PAUSE_MS));
        assert!(matches!(listener.accept(1000 + ACCEPT_PAUSE_MS), Accepted::Nothing));
        assert_eq!(listener.poll_timeout(), None);
    }

    #[test]
    fn a_shortage_that_lasts_is_not_told_ten_times_a_second() {
        let (mut listeners, _address) = bind(ANY_PORT, 1).unwrap();
        let listener = &mut listeners[0];
        let mut is_told = |now_ms| {
            let accepted = listener.handle_error(Errno::NOBUFS.into(), now_ms);
            matches!(accepted, Accepted::Exhausted(_))
        };
        let times_ms = (0..=EXHAUSTION_ALARM_MS).step_by(ACCEPT_PAUSE_MS as usize);
        assert_eq!(times_ms.filter(|&now_ms| is_told(1 + now_ms)).count(), 2);
    }

    /// Whoever is turned away gives his place to the next, and the spare is there again.
    #[test]
    fn without_descriptors_who_connects_is_closed() {
        let (mut listeners, address) = bind(ANY_PORT, 1).unwrap();
        let listener = &mut listeners[0];
        for round in 0..3 {
            let mut peer = std::net::TcpStream::connect(address).unwrap();
            let accepted = listener.handle_error(Errno::MFILE.into(), 1000);
            let Accepted::TurnedAway(told) = accepted else { panic!("{accepted:?}") };
            assert_eq!(told.is_some(), round == 0);
            assert_eq!(io::Read::read(&mut peer, &mut [0]).unwrap(), 0);
        }
        let nobody = listener.handle_error(Errno::NFILE.into(), 1000);
        assert!(matches!(nobody, Accepted::Nothing), "{nobody:?}");
        assert_eq!((listener.poll_timeout(), listener.spare.is_some()), (None, true));
    }

    #[test]
    fn without_a_spare_descriptor_accepting_rests() {
        let (mut listeners, _address) = bind(ANY_PORT, 1).unwrap();
        let listener = &mut listeners[0];
        listener.spare = None;
        let exhausted = listener.handle_error(Errno::MFILE.into(), 1000);
        assert!(matches!(exhausted, Accepted::Exhausted(_)), "{exhausted:?}");
    }
}
