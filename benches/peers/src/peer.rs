//! Who is compared, and what each one's confirmation is worth.

use clap::ValueEnum;

/// A server with one way to set it up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Peer {
    /// The bare relay: forwards and confirms, keeps nothing
    Relay,
    /// The same, and tells senders what was acknowledged
    RelayReceipts,
    /// A box: durable, with receipts, logins with tokens
    Answerback,
    /// Mosquitto: QoS 1, persistent sessions
    Mosquitto,
    /// Redis Streams, its log synced every second
    RedisEverysec,
    /// Redis Streams, its log synced before each answer
    RedisAlways,
    /// NATS JetStream, acknowledgements kept in memory
    Nats,
    /// NATS JetStream, acknowledgements kept as it does by default
    NatsDefault,
    /// NATS JetStream, synced for each message
    NatsAlways,
    /// ejabberd: XMPP with stream management and receipts
    Ejabberd,
}

/// What a confirmation is worth.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Worth {
    /// Whether the message is on disk when its sender is told.
    pub(crate) is_on_disk: bool,
    /// The same, in words.
    pub(crate) on_disk: &'static str,
    /// Whether the sender is told of the arrival too.
    pub(crate) has_receipts: bool,
    /// The same, in words.
    pub(crate) receipts: &'static str,
    /// What is lost of what was confirmed.
    pub(crate) power_cut: &'static str,
}

impl Peer {
    /// All, in the order of the tables.
    pub(crate) fn all() -> &'static [Self] {
        Self::value_variants()
    }

    /// As on the command line and in results.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// As in tables.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Relay => "relay",
            Self::RelayReceipts => "relay with receipts",
            Self::Answerback => "Answerback",
            Self::Mosquitto => "Mosquitto",
            Self::RedisEverysec => "Redis Streams, everysec",
            Self::RedisAlways => "Redis Streams, always",
            Self::Nats => "JetStream, tuned",
            Self::NatsDefault => "JetStream, default acks",
            Self::NatsAlways => "JetStream, sync always",
            Self::Ejabberd => "ejabberd",
        }
    }

    /// What its confirmation is worth.
    pub(crate) fn worth(self) -> Worth {
        let nothing_kept = "everything: it keeps nothing";
        let two_minutes = "up to 2 minutes";
        let (on_disk, receipts, power_cut) = match self {
            Self::Relay => ("no", "no", nothing_kept),
            Self::RelayReceipts => ("no", "yes, kept nowhere", nothing_kept),
            Self::Answerback => {
                ("yes: one sync for all of a millisecond", "yes, durable", "nothing")
            }
            Self::Mosquitto => {
                ("no: written at exit and every 30 minutes", "no", "up to 30 minutes")
            }
            Self::RedisEverysec => ("no: synced once a second", "no", "about a second"),
            Self::RedisAlways => ("yes: one sync for all that came together", "no", "nothing"),
            Self::Nats | Self::NatsDefault => ("no: synced every 2 minutes", "no", two_minutes),
            Self::NatsAlways => ("yes: a sync for each message", "no", "nothing"),
            Self::Ejabberd => (
                "no: the sender's session has handled it",
                "yes, a message of the receiving client",
                "what is under way to those online; the rest as Mnesia syncs it",
            ),
        };
        Worth {
            is_on_disk: on_disk.starts_with("yes"),
            on_disk,
            has_receipts: receipts.starts_with("yes"),
            receipts,
            power_cut,
        }
    }

    /// Whether it keeps messages for those who are away.
    pub(crate) fn stores(self) -> bool {
        !matches!(self, Self::Relay | Self::RelayReceipts)
    }

    /// Whether it forwards 10 000 messages a second on one processor.
    pub(crate) fn is_fast(self) -> bool {
        !matches!(self, Self::NatsDefault | Self::NatsAlways | Self::Ejabberd)
    }

    /// Its share of the messages of a store: some store too slowly for all.
    pub(crate) fn stored_share(self) -> f64 {
        if matches!(self, Self::NatsAlways | Self::Ejabberd) { 0.1 } else { 1.0 }
    }

    /// Whether it is only another setting of one that is compared already, where only
    /// logins count.
    pub(crate) fn logs_in_like_another(self) -> bool {
        matches!(
            self,
            Self::RelayReceipts | Self::RedisEverysec | Self::NatsDefault | Self::NatsAlways
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worth_is_what_the_words_say() {
        let durable: Vec<_> = Peer::all()
            .iter()
            .filter(|peer| peer.worth().is_on_disk)
            .map(|peer| peer.name())
            .collect();
        assert_eq!(durable, ["answerback", "redis-always", "nats-always"]);
        for peer in Peer::all() {
            let worth = peer.worth();
            assert_eq!(worth.is_on_disk, worth.power_cut == "nothing", "{peer:?}");
        }
    }
}
