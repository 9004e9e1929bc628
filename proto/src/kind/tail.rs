//! The packed lists behind the envelopes that have them.
//!
//! ```text
//! Hello      kinds_count × u16 kind, then token_length bytes of token
//! Resume     kinds_count × u16 kind, then ticket_length bytes of sealed ticket
//! Renew      token_length bytes of token
//! Welcome    kinds_count × u16 kind, then ticket_length bytes of resume ticket
//! Renewed    ticket_length bytes of resume ticket
//! Delivered  except_count × (u64 first, u64 last)
//! Watch      users_count × u128 user
//! ```
//! The counts stand in the envelope, and what they count fills the tail exactly.

use super::{Delivered, Envelope, Hello, Kind, Renew, Renewed, Resume, Watch, Welcome};
use crate::access::access;
use crate::code::Code;
use crate::encode::{Address, append_frame};
use crate::id::{Sequence, UserId};

/// The tail of a `Hello`, a `Resume` or a `Welcome`, in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionTail<'a> {
    kinds: &'a [[u8; 2]],
    secret: &'a [u8],
}

impl<'a> SessionTail<'a> {
    fn read(tail: &'a [u8], kinds_count: u16, secret_length: u16) -> Result<Self, Code> {
        let kinds_length = usize::from(kinds_count) * size_of::<u16>();
        let (kinds, secret) = tail.split_at_checked(kinds_length).ok_or(Code::FrameMalformed)?;
        if secret.len() != usize::from(secret_length) {
            return Err(Code::FrameMalformed);
        }
        Ok(Self { kinds: kinds.as_chunks().0, secret })
    }

    /// The numbers of the kinds that the sender understands or takes, also those that this
    /// version does not know.
    pub fn kind_numbers(self) -> impl Iterator<Item = u16> + 'a {
        self.kinds.iter().map(|number| u16::from_le_bytes(*number))
    }

    /// Whether a kind is among them.
    pub fn lists(self, kind: Kind) -> bool {
        self.kind_numbers().any(|number| number == kind.number())
    }

    /// The token of a `Hello`, the sealed ticket of a `Resume`, the resume ticket of a `Welcome`.
    pub fn secret(self) -> &'a [u8] {
        self.secret
    }
}

/// Numbers of a chat, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SequenceRange {
    /// The lowest.
    pub first: Sequence,
    /// The greatest.
    pub last: Sequence,
}

/// The tail of a `Delivered`, in place: rising, without overlap, below `up_to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExceptRanges<'a> {
    pairs: &'a [[u8; 16]],
}

impl<'a> ExceptRanges<'a> {
    fn read(tail: &'a [u8], count: u16, up_to: u64) -> Result<Self, Code> {
        let (pairs, []) = tail.as_chunks() else { return Err(Code::FrameMalformed) };
        let ranges = Self { pairs };
        if pairs.len() != usize::from(count) || !are_below(ranges.iter(), up_to) {
            return Err(Code::FrameMalformed);
        }
        Ok(ranges)
    }

    /// The ranges, the lowest first.
    pub fn iter(self) -> impl Iterator<Item = SequenceRange> + 'a {
        self.pairs.iter().map(|pair| {
            let both = u128::from_le_bytes(*pair);
            SequenceRange { first: Sequence(both as u64), last: Sequence((both >> 64) as u64) }
        })
    }
}

/// The tail of a `Watch`, in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WatchedUsers<'a> {
    users: &'a [[u8; 16]],
}

impl<'a> WatchedUsers<'a> {
    fn read(tail: &'a [u8], count: u16) -> Result<Self, Code> {
        let (users, []) = tail.as_chunks() else { return Err(Code::FrameMalformed) };
        let users = Self { users };
        let is_good =
            users.users.len() == usize::from(count) && users.iter().all(|user| user.0 > 0);
        if is_good { Ok(users) } else { Err(Code::FrameMalformed) }
    }

    /// The users, as they stand there.
    pub fn iter(self) -> impl Iterator<Item = UserId> + 'a {
        self.users.iter().map(|user| UserId(u128::from_le_bytes(*user)))
    }
}

impl Hello {
    /// A `Hello` and its tail, all checked.
    ///
    /// # Errors
    /// `FrameMalformed` for lengths that do not fit and fields outside their range.
    pub fn read(envelope: &[u8]) -> Result<(Self, SessionTail<'_>), Code> {
        let (hello, tail) = read_fixed::<Self>(envelope)?;
        let tail = SessionTail::read(tail, hello.kinds_count, hello.token_length)?;
        Ok((hello, tail))
    }

