//! Pins: the keys that a box may have.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{SHA256, digest};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::ParsedCertificate;

use super::{ConnectError, Connector, Distrust, Roots, Security, Tls, UnusableSecurity};

/// SHA-256 of the public key in a box's own certificate (its `SubjectPublicKeyInfo`): it stays
/// when the certificate is renewed with the same key. Written as 64 hexadecimal digits.
///
/// It is the key of the leaf, never one further up: what a box sends beside its own certificate
/// need not have anything to do with it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pin([u8; 32]);

/// Why there is no pin.
#[derive(Debug)]
pub enum PinError {
    /// Not 64 hexadecimal digits.
    NotHex,
    /// No certificate in PEM, or one that cannot be read.
    NoCertificate,
    /// A name that no certificate can have.
    Unusable(UnusableSecurity),
    /// No TLS with that box.
    Connect(ConnectError),
}

impl Pin {
    /// The pin of the first certificate in PEM.
    ///
    /// # Errors
    /// There is none, or it cannot be read.
    pub fn of_pem(pem: &[u8]) -> Result<Self, PinError> {
        let certificate =
            CertificateDer::from_pem_slice(pem).map_err(|_| PinError::NoCertificate)?;
        Self::of_certificate(&certificate).map_err(|_| PinError::NoCertificate)
    }

    /// The pin of the key that a box presents. Nothing says that it is the right box: compare it
    /// with what its operator says.
    ///
    /// # Errors
    /// There is no box, or none with TLS.
    pub fn of_server(address: &str, server_name: Option<String>) -> Result<Self, PinError> {
        // No key has this pin, so the connection ends with the one that is there.
        let pins = vec![Self([0; 32])];
        let security = Security::Tls(Tls { server_name, roots: Roots::PinnedOnly, pins });
        let connector = Connector::new(address, &security).map_err(PinError::Unusable)?;
        match connector.connect() {
            Err(ConnectError::Untrusted(Distrust::OtherKey(pin))) => Ok(pin),
            Err(error) => Err(PinError::Connect(error)),
            Ok(_) => Ok(Self([0; 32])),
        }
    }

    pub(super) fn of_certificate(certificate: &CertificateDer<'_>) -> Result<Self, rustls::Error> {
        let key = ParsedCertificate::try_from(certificate)?.subject_public_key_info();
        let hash = digest(&SHA256, key.as_ref());
        let mut pin = [0; 32];
        pin.copy_from_slice(hash.as_ref());
        Ok(Self(pin))
    }
}

impl FromStr for Pin {
    type Err = PinError;

    fn from_str(text: &str) -> Result<Self, PinError> {
        let digits = text.as_bytes();
        if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(PinError::NotHex);
        }
        let mut pin = [0; 32];
        for (byte, two) in pin.iter_mut().zip(digits.chunks(2)) {
            let two = str::from_utf8(two).map_err(|_| PinError::NotHex)?;
            *byte = u8::from_str_radix(two, 16).map_err(|_| PinError::NotHex)?;
        }
        Ok(Self(pin))
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pin({self})")
    }
}

impl fmt::Display for PinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotHex => f.write_str(
                "a pin is the SHA-256 of a key, 64 hexadecimal digits, as `answerback pin` prints it",
            ),
            Self::NoCertificate => f.write_str("that is no certificate in PEM"),
            Self::Unusable(error) => error.fmt(f),
            Self::Connect(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for PinError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_read_as_it_is_written() {
        let text = "00ff10".repeat(10) + "A0b1";
        let pin: Pin = text.parse().unwrap();
        assert_eq!(pin.to_string(), text.to_lowercase());
        for bad in ["", "00", &text[1..], &text.replace('A', "g"), &text.replacen("00", "+0", 1)] {
            assert!(matches!(bad.parse::<Pin>(), Err(PinError::NotHex)), "{bad}");
        }
    }

    #[test]
    fn what_is_no_certificate_has_no_pin() {
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for pem in ["", "hello", broken] {
            assert!(matches!(Pin::of_pem(pem.as_bytes()), Err(PinError::NoCertificate)), "{pem}");
        }
    }
}
