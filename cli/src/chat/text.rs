//! Text that others wrote, made harmless and cut to fit a terminal.
//!
//! A message may hold anything: escape sequences that would move the cursor, marks that
//! turn the direction of all that follows, a letter under a thousand accents. [`inert`]
//! shows such characters instead of obeying them; nothing else reaches the terminal.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// What a tab is shown as: terminals would jump, and the layout not know how far.
const TAB: &str = "    ";
/// The longest emoji of a family has 11 characters; what is longer is a prank.
const GRAPHEME_CHARS_MAX: usize = 16;

/// The text as it may be shown: line breaks stay, other control characters become visible.
pub(super) fn inert(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for grapheme in text.graphemes(true) {
        match grapheme {
            "\n" | "\r\n" => shown.push('\n'),
            "\t" => shown.push_str(TAB),
            _ => grapheme.chars().take(GRAPHEME_CHARS_MAX).for_each(|char| push(&mut shown, char)),
        }
    }
    shown
}

/// The same on one line.
pub(super) fn one_line(text: &str) -> String {
    inert(text).replace('\n', " ")
}

/// Columns that a text without line breaks takes.
pub(super) fn width(text: &str) -> usize {
    text.width()
}

/// As much of the beginning as `columns` hold, with an ellipsis where something is left out.
pub(super) fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut kept = String::new();
    for grapheme in text.graphemes(true) {
        if width(&kept) + width(grapheme) >= columns {
            break;
        }
        kept.push_str(grapheme);
    }
    if columns > 0 {
        kept.push('…');
    }
    kept
}

/// The lines of a text in `columns`: broken between words, within one that is too long.
pub(super) fn wrap(text: &str, columns: usize) -> Vec<String> {
    text.split('\n').flat_map(|line| wrap_line(line, columns.max(2))).collect()
}

fn wrap_line(line: &str, columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut current = String::new();
    for word in line.split_inclusive(' ') {
        let word_width = width(word.trim_end());
        if width(&current) + word_width <= columns {
            current.push_str(word);
        } else if word_width <= columns {
            lines.push(std::mem::replace(&mut current, word.to_owned()));
        } else {
            break_word(&mut lines, &mut current, word, columns);
        }
    }
    lines.push(current);
    lines.iter_mut().for_each(|line| line.truncate(line.trim_end().len()));
    lines
}

/// A word that no line has room for.
fn break_word(lines: &mut Vec<String>, current: &mut String, word: &str, columns: usize) {
    for grapheme in word.graphemes(true) {
        if width(current) + width(grapheme) > columns {
            lines.push(std::mem::take(current));
        }
        current.push_str(grapheme);
    }
}

fn push(shown: &mut String, char: char) {
    match char {
        '\0'..='\x1f' => shown.push(picture(char as u32)),
        '\x7f' => shown.push('␡'),
        _ if char.is_control() || turns_direction(char) => {
            shown.push_str(&format!("‹U+{:04X}›", char as u32));
        }
        _ => shown.push(char),
    }
}

/// Unicode has a picture of each control character, e.g. ␛.
fn picture(control: u32) -> char {
    char::from_u32(0x2400 + control).unwrap_or('�')
}

/// Embeddings, overrides and isolates, which reach beyond their message; separators of lines
/// and paragraphs. The marks that Arabic and Hebrew texts are written with stay.
fn turns_direction(char: char) -> bool {
    matches!(char, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_are_shown_and_not_obeyed() {
        assert_eq!(inert("a\x1b[2Jb\x07\x7f\u{9b}31m"), "a␛[2Jb␇␡‹U+009B›31m");
        assert_eq!(inert("a\u{202e}b\u{2028}c"), "a‹U+202E›b‹U+2028›c");
        assert_eq!(inert("a\r\nb\nc\rd\te"), "a\nb\nc␍d    e");
    }

    #[test]
    fn what_people_write_stays_as_it_is() {
        for text in ["naïve café", "你好", "مرحبا", "👨‍👩‍👧‍👦 👍🏽", "ｈａｌｆ"]
        {
            assert_eq!(inert(text), text);
        }
    }

    #[test]
    fn a_letter_carries_only_so_many_accents() {
        let text = format!("x{}", "\u{301}".repeat(1000));
        assert_eq!(inert(&text).chars().count(), GRAPHEME_CHARS_MAX);
    }

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrap("the quick brown fox", 10), ["the quick", "brown fox"]);
        assert_eq!(wrap("and so, yes", 6), ["and", "so,", "yes"]);
        assert_eq!(wrap("one\n\ntwo", 10), ["one", "", "two"]);
        assert_eq!(wrap("", 10), [""]);
    }

    #[test]
    fn a_long_word_breaks_where_it_must() {
        assert_eq!(wrap("a https://example.org", 8), ["a https:", "//exampl", "e.org"]);
        assert_eq!(wrap("你好世界", 5), ["你好", "世界"]);
    }

    #[test]
    fn no_line_is_wider_than_it_may_be() {
        let text = "words 你好世界 and_a_long_one 👨‍👩‍👧‍👦👨‍👩‍👧‍👦 \u{301} x  y   z ".repeat(3);
        for columns in 2..40 {
            for line in wrap(&inert(&text), columns) {
                assert!(width(&line) <= columns, "{line:?} in {columns}");
            }
        }
    }

    #[test]
    fn what_is_cut_says_so() {
        assert_eq!(cut("hello", 5), "hello");
        assert_eq!(cut("hello", 4), "hel…");
        assert_eq!(cut("你好吗", 5), "你好…");
        assert_eq!(cut("hello", 0), "");
    }
}
