//! What is let in, and how much of it: before a connection has cost anything, and of what a
//! session sends.
//!
//! ```text
//! accept │ rate of the box │ seats │ prefix, or the proxy's header and then the prefix │ TLS, Hello
//! send   │ the box's memory, its disk │ messages and bytes of the device, of the user │ the home
//! ```
//! All of it is counted outside the state of shards: nothing here is decided at apply.

mod accept_rate;
mod bucket;
mod prefixes;
mod proxy_header;
mod rates;

pub(crate) use accept_rate::AcceptRate;
pub use prefixes::PrefixLengths;
pub(crate) use prefixes::Prefixes;
pub use proxy_header::PROXY_HEADER_BYTES_MAX;
pub(crate) use proxy_header::ProxyHeader;

pub(crate) use rates::{Rates, Sender};
