//! What devices are told and store, held against what is durable.

use answerback_proto::code::Code;
use answerback_proto::id::{DeviceId, Position, Sequence, UserId};
use answerback_proto::kind::append_numbered_user;
use answerback_sdk::session::{Entry, EntryBody};

use super::account::{Body, Receipt, Standing};
use super::group::Failures;
use super::message::{Decision, Exit, MemberFate, MessageNumber};
use super::{Breach, Model, require};

/// What `Welcome` said, and what the device had before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Welcomed {
    /// Where the session starts.
    pub(crate) cursor: Position,
    /// What the device had stored; none where it is new.
    pub(crate) stored: Option<Position>,
    pub(crate) has_lapsed: bool,
    /// Of the connection.
    pub(crate) counter: u64,
}

impl Model {
    /// A shard offers a message: it must not have been told to have failed.
    pub(crate) fn check_offered(&self, payload: &[u8], is_copy: bool) -> Result<(), Breach> {
        let message = self.message(self.checked_payload(payload)?);
        require(is_copy || !message.is_withheld, || {
            format!("{message} is offered, and its recipient had blocked its sender")
        })?;
        require(is_copy || message.told_failed.is_none(), || {
            format!("{message} is offered after its sender was told that it failed")
        })
    }

    /// A session starts where the home and the device agree, and behind nothing that the
    /// device lacks, unless that is told.
    pub(crate) fn handle_opened(&mut self, id: DeviceId, welcomed: Welcomed) -> Result<(), Breach> {
        let Welcomed { cursor, stored, has_lapsed, counter } = welcomed;
        let device = self.device_mut(id);
        require(device.was_answered(counter, Ok(())), || {
            format!("device {id} is let in, and its login came to {:?}", device.last_login)
        })?;
        device.session_cursor = cursor.0;
        require(cursor.0 <= device.cursor.max(device.start), || {
            format!("device {id} starts at {cursor}, and had acknowledged {}", device.cursor)
        })?;
        match stored {
            None => require(cursor.0 >= device.start, || {
                format!("the new device {id} starts at {cursor}, before its floor {}", device.start)
            }),
            Some(stored) => require(cursor <= stored || has_lapsed, || {
                format!("device {id} has {stored}, and starts at {cursor} without being told why")
            }),
        }
    }

    /// Accepted means durable, and decided so.
    pub(crate) fn handle_accepted(
        &mut self,
        number: MessageNumber,
        at_ms: u64,
    ) -> Result<(), Breach> {
        let message = self.message_mut(number);
        message.told_accepted = true;
        let decision = message.decision;
        require(decision == Some(Decision::Accepted { at_ms }), || {
            format!("{message} was told accepted at {at_ms}, and durable is {decision:?}")
        })
    }

    /// A request was answered with its failure.
    pub(crate) fn handle_failed(&mut self, number: MessageNumber, code: u16) -> Result<(), Breach> {
        let message = self.message_mut(number);
        message.told_failed = Some(code);
        let is_so = match message.decision {
            Some(Decision::Rejected(reason)) => reason.number() == code,
            Some(Decision::Skipped) => Code::Skipped.number() == code,
            _ => false,
        };
        require(is_so, || {
            format!("{message} was told failed ({code}), and durable is {:?}", message.decision)
        })
    }

    /// It was refused for good, and nothing of it is kept.
    pub(crate) fn handle_refused(
        &mut self,
        number: MessageNumber,
        code: u16,
    ) -> Result<(), Breach> {
        let message = self.message_mut(number);
        message.told_refused = true;
        let reasons = [Code::UnknownUser, Code::UnknownGroup, Code::NotMember];
        let is_unknown = reasons.iter().any(|reason| reason.number() == code);
        let is_accepted = matches!(message.decision, Some(Decision::Accepted { .. }));
        require(is_unknown && !is_accepted, || {
            format!("{message} was refused for good ({code}), and is {:?}", message.decision)
        })
    }

    /// A device was closed for good.
    pub(crate) fn handle_closed(
        &self,
        id: DeviceId,
        counter: u64,
        code: Code,
    ) -> Result<(), Breach> {
        let device = self.device(id);
        let is_right = match code {
            Code::TokenRevoked | Code::TicketInvalid => device.was_answered(counter, Err(code)),
            Code::SessionRecheck => !self.account(device.user).void.is_empty(),
            Code::DeviceRevoked => device.standing == Standing::Revoked,
            Code::DeviceRolledBack => device.is_rolled_back,
            Code::TooManyDevices => device.standing == Standing::Unknown,
            Code::Busy => self.account(device.user).was_purged,
            // The box's shell finds that, not a shard.
            Code::TokenExpired => true,
            _ => matches!(code, Code::SessionReplaced | Code::ProbeUnanswered | Code::SessionMoved),
        };
        require(is_right, || {
            format!("user {}'s device {id} was closed: {}", device.user, code.name())
        })
    }

    /// The app's database is an older copy of itself from here on.
    pub(crate) fn handle_rolled_back(&mut self, id: DeviceId) {
        self.device_mut(id).is_rolled_back = true;
    }

