//! Times as people say them, in their own time zone.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

/// A time zone and the present.
#[derive(Clone, Debug)]
pub(super) struct Calendar {
    zone: TimeZone,
    now_ms: u64,
}

impl Calendar {
    pub(super) fn new(zone: TimeZone, now_ms: u64) -> Self {
        Self { zone, now_ms }
    }

    /// The present moves.
    pub(super) fn set_now(&mut self, now_ms: u64) {
        self.now_ms = now_ms;
    }

    pub(super) fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// The day that a time falls on.
    pub(super) fn day(&self, at_ms: u64) -> Date {
        self.local(at_ms).date()
    }

    /// e.g. 18:05.
    pub(super) fn time(&self, at_ms: u64) -> String {
        self.local(at_ms).strftime("%H:%M").to_string()
    }

    /// e.g. Today, Yesterday, Monday, 2 March; with the year where it is another.
    pub(super) fn day_in_words(&self, day: Date) -> String {
        let today = self.day(self.now_ms);
        if day == today {
            return "Today".to_owned();
        }
        if day.checked_add(1.day()).is_ok_and(|next| next == today) {
            return "Yesterday".to_owned();
        }
        let form = if day.year() == today.year() { "%A, %-d %B" } else { "%A, %-d %B %Y" };
        day.strftime(form).to_string()
    }

    /// The time of today, the date of any other day.
    pub(super) fn short(&self, at_ms: u64) -> String {
        let day = self.day(at_ms);
        let today = self.day(self.now_ms);
        if day == today {
            return self.time(at_ms);
        }
        let form = if day.year() == today.year() { "%-d %b" } else { "%b %Y" };
        day.strftime(form).to_string()
    }

    fn local(&self, at_ms: u64) -> DateTime {
        let ms = i64::try_from(at_ms).unwrap_or(i64::MAX);
        let timestamp = Timestamp::from_millisecond(ms).unwrap_or(Timestamp::MAX);
        self.zone.to_datetime(timestamp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2027-03-02, a Tuesday, 08:30 in UTC.
    const NOW_MS: u64 = 1_803_976_200_000;
    const HOUR_MS: u64 = 3_600_000;

    fn calendar(zone: TimeZone) -> Calendar {
        Calendar::new(zone, NOW_MS)
    }

    fn day(hours_ago: u64) -> String {
        let calendar = calendar(TimeZone::UTC);
        calendar.day_in_words(calendar.day(NOW_MS - hours_ago * HOUR_MS))
    }

    #[test]
    fn days_have_names() {
        assert_eq!(day(8), "Today");
        assert_eq!(day(9), "Yesterday");
        assert_eq!(day(33), "Sunday, 28 February");
        assert_eq!(day(24 * 90), "Wednesday, 2 December 2026");
    }

    #[test]
    fn times_are_those_of_the_zone() {
        assert_eq!(calendar(TimeZone::UTC).time(NOW_MS), "08:30");
        let east = TimeZone::fixed(jiff::tz::offset(9));
        assert_eq!(calendar(east.clone()).time(NOW_MS), "17:30");
        let evening_ms = NOW_MS + 8 * HOUR_MS;
        assert_eq!(calendar(east.clone()).day(evening_ms).day(), 3, "past midnight there");
    }

    #[test]
    fn the_list_has_the_time_of_today_and_the_date_of_other_days() {
        let calendar = calendar(TimeZone::UTC);
        assert_eq!(calendar.short(NOW_MS - HOUR_MS), "07:30");
        assert_eq!(calendar.short(NOW_MS - 24 * HOUR_MS), "1 Mar");
        assert_eq!(calendar.short(NOW_MS - 24 * 90 * HOUR_MS), "Dec 2026");
    }

    #[test]
    fn a_time_that_no_calendar_has_is_no_fault() {
        let calendar = calendar(TimeZone::UTC);
        assert!(!calendar.short(u64::MAX).is_empty());
    }
}
