//! Who may see when a user was there.

use answerback_proto::code::Code;
use answerback_proto::id::UserId;
use answerback_proto::record::VisibilityChange;

use super::super::effect::Answer;
use super::super::user::Visibility;
use super::{Consequences, Missing, State, Verdict};

impl State {
    pub(super) fn set_visibility(
        &mut self,
        record: &VisibilityChange,
        consequences: &mut Consequences,
    ) -> Result<Verdict, Missing> {
        let (acting, at_ms) = (UserId(record.user), self.clock_ms);
        let user = self.user(acting)?;
        let wanted = Visibility::of(record.visibility).filter(|_| user.exists());
        let Some(visibility) = wanted else {
            let (code, retry_after_ms) = (Code::UnknownUser, 0);
            return Ok(Verdict::Answer(Answer::Declined { code, retry_after_ms }));
        };
        if user.visibility() != visibility {
            user.set_visibility(visibility);
            self.digest.mix(u64::from(record.visibility));
            self.list(acting);
            consequences.visibility.push(acting);
        }
        Ok(Verdict::Answer(Answer::Done { at_ms }))
    }
}
