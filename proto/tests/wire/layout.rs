//! The layout of every kind, written out once more: names, places and values of its fields.

use std::mem::{offset_of, size_of};

use answerback_proto::access::{self, access};
use answerback_proto::code::Code;
use answerback_proto::encode::{Address, append_frame};
use answerback_proto::kind::*;

/// What a test needs of a kind without naming its type.
pub(crate) struct Layout {
    pub(crate) kind: Kind,
    pub(crate) bytes: usize,
    /// Names and offsets.
    places: &'static [(&'static str, usize)],
    /// The values of the fields, in their order.
    values: fn(&[u8]) -> Vec<u128>,
    /// Decodes the envelope and checks all that it says.
    pub(crate) read: fn(&[u8]) -> Result<(), Code>,
    /// Decodes the envelope and writes the frame again.
    pub(crate) write: fn(&[u8], Address, &[u8]) -> Vec<u8>,
}

/// The layout of a kind.
pub(crate) fn layout(kind: Kind) -> &'static Layout {
    LAYOUTS.iter().find(|layout| layout.kind == kind).expect("every kind has its layout here")
}

impl Layout {
    /// Name, offset and size of each field; a gap would make the field before it longer.
    pub(crate) fn fields(&self) -> Vec<(&'static str, usize, usize)> {
        let ends = self.places.iter().skip(1).map(|(_, offset)| *offset).chain([self.bytes]);
        let places = self.places.iter().zip(ends);
        places.map(|((name, offset), end)| (*name, *offset, end - offset)).collect()
    }

    /// Name, size and value of each field.
    pub(crate) fn values(&self, envelope: &[u8]) -> Vec<(&'static str, usize, u128)> {
        let values = (self.values)(envelope);
        let named = self.fields().into_iter().zip(values);
        named.map(|((name, _, size), value)| (name, size, value)).collect()
    }
}

macro_rules! layouts {
    ($($name:ident / $archived:ident, $read:expr, { $($field:ident),* $(,)? };)*) => {
        const LAYOUTS: &[Layout] = &[$(Layout {
            kind: Kind::$name,
            bytes: size_of::<$archived>(),
            places: &[$((stringify!($field), offset_of!($archived, $field))),*],
            values: |envelope| {
                let $name { $($field),* } = native::<$name>(envelope).0;
                vec![$(u128::from($field)),*]
            },
            read: |envelope| $read(envelope).map(|_| ()),
            write: |envelope, address, payload| {
                let (native, tail) = native::<$name>(envelope);
                let mut out = Vec::new();
                append_frame(&mut out, address, &native, tail, payload);
                out
            },
        }),*];
    };
}

