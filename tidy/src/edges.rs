//! Which crate may know which: the edges of the design, and the owners of what touches
//! the world outside.
//!
//! ```text
//! proto ◄── directory ◄── store, gateway, fleet          cli wires all
//! proto ◄── sdk, media                                   sim = directory + sdk
//! proto, directory, gateway, sdk ◄── fuzz-targets ◄── fuzz, which libFuzzer drives
//! ```

use std::ffi::OsStr;

use crate::workspace::{Package, SourceFile, Workspace};

/// Each crate and those of ours that it may name, in its tests too.
const EDGES: &[(&str, &[&str])] = &[
    ("proto", &[]),
    ("directory", &["proto"]),
    ("store", &["proto", "directory"]),
    ("gateway", &["proto", "directory"]),
    ("fleet", &["proto", "directory"]),
    ("media", &["proto"]),
    ("sdk", &["proto"]),
    ("sim", &["proto", "directory", "sdk"]),
    ("cli", &["proto", "directory", "store", "gateway", "fleet", "media", "sdk"]),
    ("benches", &["proto", "directory", "store", "gateway", "fleet", "media", "sdk", "sim"]),
    ("peers", &["proto"]),
    ("fuzz-targets", &["proto", "directory", "gateway", "sdk"]),
    ("fuzz", &["fuzz-targets"]),
    ("tidy", &[]),
];

/// A crate that touches the world, and who alone may name it. The command names mio for
/// its load generator and for the bare relay that the box is measured against, as peers does
/// for the generator that other servers are measured with too; axum for the
/// admin listener, which answers beside a box and not in it; ratatui, with the crossterm that
/// it brings, and jiff, which reads the time zone, for the terminal chat; rustls for the admin
/// listener and for the generator's clients.
const OWNERS: &[(&str, &[&str])] = &[
    ("mio", &["gateway", "cli", "peers"]),
    ("rustls", &["gateway", "sdk", "cli"]),
    ("rocksdb", &["store"]),
    ("rusqlite", &["sdk"]),
    ("async-nats", &["fleet"]),
    ("axum", &["media", "cli"]),
    ("object_store", &["media"]),
    ("clap", &["cli", "peers"]),
    ("ratatui", &["cli"]),
    ("crossterm", &["cli"]),
    ("jiff", &["cli"]),
    // Others say what happens (tracing); who writes it down, and what the operator set, is
    // the command's business.
    ("tracing-subscriber", &["cli"]),
    ("tracing-appender", &["cli"]),
    ("toml", &["cli", "benches"]),
    ("ureq", &["cli"]),
];

/// The pure crates, and all that they may depend on: nothing with I/O, clocks, randomness.
const PURE: &[(&str, &[&str])] = &[
    ("proto", &["bytes", "rkyv", "xxhash-rust"]),
    (
        "directory",
        &[
            "proto",
            "bytes",
            "crossbeam-queue",
            "crossbeam-utils",
            "foldhash",
            "hashbrown",
            "loom",
            "siphasher",
        ],
    ),
];

/// What a pure crate's own text may not name, outside its tests.
const IMPURE: &[&str] = &[
    "std::net",
    "std::fs",
    "std::env",
    "std::process",
    "std::thread",
    "Instant",
    "SystemTime",
    "RandomState",
    "rand::",
];

/// Edges between our crates that the design does not have.
pub fn unknown_edges(workspace: &Workspace) -> Vec<String> {
    let ours = |name: &str| EDGES.iter().any(|(crate_name, _)| *crate_name == name);
    let mut findings = Vec::new();
    for package in &workspace.packages {
        let Some(allowed) = find(EDGES, &package.name) else {
            findings.push(format!("{}: a crate without a place in tidy's EDGES", package.name));
            continue;
        };
        let named = package.dependencies.iter().map(|dependency| dependency.name.as_str());
        findings.extend(
            named
                .filter(|name| ours(name) && !allowed.contains(name))
                .map(|name| format!("{} may not know {name}", package.name)),
        );
    }
    findings
}

/// Crates that touch the world, named by others than their owners.
pub fn foreign_adapters(workspace: &Workspace) -> Vec<String> {
    let mut findings = Vec::new();
    for package in &workspace.packages {
        for dependency in &package.dependencies {
            if let Some(owners) = find(OWNERS, &dependency.name)
                && !owners.contains(&package.name.as_str())
            {
                let owners = owners.join(" and ");
                findings.push(format!(
                    "{} names {}, which only {owners} may",
                    package.name, dependency.name
                ));
            }
        }
    }
    findings
}

