//! The samples of a long run as a picture: panels above each other over the same time.

use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;

use super::sample::Sample;
use crate::exit::Failure;

const SIZE: (u32, u32) = (900, 1000);
const MEBIBYTE: f64 = 1024.0 * 1024.0;
const FONT: &str = "sans-serif";

/// A panel and its lines.
struct Panel {
    title: &'static str,
    lines: &'static [Line],
}

type Line = (RGBColor, fn(&Sample) -> Option<f64>);

const PANELS: [Panel; 5] = [
    Panel { title: "messages a second", lines: &[(BLUE, |s| Some(s.messages_per_second))] },
    Panel {
        title: "accepted: p50, p99 (red), ms",
        lines: &[
            (BLUE, |s| s.latencies.accepted.map(|accepted| accepted.p50_us / 1000.0)),
            (RED, |s| s.latencies.accepted.map(|accepted| accepted.p99_us / 1000.0)),
        ],
    },
    Panel { title: "CPU of the server a message, µs", lines: &[(BLUE, |s| s.cpu_us_per_message)] },
    Panel {
        title: "memory, disk (red), MiB",
        lines: &[
            (BLUE, |s| s.extent.rss_bytes.map(|bytes| bytes as f64 / MEBIBYTE)),
            (RED, |s| s.extent.disk_bytes.map(|bytes| bytes as f64 / MEBIBYTE)),
        ],
    },
    Panel { title: "descriptors", lines: &[(BLUE, |s| s.extent.descriptors.map(|d| d as f64))] },
];

/// Draws them into a file.
pub(super) fn draw(path: &Path, samples: &[Sample]) -> Result<(), Failure> {
    let root = SVGBackend::new(path, SIZE).into_drawing_area();
    let drawn = root.fill(&WHITE).map_err(Failure::new).and_then(|()| {
        let areas = root.split_evenly((PANELS.len(), 1));
        PANELS.iter().zip(&areas).try_for_each(|(panel, area)| panel.draw(area, samples))
    });
    drawn.and_then(|()| root.present().map_err(Failure::new)).map_err(|failure| {
        Failure::new(format_args!("cannot draw {}: {}", path.display(), failure.line()))
    })
}

impl Panel {
    fn draw(
        &self,
        area: &DrawingArea<SVGBackend<'_>, Shift>,
        samples: &[Sample],
    ) -> Result<(), Failure> {
        let end_s = samples.last().map_or(1.0, |sample| sample.at_s);
        let mut chart = ChartBuilder::on(area)
            .margin(10)
            .caption(self.title, (FONT, 16))
            .x_label_area_size(24)
            .y_label_area_size(70)
            .build_cartesian_2d(0.0..end_s, 0.0..self.top(samples))?;
        chart.configure_mesh().light_line_style(TRANSPARENT).x_desc("s").draw()?;
        for (color, of) in self.lines {
            let points = samples.iter().filter_map(|sample| Some((sample.at_s, of(sample)?)));
            chart.draw_series(LineSeries::new(points, color))?;
        }
        Ok(())
    }

    /// A little above the greatest value.
    fn top(&self, samples: &[Sample]) -> f64 {
        let values = self.lines.iter().flat_map(|(_, of)| samples.iter().filter_map(of));
        values.fold(0.0, f64::max).max(1e-3) * 1.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_is_not_there_is_one_line() {
        let failure = draw(Path::new("/nowhere/soak.svg"), &[]).unwrap_err();
        assert!(failure.line().starts_with("cannot draw /nowhere/soak.svg: "), "{failure:?}");
    }
}
