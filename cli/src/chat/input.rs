//! The line that a person writes in: text, a cursor between two graphemes, and what the
//! editing keys of a shell do to them.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use unicode_segmentation::UnicodeSegmentation;

use super::text::{inert, width};

/// Room for a long letter, well below what one frame may hold.
pub(super) const BYTES_MAX: usize = 16 * 1024;

/// Text that is being written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Input {
    text: String,
    /// Bytes before the cursor; always on the edge of a grapheme.
    cursor: usize,
}

/// The text in rows, and where the cursor stands in them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) rows: Vec<String>,
    pub(super) cursor_column: usize,
    pub(super) cursor_row: usize,
}

/// Where a grapheme stands.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    start: usize,
    row: usize,
    column: usize,
}

impl Input {
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Whether not even one more character is sure to find room.
    pub(super) fn is_full(&self) -> bool {
        self.text.len() + 4 > BYTES_MAX
    }

    /// It in rows of so many columns, with room for the cursor.
    pub(super) fn shown(&self, columns: usize) -> Shown {
        let (rows, places) = self.lay_out(columns);
        let cursor = places.into_iter().find(|place| place.start == self.cursor);
        let Place { row: cursor_row, column: cursor_column, .. } = cursor.unwrap_or_default();
        Shown { rows, cursor_column, cursor_row }
    }

    /// Moves the cursor to the row above (-1) or below (1); whether there is one.
    pub(super) fn move_row(&mut self, step: isize, columns: usize) -> bool {
        let (_, places) = self.lay_out(columns);
        let Some(here) = places.iter().find(|place| place.start == self.cursor) else {
            return false;
        };
        let there = here.row.checked_add_signed(step);
        let row = places.iter().filter(|place| Some(place.row) == there);
        let Some(place) = row.take_while(|place| place.column <= here.column).last() else {
            return false;
        };
        self.cursor = place.start;
        true
    }

    /// The rows, and where each grapheme stands in them, and the end.
    fn lay_out(&self, columns: usize) -> (Vec<String>, Vec<Place>) {
        let columns = columns.max(2);
        let (mut rows, mut places, mut row) = (Vec::new(), Vec::new(), String::new());
        for (start, grapheme) in self.text.grapheme_indices(true) {
            let text = inert(grapheme);
            if text != "\n" && width(&row) + width(&text) >= columns {
                rows.push(std::mem::take(&mut row));
            }
            places.push(Place { start, row: rows.len(), column: width(&row) });
            match &*text {
                "\n" => rows.push(std::mem::take(&mut row)),
                text => row.push_str(text),
            }
        }
        places.push(Place { start: self.text.len(), row: rows.len(), column: width(&row) });
        rows.push(row);
        (rows, places)
    }

    /// What stands before the cursor, and behind it.
    pub(super) fn halves(&self) -> (&str, &str) {
        self.text.split_at_checked(self.cursor).unwrap_or((&self.text, ""))
    }

    /// The text, which leaves.
    pub(super) fn take(&mut self) -> String {
        std::mem::take(self).text
    }

    /// Puts text at the cursor; whether all of it found room.
    pub(super) fn insert(&mut self, text: &str) -> bool {
        let room = BYTES_MAX.saturating_sub(self.text.len());
        let end = text
            .grapheme_indices(true)
            .map(|(start, grapheme)| start + grapheme.len())
            .take_while(|end| *end <= room)
            .last()
            .unwrap_or_default();
        let taken = text.get(..end).unwrap_or_default();
        self.text.insert_str(self.cursor, taken);
        self.cursor += taken.len();
        self.settle();
        end == text.len()
    }

