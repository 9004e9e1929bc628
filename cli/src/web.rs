//! HTTP to servers that the operator named.

use std::fmt;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::http::Uri;
use rustls::crypto::aws_lc_rs;
use ureq::Agent;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use crate::secrets;

/// `https://`, or `http://` of this machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Url(String);

/// How a server is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asking<'a> {
    /// Whose certificates vouch for it; none: those of the web.
    pub(crate) authorities: Option<&'a Path>,
    /// The setting that names them.
    pub(crate) key: &'static str,
    /// For all of it: name, connection, handshake, answer.
    pub(crate) deadline: Duration,
    /// Connections that stay for the next question.
    pub(crate) idle_max: usize,
}

impl Url {
    /// The URL that a text is; none where it could be answered by anybody.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let uri: Uri = text.parse().ok()?;
        let host = uri.host().filter(|host| !host.is_empty())?;
        // A name before an @ would stand in the log.
        let is_plain = uri.authority().is_some_and(|authority| !authority.as_str().contains('@'));
        let is_safe = match uri.scheme_str()? {
            "https" => true,
            "http" => is_loopback(host),
            _ => false,
        };
        (is_plain && is_safe).then(|| Self(text.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// What asks a server. No redirection is followed: it would hand the choice of who answers to
/// somebody else.
pub(crate) fn agent(url: &str, asking: Asking<'_>) -> Result<Agent, String> {
    let tls = TlsConfig::builder()
        .unversioned_rustls_crypto_provider(Arc::new(aws_lc_rs::default_provider()))
        .root_certs(roots(asking)?)
        .build();
    let is_https = url.starts_with("https:");
    let mut config = Agent::config_builder()
        .tls_config(tls)
        .timeout_global(Some(asking.deadline))
        .https_only(is_https)
        .http_status_as_error(false)
        .max_redirects(0)
        .max_idle_connections(asking.idle_max)
        .user_agent(concat!("answerback/", env!("CARGO_PKG_VERSION")));
    if !is_https {
        // This machine is asked directly.
        config = config.proxy(None);
    }
    Ok(config.build().new_agent())
}

fn roots(asking: Asking<'_>) -> Result<RootCerts, String> {
    let Some(path) = asking.authorities else { return Ok(RootCerts::WebPki) };
    let key = asking.key;
    let pem = secrets::read_public(path).map_err(|error| format!("{key}: {error}"))?;
    let certificate = |item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    };
    let certificates: Vec<Certificate<'static>> = parse_pem(&pem).filter_map(certificate).collect();
    if certificates.is_empty() {
        return Err(format!("{key}: {} has no certificate", path.display()));
    }
    Ok(RootCerts::new_with_certs(&certificates))
}
