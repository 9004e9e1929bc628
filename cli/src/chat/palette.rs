//! Colours, each with another sign beside it: who has no colours loses nothing but them.

use std::env;

use ratatui::style::{Color, Modifier, Style};

use super::message::Message;

/// The colours of a terminal, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Palette {
    /// The 256 of nearly every terminal.
    Colours,
    /// Bold, dim and reverse only.
    Plain,
}

const GREEN: Color = Color::Indexed(78);
const YELLOW: Color = Color::Indexed(221);
const RED: Color = Color::Indexed(210);
const BLUE: Color = Color::Indexed(117);
const WHITE: Color = Color::Indexed(255);
const GREY: Color = Color::Indexed(245);
const OWN_BACK: Color = Color::Indexed(23);
const FAILED_BACK: Color = Color::Indexed(52);
const PEER_BACK: Color = Color::Indexed(237);
const BAR_BACK: Color = Color::Indexed(235);

impl Palette {
    /// By `NO_COLOR` and `TERM`.
    pub(super) fn from_environment() -> Self {
        let is_asked_not_to = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let is_poor = env::var("TERM").is_ok_and(|term| matches!(&*term, "dumb" | "linux"));
        if is_asked_not_to || is_poor { Self::Plain } else { Self::Colours }
    }

    /// What a message stands on.
    pub(super) fn bubble(self, message: &Message) -> Style {
        let back = match message.is_own() {
            true if message.is_failed() => FAILED_BACK,
            true => OWN_BACK,
            false => PEER_BACK,
        };
        self.back(back).patch(self.fore(WHITE))
    }

    /// The time of a message.
    pub(super) fn time(self) -> Style {
        self.or(Style::new().fg(Color::Indexed(250)), Modifier::DIM)
    }

    pub(super) fn good(self) -> Style {
        self.fore(GREEN)
    }

    pub(super) fn waiting(self) -> Style {
        self.fore(YELLOW)
    }

    pub(super) fn bad(self) -> Style {
        self.or(Style::new().fg(RED), Modifier::BOLD)
    }

    /// That a message was read.
    pub(super) fn read(self) -> Style {
        self.fore(BLUE)
    }

    /// What is there to be overlooked.
    pub(super) fn faint(self) -> Style {
        self.or(Style::new().fg(GREY), Modifier::DIM)
    }

    /// The count of unread messages.
    pub(super) fn badge(self) -> Style {
        let colours = Style::new().bg(GREEN).fg(Color::Indexed(16));
        self.or(colours, Modifier::REVERSED).add_modifier(Modifier::BOLD)
    }

    /// The line of the list where the eye should be.
    pub(super) fn chosen(self) -> Style {
        self.or(Style::new().bg(PEER_BACK).fg(WHITE), Modifier::REVERSED)
    }

    /// The bar at the bottom.
    pub(super) fn bar(self) -> Style {
        self.or(Style::new().bg(BAR_BACK).fg(Color::Indexed(252)), Modifier::REVERSED)
    }

    fn fore(self, colour: Color) -> Style {
        self.or(Style::new().fg(colour), Modifier::empty())
    }

    fn back(self, colour: Color) -> Style {
        self.or(Style::new().bg(colour), Modifier::empty())
    }

    fn or(self, colours: Style, otherwise: Modifier) -> Style {
        match self {
            Self::Colours => colours,
            Self::Plain => Style::new().add_modifier(otherwise),
        }
    }
}
