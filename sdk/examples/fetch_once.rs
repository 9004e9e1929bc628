//! What a phone's push extension does: take what waits, say how much it was, leave.
//!
//! ```text
//! cargo run --example fetch_once -- 127.0.0.1:7400 USER DEVICE FILE TOKEN
//! cargo run --example fetch_once -- chat.example:7400 USER DEVICE FILE TOKEN tls
//! ```

use std::path::PathBuf;
use std::process::ExitCode;

use answerback_sdk::{Options, Security, Tls, TokenSource, fetch_once};

/// A push extension has some 30 seconds.
const DEADLINE_MS: u64 = 25_000;

struct Given(String);

impl TokenSource for Given {
    fn token(&self) -> Result<String, String> {
        Ok(self.0.clone())
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, user, device, file, token, more @ ..] = arguments.as_slice() else {
        eprintln!("usage: fetch_once HOST:PORT USER DEVICE FILE TOKEN [tls]");
        return ExitCode::from(2);
    };
    let (Ok(user), Ok(device)) = (user.parse(), device.parse()) else {
        eprintln!("user and device are numbers, or UUIDs");
        return ExitCode::from(2);
    };
    let mut options = Options::new(address.clone(), user, device, PathBuf::from(file));
    if more.iter().any(|word| word == "tls") {
        options.security = Security::Tls(Tls::default());
    }
    match fetch_once(options, Box::new(Given(token.clone())), DEADLINE_MS) {
        Ok(fetched) => {
            println!("stored {}, complete: {}", fetched.stored_count, fetched.is_complete);
            println!("peak memory: {} KiB", peak_kib().unwrap_or_default());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error} ({:?})", error.class);
            ExitCode::FAILURE
        }
    }
}

/// What Linux says that the process held at most.
fn peak_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse().ok()
}
