//! How much a device, and a user with all devices, may send.
//!
//! A core has the buckets of those who sent lately, in two maps: each is looked for in the
//! younger and then in the older one, from which it moves to the younger. Once all buckets that
//! nobody touched are full again, the older map is dropped whole. So a bucket is there from the
//! first message to a little after it is full, nobody at rest has one, and nothing is ever
//! looked through. A user's devices are all on one core, so no other has to be asked.

use std::hash::Hash;

use answerback_proto::id::{DeviceId, UserId};
use answerback_proto::limits::FRAME_BYTES_HARD_MAX;
use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::bucket::{Bucket, Pace};
use crate::config::RateConfig;

/// The buckets of a core.
#[derive(Debug)]
pub(crate) struct Rates {
    of_device: Paces,
    of_user: Paces,
    devices: Recent<(UserId, DeviceId)>,
    users: Recent<UserId>,
}

/// Who sends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sender {
    pub(crate) user: UserId,
    pub(crate) device: DeviceId,
}

/// No pace is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Paces {
    messages: Option<Pace>,
    bytes: Option<Pace>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Buckets {
    messages: Bucket,
    bytes: Bucket,
}

/// Buckets that were touched lately.
#[derive(Debug)]
struct Recent<K> {
    younger: HashMap<K, Buckets, RandomState>,
    older: HashMap<K, Buckets, RandomState>,
    /// How long a bucket that nobody touches is kept at least.
    kept_us: u64,
    rotates_at_us: u64,
}

/// A wait that is told is no shorter,
const WAIT_MS_MIN: u64 = 100;
/// and no longer.
const WAIT_MS_MAX: u64 = 60_000;

impl Rates {
    /// With all buckets full.
    pub(crate) fn new(config: &RateConfig) -> Self {
        let burst_s = config.burst_s;
        let paces = |messages, bytes| Paces {
            messages: Pace::new(messages, burst_s),
            bytes: Pace::new(bytes, burst_s),
        };
        let of_device = paces(config.device_messages_per_s, config.device_bytes_per_s);
        let of_user = paces(config.user_messages_per_s, config.user_bytes_per_s);
        let (devices, users) = (Recent::new(of_device), Recent::new(of_user));
        Self { of_device, of_user, devices, users }
    }

    /// Goes by other paces. All buckets are full then, where any of them changed.
    pub(crate) fn reload(&mut self, config: &RateConfig) {
        let new = Self::new(config);
        if (new.of_device, new.of_user) != (self.of_device, self.of_user) {
            *self = new;
        }
    }

    /// Lets a message of so many bytes through.
    ///
    /// # Errors
    /// When to try again, ms; then nothing is taken from any bucket.
    #[inline]
    pub(crate) fn admit(&mut self, sender: Sender, bytes: u32, now_us: u64) -> Result<(), u32> {
        let now_ns = now_us * 1000;
        let Sender { user, device } = sender;
        let of_device = self.of_device.is_any().then(|| self.devices.of((user, device), now_us));
        let of_user = self.of_user.is_any().then(|| self.users.of(user, now_us));
        let mut wait_ns = None;
        for (buckets, paces) in [(&of_device, &self.of_device), (&of_user, &self.of_user)] {
            wait_ns = wait_ns.max(buckets.as_ref().and_then(|held| held.wait_ns(paces, now_ns)));
        }
        if let Some(wait_ns) = wait_ns {
            return Err((wait_ns / 1_000_000).clamp(WAIT_MS_MIN, WAIT_MS_MAX) as u32);
        }
        for (buckets, paces) in [(of_device, &self.of_device), (of_user, &self.of_user)] {
            if let Some(buckets) = buckets {
                buckets.take(paces, bytes, now_ns);
            }
        }
        Ok(())
    }
}

impl Paces {
    fn is_any(&self) -> bool {
        self.messages.is_some() || self.bytes.is_some()
    }

    /// The longest that a bucket takes to be full again.
    fn refill_us_max(&self) -> u64 {
        let messages_us = self.messages.map_or(0, |pace| pace.refill_us_max(1));
        let bytes_us = self.bytes.map_or(0, |pace| pace.refill_us_max(FRAME_BYTES_HARD_MAX));
        messages_us.max(bytes_us)
    }
}

impl Buckets {
    /// How long nothing is let through, where that is so.
    #[inline]
    fn wait_ns(&self, paces: &Paces, now_ns: u64) -> Option<u64> {
        let wait_of = |bucket: &Bucket, pace: &Option<Pace>| {
            let pace = pace.as_ref().filter(|pace| !bucket.has_any(pace, now_ns))?;
            Some(bucket.wait_ns(pace, now_ns))
        };
        wait_of(&self.messages, &paces.messages).max(wait_of(&self.bytes, &paces.bytes))
    }

    #[inline]
    fn take(&mut self, paces: &Paces, bytes: u32, now_ns: u64) {
        if let Some(pace) = &paces.messages {
            self.messages.take(pace, 1, now_ns);
        }
        if let Some(pace) = &paces.bytes {
            self.bytes.take(pace, bytes, now_ns);
        }
    }
}

impl<K: Copy + Eq + Hash> Recent<K> {
    fn new(paces: Paces) -> Self {
        let kept_us = paces.refill_us_max();
        let (younger, older) = (HashMap::default(), HashMap::default());
        Self { younger, older, kept_us, rotates_at_us: 0 }
    }

