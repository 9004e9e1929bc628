//! Frames by which a user says how a chat is to be treated.
//!
//! ```text
//! Chats  count × (u128 peer, u64 muted_until_ms, u16 flags)
//! ```
//! `flags`: bit 0, the user's reads are not told to the peer, nor the peer's to the user; bit
//! 1, the peer is blocked. `changes` has those bits, and bit 2 for `muted_until_ms`. In a `Chats`
//! bit 3 says that the peer is a group, and the user one of its members.

use rkyv::{Archive, Serialize};

use super::check::require;
use super::envelope;
use super::tail::{append_checked, count, read_fixed};
use crate::code::Code;
use crate::encode::Address;
use crate::id::UserId;
use crate::limits::{CHATS_PER_PAGE_MAX, MUTED_UNTIL_MS_MAX};

/// Bit of `flags`, and of `changes`: read receipts of the chat are off.
pub const HIDES_READS: u16 = 1;
/// Bit of `flags`, and of `changes`: the peer is blocked.
pub const BLOCKED: u16 = 2;
/// Bit of `changes`: until when the chat is muted.
pub const MUTED: u16 = 4;

/// Bit of `flags` in a `Chats`: the peer is a group of which the user is a member.
const IN_GROUP: u16 = 8;

const FLAGS: u16 = HIDES_READS | BLOCKED;
const CHANGES: u16 = FLAGS | MUTED;

/// Changes how a chat is treated; what it does not name stays. Target: the acting user.
/// No payload.
#[derive(Archive, Serialize, Clone, Debug, PartialEq, Eq)]
pub struct SetChat {
    /// The other end of the chat.
    pub peer: u128,
    /// What is changed, not nothing.
    pub changes: u16,
    /// The new values of the bits of `changes`; all others 0.
    pub flags: u16,
    /// Until when, ms since 1970; 0 for not at all, and where it is not changed.
    pub muted_until_ms: u64,
}
envelope!(SetChat, ArchivedSetChat, { peer, changes, flags, muted_until_ms }, check_ranges);

/// Another device of the user has changed how a chat is treated: all that holds now. Target:
/// the other end of the chat. No payload.
#[derive(Archive, Serialize, Clone, Debug, PartialEq, Eq)]
pub struct ChatSet {
    /// Its place in this inbox.
    pub position: u64,
    /// As in `Deliver`.
    pub after: u64,
    /// What is on.
    pub flags: u16,
    /// Until when it is muted, ms since 1970; 0 for not at all.
    pub muted_until_ms: u64,
}
envelope!(ChatSet, ArchivedChatSet, { position, after, flags, muted_until_ms }, check_ranges);

/// Asks for the chats that are treated otherwise than at first, and for the user's groups, page
/// by page. Target: the acting user. No payload.
#[derive(Archive, Serialize, Clone, Debug, PartialEq, Eq)]
pub struct ListChats {
    /// Those whose other end's id is greater; 0 for the first page.
    pub behind: u128,
}
envelope!(ListChats, ArchivedListChats, { behind });

/// A page of such chats, by the other end's id. Target: the user. Tail: the chats. No payload.
#[derive(Archive, Serialize, Clone, Debug, PartialEq, Eq)]
pub struct Chats {
    /// Chats in the tail, ≤ 256.
    pub count: u16,
    /// What the next page lies behind; 0 where there is none.
    pub next_behind: u128,
}
envelope!(Chats, ArchivedChats, { count, next_behind }, check_ranges);

/// How a chat is treated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChatSettings {
    /// The bits of `flags`.
    pub flags: u16,
    /// Until when it is muted, ms since 1970; 0 for not at all.
    pub muted_until_ms: u64,
}

/// One chat of a `Chats`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListedChat {
    /// The other end.
    pub peer: UserId,
    /// How it is treated.
    pub settings: ChatSettings,
    /// It is a group, and the user is one of its members.
    pub is_group: bool,
}

const LISTED_BYTES: usize = 16 + 8 + 2;

impl ChatSettings {
    /// Whether that is as at first.
    pub fn is_default(self) -> bool {
        self == Self::default()
    }

    /// Whether the peer is blocked.
    pub fn is_blocked(self) -> bool {
        self.flags & BLOCKED != 0
    }

