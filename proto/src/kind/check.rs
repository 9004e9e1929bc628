//! The range of each field, as `docs/PROTOCOL.md` states it. What an archive's bytes can
//! hold is more: 261 of 278 bytes of a frame could be anything and still be read.
//!
//! Only what a frame says by itself is checked here; what it means now (a sequence, a
//! position, whose user) is for whoever knows the session.

use super::*;
use crate::code::Class;
use crate::limits::{
    CHAT_MARKS_MAX, CREDIT_BYTES_MAX, CREDIT_FRAMES_MAX, EXCEPT_RANGES_MAX,
    FRAME_BYTES_BEFORE_AUTH_MAX, FRAME_BYTES_HARD_MAX, KINDS_MAX, LIFE_MAX_S, MODE_MAX,
    TICKET_BYTES_MAX, TOKEN_BYTES_MAX, UNDECIDED_MAX, VISIBILITY_MAX, WATCHED_MAX,
};

impl Hello {
    pub(super) fn check_ranges(&self) -> Result<(), Code> {
        require(1 <= self.version_min && self.version_min <= self.version_max)?;
        require(usize::from(self.kinds_count) <= KINDS_MAX)?;
        require(usize::from(self.token_length) <= TOKEN_BYTES_MAX)?;
        require(self.mode <= MODE_MAX)?;
        require((1..=CREDIT_FRAMES_MAX).contains(&self.credit_frames))?;
        require((1..=CREDIT_BYTES_MAX).contains(&self.credit_bytes))?;
        require(self.connection_counter >= 1)
    }
}

impl Resume {
    pub(super) fn check_ranges(&self) -> Result<(), Code> {
        require(usize::from(self.ticket_length) <= TICKET_BYTES_MAX)?;
        self.hello().check_ranges()
    }
}

impl Renew {
    pub(super) fn check_ranges(&self) -> Result<(), Code> {
        require((1..=TOKEN_BYTES_MAX).contains(&usize::from(self.token_length)))
    }
}

impl Renewed {
    pub(super) fn check_ranges(&self) -> Result<(), Code> {
        require(usize::from(self.ticket_length) <= TICKET_BYTES_MAX)
    }
}

impl Welcome {
    pub(super) fn check_ranges(&self) -> Result<(), Code> {
        require(self.version >= 1)?;
        require(usize::from(self.kinds_count) <= KINDS_MAX)?;
        require(usize::from(self.ticket_length) <= TICKET_BYTES_MAX)?;
        require(self.lapsed <= 1)?;
        require(self.generation >= 1)?;
        let frame_bytes_max = FRAME_BYTES_BEFORE_AUTH_MAX..=FRAME_BYTES_HARD_MAX;
        require(frame_bytes_max.contains(&self.frame_bytes_max))?;
        require((1..=UNDECIDED_MAX).contains(&u64::from(self.undecided_max)))?;
        require(1 <= self.heartbeat_min_s && self.heartbeat_min_s <= self.heartbeat_max_s)
    }
}

impl GoAway {
    pub(super) fn check_ranges(&self) -> Result<(), Code> {
        require_class(self.code)
    }
}

impl Error {
    pub(super) fn check_ranges(&self) -> Result<(), Code> {
        require_class(self.code)
    }
}

impl Send {
    #[inline]
    pub(super) fn check_ranges(&self) -> Result<(), Code> {
        require(self.sequence >= 1 && self.life_s <= LIFE_MAX_S)
    }
}

impl Accepted {
    pub(super) fn check_ranges(&self) -> Result<(), Code> {
        require(self.sequence >= 1)
    }
}

impl Refused {
    pub(super) fn check_ranges(&self) -> Result<(), Code> {
        require(self.sequence >= 1)?;
        require_class(self.code)
    }
}

impl Declined {
    pub(super) fn check_ranges(&self) -> Result<(), Code> {
        require_class(self.code)
    }
}

