//! Runs a target on inputs: `replay TARGET FILE...`. What does not hold says so by a panic.

use std::{env, fs, io};

use answerback_fuzz_targets::TARGETS;

fn main() -> io::Result<()> {
    let mut arguments = env::args().skip(1);
    let name = arguments.next().unwrap_or_default();
    let Some(target) = TARGETS.iter().find(|target| target.name == name) else {
        let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
        let usage = format!("usage: replay TARGET FILE...; the targets: {}", names.join(", "));
        return Err(io::Error::other(usage));
    };
    for path in arguments {
        println!("{path}");
        (target.run)(&fs::read(path)?);
    }
    Ok(())
}
