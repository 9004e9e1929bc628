//! Layouts of records about a user's own things, frozen as the others are.

use rkyv::{Archive, Serialize};

use super::layout::layout;
use super::{FixedRecord, RecordKind};

layout! {
    /// A user's device has a name. Payload: the name, UTF-8; empty for none.
    DeviceNamed / ArchivedDeviceNamed {
        /// Whose.
        user: u128,
        /// Which device.
        device: u128,
    }
}
