//! What a box proves itself by, and checks others by.

use super::Family;
use crate::watch::Sample;

pub(super) fn families(sample: &Sample) -> Vec<Family> {
    let Some(figures) = sample.credentials else { return Vec::new() };
    let mut families = vec![
        Family::count("answerback_key_set_keys", "Keys whose tokens are let in.", figures.keys),
        Family::count(
            "answerback_key_set_age_seconds",
            "Since when the key set was not seen to be the newest.",
            figures.keys_age_s(sample.taken_at),
        ),
        Family::count(
            "answerback_stale_credentials",
            "Key sets and certificates that could not be renewed: the ones before are in force.",
            figures.stale,
        ),
    ];
    families.extend(figures.certificate_left_s().map(|left_s| {
        Family::gauge(
            "answerback_certificate_expires_seconds",
            "For how long the first certificate to expire is valid; below 0 once it is not.",
            left_s as f64,
        )
    }));
    families
}