    /// A device stores an entry: the one that has this position, and nothing alive that it
    /// owes lies between it and the one before.
    pub(crate) fn handle_stored(&mut self, id: DeviceId, entry: &Entry) -> Result<(), Breach> {
        let (user, position) = (self.device(id).user, entry.position.0);
        let body = self.body_of(user, entry)?;
        let peer = self.alias(entry.peer);
        let account = self.account(user);
        let known = account.entry(position).map(|known| (known.peer, known.body));
        require(known == Some((peer, body)), || {
            format!(
                "device {id} of user {user} got {body:?} at {position}, where {known:?} is durable"
            )
        })?;
        require(!self.is_own(id, body), || format!("device {id} got its own {body:?}"))?;
        let from = self.device(id).session_cursor;
        let mut between = account.alive(from, position - 1);
        let lost = between.find(|(_, entry)| !self.is_own(id, entry.body));
        if let Some((at, entry)) = lost {
            return Err(Breach(format!(
                "device {id} of user {user} got {position} behind {from}, and never {:?} at {at}",
                entry.body
            )));
        }
        drop(between);
        let device = self.device_mut(id);
        device.session_cursor = position;
        device.stored = device.stored.max(position);
        self.handle_stored_body(id, position, peer, body)
    }

    fn handle_stored_body(
        &mut self,
        id: DeviceId,
        position: u64,
        peer: UserId,
        body: Body,
    ) -> Result<(), Breach> {
        match body {
            Body::Message(number) => self.message_mut(number).is_stored = true,
            Body::Delivered { device, up_to, except, .. } => {
                let known = self.device_mut(id);
                known.receipts.push(Receipt { position, device, recipient: peer, up_to, except });
                if device == id {
                    let told = &mut known.told_delivered[peer.0 as usize - 1];
                    *told = up_to.max(*told);
                }
            }
            Body::Failed { message, code } => {
                self.message_mut(message).told_failed = Some(code);
                let message = self.message(message);
                let contains = |earlier: &Receipt| {
                    (earlier.device, earlier.recipient) == (message.device, message.recipient)
                        && earlier.up_to >= message.sequence.0
                        && !self.exceptions.contain(earlier.except, message.sequence.0)
                        && earlier.position < position
                };
                let contradicts = self.device(id).receipts.iter().any(contains);
                require(!contradicts, || {
                    format!("{message} failed ({code}) after a receipt that contains it")
                })?;
            }
            Body::GroupMessage(number) => {
                let user = self.device(id).user;
                self.message_mut(number).stored_by.push(user);
            }
            Body::GroupFailed(index) => {
                let Failures { message, members } = self.failures[index].clone();
                let message = self.message_mut(message);
                for (user, code) in members {
                    let is_so = message.members.contains(&(user, MemberFate::Failed(code)));
                    require(is_so, || {
                        format!("{message} is told to fail for {user}, and {:?}", message.members)
                    })?;
                    message.told_members.push((user, code));
                }
            }
            Body::GroupReceipt { message, seen } => {
                let told = self.seen[seen].clone();
                self.message_mut(message).told_seen.add(&told);
            }
            Body::Copied(_)
            | Body::GroupReadElsewhere { .. }
            | Body::ReadBy { .. }
            | Body::ReadElsewhere { .. }
            | Body::ChatDeleted { .. }
            | Body::ChatSet { .. }
            | Body::GroupCopied(_)
            | Body::GroupChange(_) => {}
        }
        Ok(())
    }

    /// A first word claims no more than what is durable.
    pub(crate) fn handle_shown(&self, user: UserId, entry: &Entry) -> Result<(), Breach> {
        match &entry.body {
            EntryBody::Delivered { device, up_to, .. } => {
                let message = self.message(self.sent(*device, entry.peer, *up_to)?);
                require(message.exit == Some(Exit::Delivered), || {
                    format!("{message} is shown delivered, and is {:?}", message.exit)
                })
            }
            EntryBody::ReadBy { device, up_to, .. } => {
                let chat = &self.account(entry.peer).chats[user.0 as usize - 1];
                let known = chat.directions.iter().find(|known| known.device == *device);
                let read_up_to = known.map_or(0, |known| known.read_up_to);
                require(up_to.0 <= read_up_to, || {
                    format!("{up_to} is shown read, and only {read_up_to} was")
                })
            }
            other => Err(Breach(format!("a first word of {other:?}"))),
        }
    }

    fn is_own(&self, id: DeviceId, body: Body) -> bool {
        body.is_own_of(id, |number| self.message(number).device)
    }

