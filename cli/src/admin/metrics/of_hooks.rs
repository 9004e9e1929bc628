//! What the operator's own servers were told.

use super::Family;
use crate::watch::Sample;

pub(super) fn families(sample: &Sample) -> Vec<Family> {
    let Some(figures) = sample.hooks else { return Vec::new() };
    let traffic = sample.traffic.as_ref();
    let overlooked = traffic.map_or(0, |stats| stats.wakes_overlooked_total);
    let failing_s = figures
        .push_failing_since_s
        .map_or(0, |since_s| sample.taken_at.as_secs().saturating_sub(since_s));
    vec![
        Family::counter(
            "answerback_push_woken",
            "Users of whom the push service was told that something waits for them.",
            figures.woken as f64,
        ),
        Family::counter(
            "answerback_push_failures",
            "Requests that the push service did not take; each is tried again.",
            figures.push_failures as f64,
        ),
        Family::counter(
            "answerback_push_dropped",
            "Users who were to be woken and of whom nobody was told.",
            (figures.push_dropped + overlooked) as f64,
        ),
        Family::count(
            "answerback_push_waiting",
            "Users of whom the push service has still to be told.",
            figures.push_waiting,
        ),
        Family::count(
            "answerback_push_failing_seconds",
            "For how long the push service has taken nothing; 0 while it does.",
            failing_s,
        ),
        Family::counter(
            "answerback_reports",
            "Reports of users that the operator's server took.",
            figures.reports as f64,
        ),
        Family::counter(
            "answerback_report_failures",
            "Reports that it did not take: whoever reported tries again.",
            figures.report_failures as f64,
        ),
        Family::flag(
            "answerback_reports_failing",
            "1 where the last report was not taken, else 0.",
            figures.are_reports_failing,
        ),
    ]
}