    /// An editing key; whether it was one.
    pub(super) fn handle_key(&mut self, key: KeyEvent) -> bool {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        let alt = key.modifiers.contains(KeyModifiers::ALT);
        let by_word = control || alt;
        match key.code {
            KeyCode::Char('a') if control => self.cursor = self.line_start(),
            KeyCode::Char('e') if control => self.cursor = self.line_end(),
            KeyCode::Char('w') if control => self.delete_to(self.previous_word()),
            KeyCode::Char('u') if control => self.delete_to(self.line_start()),
            KeyCode::Char('k') if control => self.delete_to(self.line_end()),
            KeyCode::Char('b') if alt => self.cursor = self.previous_word(),
            KeyCode::Char('f') if alt => self.cursor = self.next_word(),
            KeyCode::Char('j') if control => return self.insert("\n"),
            KeyCode::Enter if by_word || key.modifiers.contains(KeyModifiers::SHIFT) => {
                return self.insert("\n");
            }
            KeyCode::Char(char) if !by_word => return self.insert(char.encode_utf8(&mut [0; 4])),
            KeyCode::Left if by_word => self.cursor = self.previous_word(),
            KeyCode::Right if by_word => self.cursor = self.next_word(),
            KeyCode::Left => self.cursor = self.previous(),
            KeyCode::Right => self.cursor = self.next(),
            KeyCode::Home => self.cursor = self.line_start(),
            KeyCode::End => self.cursor = self.line_end(),
            KeyCode::Backspace if by_word => self.delete_to(self.previous_word()),
            KeyCode::Backspace => self.delete_to(self.previous()),
            KeyCode::Delete => self.delete_to(self.next()),
            _ => return false,
        }
        true
    }

    fn delete_to(&mut self, other: usize) {
        let (start, end) = (self.cursor.min(other), self.cursor.max(other));
        self.text.replace_range(start..end, "");
        self.cursor = start;
        self.settle();
    }

    /// Letters that meet may become one grapheme: the cursor goes behind it.
    fn settle(&mut self) {
        let edges = self.text.grapheme_indices(true).map(|(start, _)| start);
        let edge = edges.into_iter().find(|start| *start >= self.cursor);
        self.cursor = edge.unwrap_or(self.text.len());
    }

    fn previous(&self) -> usize {
        let (before, _) = self.halves();
        before.grapheme_indices(true).next_back().map_or(0, |(start, _)| start)
    }

    fn next(&self) -> usize {
        let (_, behind) = self.halves();
        self.cursor + behind.graphemes(true).next().map_or(0, str::len)
    }

    fn previous_word(&self) -> usize {
        let (before, _) = self.halves();
        before.unicode_word_indices().next_back().map_or(0, |(start, _)| start)
    }

    fn next_word(&self) -> usize {
        let (_, behind) = self.halves();
        let word = behind.unicode_word_indices().next();
        word.map_or(self.text.len(), |(start, word)| self.cursor + start + word.len())
    }

    fn line_start(&self) -> usize {
        let (before, _) = self.halves();
        before.rfind('\n').map_or(0, |at| at + 1)
    }

