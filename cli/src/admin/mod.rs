//! The admin listener of a box: HTTP for probes and for Prometheus, on a thread of its own that
//! shares nothing with a core.
//!
//! ```text
//! GET /live     200 while the process runs; reads nothing else
//! GET /ready    200 while messages are taken, else 503 with the reason
//! GET /metrics  OpenMetrics, of the last look of the thread "watch"
//! ```
//! It answers from the first moment of a start to the last of a stop. Whoever reaches it sees
//! figures and no ids, and can change nothing. It is plain on a loopback address; elsewhere it
//! has a certificate, and `/metrics` wants a token. Probes need none, since what sends them can
//! rarely keep a secret, and learn one word.

mod access;
mod listener;
mod metrics;
mod readiness;
mod routes;

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::str::FromStr;

use crate::clock::Clock;
use crate::config::Configuration;
use crate::exit::Failure;
use crate::watch::{Watch, WatchView};

use listener::Listener;
use routes::Seen;

pub(crate) use access::Access;
pub(crate) use readiness::{Phase, Readiness};

/// Where it listens, if anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AdminListen {
    /// At an address; port 0 takes any free one.
    At(SocketAddr),
    /// Nowhere.
    None,
}

/// What an operator may look at: the admin listener, and the thread that fills it. Dropping it
/// ends both.
#[derive(Debug)]
pub(crate) struct Admin {
    readiness: Readiness,
    access: Access,
    listener: Option<Listener>,
    watch: Watch,
}

impl Admin {
    /// Answers from now on, as a box that starts.
    pub(crate) fn start(configuration: &Configuration, clock: Clock) -> Result<Self, Failure> {
        let (readiness, access) = (Readiness::default(), Access::read(configuration)?);
        let watch = Watch::start(clock)?;
        let listener = match configuration.admin_listen {
            AdminListen::None => None,
            AdminListen::At(address) => {
                let (readiness, access) = (readiness.clone(), access.clone());
                let seen = Seen { readiness, watch: watch.view(), access };
                Some(Listener::start(address, seen)?)
            }
        };
        Ok(Self { readiness, access, listener, watch })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.listener.as_ref().map(Listener::address)
    }

    /// The box's phase, to be moved on.
    pub(crate) fn readiness(&self) -> Readiness {
        self.readiness.clone()
    }

    /// What it asks of who looks, to be read again.
    pub(crate) fn access(&self) -> Access {
        self.access.clone()
    }

    /// What looks at the box, to be given more to look at.
    pub(crate) fn watch(&self) -> &Watch {
        &self.watch
    }

    /// What it saw.
    pub(crate) fn view(&self) -> WatchView {
        self.watch.view()
    }
}

impl Default for AdminListen {
    fn default() -> Self {
        Self::At(SocketAddr::from((Ipv4Addr::LOCALHOST, 7480)))
    }
}

impl FromStr for AdminListen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "none" => Ok(Self::None),
            address => address
                .parse()
                .map(Self::At)
                .map_err(|_| "an address with its port, as 127.0.0.1:7480, or `none`".to_owned()),
        }
    }
}

impl fmt::Display for AdminListen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(address) => address.fmt(f),
            Self::None => f.write_str("none"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_or_none_is_read_as_it_is_written() {
        for text in ["127.0.0.1:7480", "[::1]:0", "none"] {
            assert_eq!(text.parse::<AdminListen>().unwrap().to_string(), text);
        }
        assert_eq!(AdminListen::default().to_string(), "127.0.0.1:7480");
        assert!("7480".parse::<AdminListen>().unwrap_err().contains("`none`"));
    }
}
