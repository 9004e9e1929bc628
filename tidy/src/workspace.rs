//! The workspace as data: its packages by `cargo metadata`, its files by a walk.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, io};

use serde_json::Value;

/// What holds nothing of ours, wherever it is. `.git` is a file in a linked worktree.
const SKIPPED: &[&str] = &["target", ".git", "__pycache__", "corpus"];
/// The package of libFuzzer's programs, which is no member: its flags are its own.
const FUZZ: &str = "fuzz";
/// Where `make run` keeps its keys and data.
const RUN: &str = "run";

/// Packages and text files of a checkout; all paths are relative to its root.
#[derive(Debug, Default)]
pub struct Workspace {
    /// The workspace's members, and the package that cargo-fuzz builds.
    pub packages: Vec<Package>,
    /// All text files but those that a build or a run leaves.
    pub files: Vec<SourceFile>,
}

/// A package of ours.
#[derive(Clone, Debug, Default)]
pub struct Package {
    /// Its name without `answerback-`.
    pub name: String,
    /// Where it lies.
    pub directory: PathBuf,
    /// What it depends on, in any way.
    pub dependencies: Vec<Dependency>,
    /// The root files of its library, programs, tests, examples and benches.
    pub roots: Vec<PathBuf>,
}

/// An edge to another crate.
#[derive(Clone, Debug, Default)]
pub struct Dependency {
    /// The crate's name, without `answerback-` for ours.
    pub name: String,
    /// For its tests and benches only.
    pub development: bool,
}

/// A text file.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// Where it lies.
    pub path: PathBuf,
    /// What is in it.
    pub text: String,
}

impl SourceFile {
    /// Whether it is Rust.
    pub fn is_rust(&self) -> bool {
        self.path.extension() == Some(OsStr::new("rs"))
    }

    /// Its lines with their numbers, from 1.
    pub fn numbered_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.text.lines())
    }
}

impl Workspace {
    /// Reads the checkout that this crate lies in.
    ///
    /// # Errors
    /// Where a file cannot be read, or cargo does not describe the workspace.
    pub fn load() -> io::Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize()?;
        let mut files = Vec::new();
        walk(&root, &root, &mut files)?;
        let mut packages = packages(&root, &root)?;
        packages.extend(self::packages(&root, &root.join(FUZZ))?);
        Ok(Self { packages, files })
    }

    /// The Rust files below a folder.
    pub fn rust_files_below<'a>(
        &'a self,
        directory: &'a Path,
    ) -> impl Iterator<Item = &'a SourceFile> {
        self.files.iter().filter(move |file| file.is_rust() && file.path.starts_with(directory))
    }
}

fn walk(root: &Path, directory: &Path, files: &mut Vec<SourceFile>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if SKIPPED.iter().any(|skipped| entry.file_name() == *skipped) {
            continue;
        }
        if entry.file_type()?.is_dir() {
            if entry.path() != root.join(RUN) {
                walk(root, &entry.path(), files)?;
            }
        } else if let Ok(text) = fs::read_to_string(entry.path()) {
            files.push(SourceFile { path: relative(root, &entry.path()), text });
        }
    }
    Ok(())
}

fn relative(root: &Path, path: &Path) -> PathBuf {
    path.strip_prefix(root).unwrap_or(path).to_path_buf()
}

/// The packages of the workspace that a folder lies in.
fn packages(root: &Path, directory: &Path) -> io::Result<Vec<Package>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(directory)
        .output()?;
    if !output.status.success() {
        return Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    Ok(array(&metadata, "packages").map(|described| package(root, described)).collect())
}

fn package(root: &Path, described: &Value) -> Package {
    let manifest = relative(root, Path::new(string(described, "manifest_path")));
    Package {
        name: short(string(described, "name")),
        directory: manifest.parent().unwrap_or(Path::new("")).to_path_buf(),
        dependencies: array(described, "dependencies").map(dependency).collect(),
        roots: array(described, "targets")
            .map(|target| relative(root, Path::new(string(target, "src_path"))))
            .collect(),
    }
}

fn dependency(described: &Value) -> Dependency {
    Dependency {
        name: short(string(described, "name")),
        development: string(described, "kind") == "dev",
    }
}

fn short(name: &str) -> String {
    name.strip_prefix("answerback-").unwrap_or(name).to_owned()
}

/// The text under a key; none where it is null.
fn string<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn array<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}
