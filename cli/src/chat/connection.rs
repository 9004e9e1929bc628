//! Whether the box can be reached, in words.

/// The state of the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Connection {
    Connecting,
    Online,
    /// Not now; it is tried again by itself.
    Offline {
        retry_at_ms: u64,
        reason: String,
    },
    /// Not again: the reason says what to do.
    Stopped {
        reason: String,
    },
}

impl Connection {
    /// It in words, at a time.
    pub(super) fn words(&self, now_ms: u64) -> String {
        match self {
            Self::Connecting => "connecting".to_owned(),
            Self::Online => "online".to_owned(),
            Self::Offline { retry_at_ms, .. } => {
                match retry_at_ms.saturating_sub(now_ms).div_ceil(1000) {
                    0 => "offline, trying again".to_owned(),
                    seconds => format!("offline, trying again in {seconds} s"),
                }
            }
            Self::Stopped { .. } => "stopped".to_owned(),
        }
    }

    /// When the words change by themselves.
    pub(super) fn poll_timeout(&self, now_ms: u64) -> Option<u64> {
        let Self::Offline { retry_at_ms, .. } = self else { return None };
        let left_ms = retry_at_ms.checked_sub(now_ms).filter(|left_ms| *left_ms > 0)?;
        Some(now_ms + (left_ms - 1) % 1000 + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_counts_down_and_wakes_once_a_second() {
        let offline = Connection::Offline { retry_at_ms: 3_500, reason: String::new() };
        let mut now_ms = 0;
        let mut said = Vec::new();
        while let Some(next_ms) = offline.poll_timeout(now_ms) {
            said.push((now_ms, offline.words(now_ms)));
            now_ms = next_ms;
        }
        let words = |seconds| format!("offline, trying again in {seconds} s");
        let expected = [(0, 4), (500, 3), (1500, 2), (2500, 1)];
        assert_eq!(said, expected.map(|(at_ms, seconds)| (at_ms, words(seconds))));
        assert_eq!(offline.words(now_ms), "offline, trying again");
    }

    #[test]
    fn what_changes_only_by_an_event_has_no_timeout() {
        assert_eq!(Connection::Online.poll_timeout(0), None);
        assert_eq!(Connection::Connecting.poll_timeout(0), None);
    }
}
