//! Bugs that the simulator's own test plants in shards, to see that its model notices them.
//! Compiled only for that test.

use std::cell::Cell;

/// What is wrong with the shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planted {
    /// After a restart an inbox gives a position again.
    PositionReused,
    /// An entry leaves at the first device's acknowledgement.
    LeavesAtFirstAck,
    /// A new device starts at the beginning of its inbox.
    NewDeviceAtStart,
    /// A new device starts at its inbox's end.
    NewDeviceAtEnd,
    /// How far parts were taken is not in a checkpoint.
    IncomingNotPersisted,
    /// A folded part keeps the number of the older one.
    FoldInPlace,
    /// A part counts as confirmed when it is handed over.
    ConfirmedAtHandOver,
    /// The decision of a rejected number is not kept.
    RejectionForgotten,
    /// What was parked stays on the disk when its turn has come.
    ParkedRowStays,
    /// Copies are offered to the device that sent them.
    CopyToSender,
    /// A clock that jumped lets everything expire.
    JumpIgnored,
    /// What left while a page was read comes back with it.
    ReadResurrects,
    /// A user who changed may leave the memory.
    ChangedUserEvicted,
    /// Everybody may write to a user who is for contacts.
    StrangerTaken,
    /// That only contacts may write first is not in a checkpoint.
    WritersNotPersisted,
    /// A recall takes back without telling.
    RecallUntold,
    /// A purge ends messages without telling.
    PurgeUntold,
    /// A purged user's inbox gives positions from the first on again.
    PurgeResetsPositions,
    /// What was decided of messages to a user is forgotten with the user.
    PurgeForgetsDecisions,
    /// A purge does not go on after a restart.
    PurgeStops,
    /// What a device acknowledged is shown to the sender before it is committed.
    ShownUncommitted,
    /// A session starts where the device says, whatever the home has committed.
    HelloMovesCursor,
    /// A record is applied although its user was not read yet.
    AppliedUnread,
    /// What a device has already had expires all the same.
    DeliveredExpires,
    /// What is void of a user's tokens is not in a checkpoint.
    RevocationsNotPersisted,
    /// A token that is void is forgotten before it expires.
    RevocationForgotten,
    /// A session goes on whose token is void.
    RevokedGoesOn,
    /// A ticket is good although a newer one was shown.
    OldTicketTaken,
    /// What a user calls a device is not in a checkpoint.
    NameNotPersisted,
    /// Who has taken everything is woken all the same.
    WokenThoughTaken,
    /// Of a user's messages only the first is looked for.
    WakeForgotten,
    /// Each message of a flood wakes.
    WokenForEach,
    /// A deletion that is older, or of a device that has less, takes a newer one's mark back.
    MarkFalls,
    /// A message that the user has deleted leaves, whether its sender has deleted it or not.
    ErasedByOneMark,
    /// How far chats are deleted is not in a checkpoint.
    MarksNotPersisted,
    /// Who writes is shown also where nobody looks.
    TypingToAll,
    /// What a blocked user sends is offered as anybody's.
    BlockIgnored,
    /// How a chat is treated is not in a checkpoint.
    ChatSettingsNotPersisted,
    /// What is withheld does not end when its time has come.
    WithheldStays,
    /// A message to a group goes to those who were members before the last change.
    MemberListStale,
    /// What a member lets go of stays on the disk.
    BodyStays,
    /// A member who does not get a message is not named to its sender.
    MemberFailureUntold,
    /// An acknowledgement counts as something that a person did.
    AckActs,
    /// Users are shown to whoever wants to see them.
    VisibilityIgnored,
    /// A part that says who has a message loses what the one before it said.
    ReceiptsNotJoined,
    /// That receipts wait for their second is not in a checkpoint.
    UntoldNotPersisted,
    /// Who has left a group goes on telling what he reads.
    LeaverTells,
    /// Of a message receipts are told whenever there are any.
    ReceiptsToldAtOnce,
}

thread_local! {
    static PLANTED: Cell<Option<Planted>> = const { Cell::new(None) };
}

/// Plants a bug in all shards of this thread, or none.
pub fn plant(bug: Option<Planted>) {
    PLANTED.set(bug);
}

/// Whether it is planted.
pub fn is_planted(bug: Planted) -> bool {
    PLANTED.get() == Some(bug)
}
