//! Text and numbers as a page shows them. Names are somebody's who may want to be
//! read as something else: what would not be seen is spelt out, what is too long is
//! cut, and no text reorders what is around it. The rest is maud's: it escapes.

use std::borrow::Cow;

use maud::{Markup, html};

use crate::{event::Severity, query::Time, text::for_terminal};

/// Characters of a text that are shown.
const MOST: usize = 160;

/// Of a sentence, or a command.
const MOST_OF_LONG: usize = 400;

/// `text` as an element's content.
pub fn text(text: &str) -> Markup {
    html! { bdi { (cut(text, MOST)) } }
}

/// A longer one.
pub fn long(text: &str) -> Markup {
    html! { bdi { (cut(text, MOST_OF_LONG)) } }
}

/// What may not be there.
pub fn optional(value: Option<&str>) -> Markup {
    html! { @match value { Some(value) => (text(value)), None => span.dim { "–" } } }
}

/// `text` in at most `most` characters, all of them visible.
pub fn cut(text: &str, most: usize) -> Cow<'_, str> {
    // Whoever chose it chose its length, too.
    let end = text.char_indices().nth(most).map_or(text.len(), |(at, _)| at);
    let shown = for_terminal(&text[..end]);
    match text.len() - end {
        0 => shown,
        rest => format!("{shown}… ({rest} more bytes)").into(),
    }
}

/// A process: its name and its id on the host.
pub fn process(name: Option<&str>, pid: Option<u32>) -> Markup {
    html! {
        span.nb.m {
            @match name { Some(name) => (cut(name, 40)), None => span.dim { "–" } }
            @if let Some(pid) = pid { span.dim { "[" (pid) "]" } }
        }
    }
}

/// A moment, to the millisecond; all of it when it is pointed at.
pub fn time(time: Time) -> Markup {
    let whole = time.to_string();
    let shown = whole.get(..23).unwrap_or(&whole).replace('T', " ");
    html! { time datetime=(whole) title=(whole) { (shown) } }
}

/// A moment that may not be there.
pub fn maybe_time(value: Option<Time>) -> Markup {
    html! { @match value { Some(value) => (time(value)), None => span.dim { "–" } } }
}

/// How long, roughly.
pub fn lasted(from: Time, to: Time) -> String {
    let seconds = (to.0 - from.0).max(0) / 1_000_000_000;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, ..) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

/// A number with its thousands apart.
pub fn number(number: u64) -> String {
    let digits = number.to_string();
    let first = digits.len() % 3;
    let mut shown = digits[..first].to_owned();
    for (at, digit) in digits.chars().skip(first).enumerate() {
        if at % 3 == 0 && !shown.is_empty() {
            shown.push('\u{202f}');
        }
        shown.push(digit);
    }
    shown
}

/// `number` of something.
pub fn count(number_of: u64, one: &str, many: &str) -> String {
    format!("{} {}", number(number_of), if number_of == 1 { one } else { many })
}

/// Bytes, as a person says it.
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = UNITS[0];
    for larger in &UNITS[1..] {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = larger;
    }
    format!("{value:.1} {unit}")
}

/// A severity in its colour.
pub fn severity(severity: Severity) -> Markup {
    html! { span class={ "badge " (severity.name()) } { (severity.name()) } }
}

/// How many are not on the page, and how they are found.
pub fn more(rest: usize, what: &str, how: &str) -> Markup {
    html! {
        @if rest > 0 {
            p.more { (number(rest as u64)) " more " (what) " are not on this page: " code { (how) } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_seen_is_spelt_out_and_what_is_long_is_cut() {
        assert_eq!(text("<b>\u{202e}\n").into_string(), "<bdi>&lt;b&gt;\\u{202e}\\n</bdi>");
        let long = "é".repeat(MOST + 1);
        assert_eq!(cut(&long, MOST), format!("{}… (2 more bytes)", "é".repeat(MOST)));
        assert_eq!(cut("short", MOST), "short");
    }

    #[test]
    fn numbers_are_read_at_a_glance() {
        let thin = '\u{202f}';
        assert_eq!(number(0), "0");
        assert_eq!(number(999), "999");
        assert_eq!(number(1_234_567), format!("1{thin}234{thin}567"));
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(3 << 20), "3.0 MiB");
        assert_eq!(lasted(Time(0), Time(3_700_000_000_000)), "1 h 1 min");
        assert_eq!(count(1, "event", "events"), "1 event");
    }
}
