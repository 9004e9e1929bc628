//! What an app says about how its connections are protected.

use std::fmt;
use std::net::IpAddr;

use super::Pin;

/// How connections are protected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Security {
    /// Plain TCP, and only to this machine: for trying out. Another address is refused.
    #[default]
    Loopback,
    /// Plain TCP to anywhere: whoever stands on the way reads everything, the token too.
    Plaintext,
    /// TLS 1.3.
    Tls(Tls),
}

/// Whom TLS trusts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// The name that the certificate must be for; without it the host of the address.
    pub server_name: Option<String>,
    /// Who may have signed it.
    pub roots: Roots,
    /// Keys of which the certificate must have one, where any are given. That is asked for
    /// beside the signature of one of the `roots`: a pin of an authority is `Roots::Pem` with
    /// its certificate. Give the next key's pin too, before the box has it.
    pub pins: Vec<Pin>,
}

/// Who may have signed the certificate of a box.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Roots {
    /// The authorities that browsers trust, as this library was built.
    #[default]
    WebPki,
    /// These certificates and no others, in PEM.
    Pem(Vec<u8>),
    /// Nobody: the key alone decides, which must be one of the pins. Neither name nor dates of
    /// the certificate are looked at.
    PinnedOnly,
}

/// Options of TLS that make no sense, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnusableSecurity(pub(super) String);

impl fmt::Display for UnusableSecurity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UnusableSecurity {}

impl Security {
    /// Whether an address of a host may be dialled.
    pub(crate) fn allows(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        !matches!(self, Self::Loopback) || address.is_loopback() || address.is_unspecified()
    }
}

/// The host of `host:port`, an IPv6 address without its brackets.
pub(crate) fn host_of(address: &str) -> &str {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_has_neither_port_nor_brackets() {
        let cases = ["box.example:7400", "[::1]:7400", "127.0.0.1:1", "box"];
        assert_eq!(cases.map(host_of), ["box.example", "::1", "127.0.0.1", "box"]);
    }

    #[test]
    fn without_a_word_plain_tcp_goes_to_this_machine_alone() {
        let allowed = |security: Security| {
            ["127.8.9.1", "::1", "::ffff:127.0.0.1", "0.0.0.0", "192.0.2.1", "::2", "10.0.0.1"]
                .map(|address| security.allows(address.parse().unwrap()))
        };
        assert_eq!(allowed(Security::default()), [true, true, true, true, false, false, false]);
        assert_eq!(allowed(Security::Plaintext), [true; 7]);
        assert_eq!(allowed(Security::Tls(Tls::default())), [true; 7]);
    }
}
