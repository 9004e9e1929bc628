//! What can go wrong, sorted by what the app does about it.

use std::fmt;

use answerback_proto::code::{Class, Code};

use crate::link::{Halt, described};
use crate::storage::StorageError;
use crate::transport::UnusableSecurity;

/// What an app does about an error; the class says enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// The same again may work: a client does that by itself.
    RetrySame,
    /// The same again after some time may work: a client does that by itself.
    RetryAfter,
    /// What was asked for is wrong; tell the user, or mend the app.
    FixRequest,
    /// The server takes none of the tokens that it is given: let the user log in.
    Reauthenticate,
    /// The app is too old for the server.
    UpgradeApp,
    /// What was asked for will never work again. Where
    /// [`Error::is_end_of_device`] says so, become a new device.
    Gone,
    /// The device's file failed: free some space, and open the client again.
    Storage,
    /// The app used the client in a way that makes no sense.
    Usage,
}

/// Why something did not work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// What to do about it.
    pub class: ErrorClass,
    /// The protocol's code, where the server said one.
    pub code: Option<u16>,
    /// For people who read logs.
    pub message: String,
}

impl Error {
    /// Whether this device is none any more: it was revoked, or its file is a copy of an
    /// older state. The app logs in as a new device: another device id, a new file.
    pub fn is_end_of_device(&self) -> bool {
        [Code::DeviceRolledBack, Code::DeviceRevoked]
            .iter()
            .any(|code| self.code == Some(code.number()))
    }

    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self { class: ErrorClass::Usage, code: None, message: message.into() }
    }

    pub(super) fn of_code(code: u16) -> Self {
        let what = described(code);
        let message = match Code::from_number(code) {
            Some(Code::DeviceRolledBack) => {
                format!("{what}: the device's file is an older copy; become a new device")
            }
            Some(Code::DeviceRevoked) => format!("{what}: become a new device"),
            Some(Code::SessionReplaced) => {
                format!("{what}: another process uses this device; end one of them")
            }
            _ => what,
        };
        Self { class: class_of(code), code: Some(code), message }
    }
}

/// The class of a code; a number without one is tried again.
pub(super) fn class_of(code: u16) -> ErrorClass {
    match Class::of(code) {
        Some(Class::RetrySame) | None => ErrorClass::RetrySame,
        Some(Class::RetryAfter) => ErrorClass::RetryAfter,
        Some(Class::FixRequest) => ErrorClass::FixRequest,
        Some(Class::Reauthenticate) => ErrorClass::Reauthenticate,
        Some(Class::UpgradeApp) => ErrorClass::UpgradeApp,
        Some(Class::Gone) => ErrorClass::Gone,
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl From<StorageError> for Error {
    fn from(error: StorageError) -> Self {
        let class = match error {
            StorageError::NotSent { .. } | StorageError::NotFailed { .. } => ErrorClass::Usage,
            _ => ErrorClass::Storage,
        };
        Self { class, code: None, message: error.to_string() }
    }
}

impl From<UnusableSecurity> for Error {
    fn from(error: UnusableSecurity) -> Self {
        Self::usage(error.to_string())
    }
}

impl From<Halt> for Error {
    fn from(halt: Halt) -> Self {
        match halt {
            Halt::Code(code) => Self::of_code(code),
            Halt::Storage(message) => Self { class: ErrorClass::Storage, code: None, message },
        }
    }
}
