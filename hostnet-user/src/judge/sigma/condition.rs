//! What is wrong with a condition that the crate would take, or would not survive: it
//! reads by recursion and counts characters as bytes.

use super::cost::{DEEPEST_CONDITION, LONGEST_CONDITION};

/// Why it is not judged; `selections` are the names it may use.
pub fn fault(condition: &str, selections: &[&str]) -> Option<String> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || "_-*() \n".contains(c);
    if let Some(c) = condition.chars().find(|c| !is_word(*c)) {
        return Some(format!(
            "its condition has {c:?}: it is made of names, and, or, not, 1 of, all of and parentheses"
        ));
    }
    let is_between = |c: char| c.is_whitespace() || "()".contains(c);
    let words: Vec<&str> = condition.split(is_between).filter(|word| !word.is_empty()).collect();
    let negations = words.iter().filter(|word| word.eq_ignore_ascii_case("not")).count();
    let depth = condition.matches('(').count() + negations;
    if condition.len() > LONGEST_CONDITION || depth > DEEPEST_CONDITION {
        return Some(
            "its condition is too long, or has too many parentheses: split the rule".into(),
        );
    }
    words.windows(2).find_map(|pair| {
        let [of, pattern] = pair else { return None };
        if !of.eq_ignore_ascii_case("of") || pattern.eq_ignore_ascii_case("them") {
            return None;
        }
        let start = pattern.split('*').next().unwrap_or_default();
        let is_there = selections.iter().any(|name| name.starts_with(start));
        (!is_there).then(|| format!("no selection is called `{pattern}`"))
    })
}
