//! Whether the wall clock was set while the run went on.

/// Less than this between two looks is the work of whoever keeps the clock right.
const BOUND_NS: u64 = 250_000_000;

/// Compares the wall clock with the one that only runs.
#[derive(Debug, Default)]
pub struct ClockWatch {
    /// Wall minus boot time at the last look.
    offset_ns: Option<i128>,
}

impl ClockWatch {
    /// Looks at both clocks at one moment; how far the wall clock was set since the
    /// last look, in nanoseconds.
    pub fn look(&mut self, boot_ns: u64, wall_ns: u64) -> Option<i64> {
        let offset = i128::from(wall_ns) - i128::from(boot_ns);
        let by = offset - self.offset_ns.replace(offset)?;
        let is_step = by.unsigned_abs() > u128::from(BOUND_NS);
        is_step.then(|| i64::try_from(by).unwrap_or(if by > 0 { i64::MAX } else { i64::MIN }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_runs_is_not_told_and_one_that_is_set_is() {
        let mut watch = ClockWatch::default();
        let second = 1_000_000_000;
        assert_eq!(watch.look(5 * second, 100 * second), None);
        // A clock that is slewed at the fastest that adjtime(3) allows.
        assert_eq!(watch.look(6 * second, 101 * second + 500_000), None);
        // A suspended machine: the boot clock goes on.
        assert_eq!(watch.look(1000 * second, 1095 * second + 500_000), None);
        assert_eq!(watch.look(1001 * second, 1036 * second + 500_000), Some(-60_000_000_000));
        assert_eq!(watch.look(1002 * second, 1037 * second + 500_000), None);
        assert_eq!(watch.look(1003 * second, 1039 * second + 500_000), Some(1_000_000_000));
    }
}
