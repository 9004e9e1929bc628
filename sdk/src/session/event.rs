//! What a session tells its driver.

use answerback_proto::id::{DeviceId, Generation, Position, Sequence, UserId};
use answerback_proto::kind::{ChatSettings, DeviceMark};

use super::{AskId, Outcome, Ticket};

/// Something that happened. Codes are numbers: a newer server may have more of them, and
/// `Class::of` says what to do about any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The session is open. Store `generation` and `cursor`: the home decides where it
    /// starts, and after a restore or a loss that lies before what is stored.
    Opened {
        /// What positions belong to.
        generation: Generation,
        /// Entries behind it follow.
        cursor: Position,
        /// How many wait.
        pending_count: u64,
        /// Whether the device had lapsed: what it owed is gone from its inbox.
        lapsed: bool,
        /// The server's clock, ms since 1970.
        server_time_ms: u64,
    },
    /// Keep this resume ticket in place of the last; none: there is no good one any more.
    Ticket(Option<Ticket>),
    /// The server took the newer token: the session goes on.
    Renewed,
    /// The message is durable. May come again.
    Accepted {
        /// The recipient.
        peer: UserId,
        /// Its number.
        sequence: Sequence,
        /// Its place in the shown order of the chat.
        accepted_at_ms: u64,
    },
    /// The message was not taken and will not be tried again; its number is given up.
    Refused {
        /// The recipient.
        peer: UserId,
        /// Its number.
        sequence: Sequence,
        /// Why.
        code: u16,
    },
    /// The message was decided: it will not be delivered. Final. Its entry follows.
    Failed {
        /// The recipient.
        peer: UserId,
        /// Its number.
        sequence: Sequence,
        /// Why.
        code: u16,
    },
    /// The server knows that the user has read all up to this number; as far as it was
    /// delivered, a receipt goes to the peer.
    ReadNoted {
        /// The other end of the chat.
        peer: UserId,
        /// The peer's device that had sent the messages.
        device: DeviceId,
        /// The number that was asked for.
        up_to: Sequence,
    },
    /// What became of a request.
    Answered {
        /// Which.
        ask: AskId,
        /// What.
        outcome: Outcome,
    },
    /// The server knows that the user has deleted a chat, or never will: forget it.
    DeletionNoted {
        /// As it was given.
        number: i64,
    },
    /// The server lacks numbers before those that this session holds. For each of them,
    /// call `send` again where it is still kept, else `skip`; the chat waits for that.
    Missing {
        /// The recipient.
        peer: UserId,
        /// First number.
        from: Sequence,
        /// Last number.
        to: Sequence,
    },
    /// An entry that fits: store it and `position`, in one transaction, and drop it there
    /// where its identity is stored already.
    Entry(Entry),
    /// A first word of an entry that follows: show it, store nothing.
    Shown(Entry),
    /// What a user does in the chat with this one just now: show it for a few seconds, store
    /// nothing.
    Typing {
        /// Who.
        peer: UserId,
        /// 1 writes, 0 has stopped; see the registry of the protocol's page.
        state: u16,
    },
    /// When a user was there last, of whom this one wants to see it.
    Presence {
        /// Who.
        peer: UserId,
        /// The last action, ms since 1970 at the server; 0 where none is known, or shown.
        last_action_ms: u64,
        /// How long the user counts as there from now on, ms: nothing is said when it ends.
        online_for_ms: u32,
    },
    /// The server tells of nobody.
    WatchRefused {
        /// Why not.
        code: u16,
    },
    /// All entries that waited at `Hello` were sent.
    CaughtUp,
    /// No answer to the last ping: connect again.
    Silent,
    /// The server is going away: connect again after `delay_ms`.
    GoAway {
        /// Why.
        code: u16,
        /// How long to wait.
        delay_ms: u32,
    },
    /// The server closes this connection.
    Closed {
        /// Why.
        code: u16,
        /// How long to wait, for the class `retry_after`.
        retry_after_ms: u32,
    },
}