    fn line_end(&self) -> usize {
        let (_, behind) = self.halves();
        behind.find('\n').map_or(self.text.len(), |at| self.cursor + at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(input: &mut Input, keys: &[(KeyCode, KeyModifiers)]) {
        for (code, modifiers) in keys {
            assert!(input.handle_key(KeyEvent::new(*code, *modifiers)), "{code:?} edits");
        }
    }

    fn written(text: &str) -> Input {
        let mut input = Input::default();
        assert!(input.insert(text));
        input
    }

    const NONE: KeyModifiers = KeyModifiers::NONE;
    const CONTROL: KeyModifiers = KeyModifiers::CONTROL;

    #[test]
    fn letters_go_in_at_the_cursor() {
        let mut input = written("helo");
        press(&mut input, &[(KeyCode::Left, NONE), (KeyCode::Char('l'), NONE)]);
        assert_eq!(input.halves(), ("hell", "o"));
        press(&mut input, &[(KeyCode::Home, NONE), (KeyCode::Delete, NONE), (KeyCode::End, NONE)]);
        press(&mut input, &[(KeyCode::Backspace, NONE)]);
        assert_eq!(input.halves(), ("ell", ""));
    }

    #[test]
    fn a_grapheme_is_one_step_and_goes_as_a_whole() {
        let mut input = written("a👨‍👩‍👧e\u{301}");
        press(&mut input, &[(KeyCode::Left, NONE)]);
        assert_eq!(input.halves(), ("a👨‍👩‍👧", "e\u{301}"));
        press(&mut input, &[(KeyCode::Backspace, NONE)]);
        assert_eq!(input.text(), "ae\u{301}");
    }

    #[test]
    fn an_accent_joins_the_letter_before_it() {
        let mut input = written("e");
        assert!(input.insert("\u{301}"));
        press(&mut input, &[(KeyCode::Backspace, NONE)]);
        assert_eq!(input.text(), "");
    }

    #[test]
    fn words_and_lines_are_deleted_as_in_a_shell() {
        let mut input = written("one two\nthree four");
        press(&mut input, &[(KeyCode::Char('w'), CONTROL)]);
        assert_eq!(input.text(), "one two\nthree ");
        press(&mut input, &[(KeyCode::Char('u'), CONTROL)]);
        assert_eq!(input.text(), "one two\n");
        press(&mut input, &[(KeyCode::Backspace, NONE), (KeyCode::Char('a'), CONTROL)]);
        assert_eq!(input.halves(), ("", "one two"));
        press(&mut input, &[(KeyCode::Right, CONTROL), (KeyCode::Char('k'), CONTROL)]);
        assert_eq!(input.text(), "one");
    }

    #[test]
    fn what_finds_no_room_is_left_out() {
        let mut input = written(&"x".repeat(BYTES_MAX - 1));
        assert!(!input.insert("你"), "three bytes where one is left");
        assert!(input.insert("y"));
        assert!(!input.insert("z"));
        assert_eq!(input.text().len(), BYTES_MAX);
    }

    #[test]
    fn it_has_rows_and_the_cursor_a_place_in_them() {
        let mut input = written("one two\nthree");
        let shown = input.shown(5);
        assert_eq!(shown.rows, ["one ", "two", "thre", "e"]);
        assert_eq!((shown.cursor_column, shown.cursor_row), (1, 3));
        press(&mut input, &[(KeyCode::Left, NONE)]);
        assert_eq!((input.shown(5).cursor_column, input.shown(5).cursor_row), (0, 3));
        press(&mut input, &[(KeyCode::Home, NONE), (KeyCode::Left, NONE)]);
        assert_eq!((input.shown(5).cursor_column, input.shown(5).cursor_row), (3, 1));
        assert_eq!(written("你好").shown(20).cursor_column, 4);
        assert_eq!(written("a\x1b[2J").shown(20).rows, ["a␛[2J"]);
        assert_eq!(Input::default().shown(20).rows, [""]);
    }

    #[test]
    fn the_cursor_moves_from_row_to_row() {
        let mut input = written("one\ntwo three\n你好");
        assert!(input.move_row(-1, 40));
        assert_eq!(input.halves(), ("one\ntwo ", "three\n你好"));
        assert!(input.move_row(-1, 40));
        assert_eq!(input.halves().0, "one", "as far as the row goes");
        assert!(!input.move_row(-1, 40));
        assert!(input.move_row(1, 40));
        assert!(input.move_row(1, 40));
        assert_eq!(input.halves().0, "one\ntwo three\n你", "never into a wide letter");
        assert!(!input.move_row(1, 40));
    }

    #[test]
    fn other_keys_are_not_its_own() {
        let mut input = Input::default();
        for (code, modifiers) in
            [(KeyCode::Enter, NONE), (KeyCode::Char('n'), CONTROL), (KeyCode::PageUp, NONE)]
        {
            assert!(!input.handle_key(KeyEvent::new(code, modifiers)));
        }
    }
}
