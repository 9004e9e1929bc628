//! Who may look: what the admin listener proves itself by, and the token that it wants.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::http::HeaderValue;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::TLS13;

use crate::config::Configuration;
use crate::credentials::{Pair, TlsFiles, expires_at_s};
use crate::exit::Failure;
use crate::secrets;

/// Fewer characters could be guessed.
const TOKEN_BYTES_MIN: usize = 16;
const SCHEME: &[u8] = b"Bearer ";

/// What is asked of who connects; clones ask the same.
#[derive(Clone, Default)]
pub(crate) struct Access {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    tls: Option<Arc<ServerConfig>>,
    token: Option<Vec<u8>>,
    expires_at_s: Option<u64>,
}

/// What may have an end, s since 1970.
type Expiring<T> = (T, Option<u64>);

impl Access {
    /// Reads the files that the settings name.
    pub(crate) fn read(configuration: &Configuration) -> Result<Self, Failure> {
        let access = Self::default();
        access.reload(configuration)?;
        Ok(access)
    }

    /// Reads them again, and says when the certificate expires. A fault changes nothing.
    pub(crate) fn reload(&self, configuration: &Configuration) -> Result<Option<u64>, Failure> {
        let (tls, expires_at_s) = read_tls(&configuration.admin_tls)?.unzip();
        let token = configuration.admin_token.as_ref().map(|path| {
            let bytes = secrets::read(path).map_err(|error| error.of("admin.token"))?;
            checked_token(&bytes)
        });
        let (token, expires_at_s) = (token.transpose()?, expires_at_s.flatten());
        *self.lock() = Inner { tls, token, expires_at_s };
        Ok(expires_at_s)
    }

    /// When the certificate expires, s since 1970.
    pub(crate) fn expires_at_s(&self) -> Option<u64> {
        self.lock().expires_at_s
    }

    /// What a handshake is made with; none where the listener is plain.
    pub(super) fn tls(&self) -> Option<Arc<ServerConfig>> {
        self.lock().tls.clone()
    }

    /// Whether a header `Authorization` lets its sender look.
    pub(super) fn lets_in(&self, shown: Option<&HeaderValue>) -> bool {
        let inner = self.lock();
        let Some(token) = &inner.token else { return true };
        let shown = shown.and_then(|value| value.as_bytes().strip_prefix(SCHEME));
        shown.is_some_and(|shown| verify_slices_are_equal(shown, token).is_ok())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// And when it expires.
fn read_tls(files: &TlsFiles) -> Result<Option<Expiring<Arc<ServerConfig>>>, Failure> {
    let Some(pair) = files.read("admin")? else { return Ok(None) };
    let config = server_config(&pair).map_err(|fault| {
        Failure::new(format_args!("admin.tls_certificate, admin.tls_key: {fault}"))
    })?;
    Ok(Some((Arc::new(config), expires_at_s(&pair.chain))))
}

fn server_config(pair: &Pair) -> Result<ServerConfig, String> {
    let chain = CertificateDer::pem_slice_iter(&pair.chain).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|error| error.to_string())?;
    let key = PrivateKeyDer::from_pem_slice(&pair.key).map_err(|error| error.to_string())?;
    let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&TLS13])
        .map_err(|error| error.to_string())?;
    let config = builder.with_no_client_auth().with_single_cert(chain, key);
    let mut config = config.map_err(|error| error.to_string())?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// A line of what a header may carry.
fn checked_token(bytes: &[u8]) -> Result<Vec<u8>, Failure> {
    let token = bytes.trim_ascii();
    if token.len() < TOKEN_BYTES_MIN || !token.iter().all(u8::is_ascii_graphic) {
        return Err(Failure::new(format_args!(
            "admin.token: the file must have one line of {TOKEN_BYTES_MIN} characters at least; \
             `openssl rand -hex 32` makes one"
        )));
    }
    Ok(token.to_vec())
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_token(token: &str) -> Access {
        let token = Some(checked_token(token.as_bytes()).unwrap());
        Access { inner: Arc::new(Mutex::new(Inner { token, ..Inner::default() })) }
    }

    #[test]
    fn only_the_token_lets_in() {
        let access = with_token(" 0123456789abcdef\n");
        let lets_in = |text| access.lets_in(Some(&HeaderValue::from_static(text)));
        assert!(lets_in("Bearer 0123456789abcdef"));
        for text in [
            "Bearer 0123456789abcdeF",
            "Bearer 0123456789abcde",
            "Bearer 0123456789abcdef ",
            "Bearer  0123456789abcdef",
            "bearer 0123456789abcdef",
            "Basic 0123456789abcdef",
            "0123456789abcdef",
            "Bearer ",
            "",
        ] {
            assert!(!lets_in(text), "{text:?}");
        }
        assert!(!access.lets_in(None));
        assert!(Access::default().lets_in(None), "there is none to show");
    }

    #[test]
    fn a_token_that_is_short_or_of_several_lines_is_refused() {
        for bad in ["", "\n", "0123456789abcde", "01234567 89abcdef", "01234567\n89abcdef"] {
            let failure = checked_token(bad.as_bytes()).unwrap_err();
            assert!(failure.line().contains("16 characters"), "{failure:?}");
        }
    }
}
