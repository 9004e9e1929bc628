//! What a box shows to its clients: a chain of certificates, and the key of the first.

use std::fmt;
use std::sync::Arc;

use rustls::Error;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

/// A certificate with its chain and its private key; clones share them.
#[derive(Clone, Debug)]
pub struct Certificate {
    key: Arc<CertifiedKey>,
}

/// Files that make no certificate to serve with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CertificateError {
    /// The chain is not PEM, or there is no certificate in it.
    Chain(String),
    /// The key is not PEM, or there is no private key in it.
    Key(String),
    /// The first certificate of the chain is none that can be read.
    Leaf(String),
    /// The key is of a kind that is not supported, or not that of the first certificate.
    Mismatch(String),
}

impl Certificate {
    /// From the text of two PEM files: the chain, the box's own certificate first, and the key
    /// of that one (PKCS #8, PKCS #1 or SEC 1).
    ///
    /// # Errors
    /// See [`CertificateError`].
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, CertificateError> {
        let chain = CertificateDer::pem_slice_iter(chain)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| CertificateError::Chain(error.to_string()))?;
        if chain.is_empty() {
            return Err(CertificateError::Chain(pem::Error::NoItemsFound.to_string()));
        }
        let key = PrivateKeyDer::from_pem_slice(key)
            .map_err(|error| CertificateError::Key(error.to_string()))?;
        let key = CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider()).map_err(
            |error| match error {
                Error::InvalidCertificate(_) => CertificateError::Leaf(error.to_string()),
                _ => CertificateError::Mismatch(error.to_string()),
            },
        )?;
        Ok(Self { key: Arc::new(key) })
    }

    pub(super) fn key(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.key)
    }
}

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chain(error) => write!(f, "no chain of certificates in PEM: {error}"),
            Self::Key(error) => write!(f, "no private key in PEM: {error}"),
            Self::Leaf(error) => write!(f, "the first certificate cannot be read: {error}"),
            Self::Mismatch(error) => {
                write!(f, "the key does not belong to the first certificate: {error}")
            }
        }
    }
}

impl std::error::Error for CertificateError {}

#[cfg(test)]
mod tests {
    use rcgen::{CertifiedKey as Made, generate_simple_self_signed};

    use super::*;

    fn made() -> (String, String) {
        let Made { cert, signing_key } =
            generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        (cert.pem(), signing_key.serialize_pem())
    }

    #[test]
    fn a_pair_is_taken() {
        let (chain, key) = made();
        assert!(Certificate::from_pem(chain.as_bytes(), key.as_bytes()).is_ok());
    }

    #[test]
    fn what_makes_no_pair_is_refused_by_name() {
        let ((chain, key), (other, _)) = (made(), made());
        let refused = |chain: &str, key: &str| {
            Certificate::from_pem(chain.as_bytes(), key.as_bytes()).unwrap_err()
        };
        assert!(matches!(refused("", &key), CertificateError::Chain(_)));
        assert!(matches!(refused("rubbish", &key), CertificateError::Chain(_)));
        assert!(matches!(refused(&chain, ""), CertificateError::Key(_)));
        assert!(matches!(refused(&chain, &chain), CertificateError::Key(_)));
        assert!(matches!(refused(&other, &key), CertificateError::Mismatch(_)));
        let hollow = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(matches!(refused(hollow, &key), CertificateError::Leaf(_)));
    }
}
