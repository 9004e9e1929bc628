//! Reports of users, on their way to the operator's server and back.

use std::sync::Arc;

use answerback_directory::shard::{Answer, Origin, Reported};
use answerback_proto::code::Code;

use super::Core;
use crate::hooks::{AskedReport, ReportAnswer, Way};

impl Core {
    /// The home of a reported user knows the user: the operator's server is told.
    pub(super) fn pass_report(&mut self, home: u16, origin: &Origin, reported: Reported) {
        let (to, tag, peer) = (origin.session, origin.tag, reported.user);
        if !self.shared.hooks.takes_reports() {
            let (code, retry_after_ms) = (Code::ReportsUnavailable, 0);
            let answer = Answer::Declined { code, retry_after_ms };
            return self.answer(home, to, tag, peer, &answer);
        }
        let partition = self.shared.table.partition_of(peer);
        let way = Way { desk: Arc::clone(&self.desk), partition, to, tag, peer };
        self.shared.hooks.report(AskedReport::new(origin.user, origin.device, reported, way));
    }

    /// What became of one. Where the partition went out of service meanwhile, whoever waited for
    /// it was told so.
    pub(super) fn handle_reported(&mut self, told: &ReportAnswer) {
        let ReportAnswer { partition, to, tag, peer, answer } = *told;
        if let Some(home) = self.shards.index_of(partition) {
            self.answer(home, to, tag, peer, &answer);
        }
    }
}
