//! A key set from its server.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::aws_lc_rs;
use ureq::Agent;
use ureq::http::StatusCode;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use crate::secrets;

/// For all of it: name, connection, handshake, answer.
pub(crate) const DEADLINE: Duration = Duration::from_secs(10);
/// No key set is longer.
pub(crate) const BYTES_MAX: u64 = 256 * 1024;

/// Asks the server once, whose certificate `authorities` signed, or one of the web's.
///
/// A redirection is a failure: it would hand the choice of who may log in to somebody else.
pub(super) fn fetch(url: &str, authorities: Option<&Path>) -> Result<String, String> {
    let agent = agent(url, authorities)?;
    let answered = agent.get(url).header("accept", "application/json").call();
    let mut response = answered.map_err(|error| error.to_string())?;
    if response.status() != StatusCode::OK {
        return Err(format!("the server answered {}", response.status()));
    }
    let body = response.body_mut().with_config().limit(BYTES_MAX);
    body.read_to_string().map_err(|error| error.to_string())
}

fn agent(url: &str, authorities: Option<&Path>) -> Result<Agent, String> {
    let tls = TlsConfig::builder()
        .unversioned_rustls_crypto_provider(Arc::new(aws_lc_rs::default_provider()))
        .root_certs(roots(authorities)?)
        .build();
    let is_https = url.starts_with("https:");
    let mut config = Agent::config_builder()
        .tls_config(tls)
        .timeout_global(Some(DEADLINE))
        .https_only(is_https)
        .max_redirects(0)
        .max_idle_connections(0)
        .user_agent(concat!("answerback/", env!("CARGO_PKG_VERSION")));
    if !is_https {
        // This machine is asked directly.
        config = config.proxy(None);
    }
    Ok(config.build().new_agent())
}

fn roots(authorities: Option<&Path>) -> Result<RootCerts, String> {
    let Some(path) = authorities else { return Ok(RootCerts::WebPki) };
    let pem = secrets::read_public(path).map_err(|error| format!("box.jwks_ca: {error}"))?;
    let certificate = |item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    };
    let certificates: Vec<Certificate<'static>> = parse_pem(&pem).filter_map(certificate).collect();
    if certificates.is_empty() {
        return Err(format!("box.jwks_ca: {} has no certificate", path.display()));
    }
    Ok(RootCerts::new_with_certs(&certificates))
}
