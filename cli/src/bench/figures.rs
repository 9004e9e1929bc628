//! Figures as people read them, and rounded as programs do.

const KIBIBYTE: f64 = 1024.0;

/// To one place behind the point.
pub(super) fn tenths(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

/// To two places behind the point.
pub(super) fn hundredths(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}

/// A whole number in groups of three: `1 234 567`.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// A time of so many µs in the unit that suits it, to three digits.
pub(super) fn time(us: f64) -> String {
    match us {
        us if us < 999.5 => format!("{} µs", three_digits(us)),
        us if us < 999_500.0 => format!("{} ms", three_digits(us / 1e3)),
        us => format!("{} s", three_digits(us / 1e6)),
    }
}

/// µs of a processor.
pub(super) fn cost(us: f64) -> String {
    format!("{} µs", three_digits(us))
}

/// Bytes in binary units, to three digits.
pub(super) fn bytes(bytes: u64) -> String {
    let bytes = bytes as f64;
    match bytes {
        bytes if bytes < KIBIBYTE => format!("{bytes} B"),
        bytes if bytes < KIBIBYTE.powi(2) => format!("{} KiB", three_digits(bytes / KIBIBYTE)),
        bytes if bytes < KIBIBYTE.powi(3) => {
            format!("{} MiB", three_digits(bytes / KIBIBYTE.powi(2)))
        }
        bytes => format!("{} GiB", three_digits(bytes / KIBIBYTE.powi(3))),
    }
}

/// A part of one.
pub(super) fn share(part: f64) -> String {
    format!("{:.0} %", part * 100.0)
}

fn three_digits(number: f64) -> String {
    match number {
        number if number < 9.995 => format!("{number:.2}"),
        number if number < 99.95 => format!("{number:.1}"),
        number => format!("{number:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_well() {
        assert_eq!([0, 999, 1000, 1_234_567].map(count), ["0", "999", "1 000", "1 234 567"]);
        let times = [4.2, 99.96, 999.7, 15_130.0, 2_500_000.0].map(time);
        assert_eq!(times, ["4.20 µs", "100 µs", "1.00 ms", "15.1 ms", "2.50 s"]);
        let sizes = [512, 2048, 41 << 20, 3 << 30].map(bytes);
        assert_eq!(sizes, ["512 B", "2.00 KiB", "41.0 MiB", "3.00 GiB"]);
        assert_eq!((share(0.256).as_str(), cost(0.987).as_str()), ("26 %", "0.99 µs"));
    }
}
