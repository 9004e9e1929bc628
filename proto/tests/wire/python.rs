//! The Python client, which was written from `docs/PROTOCOL.md` and not from this crate, reads
//! and writes the same bytes.

use std::path::Path;
use std::process::Command;

use crate::vectors;

#[test]
fn the_python_client_passes_the_vectors() {
    let client = Path::new(env!("CARGO_MANIFEST_DIR")).join("../python/answerback_client.py");
    let output = Command::new("python3")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .arg(client)
        .arg("vectors")
        .args([vectors::path("frames.jsonl"), vectors::path("bad.jsonl")])
        .output()
        .expect("python3 is installed");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let count = vectors::load("frames.jsonl").len() + vectors::load("bad.jsonl").len();
    assert_eq!(said.trim_end(), format!("{count} of {count} vectors hold"));
}
