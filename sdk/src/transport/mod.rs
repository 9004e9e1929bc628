//! Connections to a box: plain TCP to this machine, TLS 1.3 to any other.
//!
//! A [`Connector`] knows where to and how much is trusted, and remembers the TLS sessions of its
//! connections, so that later ones cost less. A [`Stream`] blocks nobody: its owner waits for the
//! socket. The [`Client`](crate::Client) does all that by itself; this is for who drives a
//! [`session`](crate::session) in a loop of his own.

mod connector;
mod distrust;
mod pin;
mod security;
mod socket;
mod stream;
mod tls;

pub use connector::{ConnectError, Connector};
pub use distrust::Distrust;
pub use pin::{Pin, PinError};
pub(crate) use security::host_of;
pub use security::{Roots, Security, Tls, UnusableSecurity};
pub(crate) use socket::{Bell, Sleeper, bell, wait};
pub use stream::Stream;
