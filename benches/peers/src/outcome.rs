//! Results: one JSON line a run, in a file from which tables and plots are made.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::job::{Figures, Job};
use crate::peer::Peer;
use crate::statistics::median;

/// One run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Outcome {
    /// Runs of one round can be compared best.
    pub(crate) round: u32,
    pub(crate) job: String,
    pub(crate) peer: String,
    pub(crate) figures: Figures,
}

/// Writes results as they come.
#[derive(Debug)]
pub(crate) struct Writer {
    file: File,
}

impl Writer {
    /// Begins a file anew, or goes on with one.
    pub(crate) fn open(path: &Path, appends: bool) -> Result<Self> {
        let file = OpenOptions::new()
            .create(true)
            .write(true)
            .append(appends)
            .truncate(!appends)
            .open(path)
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { file })
    }

    pub(crate) fn write(&mut self, outcome: &Outcome) -> Result<()> {
        let mut line = serde_json::to_vec(outcome)?;
        line.push(b'\n');
        Ok(self.file.write_all(&line)?)
    }
}

/// All runs of some files, by job and peer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Results {
    outcomes: Vec<Outcome>,
}

impl Results {
    /// Reads files. Rounds of different files are different rounds.
    pub(crate) fn read(paths: &[PathBuf]) -> Result<Self> {
        let mut results = Self::default();
        for path in paths {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            results.add(&text).with_context(|| format!("in {}", path.display()))?;
        }
        Ok(results)
    }

    pub(crate) fn add(&mut self, text: &str) -> Result<()> {
        let first_round = self.next_round();
        for (number, line) in text.lines().enumerate() {
            let mut outcome: Outcome =
                serde_json::from_str(line).with_context(|| format!("line {}", number + 1))?;
            outcome.round += first_round;
            self.outcomes.push(outcome);
        }
        Ok(())
    }

    /// The number of a round that is not there yet.
    pub(crate) fn next_round(&self) -> u32 {
        self.outcomes.iter().map(|outcome| outcome.round + 1).max().unwrap_or(0)
    }

    /// Peers that have done a job, in the order of the tables.
    pub(crate) fn peers(&self, job: Job) -> Vec<Peer> {
        let has_done = |peer: &&Peer| self.runs(job, **peer).next().is_some();
        Peer::all().iter().filter(has_done).copied().collect()
    }

    /// How often a peer has done a job.
    pub(crate) fn count(&self, job: Job, peer: Peer) -> usize {
        self.runs(job, peer).count()
    }

    /// The median of a figure over a peer's runs of a job.
    pub(crate) fn median(&self, job: Job, peer: Peer, figure: &str) -> Option<f64> {
        median(self.runs(job, peer).filter_map(|run| run.figures.get(figure).copied()))
    }

    /// The sum of a figure over a peer's runs of a job.
    pub(crate) fn sum(&self, job: Job, peer: Peer, figure: &str) -> Option<f64> {
        let figures: Vec<f64> =
            self.runs(job, peer).filter_map(|run| run.figures.get(figure).copied()).collect();
        (!figures.is_empty()).then(|| figures.iter().sum())
    }

    /// The median of a figure's ratio to that of another peer in the same round.
    pub(crate) fn ratio(&self, job: Job, peer: Peer, to: Peer, figure: &str) -> Option<f64> {
        let of_round: BTreeMap<u32, f64> = self
            .runs(job, to)
            .filter_map(|run| Some((run.round, *run.figures.get(figure)?)))
            .collect();
        median(self.runs(job, peer).filter_map(|run| {
            Some(run.figures.get(figure)? / of_round.get(&run.round).filter(|base| **base > 0.0)?)
        }))
    }

    fn runs(&self, job: Job, peer: Peer) -> impl Iterator<Item = &Outcome> {
        let (job, peer) = (job.name(), peer.name());
        self.outcomes.iter().filter(move |outcome| outcome.job == job && outcome.peer == peer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(round: u32, peer: &str, server_us: f64) -> String {
        let figures = Figures::from([("server_us".to_owned(), server_us)]);
        let (job, peer) = ("window-8".to_owned(), peer.to_owned());
        serde_json::to_string(&Outcome { round, job, peer, figures }).unwrap() + "\n"
    }

    #[test]
    fn a_ratio_is_taken_within_its_round() {
        let mut results = Results::default();
        // The machine slows down from round to round; the ratio stays.
        let rounds = [(0, 1.0), (1, 2.0), (2, 8.0)];
        let lines =
            rounds.map(|(round, us)| line(round, "relay", us) + &line(round, "nats", 30.0 * us));
        results.add(&lines.concat()).unwrap();
        let ratio = |peer, to| results.ratio(Job::Window8, peer, to, "server_us");
        assert_eq!(ratio(Peer::Nats, Peer::Relay), Some(30.0));
        assert_eq!(ratio(Peer::Nats, Peer::Ejabberd), None);
        assert_eq!(results.median(Job::Window8, Peer::Nats, "server_us"), Some(60.0));
        assert_eq!(results.sum(Job::Window8, Peer::Relay, "server_us"), Some(11.0));
        assert_eq!(results.peers(Job::Window8), [Peer::Relay, Peer::Nats]);
        assert_eq!(results.peers(Job::Idle), []);
    }

    #[test]
    fn another_file_has_other_rounds() {
        let mut results = Results::default();
        results.add(&(line(0, "relay", 1.0) + &line(0, "nats", 2.0))).unwrap();
        results.add(&(line(0, "relay", 10.0) + &line(0, "nats", 40.0))).unwrap();
        let ratio = results.ratio(Job::Window8, Peer::Nats, Peer::Relay, "server_us");
        assert_eq!(ratio, Some(3.0));
    }

    #[test]
    fn a_bad_line_is_named() {
        let mut results = Results::default();
        let error = results.add(&(line(0, "relay", 1.0) + "{}\n")).unwrap_err();
        assert_eq!(error.to_string(), "line 2");
    }
}
