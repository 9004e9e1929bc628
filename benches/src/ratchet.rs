//! Counts of instructions, as a file keeps them and as they are now.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

/// Differences up to here, in thousandths, are none.
const TOLERANCE: u64 = 50;

/// What made the code that was counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compiler {
    /// Of rustc, as `rustc -vV` says it.
    pub release: String,
    /// The machine's kind, likewise.
    pub host: String,
}

impl Compiler {
    /// Out of what `rustc -vV` prints.
    pub fn parse(verbose: &str) -> Option<Self> {
        let field = |name: &str| {
            verbose.lines().find_map(|line| line.strip_prefix(name)).map(|text| text.trim().into())
        };
        Some(Self { release: field("release:")?, host: field("host:")? })
    }
}

/// What one part took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// All instructions.
    pub instructions: u64,
    /// For how many messages, frames or records.
    pub units: u64,
}

#[derive(Deserialize)]
struct File {
    release: String,
    host: String,
    parts: BTreeMap<String, f64>,
}

/// Tenths of an instruction a unit, by part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counts {
    compiler: Compiler,
    tenths_by_part: BTreeMap<String, u64>,
}

impl Counts {
    /// Of no part yet.
    pub fn new(compiler: Compiler) -> Self {
        Self { compiler, tenths_by_part: BTreeMap::new() }
    }

    /// Adds a part.
    pub fn add(&mut self, part: &str, counted: Counted) {
        let tenths = (counted.instructions * 10).div_ceil(counted.units.max(1));
        self.tenths_by_part.insert(part.to_owned(), tenths);
    }

    /// Out of a file.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(file: &str) -> Result<Self, String> {
        let File { release, host, parts } =
            toml::from_str(file).map_err(|error| error.to_string())?;
        let tenths = parts.into_iter().map(|(part, count)| (part, (count * 10.0).round() as u64));
        let counts =
            Self { compiler: Compiler { release, host }, tenths_by_part: tenths.collect() };
        if counts.tenths_by_part.values().any(|tenths| *tenths == 0) {
            return Err("a part takes nothing".to_owned());
        }
        Ok(counts)
    }

    /// These, of the file, against those of now.
    pub fn compare(&self, now: &Self) -> Comparison {
        let names = self.tenths_by_part.keys().chain(now.tenths_by_part.keys());
        let mut names: Vec<_> = names.cloned().collect();
        names.sort();
        names.dedup();
        let of = |counts: &Self, part: &str| counts.tenths_by_part.get(part).copied();
        let lines = names.into_iter().map(|part| {
            let (before, now) = (of(self, &part), of(now, &part));
            Line { part, before, now }
        });
        let other = (self.compiler != now.compiler).then(|| now.compiler.clone());
        Comparison {
            lines: lines.collect(),
            other_compiler: other.zip(Some(self.compiler.clone())),
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Compiler { release, host } = &self.compiler;
        writeln!(f, "# Instructions of the hot parts, for each message, frame or record.")?;
        writeln!(f, "# `tools/instructions` compares, `tools/instructions --accept` writes.")?;
        writeln!(f, "release = \"{release}\"\nhost = \"{host}\"\n\n[parts]")?;
        for (part, tenths) in &self.tenths_by_part {
            writeln!(f, "\"{part}\" = {}", decimal(*tenths))?;
        }
        Ok(())
    }
}

/// What became of the counts.
#[derive(Debug)]
pub struct Comparison {
    lines: Vec<Line>,
    /// Of now and of the file, where they are not the same.
    other_compiler: Option<(Compiler, Compiler)>,
}

#[derive(Debug)]
struct Line {
    part: String,
    before: Option<u64>,
    now: Option<u64>,
}

impl Comparison {
    /// Whether each part takes what it took. What another compiler made is not compared.
    pub fn holds(&self) -> bool {
        self.other_compiler.is_some() || self.lines.iter().all(|line| line.verdict().is_none())
    }
}

