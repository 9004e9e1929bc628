//! What the TLS library is told: TLS 1.3 alone, the protocol's name, whom to trust.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs::cipher_suite::{
    TLS13_AES_128_GCM_SHA256, TLS13_AES_256_GCM_SHA384, TLS13_CHACHA20_POLY1305_SHA256,
};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::version::TLS13;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError, PeerIncompatible,
    RootCertStore, SignatureScheme,
};

use super::distrust::OtherKey;
use super::{Pin, Roots, Tls, UnusableSecurity};

/// The protocol's name in the handshake: what does not choose it is no box.
pub(super) const PROTOCOL: &[u8] = b"answerback/1";

/// AES-128 first: its handshake hashes by SHA-256, for which processors have instructions, and
/// that of AES-256 by SHA-384, which is an eighth of what a handshake costs a server.
fn provider() -> CryptoProvider {
    let cipher_suites =
        vec![TLS13_AES_128_GCM_SHA256, TLS13_CHACHA20_POLY1305_SHA256, TLS13_AES_256_GCM_SHA384];
    CryptoProvider { cipher_suites, ..aws_lc_rs::default_provider() }
}

/// What a connector's connections have in common, the memory of their sessions too.
pub(super) fn config(tls: &Tls) -> Result<Arc<ClientConfig>, UnusableSecurity> {
    let provider = Arc::new(provider());
    let verifier = Arc::new(Verifier::new(tls, &provider)?);
    let unusable = |error: Error| UnusableSecurity(error.to_string());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .map_err(unusable)?;
    let mut config =
        builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    // What is sent before the handshake ends could be sent again by anybody.
    config.enable_early_data = false;
    Ok(Arc::new(config))
}

/// Looks at the certificate of a box.
#[derive(Debug)]
struct Verifier {
    /// Who checks the chain, the name and the dates; nobody where the pins alone decide.
    chain: Option<Arc<WebPkiServerVerifier>>,
    pins: Vec<Pin>,
    provider: Arc<CryptoProvider>,
}

impl Verifier {
    fn new(tls: &Tls, provider: &Arc<CryptoProvider>) -> Result<Self, UnusableSecurity> {
        let roots = match &tls.roots {
            Roots::WebPki => Some(webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect()),
            Roots::Pem(pem) => Some(roots_of(pem)?),
            Roots::PinnedOnly if tls.pins.is_empty() => {
                return Err(UnusableSecurity("pins alone are to decide, and there is none".into()));
            }
            Roots::PinnedOnly => None,
        };
        let chain = roots.map(|roots| {
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
                .build()
                .map_err(|error| UnusableSecurity(error.to_string()))
        });
        let provider = Arc::clone(provider);
        Ok(Self { chain: chain.transpose()?, pins: tls.pins.clone(), provider })
    }

    fn check_pin(&self, certificate: &CertificateDer<'_>) -> Result<(), Error> {
        if self.pins.is_empty() {
            return Ok(());
        }
        let pin = Pin::of_certificate(certificate)?;
        if self.pins.contains(&pin) {
            return Ok(());
        }
        let other = OtherError(Arc::new(OtherKey(pin)));
        Err(Error::InvalidCertificate(CertificateError::Other(other)))
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Some(chain) = &self.chain {
            chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)?;
        }
        self.check_pin(end_entity)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig.into())
    }

    /// Whatever the pins say: that the server has the key of its certificate.
    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

fn roots_of(pem: &[u8]) -> Result<RootCertStore, UnusableSecurity> {
    let unusable = |why: String| UnusableSecurity(format!("the authorities cannot be read: {why}"));
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| unusable(error.to_string()))?;
        roots.add(certificate).map_err(|error| unusable(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(unusable("no certificate in PEM is there".to_owned()));
    }
    Ok(roots)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_that_trust_nobody_are_told() {
        let words = |roots| config(&Tls { roots, ..Tls::default() }).unwrap_err().to_string();
        assert!(words(Roots::PinnedOnly).contains("pins"));
        assert!(words(Roots::Pem(Vec::new())).contains("no certificate"));
        let garbage = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_vec();
        assert!(words(Roots::Pem(garbage)).contains("cannot be read"));
    }

    #[test]
    fn the_hybrid_key_exchange_is_offered_first() {
        let config = config(&Tls::default()).unwrap();
        let groups = &config.crypto_provider().kx_groups;
        assert_eq!(groups[0].name(), rustls::NamedGroup::X25519MLKEM768);
        assert!(!config.enable_early_data);
    }
}
