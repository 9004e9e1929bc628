//! Results as a picture: server CPU a message, a bar for each peer and load.
//!
//! The scale is logarithmic, since the peers lie two orders of magnitude apart; every bar
//! carries its figure. Colours say what a confirmation is worth.

use std::path::Path;

use anyhow::{Result, anyhow, ensure};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::job::Job;
use crate::outcome::Results;
use crate::peer::Peer;
use crate::table::show;

/// The two loads that are drawn, and what stands over them.
const PANELS: [(Job, &str); 2] =
    [(Job::Window8, "closed loop, 8 under way"), (Job::Rate2000, "open loop, 2 000 a second")];

const WIDTH: i32 = 960;
const ROW_HEIGHT: i32 = 36;
const BAR_HEIGHT: i32 = 20;
const HEAD_HEIGHT: i32 = 100;
const FOOT_HEIGHT: i32 = 56;
/// Names of the peers end here.
const NAMES_RIGHT: i32 = 200;
const BAR_LENGTH_MAX: i32 = 310;
const PANEL_STEP: i32 = 375;
/// The scale, µs.
const LEAST_US: f64 = 1.0;

const DURABLE: RGBColor = RGBColor(0x1a, 0x7f, 0x4b);
const NOT_DURABLE: RGBColor = RGBColor(0xa8, 0xb0, 0xb9);
const NOTHING_KEPT: RGBColor = RGBColor(0xdf, 0xe3, 0xe7);
const INK: RGBColor = RGBColor(0x1f, 0x23, 0x28);
const FAINT_INK: RGBColor = RGBColor(0x59, 0x63, 0x6e);
const LINES: RGBColor = RGBColor(0xe4, 0xe7, 0xeb);

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

/// Writes the picture.
///
/// # Errors
/// Where there is nothing to draw, or no file can be written.
pub(crate) fn write(results: &Results, path: &Path) -> Result<()> {
    let mut peers = Peer::all().to_vec();
    peers.retain(|peer| PANELS.iter().any(|(job, _)| cost_us(results, *job, *peer).is_some()));
    ensure!(!peers.is_empty(), "no result of a chat is there to draw");
    let height = HEAD_HEIGHT + ROW_HEIGHT * peers.len() as i32 + FOOT_HEIGHT;
    let area = SVGBackend::new(path, (WIDTH as u32, height as u32)).into_drawing_area();
    draw(&area, results, &peers).map_err(|error| anyhow!("{}: {error}", path.display()))
}

/// What may fail is only the file.
type Drawn = Result<(), Box<dyn std::error::Error>>;

fn draw(area: &Area<'_>, results: &Results, peers: &[Peer]) -> Drawn {
    area.fill(&WHITE)?;
    let title = "CPU of the server for each message of a chat, µs (logarithmic)";
    text(area, title, (16, 26), 19, INK, HPos::Left)?;
    draw_legend(area)?;
    let scale = Scale::over(results, peers);
    for (index, (job, name)) in PANELS.iter().enumerate() {
        let left = NAMES_RIGHT + 16 + PANEL_STEP * index as i32;
        text(area, name, (left, 84), 14, INK, HPos::Left)?;
        scale.draw(area, left, peers.len() as i32)?;
        for (row, peer) in peers.iter().enumerate() {
            draw_bar(area, left, row as i32, *peer, cost_us(results, *job, *peer), &scale)?;
        }
    }
    for (row, peer) in peers.iter().enumerate() {
        draw_name(area, row as i32, *peer)?;
    }
    Ok(area.present()?)
}

fn draw_legend(area: &Area<'_>) -> Drawn {
    let mut left = 16;
    let entries = [
        (DURABLE, "on disk when the sender is told", 250),
        (NOT_DURABLE, "not on disk yet: a power cut loses it", 285),
        (NOTHING_KEPT, "kept nowhere", 0),
    ];
    for (colour, words, width) in entries {
        area.draw(&Rectangle::new([(left, 44), (left + 14, 58)], colour.filled()))?;
        text(area, words, (left + 21, 51), 13, FAINT_INK, HPos::Left)?;
        left += width;
    }
    Ok(())
}

