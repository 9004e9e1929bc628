//! The built command, run as a person would.
#![allow(dead_code, reason = "each test file uses a part of it")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by it")]

pub(crate) mod hook_server;
pub(crate) mod http;
pub(crate) mod key_server;
pub(crate) mod log;
pub(crate) mod raw;

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// The command, without what the environment might say.
pub(crate) fn answerback() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_answerback"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("ANSWERBACK_") {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null());
    command
}

/// A directory with keys, and room for state and data.
pub(crate) struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let place = Self { directory };
        let made = answerback().arg("dev-keys").arg("--dir").arg(place.keys()).output().unwrap();
        assert!(made.status.success(), "{made:?}");
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn keys(&self) -> PathBuf {
        self.path("keys")
    }

    /// A token of a user's device.
    pub(crate) fn token(&self, user: u32, device: u32) -> String {
        let output = answerback()
            .args(["token", "--user", &user.to_string(), "--device", &device.to_string(), "--keys"])
            .arg(self.keys())
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// `answerback serve` with this place's data and keys.
    pub(crate) fn serve(&self, listen: &str) -> Command {
        self.serve_with_data(listen, &self.path("data"))
    }

    /// The same with a data directory elsewhere.
    pub(crate) fn serve_with_data(&self, listen: &str, data: &Path) -> Command {
        self.serve_with_admin(listen, data, "none")
    }

    /// The same with an admin listener: boxes of other tests would find its default port taken.
    pub(crate) fn serve_with_admin(&self, listen: &str, data: &Path, admin: &str) -> Command {
        let mut command = answerback();
        command.args(["serve", "--listen", listen, "--data"]).arg(data);
        command.arg("--jwks").arg(self.keys().join("jwks.json"));
        // Loads of tests are no humans'.
        command.args(["--admin-listen", admin, "--rate-burst-s", "0"]);
        command
    }

    /// A first login makes a user known to the box.
    pub(crate) fn log_in_once(&self, server: &Server, user: u32) {
        let output = self.client("recv", &server.address, user).args(["--timeout", "0"]).output();
        assert_eq!(output.unwrap().status.code(), Some(3), "logged in, and nothing came");
    }

    /// `answerback NAME --keys … --state … --addr ADDRESS --user USER`
    pub(crate) fn client(&self, name: &str, address: &str, user: u32) -> Command {
        let mut command = answerback();
        command.arg(name).arg("--keys").arg(self.keys()).arg("--state").arg(self.path("state"));
        command.args(["--addr", address, "--user", &user.to_string()]);
        command
    }
}

/// What a failed test leaves is kept, to be looked at.
impl Drop for Place {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.directory.disable_cleanup(true);
            eprintln!("kept: {}", self.directory.path().display());
        }
    }
}

/// A server of the command's, killed when the test is over.
pub(crate) struct Server {
    pub(crate) child: Child,
    pub(crate) address: String,
    pub(crate) first_line: String,
    _stdout: BufReader<ChildStdout>,
}

impl Server {
    /// Starts it and waits for the line that says where it listens.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut first_line = String::new();
        stdout.read_line(&mut first_line).unwrap();
        let Some((_, behind)) = first_line.split_once("listening on ") else {
            panic!("no server: {:?} {:?}", first_line, child.wait());
        };
        let address = behind.split([',', ' ', '\n']).next().unwrap().to_owned();
        Self { child, address, first_line, _stdout: stdout }
    }

    /// A box on the data of a place.
    pub(crate) fn serve(place: &Place, cores: u16) -> Self {
        Self::start(place.serve("127.0.0.1:0").args(["--cores", &cores.to_string()]))
    }

    /// The bare relay.
    pub(crate) fn relay() -> Self {
        let mut command = answerback();
        Self::start(command.args(["bench", "relay", "--receipts", "--listen", "127.0.0.1:0"]))
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// As an operator would.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.child.wait().unwrap()
    }

    /// As a power cut would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may be gone already, and then there is nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One line to a box's control socket, as it is, and the answer.
pub(crate) fn exchange(socket: &Path, line: &[u8]) -> Value {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.write_all(line).unwrap();
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).unwrap();
    serde_json::from_str(&answer).unwrap()
}

/// Where the admin listener is of a box that runs on this data.
pub(crate) fn admin_address(data: &Path) -> String {
    let output = answerback().args(["status", "--json", "--data"]).arg(data).output().unwrap();
    let status = json_lines(&output).remove(0);
    status.get("admin_listen").unwrap().as_str().unwrap().to_owned()
}

/// The JSON lines of a command's output.
pub(crate) fn json_lines(output: &Output) -> Vec<Value> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A command's exit code and its one line on stderr.
pub(crate) fn failure(output: &Output) -> (i32, String) {
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(text.lines().count(), 1, "one line says what is wrong: {text}");
    (output.status.code().unwrap(), text)
}

pub(crate) fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().unwrap().permissions().mode() & 0o777
}
