//! What a seed makes of a world before its first step: how much its box keeps in memory, and
//! the operator's settings, so small that every bound is met.

use answerback_directory::limits::SETTINGS;
use answerback_directory::shard::Residency;
use answerback_proto::record::Settings;
use fastrand::Rng;

/// Nothing at rest stays in memory, or some of it, or all.
pub(super) fn residency(random: &mut Rng) -> Residency {
    match random.u8(..4) {
        0 => Residency::default(),
        1 => Residency { bytes_max: random.usize(100..5000) },
        _ => Residency { bytes_max: 0 },
    }
}

/// Settings of an operator who wants trouble, in some things.
pub(super) fn settings(random: &mut Rng) -> Settings {
    let mut settings = SETTINGS;
    if random.u8(..3) == 0 {
        settings.inbox_messages_max = random.u32(6..40);
    }
    if random.u8(..4) == 0 {
        settings.inbox_bytes_max = random.u64(150..1000);
    }
    if random.u8(..4) == 0 {
        settings.sender_messages_max = random.u32(3..20);
    }
    if random.u8(..3) == 0 {
        settings.device_lag_max = random.u32(5..40);
    }
    if random.bool() {
        settings.lapse_s = random.u32(60..600);
    }
    if random.bool() {
        settings.gap_s = random.u32(5..60);
    }
    if random.bool() {
        settings.retry_limit = random.u16(1..4);
        settings.retry_span_s = random.u32(0..60);
    }
    if random.bool() {
        settings.clock_jump_s = random.u32(100..1000);
    }
    settings
}
