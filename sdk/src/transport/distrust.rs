//! Why a server is not taken for the box that was meant.

use std::fmt;

use rustls::{AlertDescription, CertificateError, Error, OtherError, PeerIncompatible};

use super::Pin;

/// Why a server is not taken for the box that was meant. Trying again at once does not help:
/// somebody has to mend something, or the device is in a network that answers for others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Distrust {
    /// Its key has this pin, which is none of those given.
    OtherKey(Pin),
    /// Its certificate is not good: why.
    Certificate(String),
    /// It is another machine, this host, and plain TCP to one was not asked for.
    Plain(String),
    /// It does not speak the protocol over TLS 1.3: what it does instead.
    Protocol(String),
}

/// A key that is none of the pinned ones, on its way through the TLS library.
#[derive(Debug)]
pub(super) struct OtherKey(pub(super) Pin);

impl fmt::Display for OtherKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the key has the pin {}", self.0)
    }
}

impl std::error::Error for OtherKey {}

impl Distrust {
    /// What speaks against the server, where an error of a handshake does that.
    pub(super) fn of(error: &Error) -> Option<Self> {
        Some(match error {
            Error::InvalidCertificate(error) => match other_key(error) {
                Some(pin) => Self::OtherKey(pin),
                None => Self::Certificate(in_words(error)),
            },
            Error::NoCertificatesPresented => Self::Certificate("it showed none".to_owned()),
            Error::InvalidMessage(_) => Self::Protocol("it does not speak TLS".to_owned()),
            Error::NoApplicationProtocol
            | Error::AlertReceived(AlertDescription::NoApplicationProtocol) => Self::no_protocol(),
            Error::AlertReceived(AlertDescription::ProtocolVersion)
            | Error::PeerIncompatible(
                PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
                | PeerIncompatible::ServerDoesNotSupportTls12Or13,
            ) => Self::Protocol("it speaks no TLS 1.3".to_owned()),
            Error::InappropriateMessage { .. }
            | Error::InappropriateHandshakeMessage { .. }
            | Error::PeerIncompatible(_)
            | Error::PeerMisbehaved(_)
            | Error::PeerSentOversizedRecord
            | Error::DecryptError
            | Error::AlertReceived(_) => Self::Protocol(error.to_string()),
            _ => return None,
        })
    }

    pub(super) fn no_protocol() -> Self {
        Self::Protocol("it speaks TLS, but not this protocol".to_owned())
    }
}

fn other_key(error: &CertificateError) -> Option<Pin> {
    let CertificateError::Other(OtherError(other)) = error else { return None };
    other.downcast_ref::<OtherKey>().map(|key| key.0)
}

fn in_words(error: &CertificateError) -> String {
    match error {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "nobody whom this app trusts has signed it".to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!("it is another server's: {error}")
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "it has expired, or the clock of this device is wrong".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "it is not valid yet, or the clock of this device is wrong".to_owned()
        }
        _ => error.to_string(),
    }
}

impl fmt::Display for Distrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherKey(pin) => {
                write!(f, "its key has the pin {pin}, which is none of those given")
            }
            Self::Certificate(why) => write!(f, "its certificate is not trusted: {why}"),
            Self::Plain(host) => {
                write!(f, "{host} is another machine: use TLS, or ask for plaintext")
            }
            Self::Protocol(what) => write!(f, "{what}; is this the address of a box?"),
        }
    }
}
