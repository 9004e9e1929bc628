//! Who writes how much to whom: a function of three counts, so that the run that drains
//! knows without a file what the run that stored has sent.
//!
//! ```text
//! users      0 …            recipients
//!            recipients …   senders
//! sender s   writes his messages to the recipients in turn, beginning at s · recipients / senders
//! ```
//! All senders write to all recipients, so that with four or more of them none fills more
//! than a quarter of an inbox.

use std::ops::Range;

/// Fewer senders would fill more than a quarter of an inbox each.
pub(super) const SENDERS_MIN: u32 = 4;

/// The plan of a run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) senders: usize,
    pub(super) recipients: usize,
    pub(super) messages: u64,
}

impl Plan {
    /// The recipients among the run's users.
    pub(super) fn recipient_users(&self) -> Range<usize> {
        0..self.recipients
    }

    /// The senders among the run's users.
    pub(super) fn sender_users(&self) -> Range<usize> {
        self.recipients..self.recipients + self.senders
    }

    /// How many messages a sender writes.
    pub(super) fn count_of(&self, sender: usize) -> u64 {
        let senders = self.senders as u64;
        self.messages / senders + u64::from((sender as u64) < self.messages % senders)
    }

    /// How many recipients a sender writes to: his chats, in the order of their first message.
    pub(super) fn chats_of(&self, sender: usize) -> usize {
        usize::try_from(self.count_of(sender)).map_or(self.recipients, |n| n.min(self.recipients))
    }

    /// To whom a sender's chat goes.
    pub(super) fn recipient(&self, sender: usize, chat: usize) -> usize {
        (chat + self.first_recipient(sender)) % self.recipients
    }

    /// How many messages a recipient is sent by a sender.
    pub(super) fn count_between(&self, sender: usize, recipient: usize) -> u64 {
        let recipients = self.recipients as u64;
        let chat = (recipient + self.recipients - self.first_recipient(sender)) as u64 % recipients;
        let count = self.count_of(sender);
        count / recipients + u64::from(chat < count % recipients)
    }

    /// How many messages a recipient is sent.
    pub(super) fn count_for(&self, recipient: usize) -> u64 {
        (0..self.senders).map(|sender| self.count_between(sender, recipient)).sum()
    }

    fn first_recipient(&self, sender: usize) -> usize {
        sender * self.recipients / self.senders
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_is_what_is_expected() {
        for (senders, recipients, messages) in [(4, 1, 10), (4, 500, 3), (7, 5, 1000), (5, 10, 99)]
        {
            let plan = Plan { senders, recipients, messages };
            let mut sent = vec![vec![0; recipients]; senders];
            for sender in 0..senders {
                for number in 0..plan.count_of(sender) as usize {
                    let chat = number % recipients;
                    assert!(chat < plan.chats_of(sender));
                    sent[sender][plan.recipient(sender, chat)] += 1;
                }
            }
            for (sender, to) in sent.iter().enumerate() {
                for (recipient, count) in to.iter().enumerate() {
                    assert_eq!(plan.count_between(sender, recipient), *count, "{plan:?}");
                }
            }
            let expected: u64 = plan.recipient_users().map(|user| plan.count_for(user)).sum();
            assert_eq!(expected, messages, "{plan:?}");
        }
    }

    #[test]
    fn no_sender_fills_more_than_a_quarter_of_an_inbox() {
        let plan = Plan { senders: SENDERS_MIN as usize, recipients: 500, messages: 200_000 };
        for recipient in plan.recipient_users() {
            let most = (0..plan.senders).map(|sender| plan.count_between(sender, recipient)).max();
            assert!(most.unwrap() * 4 <= plan.count_for(recipient));
        }
    }
}