    /// Appends a whole frame; the counts are those of what is given.
    ///
    /// # Errors
    /// `FrameMalformed` where the other end would have to refuse it; nothing is appended.
    pub fn append(
        mut self,
        out: &mut Vec<u8>,
        address: Address,
        kinds: &[Kind],
        token: &[u8],
    ) -> Result<(), Code> {
        self.kinds_count = count(kinds.len())?;
        self.token_length = count(token.len())?;
        append_checked(out, address, &self, &session_tail(kinds, token))
    }
}

impl Resume {
    /// A `Resume` and its tail, all checked.
    ///
    /// # Errors
    /// `FrameMalformed` for lengths that do not fit and fields outside their range.
    pub fn read(envelope: &[u8]) -> Result<(Self, SessionTail<'_>), Code> {
        let (resume, tail) = read_fixed::<Self>(envelope)?;
        let tail = SessionTail::read(tail, resume.kinds_count, resume.ticket_length)?;
        Ok((resume, tail))
    }

    /// What it says of the session that is wanted, as a `Hello` says it; without a token.
    pub fn hello(&self) -> Hello {
        Hello {
            version_min: self.version_min,
            version_max: self.version_max,
            kinds_count: self.kinds_count,
            token_length: 0,
            device: self.device,
            app_build: self.app_build,
            mode: self.mode,
            credit_frames: self.credit_frames,
            credit_bytes: self.credit_bytes,
            connection_counter: self.connection_counter,
            generation: self.generation,
            cursor: self.cursor,
        }
    }

    /// What a `Hello` would say, with a proof; the length is that of the ticket appended.
    pub fn new(hello: &Hello, proof: [u8; 32]) -> Self {
        let both = proof.as_chunks::<16>().0;
        let half = |at: usize| both.get(at).map_or(0, |bytes| u128::from_le_bytes(*bytes));
        Self {
            version_min: hello.version_min,
            version_max: hello.version_max,
            kinds_count: hello.kinds_count,
            ticket_length: 0,
            device: hello.device,
            app_build: hello.app_build,
            mode: hello.mode,
            credit_frames: hello.credit_frames,
            credit_bytes: hello.credit_bytes,
            connection_counter: hello.connection_counter,
            generation: hello.generation,
            cursor: hello.cursor,
            proof_low: half(0),
            proof_high: half(1),
        }
    }

    /// The proof.
    pub fn proof(&self) -> [u8; 32] {
        let mut proof = [0; 32];
        let (low, high) = proof.split_at_mut(16);
        low.copy_from_slice(&self.proof_low.to_le_bytes());
        high.copy_from_slice(&self.proof_high.to_le_bytes());
        proof
    }

    /// Appends a whole frame; the counts are those of what is given.
    ///
    /// # Errors
    /// `FrameMalformed` where the other end would have to refuse it; nothing is appended.
    pub fn append(
        mut self,
        out: &mut Vec<u8>,
        address: Address,
        kinds: &[Kind],
        sealed: &[u8],
    ) -> Result<(), Code> {
        self.kinds_count = count(kinds.len())?;
        self.ticket_length = count(sealed.len())?;
        append_checked(out, address, &self, &session_tail(kinds, sealed))
    }
}

impl Renew {
    /// A `Renew` and its token, all checked.
    ///
    /// # Errors
    /// `FrameMalformed` for lengths that do not fit and fields outside their range.
    pub fn read(envelope: &[u8]) -> Result<(Self, &[u8]), Code> {
        let (renew, token) = read_fixed::<Self>(envelope)?;
        let token = require_length(token, renew.token_length)?;
        Ok((renew, token))
    }

    /// Appends a whole frame.
    ///
    /// # Errors
    /// `FrameMalformed` where the other end would have to refuse it; nothing is appended.
    pub fn append(out: &mut Vec<u8>, address: Address, token: &[u8]) -> Result<(), Code> {
        let renew = Self { token_length: count(token.len())? };
        append_checked(out, address, &renew, token)
    }
}

impl Renewed {
    /// A `Renewed` and its resume ticket, all checked.
    ///
    /// # Errors
    /// `FrameMalformed` for lengths that do not fit and fields outside their range.
    pub fn read(envelope: &[u8]) -> Result<(Self, &[u8]), Code> {
        let (renewed, ticket) = read_fixed::<Self>(envelope)?;
        let ticket = require_length(ticket, renewed.ticket_length)?;
        Ok((renewed, ticket))
    }

    /// Appends a whole frame; the count is that of what is given.
    ///
    /// # Errors
    /// `FrameMalformed` where the other end would have to refuse it; nothing is appended.
    pub fn append(
        mut self,
        out: &mut Vec<u8>,
        address: Address,
        ticket: &[u8],
    ) -> Result<(), Code> {
        self.ticket_length = count(ticket.len())?;
        append_checked(out, address, &self, ticket)
    }
}