    fn body_of(&self, user: UserId, entry: &Entry) -> Result<Body, Breach> {
        Ok(match &entry.body {
            EntryBody::Message { device, sequence, accepted_at_ms, payload, .. } => {
                let number = self.checked_payload(payload)?;
                self.check_content(number, *device, *sequence, *accepted_at_ms)?;
                Body::Message(number)
            }
            EntryBody::Copied { device, sequence, accepted_at_ms, payload, .. } => {
                let number = self.checked_payload(payload)?;
                self.check_content(number, *device, *sequence, *accepted_at_ms)?;
                Body::Copied(number)
            }
            EntryBody::Delivered { device, up_to, delivered_at_ms, except } => {
                let ranges: Vec<_> = except.iter().map(|(one, last)| (one.0, last.0)).collect();
                let except = self.exceptions.find(&ranges).ok_or_else(|| {
                    Breach(format!("a receipt excepts {ranges:?}, which none was made with"))
                })?;
                let (device, up_to, at_ms) = (*device, up_to.0, *delivered_at_ms);
                Body::Delivered { device, up_to, at_ms, except }
            }
            EntryBody::ChatSet { settings } => {
                Body::ChatSet { flags: settings.flags, muted_until_ms: settings.muted_until_ms }
            }
            EntryBody::ReadBy { device, up_to, read_at_ms } => {
                Body::ReadBy { device: *device, up_to: up_to.0, at_ms: *read_at_ms }
            }
            EntryBody::ReadElsewhere { device, up_to, read_at_ms } => {
                let reader =
                    match self.account(user).entry(entry.position.0).map(|known| known.body) {
                        Some(Body::ReadElsewhere { reader, .. }) => reader,
                        _ => DeviceId(0),
                    };
                let (device, up_to, at_ms) = (*device, up_to.0, *read_at_ms);
                Body::ReadElsewhere { device, up_to, at_ms, reader }
            }
            EntryBody::ChatDeleted { up_to, marks } => {
                let device =
                    match self.account(user).entry(entry.position.0).map(|known| known.body) {
                        Some(Body::ChatDeleted { device, .. }) => device,
                        _ => DeviceId(0),
                    };
                let marks = self.known_marks(marks);
                Body::ChatDeleted { device, up_to: up_to.0, marks }
            }
            EntryBody::Failed { device, sequence, code } => {
                let message = self.sent(*device, entry.peer, *sequence)?;
                Body::Failed { message, code: *code }
            }
            EntryBody::GroupMessage {
                sender, device, sequence, accepted_at_ms, payload, ..
            } => {
                let number = self.checked_payload(payload)?;
                self.check_content(number, *device, *sequence, *accepted_at_ms)?;
                match *sender == user {
                    true => Body::GroupCopied(number),
                    false => Body::GroupMessage(number),
                }
            }
            EntryBody::GroupReceipt { device, sequence, version, delivered, read } => {
                let message = self.sent(*device, entry.peer, *sequence)?;
                let told = self.seen_of(message, *version, delivered, read)?;
                let known = self.account(user).entry(entry.position.0).map(|known| known.body);
                match known {
                    Some(Body::GroupReceipt { message: of, seen })
                        if of == message && self.seen[seen] == told =>
                    {
                        Body::GroupReceipt { message, seen }
                    }
                    known => {
                        return Err(Breach(format!(
                            "{message:?} is told seen by {told:?}, and {known:?} is durable"
                        )));
                    }
                }
            }
            EntryBody::GroupReadElsewhere { up_to, read_at_ms } => {
                let reader =
                    match self.account(user).entry(entry.position.0).map(|known| known.body) {
                        Some(Body::GroupReadElsewhere { reader, .. }) => reader,
                        _ => DeviceId(0),
                    };
                Body::GroupReadElsewhere { reader, up_to: up_to.0, at_ms: *read_at_ms }
            }
            // What they say is held against what stands at the place.
            EntryBody::GroupChanged { .. } | EntryBody::GroupFailed { .. } => {
                let known = self.account(user).entry(entry.position.0).map(|known| known.body);
                let said = known.filter(|known| self.says(*known, &entry.body));
                said.ok_or_else(|| {
                    Breach(format!("{:?} came, and {known:?} is durable", entry.body))
                })?
            }
        })
    }

    /// Whether an entry of a group says what it should.
    fn says(&self, known: Body, said: &EntryBody) -> bool {
        match (known, said) {
            (
                Body::GroupChange(index),
                EntryBody::GroupChanged {
                    actor,
                    at_ms,
                    version,
                    change,
                    members,
                    name,
                    has_receipts,
                },
            ) => {
                let word = &self.words[index];
                let mut tail = Vec::new();
                members.iter().for_each(|(user, role)| {
                    append_numbered_user(&mut tail, *user, *role);
                });
                tail.extend_from_slice(name.as_bytes());
                (word.actor, word.at_ms, word.version, word.change, word.has_receipts)
                    == (*actor, *at_ms, *version, *change, *has_receipts)
                    && word.tail == tail
            }
            (Body::GroupFailed(index), EntryBody::GroupFailed { device, sequence, members }) => {
                let Failures { message, members: known } = &self.failures[index];
                let message = self.message(*message);
                (message.device, message.sequence) == (*device, *sequence) && known == members
            }
            _ => false,
        }
    }

    fn check_content(
        &self,
        number: MessageNumber,
        device: DeviceId,
        sequence: Sequence,
        at_ms: u64,
    ) -> Result<(), Breach> {
        let message = self.message(number);
        let is_it = (message.device, message.sequence) == (device, sequence)
            && message.decision == Some(Decision::Accepted { at_ms });
        require(is_it, || {
            format!("{message} came as number {sequence} of {device} at {at_ms}, not as decided")
        })
    }
}
