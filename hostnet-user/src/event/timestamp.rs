//! RFC 3339 UTC with nanoseconds. The part that changes once a second is kept.

use std::fmt::Write as _;

use jiff::Timestamp;

/// Writes timestamps.
#[derive(Default)]
pub struct Timestamps {
    second: u64,
    /// `YYYY-MM-DDTHH:MM:SS` of that second.
    prefix: String,
}

impl Timestamps {
    /// `wall_ns` (nanoseconds since 1970) as text.
    pub fn format(&mut self, wall_ns: u64) -> String {
        let (second, nanosecond) = (wall_ns / 1_000_000_000, wall_ns % 1_000_000_000);
        if self.prefix.is_empty() || second != self.second {
            let timestamp = i64::try_from(second).ok().and_then(|s| Timestamp::from_second(s).ok());
            self.prefix = timestamp
                .unwrap_or(Timestamp::UNIX_EPOCH)
                .to_string()
                .trim_end_matches('Z')
                .to_owned();
            self.second = second;
        }
        let mut text = String::with_capacity(30);
        // Writing to a string cannot fail.
        let _infallible = write!(text, "{}.{nanosecond:09}Z", self.prefix);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nanoseconds_are_kept() {
        let mut timestamps = Timestamps::default();
        let at = 1_795_457_100_000_000_007;
        assert_eq!(timestamps.format(at), "2026-11-23T18:05:00.000000007Z");
        assert_eq!(timestamps.format(at + 1_000_000_000), "2026-11-23T18:05:01.000000007Z");
    }
}
