//! The frame by which a user reports another one to the operator.

use rkyv::{Archive, Serialize};

use super::check::require;
use super::envelope;
use super::tail::{append_checked, count, read_fixed, require_length};
use crate::code::Code;
use crate::encode::Address;
use crate::limits::EXCERPT_BYTES_MAX;

/// Reports a user, or a message of theirs, to the operator. Target: the reported user. Tail:
/// `excerpt_length` bytes of excerpt. No payload.
#[derive(Archive, Serialize, Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The device that had sent the message that is reported; 0 where none is.
    pub device: u128,
    /// Its number; 0 where none is reported.
    pub sequence: u64,
    /// Why; opaque to the server, see the registry.
    pub reason: u16,
    /// Bytes of the excerpt in the tail, ≤ 4096; 0 for none.
    pub excerpt_length: u16,
}
envelope!(Report, ArchivedReport, { device, sequence, reason, excerpt_length }, check_ranges);

impl Report {
    fn check_ranges(&self) -> Result<(), Code> {
        require((self.device == 0) == (self.sequence == 0))?;
        require(usize::from(self.excerpt_length) <= EXCERPT_BYTES_MAX)
    }

    /// A `Report` and its excerpt, all checked.
    ///
    /// # Errors
    /// `FrameMalformed` for lengths that do not fit and fields outside their range.
    pub fn read(envelope: &[u8]) -> Result<(Self, &[u8]), Code> {
        let (report, tail) = read_fixed::<Self>(envelope)?;
        let excerpt = require_length(tail, report.excerpt_length)?;
        Ok((report, excerpt))
    }

    /// Appends a whole frame; the length is that of the excerpt.
    ///
    /// # Errors
    /// `FrameMalformed` where the other end would have to refuse it; nothing is appended.
    pub fn append(
        mut self,
        out: &mut Vec<u8>,
        address: Address,
        excerpt: &[u8],
    ) -> Result<(), Code> {
        self.excerpt_length = count(excerpt.len())?;
        append_checked(out, address, &self, excerpt)
    }
}