    #[inline]
    fn of(&mut self, key: K, now_us: u64) -> &mut Buckets {
        if now_us >= self.rotates_at_us {
            self.rotate(now_us);
        }
        let older = &mut self.older;
        self.younger.entry(key).or_insert_with(|| older.remove(&key).unwrap_or_default())
    }

    /// What is in the older map was not touched since the last call.
    #[cold]
    fn rotate(&mut self, now_us: u64) {
        self.older = std::mem::take(&mut self.younger);
        self.rotates_at_us = now_us + self.kept_us;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND_US: u64 = 1_000_000;
    const ALICE: Sender = Sender { user: UserId(1), device: DeviceId(7) };
    const ALICES_OTHER: Sender = Sender { device: DeviceId(8), ..ALICE };
    const BOB: Sender = Sender { user: UserId(2), device: DeviceId(7) };

    fn config() -> RateConfig {
        RateConfig {
            burst_s: 10,
            device_messages_per_s: 10,
            device_bytes_per_s: 1000,
            user_messages_per_s: 15,
            user_bytes_per_s: 10_000,
        }
    }

    /// How many messages of so many bytes pass, of 1000.
    fn passed(rates: &mut Rates, sender: Sender, bytes: u32, now_us: u64) -> usize {
        (0..1000).filter(|_| rates.admit(sender, bytes, now_us).is_ok()).count()
    }

    #[test]
    fn each_device_has_its_own_messages_and_all_of_a_user_together() {
        let mut rates = Rates::new(&config());
        assert_eq!(passed(&mut rates, ALICE, 32, SECOND_US), 100);
        assert_eq!(passed(&mut rates, ALICES_OTHER, 32, SECOND_US), 50, "the user has 150");
        assert_eq!(passed(&mut rates, BOB, 32, SECOND_US), 100, "who has nothing to do with it");
        assert_eq!(passed(&mut rates, ALICES_OTHER, 32, 2 * SECOND_US), 15);
    }

    #[test]
    fn bytes_are_counted_beside_messages() {
        let mut rates = Rates::new(&config());
        assert_eq!(passed(&mut rates, ALICE, 1000, SECOND_US), 10);
        assert_eq!(passed(&mut rates, ALICE, 1000, 2 * SECOND_US), 1);
        assert_eq!(passed(&mut rates, ALICES_OTHER, 1, 2 * SECOND_US), 100);
    }

    #[test]
    fn who_is_refused_loses_no_tokens_and_passes_when_he_was_told() {
        let mut rates = Rates::new(&config());
        assert_eq!(passed(&mut rates, ALICE, 32, SECOND_US), 100);
        let wait_ms = rates.admit(ALICE, 32, SECOND_US).unwrap_err();
        assert!((100..1000).contains(&wait_ms), "{wait_ms}");
        assert!(rates.admit(ALICE, 32, SECOND_US + u64::from(wait_ms) * 1000).is_ok());
        assert_eq!(passed(&mut rates, ALICES_OTHER, 32, SECOND_US), 49);
    }

    #[test]
    fn nobody_gets_a_full_bucket_by_waiting_less_than_it_takes() {
        let mut rates = Rates::new(&config());
        let (mut sum, mut now_us) = (0, SECOND_US);
        while now_us <= 600 * SECOND_US {
            sum += passed(&mut rates, ALICE, 1, now_us);
            now_us += 7 * SECOND_US;
        }
        assert!(sum <= 100 + 10 * 600, "{sum}");
        assert!(sum >= 10 * 590, "{sum}");
    }

    #[test]
    fn those_at_rest_have_nothing() {
        let mut rates = Rates::new(&config());
        for user in 0..10_000 {
            let sender = Sender { user: UserId(user), device: DeviceId(1) };
            rates.admit(sender, 32, SECOND_US).unwrap();
        }
        assert_eq!(rates.devices.younger.len(), 10_000);
        let kept_us = rates.devices.kept_us.max(rates.users.kept_us);
        for times in 1..=2 {
            rates.admit(BOB, 32, SECOND_US + times * kept_us).unwrap();
        }
        assert_eq!(rates.devices.younger.len() + rates.devices.older.len(), 1);
        assert!(rates.devices.younger.capacity() + rates.devices.older.capacity() < 16);
        assert_eq!(rates.users.younger.len() + rates.users.older.len(), 1);
    }

    #[test]
    fn without_a_burst_or_paces_nothing_is_limited_or_kept() {
        let mut rates = Rates::new(&RateConfig { burst_s: 0, ..config() });
        assert_eq!(passed(&mut rates, ALICE, 1 << 20, SECOND_US), 1000);
        assert!(rates.devices.younger.is_empty() && rates.users.younger.is_empty());
    }

    #[test]
    fn other_settings_fill_the_buckets_and_the_same_ones_do_not() {
        let mut rates = Rates::new(&config());
        assert_eq!(passed(&mut rates, ALICE, 32, SECOND_US), 100);
        rates.reload(&config());
        assert_eq!(passed(&mut rates, ALICE, 32, SECOND_US), 0);
        rates.reload(&RateConfig { device_messages_per_s: 5, ..config() });
        assert_eq!(passed(&mut rates, ALICE, 32, SECOND_US), 50);
    }
}
