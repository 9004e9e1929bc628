//! What Prometheus is told. Base units, names that say them, and no id in any label: a label's
//! values are the names of codes, or nothing.

mod family;
#[cfg(test)]
mod limits_page;
mod of_box;
mod of_credentials;
mod of_hooks;
mod of_process;
mod of_traffic;

use crate::watch::WatchView;

use super::readiness::Phase;

pub(super) use family::{Family, encode};

/// All metrics, as of the last sample.
pub(super) fn families(phase: &Phase, watch: &WatchView) -> Vec<Family> {
    let sample = watch.latest();
    let mut families = of_process::families(&sample, watch);
    families.push(Family::gauge(
        "answerback_ready",
        "1 while the box takes messages, 0 while it starts or stops.",
        if *phase == Phase::Serving { 1.0 } else { 0.0 },
    ));
    families.extend(sample.traffic.iter().flat_map(of_traffic::families));
    families.extend(of_box::families(&sample));
    families.extend(of_credentials::families(&sample));
    families.extend(of_hooks::families(&sample));
    families
}
