//! A user tells the operator of another.

use answerback_proto::id::{DeviceId, Sequence, UserId};
use answerback_sdk::Ask;
use clap::Args;

use super::Acting;
use crate::exit::Failure;

/// Of whom, and why.
#[derive(Args)]
pub(crate) struct ReportArguments {
    #[command(flatten)]
    acting: Acting,
    /// The other user.
    #[arg(value_name = "USER")]
    peer: UserId,
    /// Of a message of that user: the device that had sent it, as `recv` prints it.
    #[arg(long, value_name = "DEVICE", requires = "sequence")]
    sender_device: Option<DeviceId>,
    /// And its number.
    #[arg(long, value_name = "N", requires = "sender_device")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    sequence: Option<u64>,
    /// Why: a number of the protocol's registry, as 1 for unwanted advertising, or the app's own.
    #[arg(long, value_name = "N", default_value_t = 0)]
    reason: u16,
    /// What to show the operator of it, at most 4096 bytes.
    #[arg(long, value_name = "TEXT", default_value = "")]
    excerpt: String,
}

/// Tells the operator's own server, by way of the box.
pub(super) fn report(arguments: &ReportArguments) -> Result<(), Failure> {
    let ReportArguments { acting, peer, sender_device, sequence, reason, excerpt } = arguments;
    let ask = Ask::Report {
        user: *peer,
        message: sender_device.zip(sequence.map(Sequence)),
        reason: *reason,
        excerpt: excerpt.clone().into_bytes(),
    };
    acting.have_done(|client| client.ask(ask))
}
