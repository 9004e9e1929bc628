//! Where everything stands in a terminal of any size.
//!
//! ```text
//!  list         │ header
//!               │ conversation
//!               │ rule
//!               │ › input
//!  status
//!  keys, or a remark
//! ```

use ratatui::layout::{Constraint, Layout, Margin, Rect, Size};

/// Columns of the list, and of the line beside it.
const LIST_COLUMNS: u16 = 28;
/// Narrower terminals show either the list or a chat.
const WIDE_COLUMNS: u16 = 74;
/// Lower terminals have no room for what the keys do.
const KEYS_ROWS: u16 = 10;
/// Rows of the input; more of them scroll.
pub(super) const INPUT_ROWS_MAX: u16 = 6;

/// Rows of a remark; the rest of a longer one is left out.
const REMARK_ROWS_MAX: u16 = 3;

/// The parts of the screen; one that has no room is empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Geometry {
    pub(super) list: Rect,
    pub(super) divider: Rect,
    pub(super) header: Rect,
    pub(super) conversation: Rect,
    pub(super) rule: Rect,
    pub(super) input: Rect,
    pub(super) status: Rect,
    pub(super) keys: Rect,
}

impl Geometry {
    /// For a screen, with a chat open or none, and a remark of some rows, or none.
    pub(super) fn new(size: Size, has_chat: bool, input_rows: u16, remark_rows: u16) -> Self {
        let screen = Rect::new(0, 0, size.width, size.height);
        let has_keys = size.height >= KEYS_ROWS;
        let keys_rows = if has_keys { remark_rows.clamp(1, REMARK_ROWS_MAX) } else { 0 };
        let [body, status, keys] = Layout::vertical([
            Constraint::Fill(1),
            Constraint::Length(1),
            Constraint::Length(keys_rows),
        ])
        .areas(screen);
        let [list, divider, main] =
            Layout::horizontal(match (size.width >= WIDE_COLUMNS, has_chat) {
                (true, _) => {
                    [Constraint::Length(LIST_COLUMNS), Constraint::Length(1), Constraint::Fill(1)]
                }
                (false, true) => {
                    [Constraint::Length(0), Constraint::Length(0), Constraint::Fill(1)]
                }
                (false, false) => {
                    [Constraint::Fill(1), Constraint::Length(0), Constraint::Length(0)]
                }
            })
            .areas(body);
        let below = if main.is_empty() { list } else { main };
        let input_rows = input_rows.clamp(1, INPUT_ROWS_MAX).min(body.height / 2).max(1);
        let [upper, rule, input] = Layout::vertical([
            Constraint::Fill(1),
            Constraint::Length(1),
            Constraint::Length(input_rows),
        ])
        .areas(below);
        let head = Layout::vertical([Constraint::Length(2), Constraint::Fill(1)]);
        let [header, conversation] = head.areas(if main.is_empty() { main } else { upper });
        let list = if main.is_empty() { upper } else { list };
        let conversation = conversation.inner(Margin::new(1, 0));
        Self { list, divider, header, conversation, rule, input, status, keys }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wide_terminal_shows_list_and_chat() {
        let wide = Geometry::new(Size::new(100, 24), true, 1, 1);
        assert_eq!((wide.list, wide.list.bottom()), (Rect::new(0, 0, 28, 22), wide.status.y));
        assert_eq!(wide.conversation, Rect::new(30, 2, 69, 18));
        assert_eq!((wide.input, wide.keys.y), (Rect::new(29, 21, 71, 1), 23));
    }

    #[test]
    fn a_narrow_one_shows_either() {
        let chat = Geometry::new(Size::new(60, 24), true, 1, 1);
        assert!(chat.list.is_empty());
        assert_eq!(chat.conversation, Rect::new(1, 2, 58, 18));
        let list = Geometry::new(Size::new(60, 24), false, 1, 1);
        assert!(list.conversation.is_empty());
        assert_eq!((list.list, list.input), (Rect::new(0, 0, 60, 20), Rect::new(0, 21, 60, 1)));
    }

    #[test]
    fn what_is_written_takes_half_of_a_low_terminal_at_most() {
        let high = Geometry::new(Size::new(60, 40), true, 100, 1);
        assert_eq!(high.input.height, INPUT_ROWS_MAX);
        let low = Geometry::new(Size::new(60, 8), true, 100, 1);
        assert_eq!((low.input.height, low.keys.height), (3, 0));
    }

    #[test]
    fn a_long_remark_takes_three_rows_at_most() {
        let rows = |remark_rows| Geometry::new(Size::new(60, 24), true, 1, remark_rows).keys;
        assert_eq!([0, 1, 2, 3, 9].map(|count| rows(count).height), [1, 1, 2, 3, 3]);
        assert_eq!(rows(3).bottom(), 24);
    }

    #[test]
    fn no_size_is_a_fault() {
        for (width, height) in (0..90).flat_map(|width| (0..15).map(move |height| (width, height)))
        {
            for has_chat in [false, true] {
                let geometry = Geometry::new(Size::new(width, height), has_chat, 3, 1);
                let screen = Rect::new(0, 0, width, height);
                for part in [geometry.list, geometry.conversation, geometry.input, geometry.keys] {
                    assert_eq!(part.intersection(screen).area(), part.area(), "{part} in {screen}");
                }
            }
        }
    }
}
