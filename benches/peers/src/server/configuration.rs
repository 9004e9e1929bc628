//! How each peer is set up, and why; README.md tells it in prose.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use anyhow::Result;

use super::{Programs, run};
use crate::peer::Peer;

/// Where Debian puts the libraries of Erlang's packages.
const ERLANG_LIBRARIES: &str = "/usr/lib/x86_64-linux-gnu:/usr/lib/aarch64-linux-gnu";

/// Writes a peer's configuration into its directory; the command that starts it.
pub(super) fn command(
    peer: Peer,
    programs: &Programs,
    place: &Path,
    address: SocketAddr,
) -> Result<Command> {
    match peer {
        Peer::Relay => Ok(relay(programs, address, &[])),
        Peer::RelayReceipts => Ok(relay(programs, address, &["--receipts"])),
        Peer::Answerback => answerback(programs, place, address),
        Peer::Mosquitto => mosquitto(programs, place, address),
        Peer::RedisEverysec => redis(programs, place, address, "everysec"),
        Peer::RedisAlways => redis(programs, place, address, "always"),
        Peer::Nats | Peer::NatsDefault => nats(programs, place, address, ""),
        Peer::NatsAlways => nats(programs, place, address, "sync_interval: always"),
        Peer::Ejabberd => ejabberd(programs, place, address),
    }
}

fn relay(programs: &Programs, address: SocketAddr, more: &[&str]) -> Command {
    let mut command = programs.command(&programs.answerback());
    command.args(["bench", "relay", "--listen", &address.to_string()]).args(more);
    command
}

/// One core, as all have one processor; else as it comes.
fn answerback(programs: &Programs, place: &Path, address: SocketAddr) -> Result<Command> {
    let keys = place.join("keys");
    run(Command::new(programs.answerback()).arg("dev-keys").arg("--dir").arg(&keys))?;
    let mut command = programs.command(&programs.answerback());
    command.arg("serve").arg("--data").arg(place.join("data"));
    command.arg("--jwks").arg(keys.join("jwks.json"));
    command.args(["--cores", "1", "--admin-listen", "none", "--listen", &address.to_string()]);
    // A load is no human's.
    command.args(["--rate-burst-s", "0"]);
    Ok(command)
}

/// Passwords, since all others ask for one; an unlimited queue, or it would drop messages.
fn mosquitto(programs: &Programs, place: &Path, address: SocketAddr) -> Result<Command> {
    let passwords = place.join("passwords");
    run(Command::new("mosquitto_passwd").arg("-c").arg("-b").arg(&passwords).args(["bench"; 2]))?;
    let configuration = place.join("configuration");
    let text = format!(
        "user root\n\
         listener {port} {ip}\n\
         allow_anonymous false\n\
         password_file {passwords}\n\
         persistence true\n\
         persistence_location {place}/\n\
         max_queued_messages 0\n\
         set_tcp_nodelay true\n\
         log_dest stderr\n\
         log_type error\n",
        port = address.port(),
        ip = address.ip(),
        passwords = passwords.display(),
        place = place.display(),
    );
    fs::write(&configuration, text)?;
    let mut command = programs.command(Path::new("mosquitto"));
    command.arg("-c").arg(configuration);
    Ok(command)
}

/// Durable by its log alone, which is not rewritten meanwhile.
fn redis(programs: &Programs, place: &Path, address: SocketAddr, synced: &str) -> Result<Command> {
    let configuration = place.join("configuration");
    let text = format!(
        "bind {ip}\n\
         port {port}\n\
         requirepass bench\n\
         dir {place}\n\
         save \"\"\n\
         appendonly yes\n\
         appendfsync {synced}\n\
         auto-aof-rewrite-percentage 0\n\
         maxclients 19000\n",
        port = address.port(),
        ip = address.ip(),
        place = place.display(),
    );
    fs::write(&configuration, text)?;
    let mut command = programs.command(Path::new("redis-server"));
    command.arg(configuration);
    Ok(command)
}

fn nats(programs: &Programs, place: &Path, address: SocketAddr, option: &str) -> Result<Command> {
    let configuration = place.join("configuration");
    let text = format!(
        "listen: {address}\n\
         authorization {{ user: bench, password: bench }}\n\
         jetstream {{ store_dir: \"{place}/jetstream\", {option} }}\n",
        place = place.display(),
    );
    fs::write(&configuration, text)?;
    let mut command = programs.command(&programs.nats());
    command.arg("-c").arg(configuration);
    Ok(command)
}

/// Plain passwords, since the others check theirs about as cheaply; no distribution, so that
/// nothing else has to run; schedulers that do not spin while they wait.
fn ejabberd(programs: &Programs, place: &Path, address: SocketAddr) -> Result<Command> {
    let configuration = place.join("configuration.yml");
    let text = include_str!("ejabberd.yml")
        .replace("PORT", &address.port().to_string())
        .replace("ADDRESS", &address.ip().to_string());
    fs::write(&configuration, text)?;
    let mut command = programs.command(Path::new("erl"));
    command.args(["-noshell", "-noinput", "+K", "true", "+P", "250000"]);
    command.args(["+sbwt", "none", "+sbwtdcpu", "none", "+sbwtdio", "none"]);
    command.arg("-mnesia").arg("dir").arg(format!("\"{}/mnesia\"", place.display()));
    command.args(["-s", "ejabberd"]);
    command.env("EJABBERD_CONFIG_PATH", configuration);
    command.env("EJABBERD_LOG_PATH", place.join("ejabberd.log"));
    command.env("ERL_LIBS", ERLANG_LIBRARIES).env("ERL_MAX_PORTS", "32000");
    command.env("ERL_CRASH_DUMP_SECONDS", "0").env("HOME", place);
    Ok(command)
}
