//! What HKDF is told of how much it is to give.

use aws_lc_rs::hkdf::KeyType;

/// So many bytes.
pub(crate) struct Length(pub(crate) usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}
