//! TLS of the generator's connections.
//!
//! Bytes come and go in the engine's buffers, so that a turn reads and writes a socket once, as
//! without TLS.

use std::fmt;
use std::fs;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use answerback_gateway::PROTOCOL;
use answerback_proto::ticket::{EXPORTER_LABEL, SECRET_BYTES};
use clap::Args;
use rustls::client::{
    ClientSessionStore, Resumption, Tls12ClientSessionValue, Tls13ClientSessionValue,
};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::TLS13;
use rustls::{CipherSuite, ClientConfig, ClientConnection, NamedGroup, RootCertStore};

use crate::exit::Failure;

/// Records under way in each direction: what one read of the engine brings.
const PLAIN_BYTES: usize = 64 * 1024;

/// How the server is reached.
#[derive(Args)]
pub(super) struct TlsArguments {
    /// Connect over TLS, to a server whose certificate one of these has signed (PEM).
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// The name in the server's certificate.
    #[arg(long, value_name = "NAME", default_value = "localhost", requires = "ca")]
    server_name: String,
    /// Come back as devices do: with TLS's ticket and the resume ticket of the last session, in
    /// place of a whole handshake and a token.
    #[arg(long)]
    pub(super) resume: bool,
    /// Key exchange by X25519 alone, without the post-quantum half that is the default.
    #[arg(long, requires = "ca")]
    classic: bool,
}

impl TlsArguments {
    /// What connections are covered with; nothing without `--ca`.
    pub(super) fn covers(&self) -> Result<Option<Covers>, Failure> {
        let Some(ca) = &self.ca else { return Ok(None) };
        let pem = fs::read(ca)
            .map_err(|error| Failure::new(format_args!("cannot read {}: {error}", ca.display())))?;
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            roots.add(certificate.map_err(Failure::new)?).map_err(Failure::new)?;
        }
        let mut provider = aws_lc_rs::default_provider();
        // As the SDK does.
        provider
            .cipher_suites
            .sort_by_key(|suite| suite.suite() != CipherSuite::TLS13_AES_128_GCM_SHA256);
        if self.classic {
            provider.kx_groups.retain(|group| group.name() == NamedGroup::X25519);
        }
        let name = ServerName::try_from(self.server_name.clone()).map_err(Failure::new)?;
        Ok(Some(Covers { config: Arc::new(config(provider, roots, self.resume)?), name }))
    }
}

fn config(
    provider: CryptoProvider,
    roots: RootCertStore,
    resume: bool,
) -> Result<ClientConfig, Failure> {
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&TLS13])
        .map_err(Failure::new)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    config.resumption = match resume {
        true => Resumption::store(Arc::new(TicketHeap::default())),
        false => Resumption::disabled(),
    };
    Ok(config)
}

/// Makes covers.
#[derive(Clone, Debug)]
pub(super) struct Covers {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl Covers {
    /// That of a new connection.
    pub(super) fn cover(&self) -> Result<Cover, Failure> {
        let made = ClientConnection::new(Arc::clone(&self.config), self.name.clone());
        let mut connection = made.map_err(Failure::new)?;
        connection.set_buffer_limit(None);
        Ok(Cover { connection })
    }
}

/// The client's end of TLS.
#[derive(Debug)]
pub(super) struct Cover {
    connection: ClientConnection,
}

impl Cover {
    /// Whether the handshake is under way.
    pub(super) fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }

    /// What only the two ends of this connection know.
    pub(super) fn exported(&self) -> Result<[u8; SECRET_BYTES], Failure> {
        let out = [0; SECRET_BYTES];
        self.connection.export_keying_material(out, EXPORTER_LABEL, None).map_err(Failure::new)
    }

    /// Takes what came; what it says is appended to `plain`.
    pub(super) fn open(&mut self, mut records: &[u8], plain: &mut Vec<u8>) -> Result<(), Failure> {
        while !records.is_empty() {
            self.connection.read_tls(&mut records).map_err(Failure::new)?;
            let state = self.connection.process_new_packets().map_err(untrusted)?;
            let said = state.plaintext_bytes_to_read();
            plain.reserve(said.max(PLAIN_BYTES.min(said)));
            let mut reader = self.connection.reader();
            reader.by_ref().take(said as u64).read_to_end(plain).map_err(Failure::new)?;
        }
        Ok(())
    }

    /// Appends records that hold `plain`, and what the handshake has to say, to `records`.
    pub(super) fn seal(&mut self, plain: &[u8], records: &mut Vec<u8>) -> io::Result<()> {
        self.connection.writer().write_all(plain)?;
        while self.connection.wants_write() {
            self.connection.write_tls(records)?;
        }
        Ok(())
    }
}

fn untrusted(error: rustls::Error) -> Failure {
    Failure::new(format_args!("TLS failed: {error}"))
}

/// TLS's tickets of all clients of a run, which are one client to the server: none is used
/// twice, and each that comes back has one.
#[derive(Default)]
struct TicketHeap(Mutex<Vec<Tls13ClientSessionValue>>);

impl fmt::Debug for TicketHeap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TicketHeap")
    }
}

impl ClientSessionStore for TicketHeap {
    fn set_kx_hint(&self, _: ServerName<'static>, _: NamedGroup) {}

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        None
    }

    fn set_tls12_session(&self, _: ServerName<'static>, _: Tls12ClientSessionValue) {}

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        None
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {}

    fn insert_tls13_ticket(&self, _: ServerName<'static>, ticket: Tls13ClientSessionValue) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(ticket);
    }

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }
}
