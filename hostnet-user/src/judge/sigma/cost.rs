//! What a rule may cost. A pattern with wildcards takes at most its length times that
//! of the text, a regular expression its size (the `regex` crate never goes back), so
//! bounds on both and on their number bound the time of an event.

use regex::RegexBuilder;

/// Bytes of a rule's file.
pub const MOST_BYTES: usize = 64 << 10;

/// Rules in a directory.
pub const MOST_RULES: usize = 512;

/// Values that a rule compares with.
pub const MOST_VALUES: usize = 1024;

/// Bytes of one such value.
pub const LONGEST_VALUE: usize = 512;

/// Bytes of a condition, and parentheses and negations in it: it is read by recursion.
pub const LONGEST_CONDITION: usize = 1024;
/// See [`LONGEST_CONDITION`].
pub const DEEPEST_CONDITION: usize = 64;

/// Bytes that a regular expression may become.
const LARGEST_REGEX: usize = 128 << 10;

/// Why this regular expression is not taken, in one line.
pub fn regex_fault(expression: &str) -> Option<String> {
    let error = RegexBuilder::new(expression).size_limit(LARGEST_REGEX).build().err()?;
    Some(match error {
        regex::Error::CompiledTooBig(most) => format!(
            "this regular expression becomes more than {} KiB: repeat less often",
            most >> 10
        ),
        // The last line says what; those before it draw an arrow to it.
        error => {
            let text = error.to_string();
            let last = text.lines().last().unwrap_or_default().trim();
            format!("no regular expression: {}", last.trim_start_matches("error: "))
        }
    })
}
