//! A second, as an operator writes one.

use std::fmt;

use jiff::Timestamp;

use crate::clock;

/// A second since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment {
    /// Its number.
    pub(crate) unix_s: u64,
}

impl Moment {
    /// This one.
    pub(crate) fn now() -> Self {
        Self { unix_s: clock::unix_s() }
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let second = i64::try_from(self.unix_s).ok();
        match second.and_then(|second| Timestamp::from_second(second).ok()) {
            Some(time) => time.fmt(f),
            None => write!(f, "second {}", self.unix_s),
        }
    }
}

/// Reads a time of RFC 3339, or seconds since 1970, as tokens have them.
pub(crate) fn parse(text: &str) -> Result<Moment, String> {
    if let Ok(unix_s) = text.parse() {
        return Ok(Moment { unix_s });
    }
    let time = text.parse::<Timestamp>().map_err(|_| {
        "neither a time like 2026-03-01T12:00:00Z nor seconds since 1970".to_owned()
    })?;
    let unix_s = u64::try_from(time.as_second()).map_err(|_| "a time before 1970".to_owned())?;
    Ok(Moment { unix_s })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_seconds_are_read() {
        for (text, unix_s) in [
            ("0", 0),
            ("1772366400", 1_772_366_400),
            ("2026-03-01T12:00:00Z", 1_772_366_400),
            ("2026-03-01T13:00:00+01:00", 1_772_366_400),
            ("2026-03-01T12:00:00.9Z", 1_772_366_400),
        ] {
            assert_eq!(parse(text), Ok(Moment { unix_s }), "{text}");
        }
        for text in
            ["", "now", "-1", "1.5", "2026-03-01", "2026-03-01T12:00:00", "1969-01-01T00:00:00Z"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn it_is_written_as_it_may_be_read() {
        let moment = Moment { unix_s: 1_772_366_400 };
        assert_eq!(moment.to_string(), "2026-03-01T12:00:00Z");
        assert_eq!(Moment { unix_s: u64::MAX }.to_string(), "second 18446744073709551615");
    }
}
