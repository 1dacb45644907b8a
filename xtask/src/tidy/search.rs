//! What rules look at, and how they find lines in it.

use super::{File, Finding};

/// Whether a file is of tests alone.
pub fn is_test(path: &str) -> bool {
    path.contains("/tests/") || path.ends_with("/tests.rs")
}

/// The Rust files.
pub fn rust(files: &[File]) -> impl Iterator<Item = &File> {
    files.iter().filter(|file| file.path.ends_with(".rs"))
}

/// One finding, its message yet to be given, per line that matches.
pub fn findings<'a>(
    file: &'a File,
    matches: impl Fn(&str) -> bool + 'a,
) -> impl Iterator<Item = Finding> + 'a {
    file.text.lines().enumerate().filter(move |(_, line)| matches(line)).map(|(at, _)| Finding {
        path: file.path.clone(),
        line: Some(at + 1),
        message: String::new(),
    })
}

/// The line of a place in a text.
pub fn line_at(text: &str, at: usize) -> usize {
    1 + text.get(..at).unwrap_or_default().matches('\n').count()
}
