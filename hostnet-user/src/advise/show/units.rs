//! Times, durations and amounts as a person reads them.

use jiff::Timestamp;

/// `3 h 12 min`
pub fn duration(ns: u64) -> String {
    let seconds = ns / 1_000_000_000;
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{:.1} s", ns as f64 / 1e9),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, _, _) => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

/// `2026-11-28 03:12:00 UTC`
pub fn moment(ns: u64) -> String {
    let second = i64::try_from(ns / 1_000_000_000).unwrap_or(i64::MAX);
    let moment = Timestamp::from_second(second).unwrap_or(Timestamp::UNIX_EPOCH);
    moment.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// `12 345`
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// `1.5 MB`
pub fn bytes(number: f64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut value = number;
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 { format!("{value:.0} B") } else { format!("{value:.1} {}", UNITS[unit]) }
}

/// `0.3`, `12`
pub fn rate(number: f64) -> String {
    if number >= 10.0 || number == 0.0 {
        format!("{number:.0}")
    } else if number >= 0.1 {
        format!("{number:.1}")
    } else {
        format!("{number:.3}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_readable() {
        assert_eq!(duration(8_400_000_000), "8.4 s");
        assert_eq!(duration(61_000_000_000), "1 min 1 s");
        assert_eq!(duration(11_520_000_000_000), "3 h 12 min");
        assert_eq!(duration(266_400_000_000_000), "3 d 2 h");
        assert_eq!(moment(1_795_457_100_000_000_000), "2026-11-23 18:05:00 UTC");
        assert_eq!(count(0), "0");
        assert_eq!(count(1_234_567), "1 234 567");
        assert_eq!(bytes(999.0), "999 B");
        assert_eq!(bytes(1_500_000.0), "1.5 MB");
        assert_eq!(
            (rate(0.0), rate(0.04), rate(0.25), rate(12.4)),
            ("0".into(), "0.040".into(), "0.2".into(), "12".into())
        );
    }
}
