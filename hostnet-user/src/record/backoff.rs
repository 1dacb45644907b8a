//! How long to wait before a destination is tried again: twice as long each time,
//! and by chance less, so that many agents do not come back at one moment.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(30);

/// The waits between attempts that fail.
#[derive(Debug)]
pub struct Backoff {
    wait: Duration,
    state: u64,
}

impl Backoff {
    /// From the first wait on; `seed` decides the chance.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { wait: FIRST, state: seed | 1 }
    }

    /// The next wait: between a half and the whole of its bound.
    pub fn next_wait(&mut self) -> Duration {
        // xorshift: no secret hangs on it.
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        let half = self.wait / 2;
        self.wait = (self.wait * 2).min(LONGEST);
        half + half.mul_f64((self.state >> 11) as f64 / (1_u64 << 53) as f64)
    }

    /// It worked: the next failure waits the first wait again.
    pub const fn reset(&mut self) {
        self.wait = FIRST;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_to_a_bound_and_differ_by_chance() {
        let (mut one, mut other) = (Backoff::new(1), Backoff::new(0x1234_5678_9abc));
        let mut bound = FIRST;
        let mut differ = 0;
        for _ in 0..20 {
            let (a, b) = (one.next_wait(), other.next_wait());
            for wait in [a, b] {
                assert!(wait >= bound / 2 && wait <= bound, "{wait:?} of {bound:?}");
            }
            differ += u32::from(a != b);
            bound = (bound * 2).min(LONGEST);
        }
        assert!(differ > 15);
        one.reset();
        assert!(one.next_wait() <= FIRST);
    }
}
