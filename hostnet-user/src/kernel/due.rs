//! What was taken out of the rings and is not the kernel's again: it goes back once
//! all that came of it is written for good, and not while something may still come.
//!
//! It knows positions and times, and nothing of rings or records.

use std::collections::VecDeque;

/// How far each ring was read: that of records, and the reserved one.
pub type Positions = (u64, u64);

/// How far the run has come.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Events that what was taken until now has led to.
    pub told: u64,
    /// How many of them are written for good.
    pub written: u64,
    /// The oldest record of which something is still to come, `CLOCK_BOOTTIME`
    /// nanoseconds.
    pub waits_since: Option<u64>,
}

/// The looks at the rings of which something is due, oldest first.
#[derive(Debug, Default)]
pub struct Due {
    looks: VecDeque<Look>,
    /// Since when something waited at the last call.
    waited_since: Option<u64>,
}

#[derive(Debug)]
struct Look {
    read_to: Positions,
    /// No record up to there is younger.
    latest_ns: u64,
    /// The last event that had come of them when they had been read.
    told: u64,
    /// The last that may have come of them since.
    told_late: u64,
}

impl Due {
    /// Records were read up to `read_to`, none of them younger than `latest_ns`. Up to
    /// where they may be given back; `hurries` when room is wanted more than what
    /// still waits.
    pub fn settle(
        &mut self,
        read_to: Positions,
        latest_ns: u64,
        run: Progress,
        hurries: bool,
    ) -> Option<Positions> {
        let Progress { told, written, waits_since } = run;
        // What has waited may have been told since the last call, and is among these events.
        if let Some(since_ns) = self.waited_since {
            let waited = self.looks.iter_mut().rev();
            waited
                .take_while(|look| look.latest_ns >= since_ns)
                .for_each(|look| look.told_late = told);
        }
        self.waited_since = waits_since;
        match self.looks.back_mut() {
            Some(last) if last.read_to == read_to => {}
            // Records that led to no event go with those before them, unless one may yet.
            Some(last) if last.told_late == told && waits_since.is_none() => {
                (last.read_to, last.latest_ns) = (read_to, latest_ns);
            }
            _ => self.looks.push_back(Look { read_to, latest_ns, told, told_late: told }),
        }
        let may_go = |look: &mut Look| {
            let is_waited_for = waits_since.is_some_and(|since_ns| look.latest_ns >= since_ns);
            // While something always waits, there is always more that may be of them.
            if hurries { look.told <= written } else { look.told_late <= written && !is_waited_for }
        };
        let mut free = None;
        while let Some(look) = self.looks.pop_front_if(may_go) {
            free = Some(look.read_to);
        }
        free
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(told: u64, written: u64, waits_since: Option<u64>) -> Progress {
        Progress { told, written, waits_since }
    }

    #[test]
    fn what_is_written_goes_and_the_rest_stays() {
        let mut due = Due::default();
        assert_eq!(due.settle((8, 0), 10, run(1, 0, None), false), None);
        assert_eq!(due.settle((16, 0), 20, run(2, 1, None), false), Some((8, 0)));
        assert_eq!(due.settle((24, 0), 30, run(2, 2, None), false), Some((24, 0)), "no event");
    }

    #[test]
    fn what_waits_stays_and_what_is_older_goes() {
        let mut due = Due::default();
        assert_eq!(due.settle((8, 0), 10, run(1, 1, None), false), Some((8, 0)));
        assert_eq!(due.settle((16, 0), 20, run(1, 1, Some(20)), false), None);
        assert_eq!(due.settle((24, 8), 30, run(2, 2, Some(20)), false), None);
        // Told now, but not written.
        assert_eq!(due.settle((24, 8), 30, run(3, 2, None), false), None);
        assert_eq!(due.settle((24, 8), 30, run(3, 3, None), false), Some((24, 8)));
    }

    #[test]
    fn something_that_always_waits_holds_up_only_what_is_younger() {
        let mut due = Due::default();
        for at in 1..100 {
            // No event ever comes: a filter keeps them.
            let free = due.settle((at * 8, 0), at * 10, run(0, 0, Some(at * 10)), false);
            assert_eq!(free, (at > 1).then(|| ((at - 1) * 8, 0)));
        }
    }

    #[test]
    fn room_is_worth_more_than_what_waits() {
        let mut due = Due::default();
        assert_eq!(due.settle((8, 0), 10, run(0, 0, Some(5)), true), Some((8, 0)));
        assert_eq!(
            due.settle((16, 0), 20, run(1, 0, Some(5)), true),
            None,
            "not than what is told"
        );
    }

    #[test]
    fn who_hurries_goes_on_though_something_always_waits_and_writing_lags() {
        let mut due = Due::default();
        for at in 1..100 {
            let progress = run(at * 10, at * 10 - 10, Some(5));
            let free = due.settle((at * 8, 0), at * 10, progress, at > 50);
            assert_eq!(free, (at > 50).then(|| ((at - 1) * 8, 0)), "look {at}");
        }
    }
}
