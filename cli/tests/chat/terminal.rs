//! A terminal under tmux: keys go in, screens come out.
//!
//! tmux tells a control client whenever a program has written to its terminal. A test waits
//! for that word, looks at the screen, and waits again: it never sleeps, and misses nothing.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::common::Place;

/// A screen that does not come in this time does not come.
const PATIENCE: Duration = Duration::from_secs(60);

/// One tmux server, and its one session.
pub(crate) struct Terminal {
    socket: PathBuf,
    control: Child,
    words: Receiver<String>,
}

impl Terminal {
    /// Runs a command in a terminal of this size.
    pub(crate) fn run(place: &Place, name: &str, size: (u16, u16), command: &Command) -> Self {
        Self::open(place, name, size, &line(command))
    }

    /// Runs a command from a shell, which says afterwards how it ended and how the terminal is.
    pub(crate) fn shell(place: &Place, name: &str, command: &Command) -> Self {
        let line = format!("{}; echo ended $?; stty -a; exec cat", line(command));
        Self::open(place, name, (100, 30), &line)
    }

    fn open(place: &Place, name: &str, size: (u16, u16), line: &str) -> Self {
        let socket = place.path(&format!("{name}.tmux"));
        let (columns, rows) = size;
        let started = tmux(&socket)
            .args(["-f", "/dev/null", "new-session", "-d", "-s", "chat"])
            .args(["-x", &columns.to_string(), "-y", &rows.to_string()])
            .args([line, ";", "set-option", "-g", "remain-on-exit", "on"])
            .status()
            .unwrap();
        assert!(started.success(), "tmux is needed: tools/install-test-deps");
        let mut control = tmux(&socket)
            .args(["-C", "attach-session", "-t", "chat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(control.stdout.take().unwrap()).lines();
        let (sender, words) = channel();
        thread::spawn(move || lines.map_while(Result::ok).try_for_each(|word| sender.send(word)));
        Self { socket, control, words }
    }

    /// Types a text.
    pub(crate) fn write(&mut self, text: &str) {
        let hex: Vec<_> = text.bytes().map(|byte| format!("{byte:02x}")).collect();
        self.tell(&format!("send-keys -H {}", hex.join(" ")));
    }

    /// Types a text, and Enter.
    pub(crate) fn enter(&mut self, text: &str) {
        self.write(text);
        self.press("Enter");
    }

    /// Presses a key, by tmux's name of it.
    pub(crate) fn press(&mut self, key: &str) {
        self.tell(&format!("send-keys {key}"));
    }

    /// The rows of the screen, without the blanks behind them.
    pub(crate) fn screen(&self) -> String {
        self.ask(&["capture-pane", "-p"])
    }

    /// What tmux knows about the terminal.
    pub(crate) fn fact(&self, format: &str) -> String {
        self.ask(&["display-message", "-p", format]).trim().to_owned()
    }

    /// Waits until the screen has this somewhere; gives the screen.
    pub(crate) fn wait_for(&self, words: &str) -> String {
        self.wait_until(words, |screen| screen.contains(words))
    }

    /// Waits until one row of the screen has both; gives the screen.
    pub(crate) fn wait_for_row(&self, words: &str, behind: &str) -> String {
        let wanted = format!("{words}, then {behind}");
        self.wait_until(&wanted, |screen| has_row(screen, words, behind))
    }

    /// Waits until the screen is as it should be.
    #[expect(clippy::disallowed_methods, reason = "how long a test waits before it fails")]
    pub(crate) fn wait_until(&self, what: &str, is_so: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let screen = self.screen();
            if is_so(&screen) {
                return screen;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match self.words.recv_timeout(left) {
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => panic!("no {what:?} came:\n{screen}"),
                Err(RecvTimeoutError::Disconnected) => panic!("tmux ended:\n{screen}"),
            }
            // What has come by now shows on the same screen.
            self.words.try_iter().for_each(drop);
        }
    }

    fn tell(&mut self, command: &str) {
        let stdin = self.control.stdin.as_mut().unwrap();
        writeln!(stdin, "{command}").unwrap();
    }

    fn ask(&self, command: &[&str]) -> String {
        let output = tmux(&self.socket).args(command).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // The server may be gone, and its terminal with it.
        let _ = tmux(&self.socket).arg("kill-server").stderr(Stdio::null()).status();
        let _ = self.control.wait();
    }
}

/// Whether a row has words, and others somewhere behind them.
pub(crate) fn has_row(screen: &str, words: &str, behind: &str) -> bool {
    let mut rows = screen.lines().filter_map(|row| row.split_once(words));
    rows.any(|(_, rest)| rest.contains(behind))
}

fn tmux(socket: &std::path::Path) -> Command {
    let mut command = Command::new("tmux");
    command.args(["-u", "-S"]).arg(socket).env_remove("TMUX");
    command.env("LC_ALL", "C.UTF-8").env("SHELL", "/bin/sh");
    command
}

/// A command as tmux's shell takes it, with times in UTC.
fn line(command: &Command) -> String {
    let words = [command.get_program()].into_iter().chain(command.get_args());
    let quoted = words.map(|word| format!("'{}'", word.to_str().unwrap()));
    let words = quoted.collect::<Vec<_>>().join(" ");
    format!("env -u ANSWERBACK_ADDR -u ANSWERBACK_TOKEN TZ=UTC {words}")
}
