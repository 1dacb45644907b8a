//! Names of actions are written in one table alone.

use super::{
    File, Finding,
    search::{findings, is_test, rust},
};

/// The table.
const TABLE: &str = "hostnet-user/src/event/action.rs";

/// Where the tests of a file begin.
const TESTS: &str = "#[cfg(test)]\nmod tests {";

/// Actions whose names are also something else in ECS: an `event.type`, the source of a
/// process' start, a part of a field's name.
const AMBIGUOUS: [&str; 3] = ["end", "exec", "finding"];

/// What is written twice differs one day.
pub fn check(files: &[File]) -> Vec<Finding> {
    let Some(table) = files.iter().find(|file| file.path == TABLE) else { return Vec::new() };
    let names: Vec<&str> = table.text.lines().filter_map(name).collect();
    let in_agent = |file: &&File| {
        file.path.starts_with("hostnet-user/src/") && file.path != TABLE && !is_test(&file.path)
    };
    let found = rust(files).filter(in_agent).flat_map(|file| {
        let until = file.text.find(TESTS).unwrap_or(file.text.len());
        let lines = file.text.get(..until).unwrap_or_default().lines().count();
        let written = findings(file, |line| names.iter().any(|name| has(line, name)));
        written.filter(move |finding| finding.line.is_none_or(|line| line <= lines))
    });
    found
        .map(|finding| Finding {
            message: format!("only {TABLE} writes the name of an action; use Action::name"),
            ..finding
        })
        .collect()
}

/// The name in a row of the table.
fn name(line: &str) -> Option<&str> {
    let (variant, rest) = line.strip_prefix("    ")?.split_once(" = \"")?;
    let is_variant = variant.starts_with(|c: char| c.is_ascii_uppercase())
        && variant.chars().all(|c| c.is_ascii_alphanumeric());
    rest.split_once('"').map(|(name, _)| name).filter(|_| is_variant)
}

/// Whether code has the name as a literal, or as one of SQL.
fn has(line: &str, name: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    code.contains(&format!("'{name}'"))
        || !AMBIGUOUS.contains(&name) && code.contains(&format!("\"{name}\""))
}
