//! Writes the seeds of a target into a folder, for libFuzzer: `write_seeds TARGET FOLDER`.

use std::path::PathBuf;
use std::{env, fs, io};

use answerback_fuzz_targets::seeds;

fn main() -> io::Result<()> {
    let mut arguments = env::args().skip(1);
    let (Some(target), Some(folder)) = (arguments.next(), arguments.next().map(PathBuf::from))
    else {
        return Err(io::Error::other("usage: write_seeds TARGET FOLDER"));
    };
    fs::create_dir_all(&folder)?;
    for (number, seed) in seeds::of(&target).iter().enumerate() {
        fs::write(folder.join(format!("seed-{number}")), seed)?;
    }
    Ok(())
}
