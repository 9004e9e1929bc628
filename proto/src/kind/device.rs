//! Frames by which a user looks after the user's own devices.
//!
//! ```text
//! NameDevice  name_length bytes of name
//! Devices     count × (u128 device, u64 last_login_ms, u16 standing, u16 is_online,
//!             u16 name_length, then the name)
//! ```
//! A name is UTF-8 without control characters, since other devices show it.

use rkyv::{Archive, Serialize};

use super::check::require;
use super::envelope;
use super::tail::{append_checked, count, read_fixed, require_length};
use crate::code::Code;
use crate::encode::Address;
use crate::id::DeviceId;
use crate::limits::{DEVICE_NAME_BYTES_MAX, DEVICES_PER_PAGE_MAX};

/// Asks for the user's devices, page by page. Target: the acting user. No payload.
#[derive(Archive, Serialize, Clone, Debug, PartialEq, Eq)]
pub struct ListDevices {
    /// Those behind this id; 0 for the first page.
    pub behind: u128,
}
envelope!(ListDevices, ArchivedListDevices, { behind });

/// A device of the user gets a name. Target: the acting user. Tail: the name. No payload.
#[derive(Archive, Serialize, Clone, Debug, PartialEq, Eq)]
pub struct NameDevice {
    /// Which device.
    pub device: u128,
    /// Bytes of the name, ≤ 64; 0 for no name.
    pub name_length: u16,
}
envelope!(NameDevice, ArchivedNameDevice, { device, name_length }, check_ranges);

/// A device is the user's no more, for good. Target: the acting user. No payload.
#[derive(Archive, Serialize, Clone, Debug, PartialEq, Eq)]
pub struct RevokeDevice {
    /// Which device.
    pub device: u128,
}
envelope!(RevokeDevice, ArchivedRevokeDevice, { device }, check_ranges);

/// A page of the user's devices, by id. Target: the user. Tail: the devices. No payload.
#[derive(Archive, Serialize, Clone, Debug, PartialEq, Eq)]
pub struct Devices {
    /// Devices in the tail, ≤ 64.
    pub count: u16,
    /// 1 where more follow behind the last of them.
    pub has_more: u16,
}
envelope!(Devices, ArchivedDevices, { count, has_more }, check_ranges);

/// Whether a device is owed what comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum DeviceStanding {
    /// It is.
    Active = 0,
    /// It was away too long; it may come back, without what it missed.
    Lapsed = 1,
}

/// One device of a `Devices`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedDevice {
    /// Which.
    pub device: DeviceId,
    /// When it last logged in, ms since 1970, to the second; 0 where nobody knows.
    pub last_login_ms: u64,
    /// Whether it is owed what comes.
    pub standing: DeviceStanding,
    /// Whether it has a session.
    pub is_online: bool,
    /// As the user called it; empty for no name.
    pub name: String,
}

/// Bytes of a device in the tail, before its name.
const LISTED_BYTES: usize = 16 + 8 + 2 + 2 + 2;

impl NameDevice {
    fn check_ranges(&self) -> Result<(), Code> {
        require(self.device != 0 && usize::from(self.name_length) <= DEVICE_NAME_BYTES_MAX)
    }

    /// A `NameDevice` and its name, all checked.
    ///
    /// # Errors
    /// `FrameMalformed` for lengths that do not fit and fields outside their range.
    pub fn read(envelope: &[u8]) -> Result<(Self, &str), Code> {
        let (named, tail) = read_fixed::<Self>(envelope)?;
        let name = read_name(require_length(tail, named.name_length)?)?;
        Ok((named, name))
    }

    /// Appends a whole frame; the length is that of the name.
    ///
    /// # Errors
    /// `FrameMalformed` where the other end would have to refuse it; nothing is appended.
    pub fn append(mut self, out: &mut Vec<u8>, address: Address, name: &str) -> Result<(), Code> {
        self.name_length = count(read_name(name.as_bytes())?.len())?;
        append_checked(out, address, &self, name.as_bytes())
    }
}

impl RevokeDevice {
    fn check_ranges(&self) -> Result<(), Code> {
        require(self.device != 0)
    }
}

