//! An account service's server of key sets, with all that may be wrong with one.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// Answers each connection with what it has been given, and tells that somebody asked.
pub(crate) struct KeyServer {
    address: SocketAddr,
    scheme: &'static str,
    answer: Arc<Mutex<String>>,
    asked: Receiver<()>,
}

impl KeyServer {
    /// Over plain HTTP, with a key set.
    pub(crate) fn plain(set: &str) -> Self {
        Self::start(set, None)
    }

    /// Over TLS, with the pair that `dev-keys` made in a directory.
    pub(crate) fn secure(set: &str, keys: &Path) -> Self {
        let chain = CertificateDer::from_pem_file(keys.join("tls.crt")).unwrap();
        let key = PrivateKeyDer::from_pem_file(keys.join("tls.key")).unwrap();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(provider);
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let config = builder.with_no_client_auth().with_single_cert(vec![chain], key).unwrap();
        Self::start(set, Some(Arc::new(config)))
    }

    fn start(set: &str, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let answer = Arc::new(Mutex::new(ok(set)));
        let (told, asked) = channel();
        let given = Arc::clone(&answer);
        thread::spawn(move || serve(&listener, tls.as_ref(), &given, &told));
        Self { address, scheme, answer, asked }
    }

    pub(crate) fn url(&self) -> String {
        format!("{}://{}/keys", self.scheme, self.address)
    }

    /// Answers with another set from now on.
    pub(crate) fn publish(&self, set: &str) {
        self.answer_with(&ok(set));
    }

    /// Answers with these bytes from now on.
    pub(crate) fn answer_with(&self, answer: &str) {
        answer.clone_into(&mut self.answer.lock().unwrap());
    }

    /// Waits until somebody asks who has not been waited for yet.
    pub(crate) fn wait_until_asked(&self) {
        self.asked.recv().unwrap();
    }
}

/// A whole answer with this body.
pub(crate) fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

fn serve(
    listener: &TcpListener,
    tls: Option<&Arc<ServerConfig>>,
    answer: &Mutex<String>,
    told: &Sender<()>,
) {
    for stream in listener.incoming() {
        let (stream, answer) = (stream.unwrap(), answer.lock().unwrap().clone());
        // Whoever asked may not trust it, and a test may be over.
        let _ = match tls {
            None => exchange(stream, &answer),
            Some(config) => {
                let connection = ServerConnection::new(Arc::clone(config)).unwrap();
                exchange(StreamOwned::new(connection, stream), &answer)
            }
        };
        let _ = told.send(());
    }
}

fn exchange(mut stream: impl Read + Write + Closing, answer: &str) -> std::io::Result<()> {
    let (mut request, mut part) = (Vec::new(), [0; 4096]);
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        let count = stream.read(&mut part)?;
        if count == 0 {
            return Ok(());
        }
        request.extend_from_slice(part.get(..count).unwrap());
    }
    stream.write_all(answer.as_bytes())?;
    stream.close()
}

/// An end of which the other side learns.
trait Closing {
    fn close(&mut self) -> std::io::Result<()>;
}

impl Closing for TcpStream {
    fn close(&mut self) -> std::io::Result<()> {
        self.shutdown(std::net::Shutdown::Write)
    }
}

impl Closing for StreamOwned<ServerConnection, TcpStream> {
    fn close(&mut self) -> std::io::Result<()> {
        self.conn.send_close_notify();
        self.flush()?;
        self.sock.shutdown(std::net::Shutdown::Write)
    }
}
