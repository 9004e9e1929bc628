//! What the operator wants: commands for shards, reports, other settings.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;

use answerback_directory::shard::{Administered, SessionReport, Shard};
use answerback_proto::id::{PartitionId, UserId};

use super::Core;
use super::stop::Phase;
use crate::config::GatewayConfig;
use crate::control::{Asked, Command};
use crate::stats::{CoreStats, SessionInfo};

/// Who waits for which command.
#[derive(Default)]
pub(super) struct Tickets {
    last: u64,
    waiting: BTreeMap<u64, Sender<Administered>>,
}

impl Tickets {
    fn add(&mut self, answer: Sender<Administered>) -> u64 {
        self.last += 1;
        self.waiting.insert(self.last, answer);
        self.last
    }
}

impl Core {
    /// Takes what was asked since the last tick. Whoever asked may be gone.
    pub(super) fn handle_asked(&mut self) {
        for asked in self.desk.take() {
            match asked {
                Asked::Perform { command, answer } => self.perform_command(command, answer),
                Asked::Report(answer) => drop(answer.send(self.report())),
                Asked::Sessions { user, answer } => drop(answer.send(self.sessions_of(user))),
                Asked::Hold { partitions, for_ms } => {
                    let until_ms = self.now_ms().saturating_add(for_ms);
                    self.shards.hold(partitions, until_ms);
                }
                Asked::Reported(told) => self.handle_reported(&told),
                Asked::Reload(config) => self.reload(config),
                Asked::Certificate(certificate) => self.set_certificate(&certificate),
                Asked::Verifier(verifier) => self.verifier = verifier,
                Asked::SealingKeys(keys) => self.sealing_keys = keys,
            }
        }
    }

    fn perform_command(&mut self, command: Command, answer: Sender<Administered>) {
        match command {
            Command::AddUser(user) => {
                self.command(user, answer, |shard, ticket| shard.handle_add_user(user, ticket));
            }
            Command::Revoke(user, device) => self.command(user, answer, |shard, ticket| {
                shard.handle_revoke(user, device, ticket);
            }),
            Command::RevokeUser(user) => {
                self.command(user, answer, |shard, ticket| shard.handle_revoke_user(user, ticket));
            }
            Command::RevokeTokens(user, before_s) => self.command(user, answer, |shard, ticket| {
                shard.handle_revoke_tokens(user, before_s, ticket);
            }),
            Command::RevokeToken(user, token, expires_s) => {
                self.command(user, answer, |shard, ticket| {
                    shard.handle_revoke_token(user, token, expires_s, ticket);
                });
            }
            Command::PurgeUser(user) => {
                self.command(user, answer, |shard, ticket| shard.handle_purge_user(user, ticket));
            }
            Command::ConfirmClock => {
                for partition in self.shared.table.partitions_of(self.core) {
                    match self.shards.touch(partition) {
                        Some(shard) => {
                            shard.handle_confirm_clock(self.tickets.add(answer.clone()));
                        }
                        // Out of service: whoever repairs it is alarmed at its start.
                        None => drop(answer.send(Administered::WasSo)),
                    }
                }
            }
        }
    }

    fn command(
        &mut self,
        user: UserId,
        answer: Sender<Administered>,
        tell: impl FnOnce(&mut Shard, u64),
    ) {
        let partition = self.shared.table.partition_of(user);
        if let Some(shard) = self.shards.touch(partition) {
            tell(shard, self.tickets.add(answer));
        }
    }

    /// A command is done, and durable. Whoever asked may be gone.
    pub(super) fn handle_administered(&mut self, ticket: u64, outcome: Administered) {
        if let Some(answer) = self.tickets.waiting.remove(&ticket) {
            let _ = answer.send(outcome);
        }
    }

    fn report(&mut self) -> CoreStats {
        let now_ms = self.now_ms();
        let mut counts = self.counts.clone();
        counts.sent_bytes = self.connections.sent_bytes();
        counts.paused = self.connections.paused();
        CoreStats {
            counts,
            connections: self.connections.table().count() as u64,
            connections_max: self.config.connections_max.into(),
            shards: self.shards.reports(now_ms),
            quarantined: self.out_of_service(),
            is_memory_low: self.is_memory_low(),
            is_disk_low: self.shared.is_disk_low.load(Ordering::Relaxed),
            is_draining: self.phase != Phase::Serving,
        }
    }

    /// Partitions of this core without a shard: broken just now, or before this start.
    fn out_of_service(&self) -> Vec<PartitionId> {
        let partitions = self.shared.table.partitions_of(self.core);
        partitions.filter(|partition| !self.shards.serves(*partition)).collect()
    }

    fn sessions_of(&mut self, user: UserId) -> Vec<SessionInfo> {
        let (now_ms, partition) = (self.now_ms(), self.shared.table.partition_of(user));
        let reports = self.shards.touch(partition).map(|shard| shard.sessions_of(user, now_ms));
        let reports = reports.unwrap_or_default().into_iter();
        reports.filter_map(|report| self.session_info(report)).collect()
    }

    fn session_info(&mut self, report: SessionReport) -> Option<SessionInfo> {
        let now_s = self.now_us / 1_000_000;
        let connection = self.connections.find(self.key_of(report.session)?)?;
        Some(SessionInfo {
            report,
            silent_s: now_s.saturating_sub(u64::from(connection.heard_s)),
            unsent_bytes: connection.unsent() as u64,
            unanswered: connection.unanswered.into(),
            is_probed: connection.session.is_probed,
        })
    }

    /// Goes by other settings. Sessions keep to the intervals of pings that they were told.
    fn reload(&mut self, config: Arc<GatewayConfig>) {
        self.heartbeat_told_max_s = self.heartbeat_told_max_s.max(config.heartbeat_max_s);
        self.gate.set_policy(config.commit);
        self.rates.reload(&config.rates);
        let wakes = self.shared.hooks.wakes();
        for partition in self.shared.table.partitions_of(self.core) {
            if let Some(shard) = self.shards.touch(partition) {
                shard.handle_settings(&config.settings);
                shard.handle_wake_policy(wakes.then_some(config.wake));
                shard.set_presence(config.presence);
            }
        }
        self.config = config;
    }
}