impl Welcome {
    /// A `Welcome` and its tail, all checked.
    ///
    /// # Errors
    /// `FrameMalformed` for lengths that do not fit and fields outside their range.
    pub fn read(envelope: &[u8]) -> Result<(Self, SessionTail<'_>), Code> {
        let (welcome, tail) = read_fixed::<Self>(envelope)?;
        let tail = SessionTail::read(tail, welcome.kinds_count, welcome.ticket_length)?;
        Ok((welcome, tail))
    }

    /// Appends a whole frame; the counts are those of what is given.
    ///
    /// # Errors
    /// `FrameMalformed` where the other end would have to refuse it; nothing is appended.
    pub fn append(
        mut self,
        out: &mut Vec<u8>,
        address: Address,
        kinds: &[Kind],
        ticket: &[u8],
    ) -> Result<(), Code> {
        self.kinds_count = count(kinds.len())?;
        self.ticket_length = count(ticket.len())?;
        append_checked(out, address, &self, &session_tail(kinds, ticket))
    }
}

impl Delivered {
    /// A `Delivered` and the ranges that it excepts, all checked.
    ///
    /// # Errors
    /// `FrameMalformed` for lengths that do not fit and fields outside their range.
    pub fn read(envelope: &[u8]) -> Result<(Self, ExceptRanges<'_>), Code> {
        let (delivered, tail) = read_fixed::<Self>(envelope)?;
        let except = ExceptRanges::read(tail, delivered.except_count, delivered.up_to)?;
        Ok((delivered, except))
    }

    /// Appends a whole frame; the count is that of what is given.
    ///
    /// # Errors
    /// `FrameMalformed` where the other end would have to refuse it; nothing is appended.
    pub fn append(
        mut self,
        out: &mut Vec<u8>,
        address: Address,
        except: &[SequenceRange],
    ) -> Result<(), Code> {
        self.except_count = count(except.len())?;
        if !are_below(except.iter().copied(), self.up_to) {
            return Err(Code::FrameMalformed);
        }
        let tail: Vec<u8> = except
            .iter()
            .flat_map(|range| [range.first.0.to_le_bytes(), range.last.0.to_le_bytes()])
            .flatten()
            .collect();
        append_checked(out, address, &self, &tail)
    }
}

impl Watch {
    /// A `Watch` and its users, all checked.
    ///
    /// # Errors
    /// `FrameMalformed` for lengths that do not fit and fields outside their range.
    pub fn read(envelope: &[u8]) -> Result<(Self, WatchedUsers<'_>), Code> {
        let (watch, tail) = read_fixed::<Self>(envelope)?;
        let users = WatchedUsers::read(tail, watch.users_count)?;
        Ok((watch, users))
    }

    /// Appends a whole frame; the count is that of what is given.
    ///
    /// # Errors
    /// `FrameMalformed` where the other end would have to refuse it; nothing is appended.
    pub fn append(
        mut self,
        out: &mut Vec<u8>,
        address: Address,
        users: &[UserId],
    ) -> Result<(), Code> {
        self.users_count = count(users.len())?;
        if users.contains(&UserId(0)) {
            return Err(Code::FrameMalformed);
        }
        let tail: Vec<u8> = users.iter().flat_map(|user| user.0.to_le_bytes()).collect();
        append_checked(out, address, &self, &tail)
    }
}

pub(super) fn read_fixed<E: Envelope>(envelope: &[u8]) -> Result<(E, &[u8]), Code> {
    let (archived, tail) = access::<E>(envelope)?;
    let fixed = E::from_archived(archived);
    fixed.check()?;
    Ok((fixed, tail))
}

pub(super) fn append_checked<E: Envelope>(
    out: &mut Vec<u8>,
    address: Address,
    envelope: &E,
    tail: &[u8],
) -> Result<(), Code> {
    envelope.check()?;
    append_frame(out, address, envelope, tail, &[]);
    Ok(())
}

fn session_tail(kinds: &[Kind], secret: &[u8]) -> Vec<u8> {
    let kinds = kinds.iter().flat_map(|kind| kind.number().to_le_bytes());
    kinds.chain(secret.iter().copied()).collect()
}

/// What fills the tail exactly.
pub(super) fn require_length(tail: &[u8], length: u16) -> Result<&[u8], Code> {
    if tail.len() == usize::from(length) { Ok(tail) } else { Err(Code::FrameMalformed) }
}

/// As the envelope counts it; its `check` knows the limit.
pub(super) fn count(length: usize) -> Result<u16, Code> {
    u16::try_from(length).map_err(|_| Code::FrameMalformed)
}

fn are_below(ranges: impl Iterator<Item = SequenceRange>, up_to: u64) -> bool {
    let mut before = 0;
    for SequenceRange { first, last } in ranges {
        if first.0 <= before || last < first || last.0 >= up_to {
            return false;
        }
        before = last.0;
    }
    true
}
