//! How old a row is at least, whatever the wall clock says.
//!
//! A row's `@timestamp` is the wall clock's, and that clock may be wrong when the
//! agent starts, be set, and jump. Rows are removed by age only when two things
//! agree: the timestamp, against a clock that a jump moves only once it has lasted,
//! and, for rows of this run, the time that has passed since they were written.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// A wall clock that is ahead by less is believed at once.
const SLACK: Duration = Duration::from_secs(300);

/// One that is ahead by more is believed when it has been for so long.
const LASTS: Duration = Duration::from_secs(3600);

/// How often it is noted which row was the last.
const MARK_EVERY: Duration = Duration::from_secs(600);

/// 2026-01-01, nanoseconds since 1970: a clock that says less is not set.
const FIRST_NS: u64 = 1_767_225_600_000_000_000;

/// What is known of the rows' age.
#[derive(Debug)]
pub struct Ages {
    /// The wall clock as far as it is believed, and when it was read.
    believed_ns: u64,
    read: Instant,
    /// Since when the wall clock has been ahead of that.
    ahead_since: Option<Instant>,
    /// The last row when the run began.
    before: u64,
    /// The last row at moments of this run, oldest first.
    marks: VecDeque<(Instant, u64)>,
}

impl Ages {
    /// At the start of a run, after row `last` with the timestamp `last_ns`, if there
    /// is one. Times are nanoseconds since 1970.
    #[must_use]
    pub fn new(last: u64, last_ns: Option<u64>, wall_ns: u64, now: Instant) -> Self {
        Self {
            believed_ns: last_ns.unwrap_or(wall_ns),
            read: now,
            ahead_since: None,
            before: last,
            marks: VecDeque::new(),
        }
    }

    /// Notes that row `last` is the last, and what the wall clock says; whether it is believed
    /// to be later than it was until now.
    pub fn look(&mut self, last: u64, wall_ns: u64, now: Instant, age: Duration) -> bool {
        let expected_ns = self.believed_ns.saturating_add(nanos(now - self.read));
        let is_ahead = wall_ns > expected_ns.saturating_add(nanos(SLACK));
        if is_ahead && now - *self.ahead_since.get_or_insert(now) < LASTS {
            self.believed_ns = expected_ns;
        } else {
            (self.believed_ns, self.ahead_since) = (wall_ns, None);
        }
        self.read = now;
        if self.marks.back().is_none_or(|(at, _)| now - *at >= MARK_EVERY.min(age / 20)) {
            self.marks.push_back((now, last));
        }
        while let [(_, first), (next, _), ..] = self.marks.make_contiguous()
            && now - *next >= age
        {
            self.before = self.before.max(*first);
            self.marks.pop_front();
        }
        is_ahead && self.ahead_since.is_none()
    }

    /// The last row that may be older than `age` by the time that has passed.
    #[must_use]
    pub fn last_that_may_go(&self, now: Instant, age: Duration) -> u64 {
        let old = self.marks.iter().take_while(|(at, _)| now - *at >= age).last();
        old.map_or(self.before, |(_, row)| self.before.max(*row))
    }

    /// How old a row is by its timestamp; `None` where no clock that was set can have
    /// written it.
    #[must_use]
    pub fn of(&self, time_ns: u64) -> Option<Duration> {
        (FIRST_NS..=self.believed_ns)
            .contains(&time_ns)
            .then(|| Duration::from_nanos(self.believed_ns - time_ns))
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);
    const AGE: Duration = Duration::from_secs(30 * 86_400);
    const NOW_NS: u64 = FIRST_NS + 100 * 86_400_000_000_000;

    #[test]
    fn a_clock_that_jumps_ahead_makes_nothing_older_until_it_lasts() {
        let start = Instant::now();
        let mut ages = Ages::new(10, Some(NOW_NS), NOW_NS, start);
        let jumped = NOW_NS + nanos(40 * DAY);
        assert!(!ages.look(10, jumped, start + Duration::from_secs(1), AGE));
        assert_eq!(ages.of(NOW_NS), Some(Duration::from_secs(1)));
        ages.look(10, jumped, start + LASTS, AGE);
        assert_eq!(ages.of(NOW_NS), Some(LASTS));
        assert!(ages.look(10, jumped, start + LASTS + Duration::from_secs(2), AGE));
        assert_eq!(ages.of(NOW_NS), Some(40 * DAY));
        // And back: what it wrote meanwhile has no age.
        ages.look(10, NOW_NS, start + LASTS + Duration::from_secs(3), AGE);
        assert_eq!((ages.of(NOW_NS), ages.of(jumped)), (Some(Duration::ZERO), None));
    }

    #[test]
    fn a_row_of_this_run_is_no_older_than_the_time_since() {
        let start = Instant::now();
        // The clock was not set at the start, and then was.
        let mut ages = Ages::new(10, None, 0, start);
        ages.look(10, 0, start, AGE);
        ages.look(500, 0, start + DAY, AGE);
        ages.look(900, NOW_NS, start + 2 * DAY, AGE);
        assert_eq!(ages.last_that_may_go(start + 2 * DAY, AGE), 10);
        assert_eq!(ages.of(5), None);
        ages.look(950, NOW_NS, start + AGE + DAY, AGE);
        assert_eq!(ages.last_that_may_go(start + AGE + DAY, AGE), 500);
    }

    #[test]
    fn marks_are_few() {
        let start = Instant::now();
        let mut ages = Ages::new(0, None, NOW_NS, start);
        for second in 0..200_000 {
            ages.look(second, NOW_NS, start + Duration::from_secs(second * 60), AGE);
        }
        assert!(ages.marks.len() < 5000, "{}", ages.marks.len());
    }
}
