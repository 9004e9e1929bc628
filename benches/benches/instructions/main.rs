//! How many instructions the hot parts take, counted by callgrind and held to what
//! `benches/instructions.toml` says: unlike a time, a count is the same on a busy machine.
//!
//! `tools/instructions` compares and fails where a part differs by more than 5 %, either
//! way: what became cheaper is to be written down too, or it may be lost again unseen.
//! `tools/instructions --accept` writes what it counts. `-- --test` runs each part once
//! and counts nothing.
//!
//! This program runs itself under valgrind, once for each part; only what happens within
//! [`instructions_counted`] counts. A part says how many units it did. The environment is
//! emptied, and glibc is kept from choosing its copies and comparisons by processor.

mod frames;
mod path;
mod shards;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use answerback_benches::ratchet::{Compiler, Counted, Counts};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/instructions.toml");
/// What glibc must not use, so that each machine runs the same code.
const SAME_EVERYWHERE: &str = "glibc.cpu.hwcaps=-AVX2,-AVX512F,-AVX512VL,-AVX512BW,-ERMS,-FSRM,\
     -AVX2_Usable,-AVX512F_Usable,-AVX512VL_Usable,-AVX512BW_Usable,-AVX_Fast_Unaligned_Load";

/// A part: prepares itself, has its work counted, says how many units that was.
type Part = (&'static str, fn() -> u64);

const PARTS: &[Part] = &[
    ("frame: cut out of a read, header and envelope checked", frames::cut),
    ("frame: begun in one read, ended in the next", frames::cut_within),
    ("encode: a Deliver of 128 bytes", frames::encode_deliver),
    ("encode: an Accepted", frames::encode_accepted),
    ("encode: a Delivered", frames::encode_delivered),
    ("journal: a record packed, its share of the hash", frames::pack),
    ("journal: a record read", frames::unpack),
    ("mailbox: an item sent and drained", frames::mailbox_burst),
    ("path: a message from Send to its receipt", path::message),
    ("path: a message to a user who is away", path::away),
    ("checkpoint: a user who chats", path::freeze_users),
    ("checkpoint: a message that waits", path::freeze_messages),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |wanted: &str| arguments.iter().any(|argument| argument == wanted);
    if let [flag, name] = arguments.as_slice()
        && flag == "--part"
    {
        return run_counted(name);
    }
    if has("--test") {
        PARTS.iter().for_each(|(_, run)| _ = run());
        return ExitCode::SUCCESS;
    }
    match count_and_compare(has("--accept")) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(cause) => {
            eprintln!("instructions: {cause}");
            ExitCode::FAILURE
        }
    }
}

/// The work that counts: callgrind looks for this name.
#[inline(never)]
fn instructions_counted(work: &mut dyn FnMut()) {
    work();
}

/// As a child of valgrind's: runs a part, prints its units.
fn run_counted(name: &str) -> ExitCode {
    let Some((_, run)) = PARTS.iter().find(|(known, _)| *known == name) else {
        return ExitCode::FAILURE;
    };
    println!("{}", run());
    ExitCode::SUCCESS
}

/// Whether all is as it was.
fn count_and_compare(accepts: bool) -> Result<bool, String> {
    let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
    let mut counts = Counts::new(compiler()?);
    for (name, _) in PARTS {
        counts.add(name, count(name, &directory.path().join("callgrind.out"))?);
    }
    if accepts {
        std::fs::write(FILE, counts.to_string()).map_err(|error| format!("{FILE}: {error}"))?;
        print!("{counts}");
        return Ok(true);
    }
    let known = std::fs::read_to_string(FILE).map_err(|error| format!("{FILE}: {error}"))?;
    let known = Counts::parse(&known).map_err(|cause| format!("{FILE}: {cause}"))?;
    let comparison = known.compare(&counts);
    print!("{comparison}");
    Ok(comparison.holds())
}

fn count(name: &str, out: &Path) -> Result<Counted, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--toggle-collect=*instructions_counted*"]);
    command.arg(format!("--callgrind-out-file={}", out.display()));
    command.arg(&program).args(["--part", name]);
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("GLIBC_TUNABLES", SAME_EVERYWHERE);
    let ran = command.output().map_err(|error| format!("valgrind: {error}"))?;
    let said = String::from_utf8_lossy(&ran.stdout);
    let units = said.trim().parse().ok().filter(|_| ran.status.success());
    let units = units.ok_or_else(|| {
        format!("valgrind failed at {name:?}:\n{}", String::from_utf8_lossy(&ran.stderr))
    })?;
    let profile = std::fs::read_to_string(out).map_err(|error| error.to_string())?;
    let sum = profile.lines().find_map(|line| line.strip_prefix("summary: "));
    let instructions = sum.and_then(|sum| sum.trim().parse().ok()).filter(|sum| *sum > 0);
    let instructions =
        instructions.ok_or_else(|| format!("callgrind counted nothing: {name:?}"))?;
    Ok(Counted { instructions, units })
}

/// What makes counts comparable: another compiler makes other code.
fn compiler() -> Result<Compiler, String> {
    let rustc = std::env::var_os("RUSTC").map_or_else(|| PathBuf::from("rustc"), PathBuf::from);
    let ran = Command::new(rustc).arg("-vV").output().map_err(|error| error.to_string())?;
    Compiler::parse(&String::from_utf8_lossy(&ran.stdout)).ok_or("rustc -vV says nothing".into())
}
