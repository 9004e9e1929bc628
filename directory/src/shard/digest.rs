//! A number that two applications of the same records agree on, or one of them is wrong.

/// Rolls over everything that apply decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Digest(u64);

impl Digest {
    /// As a row of the state says.
    pub(crate) fn restore(value: u64) -> Self {
        Self(value)
    }

    /// The number.
    pub(crate) fn value(self) -> u64 {
        self.0
    }

    /// Something was decided. Not a hash against an adversary: odd multiplication and a
    /// rotation carry each bit of what came before into what comes after.
    #[inline]
    pub(crate) fn mix(&mut self, value: u64) {
        const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
        self.0 = (self.0 ^ value).wrapping_mul(ODD).rotate_left(29);
    }
}
