//! The sockets of the admin listener. A client may be slow, send rubbish or never end: it has a
//! few seconds, one handshake and one request with a small buffer, and makes room for the next
//! one when there are too many.

use std::collections::VecDeque;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::access::Access;
use super::routes::{self, Seen};
use crate::exit::Failure;

/// As many at once; the oldest goes for one more.
pub(super) const CONNECTIONS_MAX: usize = 64;
/// How long a client may take for its handshake, and again for its request line and headers.
pub(super) const HEADERS_DEADLINE: Duration = Duration::from_secs(2);
/// And for all, the answer fetched.
pub(super) const DEADLINE: Duration = Duration::from_secs(10);
/// Request line and headers; hyper takes no less.
pub(super) const BUFFER_BYTES: usize = 8192;
/// How long taking connections rests where the system gives none, as without descriptors.
const REST: Duration = Duration::from_secs(1);

/// A listener and its thread, until it is dropped.
#[derive(Debug)]
pub(super) struct Listener {
    address: SocketAddr,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Listener {
    /// Answers at an address from now on.
    pub(super) fn start(address: SocketAddr, seen: Seen) -> Result<Self, Failure> {
        let cannot = |error: io::Error| cannot_listen(address, &error);
        let listener = TcpListener::bind(address).map_err(cannot)?;
        listener.set_nonblocking(true).map_err(cannot)?;
        let address = listener.local_addr().map_err(cannot)?;
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        let (end, ended) = oneshot::channel();
        let access = seen.access.clone();
        let thread = thread::Builder::new().name("admin".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = ended => {}
                    () = serve(listener, &access, routes::router(seen)) => {}
                }
            });
        })?;
        Ok(Self { address, end: Some(end), thread: Some(thread) })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            // One that panicked has said so.
            let _ = thread.join();
        }
    }
}

/// Ends only where the system does not let it listen any more.
async fn serve(listener: TcpListener, access: &Access, router: Router) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    let mut connections: VecDeque<AbortHandle> = VecDeque::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(REST).await;
            continue;
        };
        connections.retain(|connection| !connection.is_finished());
        if connections.len() >= CONNECTIONS_MAX
            && let Some(oldest) = connections.pop_front()
        {
            oldest.abort();
        }
        let acceptor = access.tls().map(TlsAcceptor::from);
        let answering = tokio::spawn(timeout(DEADLINE, answer(stream, acceptor, router.clone())));
        connections.push_back(answering.abort_handle());
    }
}

/// A handshake where there has to be one, then a request. A client that breaks the rules, or is
/// too slow, is closed.
async fn answer(stream: TcpStream, acceptor: Option<TlsAcceptor>, router: Router) {
    match acceptor {
        None => answer_request(stream, router).await,
        Some(acceptor) => {
            if let Ok(Ok(stream)) = timeout(HEADERS_DEADLINE, acceptor.accept(stream)).await {
                answer_request(stream, router).await;
            }
        }
    }
}

async fn answer_request(stream: impl AsyncRead + AsyncWrite + Unpin, router: Router) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_DEADLINE)
        .keep_alive(false)
        .max_buf_size(BUFFER_BYTES)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let _ = connection.await;
}

fn cannot_listen(address: SocketAddr, error: &io::Error) -> Failure {
    let (port, host) = (address.port(), address.ip());
    if error.kind() == io::ErrorKind::AddrInUse {
        return Failure::new(format_args!(
            "port {port} of {host}, for metrics and probes, is taken: stop what listens there, or \
             choose another with --admin-listen (`none` for no such listener)"
        ));
    }
    Failure::new(format_args!(
        "cannot listen for metrics and probes on {address}: {error}; choose another address with \
         --admin-listen"
    ))
}
