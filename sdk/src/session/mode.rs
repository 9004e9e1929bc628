//! How an app is used while it is connected.

/// What a device is connected for; `Hello` tells it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Somebody may be looking.
    #[default]
    Active,
    /// Nobody is: no presence, the longest heartbeat.
    Background,
    /// Woken by a push: takes what waits and leaves.
    Fetch,
}

impl Mode {
    /// The number on the wire.
    pub(super) fn number(self) -> u16 {
        match self {
            Self::Active => 0,
            Self::Background => 1,
            Self::Fetch => 2,
        }
    }
}
