//! What came, judged by what was sent.

use std::collections::BTreeSet;
use std::fmt;

/// As many breaches are told in words.
const TOLD: usize = 8;
/// As many numbers are shown to each side of a breach.
const SHOWN: usize = 6;

/// What is wrong with all that came, counted.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// Messages, each counted once.
    pub(crate) sent: u64,
    /// Sent and missing, for each device that should have it.
    pub(crate) lost: u64,
    /// In a store more often than once.
    pub(crate) doubled: u64,
    /// Behind a later one of the same chat.
    pub(crate) reordered: u64,
    /// With another text than was sent, or never sent at all.
    pub(crate) foreign: u64,
    /// Not known as delivered to the device that sent it.
    pub(crate) untold: u64,
    breaches: Vec<String>,
}

impl Verdict {
    pub(crate) fn is_faultless(&self) -> bool {
        self.lost + self.doubled + self.reordered + self.foreign + self.untold == 0
    }

    /// Numbers as they came; all from 1 to `last` were sent.
    pub(crate) fn compare(&mut self, came: &[u64], last: u64, direction: &str) {
        let (mut seen, mut greatest) = (BTreeSet::new(), 0);
        for number in came {
            if *number == 0 || *number > last {
                self.foreign += 1;
            } else if !seen.insert(*number) {
                self.doubled += 1;
            } else if *number < greatest {
                self.reordered += 1;
            }
            greatest = greatest.max(*number);
        }
        self.lost += (1..=last).filter(|number| !seen.contains(number)).count() as u64;
        let in_place = (1..=last).zip(came).take_while(|(number, came)| number == *came).count();
        if in_place < came.len() || in_place as u64 != last {
            let first = in_place.saturating_sub(SHOWN);
            let shown: Vec<_> = came.iter().skip(first).take(2 * SHOWN).collect();
            let (count, first) = (came.len(), first + 1);
            self.tell(format!(
                "{direction}: {count} of {last} came; from place {first} on they are {shown:?}"
            ));
        }
    }

    /// Says what a breach was, if few were said before it.
    pub(crate) fn tell(&mut self, breach: String) {
        if self.breaches.len() < TOLD {
            self.breaches.push(breach);
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sent, lost, doubled, reordered, foreign, untold, breaches } = self;
        write!(
            f,
            "{sent} messages: {lost} lost, {doubled} doubled, {reordered} reordered, \
             {foreign} foreign, {untold} untold"
        )?;
        breaches.iter().try_for_each(|breach| write!(f, "\n  {breach}"))
    }
}

#[test]
fn every_breach_is_counted() {
    let counts = |came: &[u64], last| {
        let mut verdict = Verdict::default();
        verdict.compare(came, last, "a chat");
        assert_eq!(verdict.is_faultless(), verdict.breaches.is_empty());
        (verdict.lost, verdict.doubled, verdict.reordered, verdict.foreign)
    };
    assert_eq!(counts(&[1, 2, 3], 3), (0, 0, 0, 0));
    assert_eq!(counts(&[1, 3], 3), (1, 0, 0, 0));
    assert_eq!(counts(&[1, 2], 3), (1, 0, 0, 0));
    assert_eq!(counts(&[], 2), (2, 0, 0, 0));
    assert_eq!(counts(&[1, 2, 2, 3, 1], 3), (0, 2, 0, 0));
    assert_eq!(counts(&[2, 1, 3], 3), (0, 0, 1, 0));
    assert_eq!(counts(&[3, 1, 2], 3), (0, 0, 2, 0));
    assert_eq!(counts(&[1, 2, 3, 4], 3), (0, 0, 0, 1));
    assert_eq!(counts(&[2, 2, 4], 3), (2, 1, 0, 1));
}