    /// Whether read receipts are off.
    pub fn hides_reads(self) -> bool {
        self.flags & HIDES_READS != 0
    }

    /// What holds after a change.
    pub fn with(self, changes: u16, flags: u16, muted_until_ms: u64) -> Self {
        let is_mute = changes & MUTED != 0;
        Self {
            flags: self.flags & !changes | flags & changes & FLAGS,
            muted_until_ms: if is_mute { muted_until_ms } else { self.muted_until_ms },
        }
    }

    fn check(self) -> Result<(), Code> {
        require(self.flags & !FLAGS == 0 && self.muted_until_ms <= MUTED_UNTIL_MS_MAX)
    }
}

impl SetChat {
    fn check_ranges(&self) -> Result<(), Code> {
        require(self.peer != 0 && self.changes != 0 && self.changes & !CHANGES == 0)?;
        require(self.flags & !(self.changes & FLAGS) == 0)?;
        require(self.changes & MUTED != 0 || self.muted_until_ms == 0)?;
        require(self.muted_until_ms <= MUTED_UNTIL_MS_MAX)
    }
}

impl ChatSet {
    fn check_ranges(&self) -> Result<(), Code> {
        require(self.after < self.position)?;
        ChatSettings { flags: self.flags, muted_until_ms: self.muted_until_ms }.check()
    }
}

impl Chats {
    fn check_ranges(&self) -> Result<(), Code> {
        require(usize::from(self.count) <= CHATS_PER_PAGE_MAX)
    }

    /// A `Chats` and its list, all checked.
    ///
    /// # Errors
    /// `FrameMalformed` for lengths that do not fit and fields outside their range.
    pub fn read(envelope: &[u8]) -> Result<(Self, Vec<ListedChat>), Code> {
        let (page, tail) = read_fixed::<Self>(envelope)?;
        let (rows, []) = tail.as_chunks::<LISTED_BYTES>() else {
            return Err(Code::FrameMalformed);
        };
        let listed: Vec<_> = rows.iter().map(ListedChat::read).collect::<Result<_, _>>()?;
        require(rows.len() == usize::from(page.count) && page.fits(&listed))?;
        Ok((page, listed))
    }

    /// Appends a whole frame; the count is that of the chats.
    ///
    /// # Errors
    /// `FrameMalformed` where the other end would have to refuse it; nothing is appended.
    pub fn append(
        mut self,
        out: &mut Vec<u8>,
        address: Address,
        listed: &[ListedChat],
    ) -> Result<(), Code> {
        self.count = count(listed.len())?;
        require(self.fits(listed))?;
        let mut tail = Vec::new();
        for ListedChat { peer, settings, is_group } in listed {
            settings.check()?;
            let flags = settings.flags | if *is_group { IN_GROUP } else { 0 };
            tail.extend_from_slice(&peer.0.to_le_bytes());
            tail.extend_from_slice(&settings.muted_until_ms.to_le_bytes());
            tail.extend_from_slice(&flags.to_le_bytes());
        }
        append_checked(out, address, &self, &tail)
    }

    /// Ids rise, up to where the next page begins.
    fn fits(&self, listed: &[ListedChat]) -> bool {
        let next = self.next_behind;
        let is_within = |last: &ListedChat| next == 0 || last.peer.0 <= next;
        listed.is_sorted_by(|one, next| one.peer < next.peer)
            && listed.first().is_none_or(|first| first.peer != UserId(0))
            && listed.last().is_none_or(is_within)
    }
}

impl ListedChat {
    fn read(row: &[u8; LISTED_BYTES]) -> Result<Self, Code> {
        let (peer, rest) = row.split_first_chunk().ok_or(Code::FrameMalformed)?;
        let (muted_until_ms, rest) = rest.split_first_chunk().ok_or(Code::FrameMalformed)?;
        let flags = rest.first_chunk().ok_or(Code::FrameMalformed)?;
        let (flags, muted_until_ms) =
            (u16::from_le_bytes(*flags), u64::from_le_bytes(*muted_until_ms));
        let is_group = flags & IN_GROUP != 0;
        let settings = ChatSettings { flags: flags & !IN_GROUP, muted_until_ms };
        settings.check()?;
        Ok(Self { peer: UserId(u128::from_le_bytes(*peer)), settings, is_group })
    }
}
