//! TLS 1.3 over the sockets of a core.
//!
//! The unbuffered connection of rustls: it keeps no buffers, so one at rest is a third of the
//! usual size; records are read from the core's buffer, and written from a tick's frames.
//! Nothing earlier than 1.3, no early data, no client certificates: who a client is says its
//! `Hello`.

mod certificate;
mod exporter;
mod stream;

use std::fmt;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::server::{NoServerSessionStorage, ProducesTickets};
use rustls::sign::SingleCertAndKey;
use rustls::version::TLS13;
use rustls::{Error, ServerConfig};

pub use certificate::{Certificate, CertificateError};
pub(crate) use exporter::Exporter;
use exporter::ExporterTap;
pub(crate) use stream::{Broken, TlsStream};

/// What clients must ask for (ALPN), so that nothing else can be mistaken for this protocol.
pub const PROTOCOL: &[u8] = b"answerback/1";

/// Tickets of one connection: a client comes back with the newest.
const TICKETS: usize = 1;

/// What all cores share, so that a client may come back to any of them.
#[derive(Clone, Debug)]
pub(crate) struct TlsTickets(Arc<dyn ProducesTickets>);

impl TlsTickets {
    /// With keys of this process, which change every six hours.
    ///
    /// # Errors
    /// There is no randomness.
    pub(crate) fn new() -> Result<Self, Error> {
        Ok(Self(aws_lc_rs::Ticketer::new()?))
    }
}

/// The server's end of a core's handshakes.
pub(crate) struct TlsServer {
    config: Arc<ServerConfig>,
    tap: Arc<ExporterTap>,
    tickets: TlsTickets,
}

impl TlsServer {
    /// One that shows a certificate.
    ///
    /// # Errors
    /// The certificate is of no use to rustls.
    pub(crate) fn new(certificate: &Certificate, tickets: TlsTickets) -> Result<Self, Error> {
        let tap = Arc::new(ExporterTap::default());
        let config = config(certificate, &tickets, &tap)?;
        Ok(Self { config, tap, tickets })
    }

    /// Shows another certificate from now on; what is open or half open keeps to its own.
    ///
    /// # Errors
    /// As [`TlsServer::new`]; then nothing has changed.
    pub(crate) fn set_certificate(&mut self, certificate: &Certificate) -> Result<(), Error> {
        self.config = config(certificate, &self.tickets, &self.tap)?;
        Ok(())
    }

    /// The cover of a new connection.
    ///
    /// # Errors
    /// There is no randomness.
    pub(crate) fn accept(&self) -> Result<TlsStream, Error> {
        TlsStream::new(Arc::clone(&self.config), Arc::clone(&self.tap))
    }
}

impl fmt::Debug for TlsServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsServer").finish_non_exhaustive()
    }
}

fn config(
    certificate: &Certificate,
    tickets: &TlsTickets,
    tap: &Arc<ExporterTap>,
) -> Result<Arc<ServerConfig>, Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(certificate.key())));
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.ticketer = Arc::clone(&tickets.0);
    config.send_tls13_tickets = TICKETS;
    let tap: Arc<ExporterTap> = Arc::clone(tap);
    config.key_log = tap;
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests;
