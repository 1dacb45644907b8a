//! docs/security-model.md names tests: what it says is shown has to be.

use super::{File, Finding};

const PAGE: &str = "docs/security-model.md";

/// Each row of a table ends with the tests that show it, and each of them is there.
pub fn check(files: &[File]) -> Vec<Finding> {
    let Some(page) = files.iter().find(|file| file.path == PAGE) else {
        let message = "is missing".to_owned();
        return vec![Finding { path: PAGE.into(), line: None, message }];
    };
    let mut found = Vec::new();
    for (at, line) in page.text.lines().enumerate() {
        let mut say = |message: String| {
            found.push(Finding { path: PAGE.into(), line: Some(at + 1), message });
        };
        let Some(row) = line.strip_prefix("| ").and_then(|line| line.strip_suffix(" |")) else {
            continue;
        };
        let tests = row.rsplit(" | ").next().unwrap_or_default();
        // The heads of tables.
        if tests == "shown by" {
            continue;
        }
        let mut is_empty = true;
        for name in tests.split('`').skip(1).step_by(2) {
            is_empty = false;
            if !files.iter().any(|file| has(file, name)) {
                say(format!("there is no test {name}"));
            }
        }
        if is_empty {
            say("names no test that shows it".to_owned());
        }
    }
    found
}

/// Whether a file has this test; `file::test` means one of that file or folder.
fn has(file: &File, name: &str) -> bool {
    let (place, function) = name.rsplit_once("::").unwrap_or(("", name));
    let is_there = place.is_empty()
        || file.path.ends_with(&format!("/{place}.rs"))
        || file.path.contains(&format!("/{place}/"));
    let begin = format!("fn {function}(");
    is_there
        && file.path.ends_with(".rs")
        && file.text.match_indices(&begin).any(|(at, _)| {
            let before = file.text.get(..at).unwrap_or_default();
            let mut above = before.lines().rev().map(str::trim).skip_while(|line| line.is_empty());
            above.next().is_some_and(|line| line == "#[test]")
        })
}
