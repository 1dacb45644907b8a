//! Moments, as they are asked for and as they are answered.

use std::fmt;

use anyhow::{Result, bail};
use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp, civil::DateTime, tz::TimeZone};
use serde::{Serialize, Serializer};

const SECOND_NS: i128 = 1_000_000_000;

/// A moment: UTC nanoseconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub i64);

impl Time {
    /// This very moment.
    #[must_use]
    pub fn now() -> Self {
        Self::of(Timestamp::now())
    }

    /// What a person wrote: RFC 3339, a date or a date and time (UTC), seconds since
    /// 1970, or how long before `now`.
    ///
    /// # Errors
    /// When it is none of these.
    pub fn parse(text: &str, now: Self) -> Result<Self> {
        let text = text.trim();
        if text == "now" {
            return Ok(now);
        }
        if let Ok(timestamp) = text.parse::<Timestamp>() {
            return Ok(Self::of(timestamp));
        }
        if let Some(seconds) = seconds(text) {
            return seconds;
        }
        // A date is a date and time, too; an offset would have made it a timestamp.
        if let Ok(civil) = text.parse::<DateTime>()
            && let Ok(timestamp) = TimeZone::UTC.to_timestamp(civil)
        {
            return Ok(Self::of(timestamp));
        }
        match duration(text) {
            Ok(before) => Ok(Self(now.0.saturating_sub(before))),
            Err(_no_duration) => bail!(
                "{text:?} is not a time: write 2026-11-28T10:00:00Z, 2026-11-28, \
                 1795457100.5 (seconds since 1970) or 10m (before now)"
            ),
        }
    }

    /// The moment of a timestamp in a document; `None` when it is none.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        text.parse().ok().map(Self::of)
    }

    fn of(timestamp: Timestamp) -> Self {
        Self(i64::try_from(timestamp.as_nanosecond()).unwrap_or(i64::MAX))
    }

    /// This long before.
    #[must_use]
    pub const fn before(self, ns: i64) -> Self {
        Self(self.0.saturating_sub(ns))
    }

    /// This long after.
    #[must_use]
    pub const fn after(self, ns: i64) -> Self {
        Self(self.0.saturating_add(ns))
    }
}

/// A duration that a person wrote, such as `10m` or `1h30m`, in nanoseconds.
///
/// # Errors
/// When it is none, or negative.
pub fn duration(text: &str) -> Result<i64> {
    let no_duration = || anyhow::anyhow!("{text:?} is not a duration: write 10m or 1h30m");
    let span: Span = text.parse().map_err(|_| no_duration())?;
    let duration: SignedDuration =
        span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| no_duration())?;
    let ns = i64::try_from(duration.as_nanos()).map_err(|_| no_duration())?;
    if ns < 0 {
        return Err(no_duration());
    }
    Ok(ns)
}

/// Seconds since 1970, with a fraction or without; `None` when it is no number.
fn seconds(text: &str) -> Option<Result<Time>> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_number(whole) || !is_number(fraction) {
        return None;
    }
    let nanoseconds: i128 = format!("{fraction:0<9}")[..9].parse().ok()?;
    let ns = whole.parse::<i128>().ok()?.checked_mul(SECOND_NS)?.checked_add(nanoseconds)?;
    Some(i64::try_from(ns).map(Time).map_err(|_| anyhow::anyhow!("{text} is beyond the year 2262")))
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let timestamp = Timestamp::from_nanosecond(self.0.into()).unwrap_or_default();
        write!(f, "{timestamp:.9}")
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time(1_795_457_100_000_000_007);

    fn parse(text: &str) -> String {
        Time::parse(text, NOW).map_or_else(|error| error.to_string(), |time| time.to_string())
    }

    #[test]
    fn every_way_to_say_when() {
        for (text, time) in [
            ("now", "2026-11-23T18:05:00.000000007Z"),
            ("2026-11-23T18:05:00.000000007Z", "2026-11-23T18:05:00.000000007Z"),
            ("2026-11-23T20:05:00+02:00", "2026-11-23T18:05:00.000000000Z"),
            ("2026-11-23", "2026-11-23T00:00:00.000000000Z"),
            ("2026-11-23 18:05", "2026-11-23T18:05:00.000000000Z"),
            ("1795457100", "2026-11-23T18:05:00.000000000Z"),
            ("1795457100.5", "2026-11-23T18:05:00.500000000Z"),
            ("1795457100.1234567891", "2026-11-23T18:05:00.123456789Z"),
            ("10m", "2026-11-23T17:55:00.000000007Z"),
            ("1h30m", "2026-11-23T16:35:00.000000007Z"),
            ("2d", "2026-11-21T18:05:00.000000007Z"),
        ] {
            assert_eq!(parse(text), time, "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_named() {
        for text in ["", "yesterday", "10", "2026-13-01", "-5m", "10x", "1.2.3"] {
            let said = parse(text);
            assert!(text == "10" || said.contains("is not a time"), "{text}: {said}");
        }
        assert!(parse("99999999999999999999").contains("2262"));
    }

    #[test]
    fn durations() {
        assert_eq!(duration("1h30m").unwrap(), 5_400_000_000_000);
        assert_eq!(duration("1d").unwrap(), 86_400_000_000_000);
        for text in ["", "5", "-5m", "soon"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