fn draw_name(area: &Area<'_>, row: i32, peer: Peer) -> Drawn {
    let middle = row_middle(row);
    let worth = peer.worth();
    let disk = match (peer.stores(), worth.is_on_disk) {
        (false, _) => "kept nowhere",
        (true, true) => "on disk",
        (true, false) => "not on disk",
    };
    let receipts = if worth.has_receipts { "receipts" } else { "no receipts" };
    let weight = if peer == Peer::Answerback { FontStyle::Bold } else { FontStyle::Normal };
    let style = TextStyle::from(("sans-serif", 14, weight).into_font())
        .color(&INK)
        .pos(Pos::new(HPos::Right, VPos::Center));
    area.draw(&Text::new(peer.title(), (NAMES_RIGHT, middle - 7), style))?;
    text(
        area,
        &format!("{disk}, {receipts}"),
        (NAMES_RIGHT, middle + 9),
        11,
        FAINT_INK,
        HPos::Right,
    )
}

fn draw_bar(
    area: &Area<'_>,
    left: i32,
    row: i32,
    peer: Peer,
    cost_us: Option<f64>,
    scale: &Scale,
) -> Drawn {
    let middle = row_middle(row);
    let Some(cost_us) = cost_us else {
        return text(area, "not measured", (left + 4, middle), 12, FAINT_INK, HPos::Left);
    };
    let colour = match (peer.stores(), peer.worth().is_on_disk) {
        (false, _) => NOTHING_KEPT,
        (true, true) => DURABLE,
        (true, false) => NOT_DURABLE,
    };
    let right = left + scale.length(cost_us);
    let (top, bottom) = (middle - BAR_HEIGHT / 2, middle + BAR_HEIGHT / 2);
    area.draw(&Rectangle::new([(left, top), (right, bottom)], colour.filled()))?;
    text(area, &show(cost_us), (right + 6, middle), 13, INK, HPos::Left)
}

fn row_middle(row: i32) -> i32 {
    HEAD_HEIGHT + ROW_HEIGHT * row + ROW_HEIGHT / 2
}

fn cost_us(results: &Results, job: Job, peer: Peer) -> Option<f64> {
    results.median(job, peer, "server_us")
}

/// The common scale of all panels.
struct Scale {
    /// Powers of ten from the least to a bar of full length.
    decades: f64,
}

impl Scale {
    fn over(results: &Results, peers: &[Peer]) -> Self {
        let costs = PANELS
            .iter()
            .flat_map(|(job, _)| peers.iter().filter_map(|peer| cost_us(results, *job, *peer)));
        let greatest = costs.fold(LEAST_US, f64::max);
        Self { decades: (greatest / LEAST_US).log10().max(1.0) }
    }

    /// Of a bar; what is less than the scale's least gets a line.
    fn length(&self, cost_us: f64) -> i32 {
        let decades = (cost_us / LEAST_US).log10().max(0.0);
        (decades / self.decades * f64::from(BAR_LENGTH_MAX)).max(1.0) as i32
    }

    fn draw(&self, area: &Area<'_>, left: i32, rows: i32) -> Drawn {
        let bottom = HEAD_HEIGHT + ROW_HEIGHT * rows;
        for decade in 0..=self.decades as i32 {
            let value = LEAST_US * 10_f64.powi(decade);
            let at = left + if decade == 0 { 0 } else { self.length(value) };
            area.draw(&PathElement::new([(at, HEAD_HEIGHT), (at, bottom)], LINES))?;
            text(area, &show(value), (at, bottom + 14), 12, FAINT_INK, HPos::Center)?;
        }
        Ok(())
    }
}

fn text(
    area: &Area<'_>,
    words: &str,
    at: (i32, i32),
    size: i32,
    colour: RGBColor,
    side: HPos,
) -> Drawn {
    let style = TextStyle::from(("sans-serif", size).into_font())
        .color(&colour)
        .pos(Pos::new(side, VPos::Center));
    Ok(area.draw(&Text::new(words.to_owned(), at, style))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_long_as_its_logarithm() {
        let scale = Scale { decades: 2.0 };
        let [one, ten, hundred] = [1.0, 10.0, 100.0].map(|us| scale.length(us));
        assert_eq!((one, ten * 2, hundred), (1, hundred, BAR_LENGTH_MAX));
        assert_eq!(scale.length(0.1), 1);
    }

    #[test]
    fn a_picture_names_all_that_was_measured() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("peers.svg");
        assert!(write(&Results::default(), &path).is_err());
        let mut results = Results::default();
        results
            .add("{\"round\":0,\"job\":\"window-8\",\"peer\":\"nats\",\"figures\":{\"server_us\":61.5}}")
            .unwrap();
        write(&results, &path).unwrap();
        let picture = std::fs::read_to_string(&path).unwrap();
        for words in ["JetStream, tuned", "61.5", "not measured", "not on disk, no receipts"] {
            assert!(picture.contains(words), "{words} in {picture}");
        }
        assert!(!picture.contains("Mosquitto"));
    }
}
