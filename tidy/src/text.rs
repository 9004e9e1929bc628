//! What should not stand in a file: leftovers, switched-off tests, a machine's own paths,
//! more lines than one file should have.

use std::path::Path;

use crate::workspace::{SourceFile, Workspace};

/// A file over this wants a split by sub-state; over 400 it is worth a look.
pub const LINES_MAX: usize = 600;

/// Marks of work that is not done. Written in pieces, or this file would be a finding.
const LEFTOVERS: &[&str] =
    &[concat!("todo", "!("), concat!("unimplemented", "!("), concat!("dbg", "!(")];

/// Tests that do not run.
const SWITCHED_OFF: &str = concat!("#[", "ignore");

/// Folders that only one machine has.
const MACHINE_FOLDERS: &[&str] =
    &[concat!("/", "work/"), concat!("/", "root/"), concat!("/", "farm/")];

/// Macros that say "not done yet", in Rust files.
pub fn leftovers(workspace: &Workspace) -> Vec<String> {
    rust_lines(workspace, |line| {
        let found = LEFTOVERS.iter().find(|mark| line.contains(**mark))?;
        Some(format!("{found}…) is not finished work"))
    })
}

/// Tests that are ignored or commented out.
pub fn switched_off_tests(workspace: &Workspace) -> Vec<String> {
    rust_lines(workspace, |line| {
        let commented = line.trim().strip_prefix("//").unwrap_or_default().trim_start();
        let off = line.contains(SWITCHED_OFF) || commented.starts_with("#[test]");
        off.then(|| "a test that does not run".to_owned())
    })
}

/// Rust files over [`LINES_MAX`] lines.
pub fn overlong_files(workspace: &Workspace) -> Vec<String> {
    let rust = workspace.files.iter().filter(|file| file.is_rust());
    rust.map(|file| (file, file.text.lines().count()))
        .filter(|(_, count)| *count > LINES_MAX)
        .map(|(file, count)| format!("{}: {count} lines, a split?", file.path.display()))
        .collect()
}

/// Paths that only one machine has, in any text file.
pub fn machine_paths(workspace: &Workspace) -> Vec<String> {
    let files = workspace.files.iter();
    files
        .flat_map(|file| {
            file.numbered_lines()
                .filter(|(_, line)| names_a_machine_folder(line))
                .map(|(number, _)| place(file, number, "a path of one machine"))
        })
        .collect()
}

/// Nothing where the changelog has a place for what is new.
pub fn missing_unreleased_section(workspace: &Workspace) -> Vec<String> {
    let changelog = workspace.files.iter().find(|file| file.path == Path::new("CHANGELOG.md"));
    let has_section = changelog
        .is_some_and(|file| file.text.lines().any(|line| line.starts_with("## [Unreleased]")));
    if has_section { Vec::new() } else { vec!["CHANGELOG.md: no [Unreleased] section".to_owned()] }
}

/// Such a folder at the start of a path, not in the middle of one.
fn names_a_machine_folder(line: &str) -> bool {
    MACHINE_FOLDERS.iter().any(|folder| {
        line.match_indices(folder).any(|(at, _)| {
            let before = line.get(..at).unwrap_or_default().chars().next_back();
            !before.is_some_and(|before| before.is_alphanumeric() || "_./-}".contains(before))
        })
    })
}

fn rust_lines(workspace: &Workspace, fault: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let mut findings = Vec::new();
    for file in workspace.files.iter().filter(|file| file.is_rust()) {
        for (number, line) in file.numbered_lines() {
            findings.extend(fault(line).map(|fault| place(file, number, &fault)));
        }
    }
    findings
}

fn place(file: &SourceFile, number: usize, fault: &str) -> String {
    format!("{}:{number}: {fault}", file.path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_file(path: &str, text: &str) -> Workspace {
        let file = SourceFile { path: path.into(), text: text.to_owned() };
        Workspace { packages: Vec::new(), files: vec![file] }
    }

    fn with_line(line: &str) -> Workspace {
        with_file("a/src/lib.rs", line)
    }

    #[test]
    fn leftovers_are_found() {
        for mark in LEFTOVERS {
            assert_eq!(leftovers(&with_line(&format!("    {mark});"))).len(), 1);
        }
        assert_eq!(leftovers(&with_line("let todo = 1;")), [""; 0]);
    }

    #[test]
    fn tests_that_do_not_run_are_found() {
        for line in [format!("{SWITCHED_OFF} = \"slow\"]"), "//    #[test]".to_owned()] {
            assert_eq!(switched_off_tests(&with_line(&line)).len(), 1, "{line}");
        }
        assert_eq!(switched_off_tests(&with_line("    #[test] // a case")), [""; 0]);
    }

    #[test]
    fn a_file_is_overlong_from_its_601st_line() {
        let lines = |count| with_line(&"//! A line.\n".repeat(count));
        assert_eq!(overlong_files(&lines(600)), [""; 0]);
        assert_eq!(overlong_files(&lines(601)).len(), 1);
    }

    #[test]
    fn a_machines_paths_are_found_in_any_file() {
        for folder in MACHINE_FOLDERS {
            for line in [format!("cd {folder}main"), format!("\"{folder}x\""), folder.to_string()] {
                assert_eq!(machine_paths(&with_file("notes.md", &line)).len(), 1, "{line}");
            }
            let inside = format!("https://example.org{folder}x ./a{folder}b ${{HOME}}{folder}");
            assert_eq!(machine_paths(&with_line(&inside)), [""; 0]);
        }
    }

    #[test]
    fn a_changelog_without_a_place_for_what_is_new_is_found() {
        let changelog = |text| missing_unreleased_section(&with_file("CHANGELOG.md", text));
        assert_eq!(changelog("# Changelog\n\n## [Unreleased]\n"), [""; 0]);
        assert_eq!(changelog("# Changelog\n\n## [0.1.0]\n").len(), 1);
        assert_eq!(missing_unreleased_section(&Workspace::default()).len(), 1);
    }
}