impl Line {
    /// What is wrong, if anything.
    fn verdict(&self) -> Option<&'static str> {
        let (Some(before), Some(now)) = (self.before, self.now) else {
            return Some(if self.now.is_some() { "is not in the file" } else { "is gone" });
        };
        if now * 1000 > before * (1000 + TOLERANCE) {
            Some("takes more")
        } else if now * 1000 < before * (1000 - TOLERANCE) {
            Some("takes less, which is to be kept")
        } else {
            None
        }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:>10} {:>10} {:>8}  instructions of", "before", "now", "")?;
        for line in &self.lines {
            let [before, now] = [line.before, line.now].map(|tenths| tenths.map(decimal));
            let [before, now] = [before, now].map(Option::unwrap_or_default);
            let (change, part) = (line.change(), &line.part);
            let verdict = line.verdict().map(|verdict| format!("   ← {verdict}"));
            let verdict = verdict.unwrap_or_default();
            writeln!(f, "{before:>10} {now:>10} {change:>8}  {part}{verdict}")?;
        }
        if let Some((now, before)) = &self.other_compiler {
            let (now, before) = (format!("{now:?}"), format!("{before:?}"));
            writeln!(f, "\nNot compared: the file is of {before}, this is {now}.")
        } else if !self.holds() {
            writeln!(
                f,
                "\nA part differs by more than {} %. If that is meant, write it down with \
                 `tools/instructions --accept`\nand say in the commit what it buys.",
                TOLERANCE / 10
            )
        } else {
            Ok(())
        }
    }
}

impl Line {
    fn change(&self) -> String {
        match (self.before, self.now) {
            (Some(before), Some(now)) => {
                format!("{:+.1} %", (now as f64 / before as f64 - 1.0) * 100.0)
            }
            _ => String::new(),
        }
    }
}

fn decimal(tenths: u64) -> String {
    format!("{}.{}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(release: &str, parts: &[(&str, u64)]) -> Counts {
        let compiler = Compiler { release: release.into(), host: "here".into() };
        let mut counts = Counts::new(compiler);
        for (part, instructions) in parts {
            counts.add(part, Counted { instructions: *instructions, units: 10 });
        }
        counts
    }

    #[test]
    fn what_is_written_reads_the_same() {
        let counts = counts("1.95.0", &[("a: b, c", 1234), ("d", 100)]);
        assert_eq!(Counts::parse(&counts.to_string()).as_ref(), Ok(&counts));
        assert!(counts.to_string().contains("\"a: b, c\" = 123.4\n"));
        assert!(Counts::parse("release = \"1\"\nhost = \"2\"\n[parts]\na = \"x\"").is_err());
        assert!(Counts::parse("host = \"2\"").is_err());
    }

    #[test]
    fn five_per_cent_either_way_is_said_and_named() {
        let before = counts("1", &[("a", 1000), ("b", 1000)]);
        for (now, holds) in [(1050, true), (1051, false), (950, true), (949, false)] {
            let comparison = before.compare(&counts("1", &[("a", 1000), ("b", now)]));
            assert_eq!(comparison.holds(), holds, "{now}");
            let told = comparison.to_string();
            let named = told.lines().find(|line| line.contains('←'));
            assert_eq!(named.is_some_and(|line| line.contains("  b ")), !holds, "{told}");
            assert_eq!(told.contains("--accept"), !holds);
        }
    }

    #[test]
    fn a_part_that_comes_or_goes_is_said() {
        let (one, two) = (counts("1", &[("a", 1)]), counts("1", &[("a", 1), ("b", 1)]));
        assert!(!one.compare(&two).holds());
        assert!(!two.compare(&one).holds());
        assert!(two.compare(&two).holds());
    }

    #[test]
    fn another_compilers_counts_are_shown_and_not_compared() {
        let comparison = counts("1", &[("a", 1000)]).compare(&counts("2", &[("a", 2000)]));
        assert!(comparison.holds());
        assert!(comparison.to_string().contains("Not compared"));
    }

    #[test]
    fn the_compiler_says_who_it_is() {
        let said = "rustc 1.95.0 (x 2026)\nbinary: rustc\nhost: x86_64-unknown-linux-gnu\nrelease: 1.95.0\n";
        let compiler = Compiler::parse(said).map(|compiler| (compiler.release, compiler.host));
        assert_eq!(compiler, Some(("1.95.0".into(), "x86_64-unknown-linux-gnu".into())));
        assert_eq!(Compiler::parse(""), None);
    }
}