impl Watch {
    pub(super) fn check_ranges(&self) -> Result<(), Code> {
        require(self.once <= 1 && usize::from(self.users_count) <= WATCHED_MAX)
    }
}

impl SetVisibility {
    pub(super) fn check_ranges(&self) -> Result<(), Code> {
        require(self.visibility <= VISIBILITY_MAX)
    }
}

impl Presence {
    pub(super) fn check_ranges(&self) -> Result<(), Code> {
        require(self.last_action_ms > 0 || self.online_for_ms == 0)
    }
}

impl OutOfOrder {
    pub(super) fn check_ranges(&self) -> Result<(), Code> {
        require(1 <= self.expected && self.expected < self.sequence)
    }
}

impl Recall {
    #[inline]
    pub(super) fn check_ranges(&self) -> Result<(), Code> {
        require(1 <= self.recalled && self.recalled < self.sequence)?;
        require(self.life_s <= LIFE_MAX_S)
    }
}

impl Skip {
    pub(super) fn check_ranges(&self) -> Result<(), Code> {
        check_numbers(self.from, self.to)
    }
}

impl Skipped {
    pub(super) fn check_ranges(&self) -> Result<(), Code> {
        check_numbers(self.from, self.to)?;
        let last_bit = self.to - self.from;
        require(self.accepted.leading_zeros() as u64 >= UNDECIDED_MAX - 1 - last_bit)
    }
}

impl Deliver {
    #[inline]
    pub(super) fn check_ranges(&self) -> Result<(), Code> {
        require(self.after < self.position && self.sequence >= 1)
    }
}

impl Delivered {
    pub(super) fn check_ranges(&self) -> Result<(), Code> {
        require_place(self.position, self.after)?;
        require(self.up_to >= 1)?;
        require(usize::from(self.except_count) <= EXCEPT_RANGES_MAX)
    }
}

impl Copied {
    #[inline]
    pub(super) fn check_ranges(&self) -> Result<(), Code> {
        require(self.after < self.position && self.sequence >= 1)
    }
}

impl ReadBy {
    pub(super) fn check_ranges(&self) -> Result<(), Code> {
        require_place(self.position, self.after)?;
        require(self.up_to >= 1)
    }
}

impl ReadElsewhere {
    pub(super) fn check_ranges(&self) -> Result<(), Code> {
        require(self.after < self.position && self.up_to >= 1)
    }
}

impl Read {
    pub(super) fn check_ranges(&self) -> Result<(), Code> {
        require(self.peer != 0 && self.device != 0 && self.up_to >= 1)
    }
}

impl DeleteChat {
    pub(super) fn check_ranges(&self) -> Result<(), Code> {
        require(self.peer != 0 && usize::from(self.marks_count) <= CHAT_MARKS_MAX)
    }
}

impl ChatDeleted {
    pub(super) fn check_ranges(&self) -> Result<(), Code> {
        require(self.after < self.position && self.up_to < self.position)?;
        require(usize::from(self.marks_count) <= CHAT_MARKS_MAX)
    }
}

impl Failed {
    pub(super) fn check_ranges(&self) -> Result<(), Code> {
        require_place(self.position, self.after)?;
        require(self.sequence >= 1)?;
        require_class(self.code)
    }
}

#[inline]
pub(super) fn require(holds: bool) -> Result<(), Code> {
    if holds { Ok(()) } else { Err(Code::FrameMalformed) }
}

/// A code that this version does not know is good as long as it says what to do.
fn require_class(number: u16) -> Result<(), Code> {
    require(Class::of(number).is_some())
}

/// An entry lies behind the one before it; a first word has no place.
fn require_place(position: u64, after: u64) -> Result<(), Code> {
    require(after < position || (position == 0 && after == 0))
}

pub(super) fn check_numbers(from: u64, to: u64) -> Result<(), Code> {
    let is_range = 1 <= from && from <= to && to - from < UNDECIDED_MAX;
    if is_range { Ok(()) } else { Err(Code::RangeInvalid) }
}
