//! The gateway of a box: sockets in, shards driven, answers out.
//!
//! ```text
//! clients ══► core 0 │ reactor, sessions, shards │◄──┐ one parcel a tick
//! clients ══► core 1 │ reactor, sessions, shards │◄──┘ and direction
//!                       │ batches    ▲ committed
//!                       ▼            │
//!                    storage thread │ one commit for all cores
//! ```
//! A core is a thread with its own poll, its own listener and the shards of its
//! partitions. A connection is accepted by any core; after a good `Hello` it moves to the
//! core that drives its user's partition, so that what is pushed to it never leaves that
//! core. What it sends to users of other cores crosses by a bounded queue.
//!
//! This crate reads fixed headers and no payloads. It decides nothing about messages
//! (`directory` does) and knows no disk: it is generic over `directory::ports`; its
//! storage thread and its reader threads are the places that wait for it.

mod admission;
mod auth;
mod clock;
mod config;
mod control;
mod core;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod hkdf;
mod hooks;
mod limits;
mod random;
mod reactor;
mod reading;
mod serve;
mod session;
mod stats;
mod storage;
mod transport;

pub use admission::{PROXY_HEADER_BYTES_MAX, PrefixLengths};
pub use auth::{KeySetError, SealingError, SealingKeys, Verifier};
pub use config::{GatewayConfig, RateConfig};
pub use control::{Command, Control, Unanswered};
pub use hooks::{AskedReport, Hooks};
pub use limits::{
    CLOSING_MS, OUT_BYTES_MAX, REQUESTS_UNANSWERED_MAX, SEALING_KEYS_MAX, SESSION_CREDIT_BYTES_MAX,
};
pub use serve::{Backend, Credentials, Listening, ServeError, StopHandle, serve};
pub use stats::{COMMIT_SECONDS, HandshakeStats, SessionInfo, Stats, StorageStats};
pub use transport::tls::{Certificate, CertificateError, PROTOCOL};
