//! Who may write unsafe code, and that each such place says why it is sound.
//!
//! The workspace forbids it. A crate that cannot do without has lints of its own, and each
//! place a comment that begins with `SAFETY:` right above it.

use std::path::{Path, PathBuf};

use crate::workspace::{Package, SourceFile, Workspace};

/// As a manifest says it.
const FORBIDS: &str = "unsafe_code = \"forbid\"";
const INHERITS: &str = "[lints]\nworkspace = true";
/// What a proof begins with.
const PROOF: &str = "// SAFETY:";
/// The keyword, in pieces, or this file would be a finding.
const KEYWORD: &str = concat!("un", "safe");
/// What stands behind it where it opens something that needs a proof.
const OPENED: &[&str] = &["{", "impl", "fn", "extern", "trait"];

/// Packages that allow unsafe code and have none.
pub fn needless_permissions(workspace: &Workspace) -> Vec<String> {
    let allowing = workspace.packages.iter().filter(|package| !forbids(workspace, package));
    allowing
        .filter(|package| {
            let sources = package.directory.join("src");
            !workspace.rust_files_below(&sources).any(|file| !opened_lines(file).is_empty())
        })
        .map(|package| format!("{}: say {FORBIDS}, it needs none", package.name))
        .collect()
}

/// Unsafe code without a proof above it.
pub fn unproved_places(workspace: &Workspace) -> Vec<String> {
    let mut findings = Vec::new();
    for file in workspace.files.iter().filter(|file| file.is_rust()) {
        let lines: Vec<_> = file.text.lines().collect();
        for number in opened_lines(file) {
            let above = lines.iter().take(number - 1).rev();
            let mut comment = above.take_while(|line| line.trim_start().starts_with("//"));
            if !comment.any(|line| line.trim_start().starts_with(PROOF)) {
                findings.push(format!("{}:{number}: no {PROOF} above it", file.path.display()));
            }
        }
    }
    findings
}

fn forbids(workspace: &Workspace, package: &Package) -> bool {
    let says = |path: PathBuf, what: &str| {
        let manifest = workspace.files.iter().find(|file| file.path == path);
        manifest.is_some_and(|file| file.text.contains(what))
    };
    let own = || package.directory.join("Cargo.toml");
    says(own(), FORBIDS)
        || (says(own(), INHERITS) && says(Path::new("Cargo.toml").to_path_buf(), FORBIDS))
}

/// The numbers of the lines that open unsafe code.
fn opened_lines(file: &SourceFile) -> Vec<usize> {
    let opens = |line: &str| {
        let code = line.split("//").next().unwrap_or_default();
        let behind = code.split(KEYWORD).skip(1).map(str::trim_start);
        behind.into_iter().any(|rest| OPENED.iter().any(|opened| rest.starts_with(opened)))
    };
    file.numbered_lines().filter(|(_, line)| opens(line)).map(|(number, _)| number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_files(files: &[(&str, &str)]) -> Workspace {
        let file = |(path, text): &(&str, &str)| SourceFile {
            path: path.into(),
            text: (*text).to_owned(),
        };
        let (name, directory) = ("store".to_owned(), "store".into());
        let package = Package { name, directory, ..Package::default() };
        Workspace { packages: vec![package], files: files.iter().map(file).collect() }
    }

    fn block() -> String {
        format!("    {KEYWORD} {{ read(pointer) }}\n")
    }

    #[test]
    fn a_crate_that_forbids_nothing_and_needs_nothing_is_found() {
        let found = |root: &str, own: &str, code: &str| {
            let files = [("Cargo.toml", root), ("store/Cargo.toml", own), ("store/src/a.rs", code)];
            needless_permissions(&with_files(&files)).len()
        };
        assert_eq!(found(FORBIDS, INHERITS, ""), 0);
        assert_eq!(found("", FORBIDS, ""), 0);
        assert_eq!(found(FORBIDS, "", ""), 1, "it does not inherit");
        assert_eq!(found("unsafe_code = \"deny\"", INHERITS, ""), 1, "what denies can be allowed");
        assert_eq!(found(FORBIDS, "", &block()), 0, "it needs it");
    }

    #[test]
    fn a_place_without_a_proof_is_found() {
        let found = |code: &str| unproved_places(&with_files(&[("store/src/a.rs", code)])).len();
        assert_eq!(found(&block()), 1);
        assert_eq!(found(&format!("// It is fine.\n{}", block())), 1);
        assert_eq!(found(&format!("{PROOF} it is ours,\n// and lives.\n{}", block())), 0);
        assert_eq!(found(&format!("{PROOF} of another.\n\n{}", block())), 1, "not right above");
        assert_eq!(found(&format!("{KEYWORD} impl Send for A {{}}\n")), 1);
        assert_eq!(found(&format!("let {KEYWORD}ty = 1; // {}", block())), 0);
    }
}
