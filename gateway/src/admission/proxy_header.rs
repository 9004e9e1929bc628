//! The header of the PROXY protocol, version 2: a proxy's word for whom it connects.
//!
//! ```text
//! 0         12         13         14       16
//! │ signature │ 2, command │ family │ length │ addresses, then anything │
//! ```
//! Only its first bytes and the source's address are read; what comes behind the addresses is
//! passed over. Version 1 is text of no stated length, and is not taken.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProxyHeader {
    /// How many bytes it takes.
    pub(crate) length: usize,
    /// Whom the proxy connects; none where it speaks for itself, as in a check of health, or
    /// does not say.
    pub(crate) source: Option<IpAddr>,
}

/// Bytes that are no header of this version, or too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadProxyHeader;

/// The longest header that is taken.
pub const PROXY_HEADER_BYTES_MAX: usize = 536;

const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Bytes before the addresses.
const FIXED_BYTES: usize = 16;

const LOCAL: u8 = 0x20;
const PROXY: u8 = 0x21;

const UNSPECIFIED: u8 = 0x00;
const TCP_OVER_IPV4: u8 = 0x11;
const TCP_OVER_IPV6: u8 = 0x21;
const UNIX_STREAM: u8 = 0x31;

impl ProxyHeader {
    /// Reads what a connection begins with; `None` where more is needed.
    ///
    /// # Errors
    /// As soon as it can be seen.
    pub(crate) fn read(bytes: &[u8]) -> Result<Option<Self>, BadProxyHeader> {
        let begun = bytes.get(..SIGNATURE.len()).unwrap_or(bytes);
        if !SIGNATURE.starts_with(begun) {
            return Err(BadProxyHeader);
        }
        let Some((fixed, rest)) = bytes.split_first_chunk::<FIXED_BYTES>() else {
            return Ok(None);
        };
        let [.., command, family, high, low] = *fixed;
        let addresses_length = usize::from(u16::from_be_bytes([high, low]));
        let length = FIXED_BYTES + addresses_length;
        if !matches!(command, LOCAL | PROXY) || length > PROXY_HEADER_BYTES_MAX {
            return Err(BadProxyHeader);
        }
        // Whatever a proxy writes there that speaks for itself means nothing.
        if command == PROXY
            && addresses_bytes(family).is_none_or(|needed| addresses_length < needed)
        {
            return Err(BadProxyHeader);
        }
        let Some(addresses) = rest.get(..addresses_length) else { return Ok(None) };
        let source = if command == PROXY { source(family, addresses) } else { None };
        Ok(Some(Self { length, source }))
    }
}

/// Bytes that the addresses of a family take; none of a family that cannot be.
fn addresses_bytes(family: u8) -> Option<usize> {
    match family {
        UNSPECIFIED => Some(0),
        TCP_OVER_IPV4 => Some(12),
        TCP_OVER_IPV6 => Some(36),
        UNIX_STREAM => Some(216),
        _ => None,
    }
}