impl Devices {
    fn check_ranges(&self) -> Result<(), Code> {
        require(usize::from(self.count) <= DEVICES_PER_PAGE_MAX && self.has_more <= 1)
    }

    /// A `Devices` and its list, all checked.
    ///
    /// # Errors
    /// `FrameMalformed` for lengths that do not fit and fields outside their range.
    pub fn read(envelope: &[u8]) -> Result<(Self, Vec<ListedDevice>), Code> {
        let (page, mut tail) = read_fixed::<Self>(envelope)?;
        let listed = (0..page.count).map(|_| ListedDevice::read(&mut tail));
        let listed: Vec<_> = listed.collect::<Result<_, _>>()?;
        require(tail.is_empty() && are_rising(&listed))?;
        Ok((page, listed))
    }

    /// Appends a whole frame; the count is that of the devices.
    ///
    /// # Errors
    /// `FrameMalformed` where the other end would have to refuse it; nothing is appended.
    pub fn append(
        mut self,
        out: &mut Vec<u8>,
        address: Address,
        listed: &[ListedDevice],
    ) -> Result<(), Code> {
        self.count = count(listed.len())?;
        require(are_rising(listed))?;
        let mut tail = Vec::new();
        listed.iter().try_for_each(|device| device.append_to(&mut tail))?;
        append_checked(out, address, &self, &tail)
    }
}

impl ListedDevice {
    fn read(tail: &mut &[u8]) -> Result<Self, Code> {
        let (fixed, rest) = tail.split_first_chunk::<LISTED_BYTES>().ok_or(Code::FrameMalformed)?;
        let (device, fixed) = take(fixed)?;
        let (last_login_ms, fixed) = take(fixed)?;
        let (standing, fixed) = take(fixed)?;
        let (is_online, fixed) = take(fixed)?;
        let (name_length, _) = take(fixed)?;
        let (standing, is_online) = (u16::from_le_bytes(standing), u16::from_le_bytes(is_online));
        let name_length = usize::from(u16::from_le_bytes(name_length));
        require(is_online <= 1 && name_length <= DEVICE_NAME_BYTES_MAX)?;
        let (name, rest) = rest.split_at_checked(name_length).ok_or(Code::FrameMalformed)?;
        *tail = rest;
        Ok(Self {
            device: DeviceId(u128::from_le_bytes(device)),
            last_login_ms: u64::from_le_bytes(last_login_ms),
            standing: match standing {
                0 => DeviceStanding::Active,
                1 => DeviceStanding::Lapsed,
                _ => return Err(Code::FrameMalformed),
            },
            is_online: is_online == 1,
            name: read_name(name)?.to_owned(),
        })
    }

    fn append_to(&self, tail: &mut Vec<u8>) -> Result<(), Code> {
        let name = self.name.as_bytes();
        require(name.len() <= DEVICE_NAME_BYTES_MAX && read_name(name).is_ok())?;
        tail.extend_from_slice(&self.device.0.to_le_bytes());
        tail.extend_from_slice(&self.last_login_ms.to_le_bytes());
        tail.extend_from_slice(&(self.standing as u16).to_le_bytes());
        tail.extend_from_slice(&u16::from(self.is_online).to_le_bytes());
        tail.extend_from_slice(&count(name.len())?.to_le_bytes());
        tail.extend_from_slice(name);
        Ok(())
    }
}

/// A device's name: what may be shown on one line.
///
/// # Errors
/// `FrameMalformed` where it is none.
fn read_name(name: &[u8]) -> Result<&str, Code> {
    let name = std::str::from_utf8(name).map_err(|_| Code::FrameMalformed)?;
    require(!name.contains(char::is_control))?;
    Ok(name)
}

fn are_rising(listed: &[ListedDevice]) -> bool {
    listed.is_sorted_by(|one, next| one.device < next.device)
        && listed.first().is_none_or(|first| first.device != DeviceId(0))
}

fn take<const LENGTH: usize>(bytes: &[u8]) -> Result<([u8; LENGTH], &[u8]), Code> {
    let (taken, rest) = bytes.split_first_chunk().ok_or(Code::FrameMalformed)?;
    Ok((*taken, rest))
}
