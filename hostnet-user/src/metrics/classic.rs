//! The page for readers older than OpenMetrics: Prometheus' text format 0.0.4.
//!
//! Samples are written alike; a counter's family is named with its `_total` there,
//! units are not told apart, and nothing marks the end.

use std::{collections::HashSet, fmt::Write as _};

/// The OpenMetrics text `page` in the older format.
#[must_use]
pub fn classic(page: &str) -> String {
    let counters: HashSet<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter"))
        .collect();
    let mut text = String::with_capacity(page.len());
    for line in page.lines() {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some(kind @ ("HELP" | "TYPE")), Some(name), Some(rest)) => {
                let total = if counters.contains(name) { "_total" } else { "" };
                // Writing to a string cannot fail.
                let _infallible = writeln!(text, "# {kind} {name}{total} {rest}");
            }
            (Some("#"), ..) => {}
            _ => {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_have_their_full_name() {
        let page = "# HELP a Help of a.\n# TYPE a counter\na_total{b=\"# x\"} 1\n# HELP c Help.\n\
                    # TYPE c gauge\n# UNIT c bytes\nc 2\n# EOF\n";
        let text = "# HELP a_total Help of a.\n# TYPE a_total counter\na_total{b=\"# x\"} 1\n\
                    # HELP c Help.\n# TYPE c gauge\nc 2\n";
        assert_eq!(classic(page), text);
    }
}