/// An entry of the user's inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its place; 0 for a first word.
    pub position: Position,
    /// The other end of the chat.
    pub peer: UserId,
    /// What it is.
    pub body: EntryBody,
}

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryBody {
    /// A message from `peer`.
    Message {
        /// The sending device.
        device: DeviceId,
        /// Its number.
        sequence: Sequence,
        /// Its place in the shown order.
        accepted_at_ms: u64,
        /// Opaque to the server.
        content_type: u16,
        /// Opaque to the server.
        payload: Vec<u8>,
    },
    /// Messages to `peer` were delivered.
    Delivered {
        /// The user's device that had sent them.
        device: DeviceId,
        /// The greatest number.
        up_to: Sequence,
        /// Ranges below it that were not: first and last number.
        except: Vec<(Sequence, Sequence)>,
        /// When the last of them was.
        delivered_at_ms: u64,
    },
    /// The chat with `peer` is treated otherwise: another device of the user said so.
    ChatSet {
        /// How, all of it.
        settings: ChatSettings,
    },
    /// `peer` has read messages.
    ReadBy {
        /// The user's device that had sent them.
        device: DeviceId,
        /// The greatest number: all up to here that were delivered.
        up_to: Sequence,
        /// When it was.
        read_at_ms: u64,
    },
    /// Another device of the user has read messages of `peer`'s.
    ReadElsewhere {
        /// The peer's device that had sent them.
        device: DeviceId,
        /// The greatest number: all up to here.
        up_to: Sequence,
        /// When it was.
        read_at_ms: u64,
    },
    /// A message that another device of the user has sent to `peer`.
    Copied {
        /// The user's device that had sent it.
        device: DeviceId,
        /// Its number.
        sequence: Sequence,
        /// Its place in the shown order.
        accepted_at_ms: u64,
        /// Opaque to the server.
        content_type: u16,
        /// Opaque to the server.
        payload: Vec<u8>,
    },
    /// The user has deleted the chat with `peer` on another device: erase what it covers, and
    /// drop repeats of that.
    ChatDeleted {
        /// What came from `peer`, up to this position.
        up_to: Position,
        /// What the user's devices had sent, up to these numbers.
        marks: Vec<DeviceMark>,
    },
    /// A message to the group `peer`; of another device of the user's, where the user sent it.
    GroupMessage {
        /// Who sent it.
        sender: UserId,
        /// The sending device.
        device: DeviceId,
        /// Its number.
        sequence: Sequence,
        /// Its place in the shown order.
        accepted_at_ms: u64,
        /// The version of the list of members that it went to.
        version: u32,
        /// Opaque to the server.
        content_type: u16,
        /// Opaque to the server.
        payload: Vec<u8>,
    },
    /// The group `peer` has other members, roles or another name.
    GroupChanged {
        /// Who did it; 0 where nobody did.
        actor: UserId,
        /// When.
        at_ms: u64,
        /// The version of the list of members that this makes.
        version: u32,
        /// Of [`answerback_proto::kind::change`].
        change: u16,
        /// Who is concerned, each with the number of his role and slot.
        members: Vec<(UserId, u16)>,
        /// The name, where that is told.
        name: String,
        /// Whether messages to it have receipts from here on.
        has_receipts: bool,
    },
    /// Members of the group `peer` have a message, or have read it: a bit for each, at his slot
    /// of that version of the list.
    GroupReceipt {
        /// The user's device that had sent it.
        device: DeviceId,
        /// Its number.
        sequence: Sequence,
        /// The version of the list of members that it went to.
        version: u32,
        /// Who has it.
        delivered: Vec<u8>,
        /// Who has read it.
        read: Vec<u8>,
    },
    /// The user has read the group `peer` on another device.
    GroupReadElsewhere {
        /// All of it up to this position.
        up_to: Position,
        /// When it was.
        read_at_ms: u64,
    },
    /// Members of the group `peer` will not get a message. Final for each of them.
    GroupFailed {
        /// The user's device that had sent it.
        device: DeviceId,
        /// Its number.
        sequence: Sequence,
        /// Who, each with the code that says why.
        members: Vec<(UserId, u16)>,
    },
    /// A message to `peer` will not be delivered.
    Failed {
        /// The user's device that had sent it.
        device: DeviceId,
        /// Its number.
        sequence: Sequence,
        /// Why.
        code: u16,
    },
}
