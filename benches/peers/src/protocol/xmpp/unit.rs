//! Cutting a stream of XML into its units, as far as these streams need it.

/// A whole unit from the front, and what lies behind it: a stanza, a declaration, the head or
/// the end of the stream, or white space between two of them.
pub(super) fn cut_unit(received: &[u8]) -> Option<(&[u8], &[u8])> {
    if *received.first()? != b'<' {
        let end = received.iter().position(|byte| *byte == b'<').unwrap_or(received.len());
        return received.split_at_checked(end);
    }
    let stands_alone = [&b"<?xml"[..], b"<stream:stream", b"</"];
    if stands_alone.iter().any(|begin| received.starts_with(begin)) {
        let tag = tag_at(received, 0)?;
        return received.split_at_checked(tag.end);
    }
    let (mut at, mut depth) = (0, 0);
    loop {
        let tag = tag_at(received, at)?;
        match tag.form {
            Form::Opens => depth += 1,
            Form::Closes => depth -= 1,
            Form::Empty => {}
        }
        if depth == 0 {
            return received.split_at_checked(tag.end);
        }
        at = tag.end + received.get(tag.end..)?.iter().position(|byte| *byte == b'<')?;
    }
}

/// What a tag does to the depth.
enum Form {
    Opens,
    Closes,
    Empty,
}

struct Tag {
    form: Form,
    end: usize,
}

/// The tag that begins at a place, where all of it is there. What is in quotes ends no tag.
fn tag_at(received: &[u8], at: usize) -> Option<Tag> {
    let mut quote = None;
    let mut last = b'<';
    for (index, byte) in received.iter().enumerate().skip(at + 1) {
        match (quote, byte) {
            (Some(open), byte) if open == *byte => quote = None,
            (None, b'\'' | b'"') => quote = Some(*byte),
            (None, b'>') => {
                let form = match (received.get(at + 1), last) {
                    (Some(b'/'), _) => Form::Closes,
                    (_, b'/') => Form::Empty,
                    _ => Form::Opens,
                };
                return Some(Tag { form, end: index + 1 });
            }
            _ => {}
        }
        last = *byte;
    }
    None
}

/// The value of the first attribute of that name.
pub(super) fn attribute<'a>(unit: &'a [u8], name: &str) -> Option<&'a str> {
    let value = between(unit, format!(" {name}='").as_bytes(), b'\'')?;
    std::str::from_utf8(value).ok()
}

/// What lies between the first `begin` and the next `end`.
pub(super) fn between<'a>(unit: &'a [u8], begin: &[u8], end: u8) -> Option<&'a [u8]> {
    let behind = unit.get(position(unit, begin)? + begin.len()..)?;
    behind.get(..behind.iter().position(|byte| *byte == end)?)
}

/// Whether a text is in it.
pub(super) fn contains(unit: &[u8], text: &[u8]) -> bool {
    position(unit, text).is_some()
}

/// Where a text is in it first.
pub(super) fn position(unit: &[u8], text: &[u8]) -> Option<usize> {
    unit.windows(text.len()).position(|window| window == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_cut_whole() {
        let stream =
            b"<?xml?><stream:stream a='1'><a h='1>2'><b/><c>x</c></a> <r/></stream:stream>";
        let mut left = &stream[..];
        let mut units = Vec::new();
        while let Some((unit, behind)) = cut_unit(left) {
            units.push(std::str::from_utf8(unit).unwrap());
            left = behind;
        }
        let expected = [
            "<?xml?>",
            "<stream:stream a='1'>",
            "<a h='1>2'><b/><c>x</c></a>",
            " ",
            "<r/>",
            "</stream:stream>",
        ];
        assert_eq!(units, expected);
    }

    #[test]
    fn an_unfinished_stanza_waits() {
        let stanza = b"<a h='1>2'><b/><c>x</c></a>";
        for length in 1..stanza.len() {
            assert_eq!(cut_unit(&stanza[..length]), None, "cut at {length}");
        }
    }

    #[test]
    fn attributes_are_found_by_their_whole_name() {
        let unit = b"<a id='5' myh='7' h='9'/>";
        assert_eq!(attribute(unit, "h"), Some("9"));
        assert_eq!(attribute(unit, "x"), None);
        assert_eq!(between(b"<body>hi</body>", b"<body>", b'<'), Some(&b"hi"[..]));
    }
}
