//! The jobs that every peer is given. A later one, a message to a group, needs a role, an
//! arm here and a word in each protocol.

mod chat;
mod idle;
mod mark;
mod offline;

use std::collections::BTreeMap;

use anyhow::Result;
use clap::ValueEnum;

use crate::peer::Peer;
use crate::protocol::Protocol;
use crate::server::Server;

/// A job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Job {
    /// Pairs write to each other; each sender keeps 8 messages under way
    #[value(name = "window-8")]
    Window8,
    /// The same with 1 message under way
    #[value(name = "window-1")]
    Window1,
    /// Pairs write 10 000 messages a second by the clock
    #[value(name = "rate-10000")]
    Rate10000,
    /// Pairs write 2 000 messages a second by the clock
    #[value(name = "rate-2000")]
    Rate2000,
    /// Messages are stored for those who are away, who then come back
    Offline,
    /// Users log in and stay
    Idle,
}

/// How much of each.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    /// Senders, and as many receivers.
    pub(crate) pairs: u32,
    /// Seconds before a chat is measured.
    pub(crate) warm_up_s: f64,
    /// Seconds for which it is.
    pub(crate) measured_s: f64,
    /// Messages to store.
    pub(crate) messages: u64,
    /// Users that log in.
    pub(crate) connections: u32,
}

/// What was measured, by name.
pub(crate) type Figures = BTreeMap<String, f64>;

impl Job {
    /// As on the command line and in results.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// As over a table.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Window8 => "Chat, closed loop: 8 messages under way for each sender",
            Self::Window1 => "Chat, closed loop: 1 message under way for each sender",
            Self::Rate10000 => "Chat, open loop: 10 000 messages a second",
            Self::Rate2000 => "Chat, open loop: 2 000 messages a second",
            Self::Offline => "Stored for users who are away, then fetched by them",
            Self::Idle => "Logins, and connections that do nothing",
        }
    }

    /// Whether a peer is given this job.
    pub(crate) fn suits(self, peer: Peer) -> bool {
        match self {
            Self::Window8 | Self::Window1 | Self::Rate2000 => true,
            Self::Rate10000 => peer.is_fast(),
            Self::Offline => peer.stores(),
            Self::Idle => !peer.logs_in_like_another(),
        }
    }

    /// Gives the job to a server that has just started.
    pub(crate) fn measure<P: Protocol>(
        self,
        protocol: P,
        server: &Server,
        peer: Peer,
        effort: &Effort,
    ) -> Result<Figures> {
        match self {
            Self::Window8 => chat::measure(protocol, server, peer, effort, chat::Load::Window(8)),
            Self::Window1 => chat::measure(protocol, server, peer, effort, chat::Load::Window(1)),
            Self::Rate10000 => {
                chat::measure(protocol, server, peer, effort, chat::Load::Rate(10_000))
            }
            Self::Rate2000 => {
                chat::measure(protocol, server, peer, effort, chat::Load::Rate(2_000))
            }
            Self::Offline => {
                let messages = (effort.messages as f64 * peer.stored_share()) as u64;
                offline::measure(protocol, server, effort.pairs, messages)
            }
            Self::Idle => idle::measure(protocol, server, effort.connections),
        }
    }
}

/// Notes a figure.
fn note(figures: &mut Figures, name: &str, value: f64) {
    // Three places are finer than any of these measurements.
    figures.insert(name.to_owned(), (value * 1000.0).round() / 1000.0);
}
