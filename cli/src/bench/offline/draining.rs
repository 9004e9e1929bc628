//! The job of the draining half: the users come back, all at once, and take what waits.
//!
//! A recipient is through when the box says that he is caught up and he has as much as the
//! plan says; then a ping goes out behind his last acknowledgement, and its answer shows
//! that the box has read that.

use answerback_proto::access::access;
use answerback_proto::encode::Address;
use answerback_proto::frame_buffer::Frame;
use answerback_proto::kind::{Deliver, Kind, Ping, Welcome};

use super::plan::Plan;
use super::stamp;
use crate::bench::engine::{Job, bad_frame};
use crate::bench::load::out_of_place;
use crate::bench::pair::{Inbox, Received};
use crate::bench::sockets::Sockets;
use crate::exit::Failure;

/// What came, all recipients together.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    /// Different messages.
    pub(super) received: u64,
    /// Messages that do not say what their sender wrote.
    pub(super) damaged: u64,
    /// Recipients who have everything, and whose box knows.
    pub(super) through: usize,
    /// Entries that waited, as the box told at the logins.
    pub(super) pending: u64,
}

/// The load. Connection `n` is recipient `n`.
#[derive(Debug)]
pub(super) struct DrainingLoad {
    plan: Plan,
    user_base: u128,
    recipients: Vec<Recipient>,
    pub(super) counts: Counts,
}

#[derive(Debug)]
struct Recipient {
    inbox: Inbox,
    expected: u64,
    count: u64,
    /// By sender.
    received: Vec<Received>,
    is_caught_up: bool,
    has_pinged: bool,
}

impl Recipient {
    fn is_complete(&self) -> bool {
        self.is_caught_up && self.count >= self.expected
    }
}

impl DrainingLoad {
    /// Recipients who know nothing yet.
    pub(super) fn new(plan: Plan, user_base: u128) -> Self {
        let recipients = plan.recipient_users().map(|user| Recipient {
            inbox: Inbox::default(),
            expected: plan.count_for(user),
            count: 0,
            received: (0..plan.senders).map(|_| Received::default()).collect(),
            is_caught_up: false,
            has_pinged: false,
        });
        Self { plan, user_base, recipients: recipients.collect(), counts: Counts::default() }
    }

    /// Whether every recipient is through.
    pub(super) fn is_settled(&self) -> bool {
        self.counts.through == self.plan.recipients
    }

    /// The sum over all chats.
    pub(super) fn sum(&self, of: fn(&Received) -> u64) -> u64 {
        self.recipients.iter().flat_map(|recipient| &recipient.received).map(of).sum()
    }

    fn handle_deliver(&mut self, at: usize, frame: Frame<'_>) -> Result<(), Failure> {
        let (deliver, _) = access::<Deliver>(frame.envelope).map_err(bad_frame)?;
        let Some(recipient) = self.recipients.get_mut(at) else { return Ok(()) };
        if !recipient.inbox.take(deliver.after.to_native(), deliver.position.to_native()) {
            return Ok(());
        }
        let first_sender = self.user_base.wrapping_add(self.plan.recipients as u128);
        let sender = frame.header.target.wrapping_sub(first_sender);
        let sender = usize::try_from(sender).unwrap_or(usize::MAX);
        let received = recipient.received.get_mut(sender).ok_or_else(not_of_this_plan)?;
        let sequence = deliver.sequence.to_native();
        if received.take(sequence) {
            recipient.count += 1;
            self.counts.received += 1;
        }
        let is_intact = stamp::is_intact(frame.payload, sender, sequence);
        self.counts.damaged += u64::from(!is_intact);
        Ok(())
    }
}

impl Job for DrainingLoad {
    fn handle_open(&mut self, at: usize, _: u64, welcome: &Welcome, _: &mut Sockets) {
        self.counts.pending += welcome.pending_count;
        if let Some(recipient) = self.recipients.get_mut(at) {
            recipient.inbox.cursor = welcome.cursor;
        }
    }

    fn handle_frame(
        &mut self,
        at: usize,
        _now_ns: u64,
        frame: Frame<'_>,
        _sockets: &mut Sockets,
    ) -> Result<(), Failure> {
        match frame.header.kind() {
            Some(Kind::Deliver) => return self.handle_deliver(at, frame),
            Some(Kind::CaughtUp) => {
                if let Some(recipient) = self.recipients.get_mut(at) {
                    recipient.is_caught_up = true;
                }
            }
            Some(Kind::Pong) => self.counts.through += 1,
            kind => return Err(out_of_place(kind)),
        }
        Ok(())
    }

    fn handle_read_end(&mut self, at: usize, sockets: &mut Sockets) {
        let Some(recipient) = self.recipients.get_mut(at) else { return };
        sockets.acknowledge(at, &mut recipient.inbox);
        if recipient.is_complete() && !recipient.has_pinged {
            recipient.has_pinged = true;
            let address = Address { flags: 0, tag: 1, target: 0 };
            sockets.send(at, address, &Ping { echo: 0 }, &[]);
        }
    }

    fn pump(&mut self, _now_ns: u64, _sockets: &mut Sockets) {}
}

fn not_of_this_plan() -> Failure {
    Failure::new(
        "a message came from nobody of this plan: give the bases and counts of the run that stored",
    )
}
