//! Every Rust file is part of something, and says at its top what it is for.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::workspace::{SourceFile, Workspace};

/// Rust files that no target of their package reaches by `mod` declarations.
pub fn unreferenced_files(workspace: &Workspace) -> Vec<String> {
    let mut reached = BTreeSet::new();
    for root in workspace.packages.iter().flat_map(|package| &package.roots) {
        reach(workspace, root, true, &mut reached);
    }
    workspace
        .files
        .iter()
        .filter(|file| file.is_rust() && !reached.contains(&file.path))
        .map(|file| format!("{}: no module names it", file.path.display()))
        .collect()
}

/// Rust files that do not begin with a module doc.
pub fn undocumented_files(workspace: &Workspace) -> Vec<String> {
    workspace
        .files
        .iter()
        .filter(|file| file.is_rust() && !file.text.starts_with("//! "))
        .map(|file| format!("{}: does not begin with a module doc (//!)", file.path.display()))
        .collect()
}

fn reach(workspace: &Workspace, path: &Path, is_root: bool, reached: &mut BTreeSet<PathBuf>) {
    let Some(file) = workspace.files.iter().find(|file| file.path == path) else { return };
    if !reached.insert(path.to_path_buf()) {
        return;
    }
    let directory = submodule_directory(path, is_root);
    for name in declared_modules(file) {
        reach(workspace, &directory.join(format!("{name}.rs")), false, reached);
        reach(workspace, &directory.join(name).join("mod.rs"), false, reached);
    }
}

/// Where a file's submodules lie: beside it for a root or `mod.rs`, else in a folder of
/// its name.
fn submodule_directory(path: &Path, is_root: bool) -> PathBuf {
    if is_root || path.file_name() == Some(OsStr::new("mod.rs")) {
        path.parent().unwrap_or(Path::new("")).to_path_buf()
    } else {
        path.with_extension("")
    }
}

/// The names in `mod name;`, whatever their visibility.
fn declared_modules(file: &SourceFile) -> impl Iterator<Item = &str> {
    file.text.lines().filter_map(|line| {
        let declaration = line.trim().strip_suffix(';')?;
        let (visibility, name) = match declaration.split_once("mod ") {
            Some((visibility, name)) => (visibility.trim(), name.trim()),
            None => return None,
        };
        (visibility.is_empty() || visibility.starts_with("pub")).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Package;

    fn workspace(files: &[(&str, &str)]) -> Workspace {
        let roots = vec!["a/src/lib.rs".into(), "a/tests/whole.rs".into()];
        let package = Package { name: "a".to_owned(), roots, ..Package::default() };
        let file = |(path, text): &(&str, &str)| SourceFile {
            path: PathBuf::from(path),
            text: (*text).to_owned(),
        };
        Workspace { packages: vec![package], files: files.iter().map(file).collect() }
    }

    #[test]
    fn a_file_that_no_module_names_is_found() {
        let files = [
            ("a/src/lib.rs", "//! A.\npub mod one;\npub(crate) mod two;\n#[cfg(test)]\nmod tests;"),
            ("a/src/one.rs", "mod inner;"),
            ("a/src/one/inner.rs", ""),
            ("a/src/two/mod.rs", "mod beside;"),
            ("a/src/two/beside.rs", ""),
            ("a/src/tests.rs", ""),
            ("a/tests/whole.rs", "mod common;"),
            ("a/tests/common/mod.rs", ""),
            ("a/README.md", ""),
        ];
        assert_eq!(unreferenced_files(&workspace(&files)), [""; 0]);
        for (lost, _) in [("a/src/inner.rs", ""), ("a/src/two/inner.rs", ""), ("a/b.rs", "")] {
            let mut more = files.to_vec();
            more.push((lost, ""));
            assert_eq!(unreferenced_files(&workspace(&more)).len(), 1, "{lost}");
        }
    }

    #[test]
    fn a_declaration_in_a_comment_names_nothing() {
        let files = [("a/src/lib.rs", "// mod one;"), ("a/src/one.rs", "")];
        assert_eq!(unreferenced_files(&workspace(&files)).len(), 1);
    }

    #[test]
    fn a_file_without_a_module_doc_is_found() {
        let good = ("a/src/lib.rs", "//! What it is.\n");
        assert_eq!(undocumented_files(&workspace(&[good])), [""; 0]);
        for text in ["", "use std::fmt;\n//! Late.\n", "// Not a doc.\n", "//!\n"] {
            assert_eq!(undocumented_files(&workspace(&[("a/src/one.rs", text)])).len(), 1);
        }
    }
}
