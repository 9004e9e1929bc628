//! A peer, started for one job and stopped behind it.

mod configuration;

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::clock::{Clock, pause};
use crate::peer::Peer;

/// A server has this long to listen.
const START_TIMEOUT: Duration = Duration::from_secs(30);
/// And this long to end.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);
/// How often it is looked at meanwhile.
const LOOK: Duration = Duration::from_millis(20);
/// Lines of its log that a failure shows.
const LOG_LINES: usize = 20;

/// Where a server lies and where it may run.
#[derive(Clone, Debug)]
pub(crate) struct Programs {
    /// Where builds lie, from the root: the `answerback` command, and what
    /// `benches/peers/install` puts there.
    pub(crate) target: PathBuf,
    /// The profile of the `answerback` command.
    pub(crate) profile: String,
    /// The processor of the server, if it is bound to one.
    pub(crate) processor: Option<usize>,
}

impl Programs {
    fn answerback(&self) -> PathBuf {
        self.target.join(&self.profile).join("answerback")
    }

    fn nats(&self) -> PathBuf {
        self.target.join("peers/nats-server")
    }

    /// A command, bound to the server's processor.
    fn command(&self, program: &Path) -> Command {
        match self.processor {
            Some(processor) => {
                let mut command = Command::new("taskset");
                command.args(["-c", &processor.to_string()]).arg(program);
                command
            }
            None => Command::new(program),
        }
    }
}

/// A running server; dropped, it is gone with all that it wrote.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    address: SocketAddr,
    place: TempDir,
}

impl Server {
    /// Starts a peer in a directory of its own, and waits until it listens.
    pub(crate) fn start(peer: Peer, programs: &Programs) -> Result<Self> {
        let place = tempfile::Builder::new().prefix("peers.").tempdir_in(&programs.target)?;
        let address = free_address()?;
        let mut command = configuration::command(peer, programs, place.path(), address)?;
        let log = File::create(place.path().join("log"))?;
        command.current_dir(place.path()).stdin(Stdio::null());
        command.stdout(log.try_clone()?).stderr(log);
        let child = command.spawn().with_context(|| {
            format!("cannot start {}; benches/peers/install installs the peers", peer.title())
        })?;
        let mut server = Self { child, address, place };
        server.wait_until_it_listens(peer)?;
        Ok(server)
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process.
    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    /// Where `answerback dev-keys` puts its keys.
    pub(crate) fn keys(&self) -> PathBuf {
        self.place.path().join("keys")
    }

    /// The last lines that it wrote.
    pub(crate) fn log(&self) -> String {
        let log = std::fs::read(self.place.path().join("log")).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        lines.get(lines.len().saturating_sub(LOG_LINES)..).unwrap_or_default().join("\n")
    }

    fn wait_until_it_listens(&mut self, peer: Peer) -> Result<()> {
        let clock = Clock::new();
        while TcpStream::connect(self.address).is_err() {
            let title = peer.title();
            if let Some(status) = self.child.try_wait()? {
                bail!("{title} does not start ({status}):\n{}", self.log());
            }
            if clock.elapsed() > START_TIMEOUT {
                bail!("{title} does not listen in time:\n{}", self.log());
            }
            pause(LOOK);
        }
        Ok(())
    }

    fn stop(&mut self) -> Result<Option<ExitStatus>> {
        if let Some(id) = Pid::from_raw(self.child.id().cast_signed()) {
            // Where it has gone already there is nothing to stop.
            let _ = kill_process(id, Signal::TERM);
        }
        let clock = Clock::new();
        while clock.elapsed() < STOP_TIMEOUT {
            if let Some(status) = self.child.try_wait()? {
                return Ok(Some(status));
            }
            pause(LOOK);
        }
        Ok(None)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if !matches!(self.stop(), Ok(Some(_))) {
            // One that does not end by itself: what it had matters to nobody.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// A port that was free a moment ago.
fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?)
}

/// Runs a command to its end.
fn run(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("cannot run {command:?}"))?;
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