/// What the pure crates depend on, or name, beyond what is pure.
pub fn impurities(workspace: &Workspace) -> Vec<String> {
    let mut findings = Vec::new();
    for package in &workspace.packages {
        let Some(allowed) = find(PURE, &package.name) else { continue };
        findings.extend(impure_dependencies(package, allowed));
        let sources = package.directory.join("src");
        for file in workspace.rust_files_below(&sources) {
            findings.extend(impure_words(file));
        }
    }
    findings
}

fn impure_dependencies(package: &Package, allowed: &[&str]) -> Vec<String> {
    let dependencies = package.dependencies.iter();
    dependencies
        .filter(|dependency| !dependency.development)
        .filter(|dependency| !allowed.contains(&dependency.name.as_str()))
        .map(|dependency| {
            format!(
                "{} is pure: is {} without I/O, clock, randomness?",
                package.name, dependency.name
            )
        })
        .collect()
}

fn impure_words(file: &SourceFile) -> Vec<String> {
    let of_tests = |part: &OsStr| part == "tests" || part == "tests.rs";
    if file.path.iter().any(of_tests) {
        return Vec::new();
    }
    let shipped = file.numbered_lines().take_while(|(_, line)| line.trim() != "#[cfg(test)]");
    let mut findings = Vec::new();
    for (number, line) in shipped {
        let code = line.split("//").next().unwrap_or_default();
        for word in IMPURE.iter().filter(|word| code.contains(**word)) {
            findings.push(format!("{}:{number}: a pure crate names {word}", file.path.display()));
        }
    }
    findings
}

fn find<'a>(table: &'a [(&str, &'a [&'a str])], name: &str) -> Option<&'a [&'a str]> {
    table.iter().find(|(key, _)| *key == name).map(|(_, values)| *values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Dependency;

    fn depending(name: &str, on: &str, development: bool) -> Workspace {
        let dependencies = vec![Dependency { name: on.to_owned(), development }];
        let (name, directory) = (name.to_owned(), name.into());
        let package = Package { name, directory, dependencies, roots: Vec::new() };
        Workspace { packages: vec![package], files: Vec::new() }
    }

    fn with_file(path: &str, text: &str) -> Workspace {
        let mut workspace = depending("directory", "proto", false);
        workspace.files.push(SourceFile { path: path.into(), text: text.to_owned() });
        workspace
    }

    #[test]
    fn edges_against_the_design_are_found() {
        for (from, to) in [("proto", "directory"), ("directory", "store"), ("gateway", "store")] {
            assert_eq!(unknown_edges(&depending(from, to, false)).len(), 1, "{from} → {to}");
            assert_eq!(unknown_edges(&depending(from, to, true)).len(), 1, "in tests too");
        }
        for (from, to) in [("store", "directory"), ("cli", "store"), ("gateway", "bytes")] {
            assert_eq!(unknown_edges(&depending(from, to, false)), [""; 0], "{from} → {to}");
        }
        assert_eq!(unknown_edges(&depending("newcomer", "proto", false)).len(), 1);
    }

    #[test]
    fn adapters_outside_their_owner_are_found() {
        for (from, to) in [("store", "mio"), ("gateway", "rocksdb"), ("sdk", "clap")] {
            assert_eq!(foreign_adapters(&depending(from, to, false)).len(), 1, "{from} → {to}");
        }
        for (from, to) in [("gateway", "mio"), ("cli", "mio"), ("store", "rocksdb")] {
            assert_eq!(foreign_adapters(&depending(from, to, false)), [""; 0], "{from} → {to}");
        }
    }

    #[test]
    fn a_pure_crates_dependencies_are_only_those_agreed_on() {
        assert_eq!(impurities(&depending("directory", "rustix", false)).len(), 1);
        assert_eq!(impurities(&depending("directory", "proptest", true)), [""; 0]);
        assert_eq!(impurities(&depending("gateway", "rustix", false)), [""; 0]);
    }

    #[test]
    fn a_clock_in_a_pure_crate_is_found_but_not_in_its_tests_or_comments() {
        let code = "use std::time::Instant;\n";
        assert_eq!(impurities(&with_file("directory/src/shard.rs", code)).len(), 1);
        for (path, text) in [
            ("directory/src/shard.rs", "// not an Instant\n"),
            ("directory/src/shard.rs", "#[cfg(test)]\nmod tests { use std::thread; }\n"),
            ("directory/src/shard/tests.rs", code),
            ("directory/src/shard/tests/restart.rs", code),
            ("directory/tests/shard.rs", code),
            ("gateway/src/clock.rs", code),
        ] {
            assert_eq!(impurities(&with_file(path, text)), [""; 0], "{path}");
        }
    }
}
