//! A certificate with its key, as two files.

use std::path::{Path, PathBuf};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::exit::Failure;
use crate::secrets;

/// Where they are. One without the other is a mistake of the settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TlsFiles {
    pub(crate) certificate: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
}

/// What is in them.
pub(crate) struct Pair {
    /// PEM, our own first.
    pub(crate) chain: Vec<u8>,
    /// PEM.
    pub(crate) key: Vec<u8>,
}

impl TlsFiles {
    /// Reads both; none where there are none. `section` is that of the settings that name them.
    pub(crate) fn read(&self, section: &str) -> Result<Option<Pair>, Failure> {
        let Some((certificate, key)) = self.both() else { return Ok(None) };
        let chain = secrets::read_public(certificate);
        let chain = chain.map_err(|error| error.of(&format!("{section}.tls_certificate")))?;
        let key = secrets::read(key).map_err(|error| error.of(&format!("{section}.tls_key")))?;
        Ok(Some(Pair { chain, key }))
    }

    /// Both paths.
    pub(crate) fn both(&self) -> Option<(&Path, &Path)> {
        self.certificate.as_deref().zip(self.key.as_deref())
    }
}

/// When the first certificate of a chain expires, s since 1970.
pub(crate) fn expires_at_s(chain: &[u8]) -> Option<u64> {
    let certificates = CertificateDer::pem_slice_iter(chain).filter_map(Result::ok);
    let ends = certificates.filter_map(|der| {
        let (_, certificate) = X509Certificate::from_der(&der).ok()?;
        u64::try_from(certificate.validity().not_after.timestamp()).ok()
    });
    ends.min()
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    fn certificate(year: i32) -> String {
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.not_after = date_time_ymd(year, 1, 1);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem()
    }

    #[test]
    fn a_chain_ends_with_the_first_of_it() {
        const START_OF_2031: u64 = 1_924_992_000;
        assert_eq!(expires_at_s(certificate(2031).as_bytes()), Some(START_OF_2031));
        let chain = [certificate(2040), certificate(2031), certificate(2050)].concat();
        assert_eq!(expires_at_s(chain.as_bytes()), Some(START_OF_2031));
        assert_eq!(expires_at_s(b"no certificate"), None);
    }

    #[test]
    fn one_file_alone_is_no_pair() {
        let files = TlsFiles { certificate: Some("a".into()), key: None };
        assert!(files.read("gateway").unwrap().is_none());
        let files = TlsFiles { key: Some("b".into()), ..files };
        let Err(failure) = files.read("gateway") else { panic!("there are no such files") };
        assert!(failure.line().starts_with("gateway.tls_certificate: a cannot"), "{failure:?}");
    }
}
