//! A user reports another one to the operator: the reported user's home says whether there is such
//! a user, and the driver tells the operator's server. Nothing of it is journaled.

use answerback_proto::code::Code;
use answerback_proto::id::{DeviceId, Sequence, UserId};
use answerback_proto::kind::{Kind, Report};
use bytes::Bytes;

use super::load::Wanted;
use super::user::Existence;
use super::{Answer, Effect, Origin, Shard};
use crate::limits::{BUSY_RETRY_AFTER_MS, REPORTS_READING_MAX};

/// What the operator is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reported {
    /// Who is reported.
    pub user: UserId,
    /// Of a message: the device that had sent it, and its number.
    pub message: Option<(DeviceId, Sequence)>,
    /// Why, as the app numbers reasons.
    pub reason: u16,
    /// What the reporter chose to show; opaque.
    pub excerpt: Bytes,
}

impl Shard {
    /// A `Report` of a user of this partition: envelope as it came.
    pub fn handle_report(&mut self, origin: Origin, user: UserId, envelope: &[u8]) {
        let (report, excerpt) = match Report::read(envelope) {
            Ok(read) => read,
            Err(code) => return self.close(origin, Kind::Report, code),
        };
        if origin.user == user {
            return self.decline_report(origin, user, Code::NotYourself);
        }
        let message =
            (report.device != 0).then_some((DeviceId(report.device), Sequence(report.sequence)));
        let excerpt = Bytes::copy_from_slice(excerpt);
        let reported = Reported { user, message, reason: report.reason, excerpt };
        if self.state.users.get(user).is_some() {
            self.pass_report(origin, reported);
        } else if self.reports.len() < REPORTS_READING_MAX {
            self.reports.push((origin, reported));
            self.load(Wanted::Head(user));
        } else {
            self.decline_report(origin, user, Code::Busy);
        }
    }

    /// A user was read, perhaps to see whether there is one.
    pub(super) fn handle_read_for_reports(&mut self, user: UserId) {
        let is_of = |(_, reported): &mut (Origin, Reported)| reported.user == user;
        let found: Vec<_> = self.reports.extract_if(.., is_of).collect();
        for (origin, reported) in found {
            self.pass_report(origin, reported);
        }
    }

    /// Who was purged can still be reported: what was done is done.
    fn pass_report(&mut self, origin: Origin, reported: Reported) {
        let known = self.state.users.get(reported.user);
        if known.is_none_or(|user| user.existence == Existence::Unknown) {
            return self.decline_report(origin, reported.user, Code::UnknownUser);
        }
        self.effects.push_back(Effect::Report { origin, reported });
    }

    fn decline_report(&mut self, origin: Origin, peer: UserId, code: Code) {
        let retry_after_ms = if code == Code::Busy { BUSY_RETRY_AFTER_MS } else { 0 };
        let answer = Answer::Declined { code, retry_after_ms };
        let (to, tag) = (origin.session, origin.tag);
        self.effects.push_back(Effect::Answer { to, tag, peer, answer });
    }
}
