//! A user's devices.

use std::ops::{Deref, DerefMut};
use std::slice;

use answerback_proto::id::{DeviceId, Position};

/// Whether a device owes acknowledgements.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Standing {
    /// It does.
    #[default]
    Active = 0,
    /// It was away too long, or owed too much; its next login makes it start at the floor.
    Lapsed = 1,
    /// It is not the user's any more, for good.
    Revoked = 2,
    /// It does again, having lapsed, and may not have been told so: until it acknowledges
    /// something, each login tells it.
    Returned = 3,
}

/// One install of the app.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Device {
    pub(crate) id: DeviceId,
    /// All entries up to here are stored there, as far as the journal knows.
    pub(crate) cursor: Position,
    /// The counter of its last login.
    pub(crate) connection_counter: u64,
    /// Its tickets of sessions before this one are void: the counter of its last login with a
    /// token, or that of the session whose ticket it last came with.
    pub(crate) ticket: u64,
    pub(crate) standing: Standing,
    /// When it last logged in, s since 1970; 0 where an older version let it in.
    pub(crate) last_login_s: u32,
    /// As the user called it.
    pub(crate) name: Option<Box<DeviceName>>,
    /// With the first entry that it has not acknowledged; mostly none.
    pub(crate) attempts: Option<Box<Attempts>>,
    /// Since the last checkpoint.
    pub(crate) changed: bool,
}

/// What a user calls a device. Boxed where it is, since most have none.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct DeviceName(pub(crate) Box<str>);

impl Device {
    /// What the user calls it; empty for nothing.
    pub(crate) fn name(&self) -> &str {
        self.name.as_ref().map_or("", |name| &name.0)
    }

    /// As above, to change it.
    pub(crate) fn set_name(&mut self, name: &str) {
        self.name = (!name.is_empty()).then(|| Box::new(DeviceName(name.into())));
        self.changed = true;
    }

    /// It is the user's no more, and nobody needs its name.
    pub(crate) fn revoke(&mut self) {
        self.standing = Standing::Revoked;
        self.set_name("");
    }

    /// Whether it owes acknowledgements.
    pub(crate) fn is_active(&self) -> bool {
        matches!(self.standing, Standing::Active | Standing::Returned)
    }
}

/// The devices of a user. Most users have one, which needs no memory of its own then.
#[derive(Debug)]
pub(crate) enum Devices {
    One(Device),
    Several(Box<[Device]>),
}

impl Default for Devices {
    fn default() -> Self {
        Self::Several(Box::default())
    }
}

impl Devices {
    pub(super) fn push(&mut self, device: Device) {
        *self = match std::mem::take(self) {
            Self::One(first) => Self::Several(Box::new([first, device])),
            Self::Several(others) if others.is_empty() => Self::One(device),
            Self::Several(others) => Self::Several(others.into_iter().chain([device]).collect()),
        };
    }
}

impl Deref for Devices {
    type Target = [Device];

    fn deref(&self) -> &[Device] {
        match self {
            Self::One(device) => slice::from_ref(device),
            Self::Several(devices) => devices,
        }
    }
}

impl DerefMut for Devices {
    fn deref_mut(&mut self) -> &mut [Device] {
        match self {
            Self::One(device) => slice::from_mut(device),
            Self::Several(devices) => devices,
        }
    }
}

/// How often an entry was offered to a living session and not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attempts {
    pub(crate) position: Position,
    pub(crate) count: u16,
    pub(crate) first_ms: u64,
}
