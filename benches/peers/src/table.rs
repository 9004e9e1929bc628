//! Results as tables in Markdown.

use std::fmt::Write;

use clap::ValueEnum;

use crate::job::Job;
use crate::outcome::Results;
use crate::peer::Peer;

/// Above this share of its time the generator may be what is measured.
const BOTTLENECK: f64 = 0.9;

/// How a column is made of a peer's runs.
enum Column {
    /// The median, and a title.
    Figure(&'static str, &'static str),
    /// The median ratio to the relay in the same round.
    Ratio(&'static str),
    /// Two medians.
    Pair(&'static str, &'static str, &'static str),
    /// Sums of all that came wrong.
    Faults,
}

const CHAT: &[Column] = &[
    Column::Figure("CPU, µs", "server_us"),
    Column::Ratio("server_us"),
    Column::Figure("messages/s", "messages_per_s"),
    Column::Pair("accepted p50, p99, µs", "accepted_p50_us", "accepted_p99_us"),
    Column::Pair("delivered p50, p99, µs", "delivered_p50_us", "delivered_p99_us"),
    Column::Faults,
];
const OFFLINE: &[Column] = &[
    Column::Figure("messages", "stored"),
    Column::Figure("stored/s", "stored_per_s"),
    Column::Figure("CPU, µs", "store_us"),
    Column::Figure("drained/s", "drained_per_s"),
    Column::Figure("CPU, µs", "drain_us"),
    Column::Faults,
];
const IDLE: &[Column] = &[
    Column::Figure("connections", "connections"),
    Column::Figure("B a connection", "bytes_per_connection"),
    Column::Figure("logins/s of server core", "logins_per_core_s"),
    Column::Figure("logins/s", "logins_per_s"),
];

/// All tables: what confirmations are worth, then each job.
pub(crate) fn tables(results: &Results) -> String {
    let mut text = worths(results);
    for job in Job::value_variants() {
        let peers = results.peers(*job);
        if !peers.is_empty() {
            text.push_str(&job_table(results, *job, &peers));
        }
    }
    text
}

fn worths(results: &Results) -> String {
    let mut text = String::from(
        "### What a confirmation is worth\n\n\
         | peer | on disk when confirmed? | receipts? | what a power cut loses of it |\n\
         |---|---|---|---|\n",
    );
    let takes_part =
        |peer: &&Peer| Job::value_variants().iter().any(|job| results.count(*job, **peer) > 0);
    for peer in Peer::all().iter().filter(takes_part) {
        let worth = peer.worth();
        let cells =
            [name(*peer), worth.on_disk.into(), worth.receipts.into(), worth.power_cut.into()];
        push_row(&mut text, &cells);
    }
    text
}

fn job_table(results: &Results, job: Job, peers: &[Peer]) -> String {
    let columns = match job {
        Job::Offline => OFFLINE,
        Job::Idle => IDLE,
        _ => CHAT,
    };
    let mut text = format!("\n### {}\n\n", job.title());
    let titles = ["peer", "on disk?", "receipts?"].map(str::to_owned).into_iter();
    push_row(&mut text, &titles.chain(columns.iter().map(Column::title)).collect::<Vec<_>>());
    let _ = writeln!(text, "|{}", "---|".repeat(3 + columns.len())); // a String takes all
    for peer in peers {
        let worth = peer.worth();
        let marks = [name(*peer), yes(worth.is_on_disk), yes(worth.has_receipts)].into_iter();
        let cells = columns.iter().map(|column| column.cell(results, job, *peer));
        push_row(&mut text, &marks.chain(cells).collect::<Vec<_>>());
    }
    text.push_str(&notes(results, job, peers));
    text
}

/// What limits the figures of a table.
fn notes(results: &Results, job: Job, peers: &[Peer]) -> String {
    let counts = peers.iter().map(|peer| results.count(job, *peer));
    let mut text = match (counts.clone().min(), counts.max()) {
        (Some(1), Some(1)) => "\nOne run each.".to_owned(),
        (Some(least), Some(most)) if least == most => format!("\nMedians of {most} runs each."),
        (Some(least), Some(most)) => format!("\nMedians of {least} to {most} runs each."),
        _ => String::new(),
    };
    let is_bound = |peer: &&Peer| {
        ["generator_share", "store_generator_share", "drain_generator_share"]
            .iter()
            .any(|share| results.median(job, **peer, share) > Some(BOTTLENECK))
    };
    let bound: Vec<&str> = peers.iter().filter(is_bound).map(|peer| peer.title()).collect();
    if !bound.is_empty() {
        let _ = write!(text, " The generator was the bottleneck with: {}.", bound.join(", "));
    }
    text + "\n"
}

impl Column {
    fn title(&self) -> String {
        match self {
            Self::Figure(title, _) | Self::Pair(title, ..) => (*title).to_owned(),
            Self::Ratio(_) => "× relay".to_owned(),
            Self::Faults => "lost, doubled, reordered".to_owned(),
        }
    }

    fn cell(&self, results: &Results, job: Job, peer: Peer) -> String {
        let median = |figure| results.median(job, peer, figure).map_or("–".to_owned(), show);
        match self {
            Self::Figure(_, figure) => median(figure),
            Self::Pair(_, first, second) => format!("{}, {}", median(first), median(second)),
            Self::Ratio(figure) => results
                .ratio(job, peer, Peer::Relay, figure)
                .map_or("–".to_owned(), |ratio| format!("{ratio:.2}")),
            Self::Faults => faults(results, job, peer),
        }
    }
}

fn faults(results: &Results, job: Job, peer: Peer) -> String {
    let sum = |figure| results.sum(job, peer, figure).map_or("–".to_owned(), show);
    let mut text = format!("{}, {}, {}", sum("lost"), sum("doubled"), sum("reordered"));
    for (figure, what) in [("unconfirmed", "unconfirmed"), ("receipts_missing", "without receipt")]
    {
        if let Some(count) = results.sum(job, peer, figure).filter(|count| *count > 0.0) {
            let _ = write!(text, "; {} {what}", show(count));
        }
    }
    text
}

fn name(peer: Peer) -> String {
    if peer == Peer::Answerback { format!("**{}**", peer.title()) } else { peer.title().to_owned() }
}

fn yes(is_so: bool) -> String {
    if is_so { "yes" } else { "no" }.to_owned()
}

fn push_row(text: &mut String, cells: &[String]) {
    let _ = writeln!(text, "| {} |", cells.join(" | "));
}

/// Three digits, thousands apart.
pub(crate) fn show(value: f64) -> String {
    let digits = match value.abs() {
        size if size >= 100.0 || value.fract() == 0.0 => 0,
        size if size >= 10.0 => 1,
        _ => 2,
    };
    let text = format!("{value:.digits$}");
    let (whole, fraction) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        let left = whole.len() - index;
        if index > 0 && left.is_multiple_of(3) && digit.is_ascii_digit() && !grouped.ends_with('-')
        {
            grouped.push(' ');
        }
        grouped.push(digit);
    }
    grouped + fraction
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits_and_thousands_apart() {
        let shown = [1.234, 12.34, 123.4, 1234.0, 1_234_567.0, 0.0, -1234.0, -123.0].map(show);
        assert_eq!(shown, ["1.23", "12.3", "123", "1 234", "1 234 567", "0", "-1 234", "-123"]);
    }

    #[test]
    fn a_table_says_worth_figures_and_bottleneck() {
        let mut results = Results::default();
        let run = |peer: &str, server_us: f64, generator: f64| {
            format!(
                "{{\"round\":0,\"job\":\"window-8\",\"peer\":\"{peer}\",\"figures\":{{\
                 \"server_us\":{server_us},\"generator_share\":{generator},\"messages_per_s\":50000,\
                 \"accepted_p50_us\":10,\"accepted_p99_us\":20,\"delivered_p50_us\":11,\
                 \"delivered_p99_us\":21,\"lost\":1,\"doubled\":2,\"reordered\":3,\"unconfirmed\":4}}}}\n"
            )
        };
        results.add(&(run("relay", 2.0, 0.95) + &run("redis-always", 14.0, 0.5))).unwrap();
        let text = tables(&results);
        let row = "| Redis Streams, always | yes | no | 14 | 7.00 | 50 000 | 10, 20 | 11, 21 | 1, 2, 3; 4 unconfirmed |";
        assert!(text.contains(row), "{text}");
        assert!(
            text.contains("One run each. The generator was the bottleneck with: relay.\n"),
            "{text}"
        );
        assert!(text.contains("| Redis Streams, always | yes: one sync for all"), "{text}");
        assert!(!text.contains("Mosquitto"), "{text}");
    }
}
