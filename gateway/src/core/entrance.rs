//! Who is let in, before anything is read: the rate of the box, its seats, and how many come
//! from one network. Whoever is not is closed unheard, which costs one system call.
//!
//! A connection of a listed proxy says first for whom it is, and is counted to that network. Who
//! has still to say so, and which network a connection counts to, stands here and not in the
//! connection: most boxes limit neither, and their connections need not be larger for it.

use std::net::{IpAddr, SocketAddr};

use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashSet};
use ipnet::IpNet;
use tracing::debug;

use super::Core;
use crate::admission::ProxyHeader;
use crate::reactor::slot::SlotKey;
use crate::stats::Shed;
use crate::transport::preface::{Preface, take_header};

/// Where connections come from, as far as somebody wants to know.
#[derive(Debug, Default)]
pub(super) struct Entrance {
    /// Proxies' connections whose header is awaited.
    awaited: HashSet<SlotKey, RandomState>,
    /// What connections count to.
    prefixes: HashMap<SlotKey, IpNet, RandomState>,
}

/// How somebody was let in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    prefix: Option<IpNet>,
    is_proxied: bool,
}

impl Entry {
    /// What it counts to.
    pub(super) fn prefix(&self) -> Option<IpNet> {
        self.prefix
    }
}

impl Entrance {
    /// A connection counts to a network no more, or on another core.
    pub(super) fn take_prefix(&mut self, key: SlotKey) -> Option<IpNet> {
        if self.prefixes.is_empty() { None } else { self.prefixes.remove(&key) }
    }

    /// A connection counts to a network, if to any.
    pub(super) fn put_prefix(&mut self, key: SlotKey, prefix: Option<IpNet>) {
        if let Some(prefix) = prefix {
            self.prefixes.insert(key, prefix);
        }
    }

    fn awaits_header(&self, key: SlotKey) -> bool {
        !self.awaited.is_empty() && self.awaited.contains(&key)
    }
}

impl Core {
    /// Whether a new connection may stay; it has a seat then.
    pub(super) fn let_in(&mut self, peer: SocketAddr) -> Result<Entry, Shed> {
        let address = peer.ip().to_canonical();
        if !self.shared.accept_rate.take(self.config.accepts_per_s) {
            return Err(Shed::Rate);
        }
        if !self.shared.seats.take(self.config.connections_max) {
            return Err(Shed::Seats);
        }
        let is_proxied = self.config.proxy_from.iter().any(|peers| peers.contains(&address));
        let prefix = if is_proxied { Ok(None) } else { self.count_to_prefix(address) };
        match prefix {
            Ok(prefix) => Ok(Entry { prefix, is_proxied }),
            Err(shed) => {
                self.shared.seats.give_back();
                Err(shed)
            }
        }
    }

    /// Notes how a connection was let in.
    pub(super) fn note_entry(&mut self, key: SlotKey, entry: Entry) {
        self.entrance.put_prefix(key, entry.prefix);
        if entry.is_proxied {
            self.entrance.awaited.insert(key);
        }
    }

    /// Somebody who was let in is gone.
    pub(super) fn let_out(&mut self, prefix: Option<IpNet>) {
        self.shared.seats.give_back();
        if let Some(prefix) = prefix {
            self.shared.prefixes.give_back(prefix);
        }
    }

    /// The same, of a connection that was noted.
    pub(super) fn let_out_noted(&mut self, key: SlotKey) {
        if self.entrance.awaits_header(key) {
            self.entrance.awaited.remove(&key);
        }
        let prefix = self.entrance.take_prefix(key);
        self.let_out(prefix);
    }

    fn count_to_prefix(&self, address: IpAddr) -> Result<Option<IpNet>, Shed> {
        let max = self.config.connections_per_prefix;
        if max == 0 {
            return Ok(None);
        }
        let prefix = self.config.prefix_bits.prefix_of(address);
        if self.shared.prefixes.take(prefix, max) { Ok(Some(prefix)) } else { Err(Shed::Prefix) }
    }

    /// Whether a connection may be read: a proxy's not before it said for whom it is.
    pub(super) fn has_begun(&mut self, key: SlotKey) -> bool {
        if !self.entrance.awaits_header(key) {
            return true;
        }
        let Some(connection) = self.connections.find(key) else { return false };
        let is_read_closed = connection.is_read_closed;
        match take_header(&mut connection.socket) {
            Preface::Header(header) => self.handle_header(key, header),
            Preface::Begun if !is_read_closed => false,
            Preface::Begun | Preface::Ended => {
                self.close(key);
                false
            }
            Preface::Again => {
                self.connections.list(key);
                false
            }
            Preface::Bad => {
                self.shed(key, Shed::ProxyHeader);
                false
            }
        }
    }

    fn handle_header(&mut self, key: SlotKey, header: ProxyHeader) -> bool {
        self.entrance.awaited.remove(&key);
        let Some(address) = header.source else { return true };
        debug!(%address, slot = key.index, "a proxy's connection is from there");
        match self.count_to_prefix(address) {
            Ok(prefix) => {
                self.entrance.put_prefix(key, prefix);
                true
            }
            Err(shed) => {
                self.shed(key, shed);
                false
            }
        }
    }

    fn shed(&mut self, key: SlotKey, why: Shed) {
        self.counts.shed.count(why);
        self.close(key);
    }
}