layouts! {
    Hello / ArchivedHello, Hello::read, {
        version_min, version_max, kinds_count, token_length, device, app_build, mode,
        credit_frames, credit_bytes, connection_counter, generation, cursor,
    };
    Renew / ArchivedRenew, Renew::read, { token_length };
    Resume / ArchivedResume, Resume::read, {
        version_min, version_max, kinds_count, ticket_length, device, app_build, mode,
        credit_frames, credit_bytes, connection_counter, generation, cursor, proof_low, proof_high,
    };
    Renewed / ArchivedRenewed, Renewed::read, { expires_at_ms, ticket_length };
    Ping / ArchivedPing, access::read::<Ping>, { echo };
    Pong / ArchivedPong, access::read::<Pong>, { echo };
    Send / ArchivedSend, access::read::<Send>, { sequence, seen_ms, life_s, content_type };
    Skip / ArchivedSkip, access::read::<Skip>, { from, to };
    Ack / ArchivedAck, access::read::<Ack>, { up_to };
    Resync / ArchivedResync, access::read::<Resync>, { cursor };
    Read / ArchivedRead, access::read::<Read>, { peer, device, up_to };
    Recall / ArchivedRecall, access::read::<Recall>, {
        sequence, recalled, seen_ms, life_s, content_type,
    };
    DeleteChat / ArchivedDeleteChat, DeleteChat::read, { peer, cursor, marks_count };
    Welcome / ArchivedWelcome, Welcome::read, {
        version, kinds_count, ticket_length, lapsed, server_time_ms, session, generation, cursor,
        pending_count, pending_bytes, frame_bytes_max, undecided_max, heartbeat_min_s,
        heartbeat_max_s,
    };
    Probe / ArchivedProbe, access::read::<Probe>, { echo };
    GoAway / ArchivedGoAway, access::read::<GoAway>, { code, delay_ms };
    Error / ArchivedError, access::read::<Error>, { code, kind, retry_after_ms };
    Accepted / ArchivedAccepted, access::read::<Accepted>, { sequence, accepted_at_ms };
    Refused / ArchivedRefused, access::read::<Refused>, { sequence, retry_after_ms, code };
    OutOfOrder / ArchivedOutOfOrder, access::read::<OutOfOrder>, { sequence, expected };
    Skipped / ArchivedSkipped, access::read::<Skipped>, { from, to, accepted };
    ReadNoted / ArchivedReadNoted, access::read::<ReadNoted>, { up_to };
    ListDevices / ArchivedListDevices, access::read::<ListDevices>, { behind };
    NameDevice / ArchivedNameDevice, NameDevice::read, { device, name_length };
    RevokeDevice / ArchivedRevokeDevice, access::read::<RevokeDevice>, { device };
    Devices / ArchivedDevices, Devices::read, { count, has_more };
    Typing / ArchivedTyping, access::read::<Typing>, { state };
    SetChat / ArchivedSetChat, access::read::<SetChat>, { peer, changes, flags, muted_until_ms };
    ChatSet / ArchivedChatSet, access::read::<ChatSet>, {
        position, after, flags, muted_until_ms,
    };
    SetContacts / ArchivedSetContacts, SetContacts::read, { mode, users_count };
    ListContacts / ArchivedListContacts, access::read::<ListContacts>, { behind };
    Contacts / ArchivedContacts, Contacts::read, { count, visibility, writers, next_behind };
    SetWriters / ArchivedSetWriters, access::read::<SetWriters>, { who };
    ListChats / ArchivedListChats, access::read::<ListChats>, { behind };
    Chats / ArchivedChats, Chats::read, { count, next_behind };
    Report / ArchivedReport, Report::read, { device, sequence, reason, excerpt_length };
    Watch / ArchivedWatch, Watch::read, { once, users_count };
    SetVisibility / ArchivedSetVisibility, access::read::<SetVisibility>, { visibility };
    Presence / ArchivedPresence, access::read::<Presence>, { last_action_ms, online_for_ms };
    Done / ArchivedDone, access::read::<Done>, { at_ms };
    Declined / ArchivedDeclined, access::read::<Declined>, { retry_after_ms, code };
    GroupSend / ArchivedGroupSend, access::read::<GroupSend>, {
        sequence, seen_ms, life_s, content_type,
    };
    GroupSkip / ArchivedGroupSkip, access::read::<GroupSkip>, { from, to };
    CreateGroup / ArchivedCreateGroup, CreateGroup::read, { nonce, members_count, name_length };
    ChangeMembers / ArchivedChangeMembers, ChangeMembers::read, { action, role, members_count };
    RenameGroup / ArchivedRenameGroup, RenameGroup::read, { name_length };
    DescribeGroup / ArchivedDescribeGroup, access::read::<DescribeGroup>, { version };
    GroupDescribed / ArchivedGroupDescribed, GroupDescribed::read, {
        version, members_count, name_length, flags,
    };
    GroupCreated / ArchivedGroupCreated, access::read::<GroupCreated>, { group, at_ms };
    GroupDeliver / ArchivedGroupDeliver, access::read::<GroupDeliver>, {
        position, after, device, sender, sequence, accepted_at_ms, version, content_type,
    };
    GroupChanged / ArchivedGroupChanged, GroupChanged::read, {
        position, after, actor, at_ms, version, change, members_count, name_length, flags,
    };
    GroupFailed / ArchivedGroupFailed, GroupFailed::read, {
        position, after, device, sequence, members_count,
    };
    SetGroupReceipts / ArchivedSetGroupReceipts, access::read::<SetGroupReceipts>, { on };
    ReadGroup / ArchivedReadGroup, access::read::<ReadGroup>, { group, up_to };
    GroupReceipt / ArchivedGroupReceipt, GroupReceipt::read, {
        position, after, device, sequence, version, delivered_bytes, read_bytes,
    };
    GroupReadElsewhere / ArchivedGroupReadElsewhere, access::read::<GroupReadElsewhere>, {
        position, after, reader, up_to, read_at_ms,
    };
    Deliver / ArchivedDeliver, access::read::<Deliver>, {
        position, after, device, sequence, accepted_at_ms, content_type,
    };
    Delivered / ArchivedDelivered, Delivered::read, {
        position, after, device, up_to, delivered_at_ms, except_count,
    };
    Failed / ArchivedFailed, access::read::<Failed>, { position, after, device, sequence, code };
    CaughtUp / ArchivedCaughtUp, access::read::<CaughtUp>, { position };
    ReadBy / ArchivedReadBy, access::read::<ReadBy>, {
        position, after, device, up_to, read_at_ms,
    };
    ReadElsewhere / ArchivedReadElsewhere, access::read::<ReadElsewhere>, {
        position, after, device, up_to, read_at_ms,
    };
    Copied / ArchivedCopied, access::read::<Copied>, {
        position, after, device, sequence, accepted_at_ms, content_type,
    };
    ChatDeleted / ArchivedChatDeleted, ChatDeleted::read, {
        position, after, up_to, marks_count,
    };
}

/// The values, and the tail as it is.
fn native<E: Envelope>(envelope: &[u8]) -> (E, &[u8]) {
    let (archived, tail) = access::<E>(envelope).expect("long enough");
    (E::from_archived(archived), tail)
}
