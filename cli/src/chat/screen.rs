//! The terminal while it is ours, and as it was before.
//!
//! However the chat ends, by a key, a failure, a signal or a panic in any thread, the terminal
//! is given back: a shell after it must show what is typed.

use std::io::{self, IsTerminal};
use std::panic;

use ratatui::crossterm::event::{
    DisableBracketedPaste, DisableFocusChange, EnableBracketedPaste, EnableFocusChange,
};
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui::crossterm::{cursor, execute};
use ratatui::layout::Size;
use ratatui::{DefaultTerminal, Frame, Terminal};

use crate::exit::Failure;

/// A terminal in raw mode, on its other page.
#[derive(Debug)]
pub(super) struct Screen {
    terminal: DefaultTerminal,
}

impl Screen {
    /// Takes the terminal.
    ///
    /// # Errors
    /// Where stdin or stdout is none.
    pub(super) fn open() -> Result<Self, Failure> {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            give_back();
            before(panic);
        }));
        let terminal = take().map_err(|error| {
            give_back();
            Failure::new(format_args!("the terminal cannot be used: {error}"))
        })?;
        Ok(Self { terminal })
    }

    /// Shows a frame; only what changed is written.
    pub(super) fn draw(&mut self, draw: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        self.terminal.draw(draw).map(drop)
    }

    /// Draws everything anew at the next frame.
    pub(super) fn forget(&mut self) -> io::Result<()> {
        self.terminal.clear()
    }

    pub(super) fn size(&self) -> io::Result<Size> {
        self.terminal.size()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

/// Says what to do where there is no terminal.
///
/// # Errors
/// Stdin or stdout is a pipe or a file.
pub(crate) fn check() -> Result<(), Failure> {
    if io::stdin().is_terminal() && io::stdout().is_terminal() {
        return Ok(());
    }
    Err(Failure::new("chat needs a terminal; scripts use `answerback send` and `answerback recv`"))
}

fn take() -> io::Result<DefaultTerminal> {
    enable_raw_mode()?;
    let (paste, focus) = (EnableBracketedPaste, EnableFocusChange);
    execute!(io::stdout(), EnterAlternateScreen, paste, focus)?;
    Terminal::new(ratatui::backend::CrosstermBackend::new(io::stdout()))
}

/// Each by itself: where one fails, the terminal is gone, and nothing is left to be done.
fn give_back() {
    let (paste, focus) = (DisableBracketedPaste, DisableFocusChange);
    let _ = execute!(io::stdout(), paste, focus, LeaveAlternateScreen, cursor::Show);
    let _ = disable_raw_mode();
}
