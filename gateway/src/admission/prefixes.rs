//! How many connections come from one network.
//!
//! Counted for the box, since the kernel spreads a peer's connections over the cores: under a
//! lock, which is taken where a connection comes and goes and nowhere else, and by nobody while
//! the limit is off. There are no more entries than connections.

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use ipnet::IpNet;

/// Connections by prefix.
#[derive(Debug, Default)]
pub(crate) struct Prefixes {
    counts: Mutex<HashMap<IpNet, u32, RandomState>>,
}

/// How long the prefixes are that are counted, bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrefixLengths {
    /// Of an IPv4 address.
    pub ipv4: u8,
    /// Of an IPv6 address.
    pub ipv6: u8,
}

impl PrefixLengths {
    /// The network that an address counts to.
    pub(crate) fn prefix_of(self, address: IpAddr) -> IpNet {
        let length = if address.is_ipv4() { self.ipv4 } else { self.ipv6 };
        IpNet::new(address, length).unwrap_or_else(|_| address.into()).trunc()
    }
}

impl Prefixes {
    /// Counts one more from there; `false` where as many are there already.
    #[must_use]
    pub(crate) fn take(&self, prefix: IpNet, max: u32) -> bool {
        let mut counts = self.counts();
        let count = counts.get(&prefix).copied().unwrap_or(0);
        if count >= max {
            return false;
        }
        counts.insert(prefix, count + 1);
        true
    }

    /// One of those is gone.
    pub(crate) fn give_back(&self, prefix: IpNet) {
        let mut counts = self.counts();
        if let Some(count) = counts.get_mut(&prefix) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&prefix);
            }
        }
        // A flood from a thousand networks leaves no memory behind.
        if counts.capacity() > 1024 && counts.len() < counts.capacity() / 8 {
            counts.shrink_to_fit();
        }
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<IpNet, u32, RandomState>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULT: PrefixLengths = PrefixLengths { ipv4: 32, ipv6: 64 };

    fn prefix(address: &str) -> IpNet {
        DEFAULT.prefix_of(address.parse().unwrap())
    }

    #[test]
    fn each_network_has_its_own_count_and_leaves_nothing() {
        let prefixes = Prefixes::default();
        let (one, other) = (prefix("192.0.2.1"), prefix("192.0.2.2"));
        assert!(prefixes.take(one, 2) && prefixes.take(one, 2) && !prefixes.take(one, 2));
        assert!(prefixes.take(other, 2));
        prefixes.give_back(one);
        assert!(prefixes.take(one, 2) && !prefixes.take(one, 2));
        [one, one, other].into_iter().for_each(|prefix| prefixes.give_back(prefix));
        assert!(prefixes.counts().is_empty());
        prefixes.give_back(one);
        assert!(prefixes.take(one, 1));
    }

    #[test]
    fn an_address_counts_to_its_network() {
        assert_eq!(prefix("2001:db8::1"), prefix("2001:db8::ffff:0:0:2"));
        assert_ne!(prefix("2001:db8::1"), prefix("2001:db8:0:1::1"));
        assert_ne!(prefix("192.0.2.1"), prefix("192.0.2.2"));
        let wide = PrefixLengths { ipv4: 24, ipv6: 0 };
        let of = |address: &str| wide.prefix_of(address.parse().unwrap());
        assert_eq!(of("192.0.2.1"), of("192.0.2.2"));
        assert_eq!(of("::1"), of("2001:db8::1"));
        assert_ne!(of("0.0.0.0"), of("::"));
    }

    #[test]
    fn a_flood_from_many_networks_leaves_no_memory() {
        let prefixes = Prefixes::default();
        let all = (0..100_000_u32).map(|number| DEFAULT.prefix_of(IpAddr::V4(number.into())));
        all.clone().for_each(|prefix| assert!(prefixes.take(prefix, 1)));
        all.for_each(|prefix| prefixes.give_back(prefix));
        assert!(prefixes.counts().capacity() <= 1024, "{}", prefixes.counts().capacity());
    }
}
