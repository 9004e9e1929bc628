//! The process. These names are those that every exporter has, without our prefix.

use super::Family;
use crate::watch::{ProcessFigures, Sample, WatchView};

pub(super) fn families(sample: &Sample, watch: &WatchView) -> Vec<Family> {
    let ProcessFigures { resident_bytes, cpu_seconds, open_descriptors, descriptors_max } =
        sample.process;
    let mut families = vec![
        Family::info(
            "answerback_build",
            "The version that runs.",
            "version",
            env!("CARGO_PKG_VERSION"),
        ),
        Family::gauge(
            "answerback_sample_age_seconds",
            "How old these figures are: more than a few seconds means a disk or a core that hangs.",
            watch.age_of(sample).as_secs_f64(),
        ),
        Family::count("process_resident_memory_bytes", "Memory that is resident.", resident_bytes),
        Family::counter("process_cpu_seconds", "User and system time of all threads.", cpu_seconds),
        Family::count("process_open_fds", "Descriptors that are open.", open_descriptors),
        Family::gauge(
            "process_start_time_seconds",
            "When the process began, since 1970.",
            watch.started_at_ms() as f64 / 1e3,
        ),
    ];
    families.extend(sample.memory.map(|memory| {
        Family::count(
            "answerback_memory_max_bytes",
            "Memory that the box may take.",
            memory.max_bytes,
        )
    }));
    families.extend(descriptors_max.map(|max| {
        Family::count("process_max_fds", "Descriptors that the process may open.", max)
    }));
    families
}
