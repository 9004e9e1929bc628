//! Numbers as people read them.

/// A whole number, its digits in threes.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// As often in a second.
pub(super) fn rate(per_second: f64) -> String {
    if per_second < 10.0 {
        return format!("{per_second:.1}/s");
    }
    format!("{}/s", count(per_second.round() as u64))
}

/// Bytes, with a decimal unit.
pub(super) fn bytes(number: u64) -> String {
    const UNITS: [&str; 7] = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
    let mut scaled = number as f64;
    let mut units = UNITS.into_iter();
    let mut unit = units.next().unwrap_or_default();
    while scaled >= 999.5
        && let Some(greater) = units.next()
    {
        scaled /= 1000.0;
        unit = greater;
    }
    if scaled < 10.0 && unit != "B" {
        format!("{scaled:.1} {unit}")
    } else {
        format!("{scaled:.0} {unit}")
    }
}

/// So many bytes in a second.
pub(super) fn bytes_rate(per_second: f64) -> String {
    format!("{}/s", bytes(per_second.round() as u64))
}

/// A time of some milliseconds, in its two greatest units.
pub(super) fn duration(ms: u64) -> String {
    let (seconds, minutes, hours) = (ms / 1000, ms / 60_000, ms / 3_600_000);
    if seconds < 10 {
        return format!("{:.1} s", ms as f64 / 1e3);
    }
    match (minutes, hours) {
        (0, _) => format!("{seconds} s"),
        (1..60, _) => format!("{minutes} min {} s", seconds % 60),
        (_, 0..24) => format!("{hours} h {} min", minutes % 60),
        _ => format!("{} d {} h", hours / 24, hours % 24),
    }
}

/// A short time.
pub(super) fn milliseconds(ms: f64) -> String {
    if ms < 1000.0 { format!("{ms} ms") } else { format!("{} s", ms / 1e3) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        let texts = [0, 12, 123, 1234, 123_456, 1_234_567].map(count);
        assert_eq!(texts, ["0", "12", "123", "1 234", "123 456", "1 234 567"]);
    }

    #[test]
    fn bytes_have_two_digits_or_three() {
        let sizes = [0, 999, 1000, 1234, 12_345, 999_499, 999_500, u64::MAX].map(bytes);
        assert_eq!(
            sizes,
            ["0 B", "999 B", "1.0 kB", "1.2 kB", "12 kB", "999 kB", "1.0 MB", "18 EB"]
        );
    }

    #[test]
    fn times_have_two_units() {
        let times = [0, 1500, 10_000, 61_000, 3_600_000, 90_061_000].map(duration);
        assert_eq!(times, ["0.0 s", "1.5 s", "10 s", "1 min 1 s", "1 h 0 min", "1 d 1 h"]);
        assert_eq!([0.25, 10.0, 2500.0].map(milliseconds), ["0.25 ms", "10 ms", "2.5 s"]);
        assert_eq!([0.0, 9.94, 1234.5].map(rate), ["0.0/s", "9.9/s", "1 235/s"]);
    }
}