fn source(family: u8, addresses: &[u8]) -> Option<IpAddr> {
    match family {
        TCP_OVER_IPV4 => addresses.first_chunk::<4>().map(|&bytes| Ipv4Addr::from(bytes).into()),
        TCP_OVER_IPV6 => {
            addresses.first_chunk::<16>().map(|&bytes| Ipv6Addr::from(bytes).to_canonical())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn header(command: u8, family: u8, addresses: &[u8]) -> Vec<u8> {
        let length = (addresses.len() as u16).to_be_bytes();
        [&SIGNATURE[..], &[command, family], &length, addresses].concat()
    }

    fn ipv4(more: &[u8]) -> Vec<u8> {
        header(PROXY, TCP_OVER_IPV4, &[&[192, 0, 2, 7, 10, 0, 0, 1, 1, 2, 3, 4][..], more].concat())
    }

    fn ipv6(source: Ipv6Addr) -> Vec<u8> {
        header(PROXY, TCP_OVER_IPV6, &[&source.octets()[..], &[0; 20]].concat())
    }

    fn read_source(bytes: &[u8]) -> Option<IpAddr> {
        let header = ProxyHeader::read(bytes).unwrap().unwrap();
        assert_eq!(header.length, bytes.len());
        header.source
    }

    #[test]
    fn the_source_is_read_and_the_rest_passed_over() {
        let source = Some(IpAddr::from([192, 0, 2, 7]));
        assert_eq!(read_source(&ipv4(&[])), source);
        assert_eq!(read_source(&ipv4(&[3, 0, 1, 9])), source, "with more behind the addresses");
        let address = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 7);
        assert_eq!(read_source(&ipv6(address)), Some(address.into()));
        let mapped = Ipv4Addr::new(192, 0, 2, 7).to_ipv6_mapped();
        assert_eq!(read_source(&ipv6(mapped)), source, "the same, written as IPv6");
    }

    #[test]
    fn a_proxy_that_speaks_for_itself_names_nobody() {
        assert_eq!(read_source(&header(LOCAL, UNSPECIFIED, &[])), None);
        assert_eq!(read_source(&header(LOCAL, TCP_OVER_IPV4, &[])), None);
        assert_eq!(read_source(&header(LOCAL, TCP_OVER_IPV4, &[1; 12])), None);
        assert_eq!(read_source(&header(LOCAL, 0x55, &[1; 12])), None, "of no family that can be");
        assert_eq!(read_source(&header(PROXY, UNSPECIFIED, &[1; 40])), None);
        assert_eq!(read_source(&header(PROXY, UNIX_STREAM, &[1; 216])), None);
    }

    #[test]
    fn a_header_in_pieces_needs_more_until_it_is_whole() {
        let whole = ipv4(&[3, 0, 1, 9]);
        for length in 0..whole.len() {
            assert_eq!(ProxyHeader::read(&whole[..length]), Ok(None), "{length}");
        }
        let with_frames = [&whole[..], &[0; 1000]].concat();
        let header = ProxyHeader::read(&with_frames).unwrap().unwrap();
        assert_eq!(header.length, whole.len(), "what comes behind is not its own");
    }

    #[test]
    fn what_is_none_is_seen_at_its_first_wrong_byte() {
        let whole = ipv4(&[]);
        for at in 0..14 {
            for wrong in (0..=255).filter(|wrong| whole[at] != *wrong) {
                let mut bytes = whole.clone();
                bytes[at] = wrong;
                let is_another = at == 12 && wrong == LOCAL || at == 13 && wrong == UNSPECIFIED;
                let read = ProxyHeader::read(&bytes);
                assert_eq!(read.is_ok(), is_another, "{at} {wrong}");
                let begun = ProxyHeader::read(&bytes[..at + 1]);
                assert_eq!(begun.is_ok(), at >= 12, "{at} {wrong}");
            }
        }
        assert_eq!(ProxyHeader::read(b"PROXY TCP4 1.2.3.4"), Err(BadProxyHeader));
        assert_eq!(ProxyHeader::read(&header(PROXY, TCP_OVER_IPV4, &[0; 11])), Err(BadProxyHeader));
        assert_eq!(ProxyHeader::read(&header(PROXY, TCP_OVER_IPV6, &[0; 35])), Err(BadProxyHeader));
    }

    /// Bytes that begin as a header, mostly, and go on as they like.
    fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
        let command = prop_oneof![Just(LOCAL), Just(PROXY), any::<u8>()];
        let families = [UNSPECIFIED, TCP_OVER_IPV4, TCP_OVER_IPV6, UNIX_STREAM];
        let family = prop_oneof![proptest::sample::select(families.to_vec()), any::<u8>()];
        let length = prop_oneof![0..600_u16, any::<u16>()];
        let rest = proptest::collection::vec(any::<u8>(), 0..600);
        let begun = (command, family, length, rest).prop_map(|(command, family, length, rest)| {
            [&SIGNATURE[..], &[command, family], &length.to_be_bytes(), &rest].concat()
        });
        prop_oneof![4 => begun, 1 => proptest::collection::vec(any::<u8>(), 0..40)]
    }

    proptest! {
        /// A header takes no more than came, and what is seen of a part of it stays so.
        #[test]
        fn any_bytes_are_judged_alike_whole_and_in_pieces(bytes in any_bytes()) {
            let mut judged = Ok(None);
            for length in 0..=bytes.len() {
                let read = ProxyHeader::read(&bytes[..length]);
                assert!(judged == Ok(None) || read == judged, "{judged:?} {read:?} {length}");
                if let Ok(Some(header)) = read {
                    let lengths = FIXED_BYTES..=PROXY_HEADER_BYTES_MAX.min(length);
                    assert!(lengths.contains(&header.length), "{header:?}");
                }
                judged = read;
            }
        }
    }

    #[test]
    fn a_header_has_its_longest() {
        let longest = header(PROXY, UNSPECIFIED, &[0; PROXY_HEADER_BYTES_MAX - FIXED_BYTES]);
        assert_eq!(longest.len(), PROXY_HEADER_BYTES_MAX);
        assert_eq!(read_source(&longest), None);
        let longer = header(PROXY, UNSPECIFIED, &[0; PROXY_HEADER_BYTES_MAX - FIXED_BYTES + 1]);
        assert_eq!(ProxyHeader::read(&longer[..FIXED_BYTES]), Err(BadProxyHeader));
    }
}
