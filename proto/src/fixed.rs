//! What envelopes and records share: flat archives, written into a reused buffer.

use rkyv::api::low::{LowSerializer, to_bytes_in_with_alloc};
use rkyv::rancor::Failure;
use rkyv::rend::unaligned::{u16_ule, u32_ule, u64_ule, u128_ule};
use rkyv::ser::allocator::SubAllocator;
use rkyv::ser::writer::Buffer;
use rkyv::{Archive, Serialize};

/// What writes a flat archive into a borrowed buffer.
pub(crate) type Writer<'a> = LowSerializer<Buffer<'a>, SubAllocator<'a>, Failure>;

/// Appends a flat archive.
#[inline]
pub(crate) fn append<T>(value: &T, out: &mut Vec<u8>)
where
    T: Archive + for<'a> Serialize<Writer<'a>>,
{
    let start = out.len();
    out.resize(start + size_of::<T::Archived>(), 0);
    let (_, room) = out.split_at_mut(start);
    let written = to_bytes_in_with_alloc::<_, _, Failure>(
        value,
        Buffer::from(room),
        SubAllocator::new(&mut []),
    );
    debug_assert!(written.is_ok(), "a flat archive fits the room of its size");
}

/// The native value of an archived number.
pub(crate) trait Native {
    /// The number in memory.
    type Value;
    /// Reads it.
    fn native(&self) -> Self::Value;
}

macro_rules! native {
    ($($archived:ty => $native:ty),*) => {$(
        impl Native for $archived {
            type Value = $native;
            #[inline]
            fn native(&self) -> $native {
                self.to_native()
            }
        }
    )*};
}

native!(u16_ule => u16, u32_ule => u32, u64_ule => u64, u128_ule => u128);
