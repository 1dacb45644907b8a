//! `cargo xtask tidy`: what must hold of the tree and no compiler checks.

use std::fmt;
use std::fs;

use anyhow::{Context, Result, bail};

use crate::{docs, shell};

mod actions;
mod imports;
mod rules;
mod search;
mod shown_by;
#[cfg(test)]
mod tests;

pub use rules::RULES;

/// Holds samples of what the rules forbid.
const SAMPLES: &str = "xtask/src/tidy/tests.rs";

/// One file that git tracks or would track.
pub struct File {
    pub path: String,
    /// What of the file is UTF-8; the rest is left out.
    pub text: String,
}

pub struct Finding {
    pub path: String,
    pub line: Option<usize>,
    pub message: String,
}

/// A rule looks at the whole tree: some are about how files stand to each other.
pub struct Rule {
    pub name: &'static str,
    pub check: fn(&[File]) -> Vec<Finding>,
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(out, "{}:{line}: {}", self.path, self.message),
            None => write!(out, "{}: {}", self.path, self.message),
        }
    }
}

pub fn perform() -> Result<()> {
    let files = files()?;
    let mut count = 0;
    for rule in RULES {
        for finding in (rule.check)(&files) {
            eprintln!("{finding} [{}]", rule.name);
            count += 1;
        }
    }
    for path in docs::generate(true)? {
        eprintln!("{path}: differs from what the code says; run cargo xtask docs [docs]");
        count += 1;
    }
    if count > 0 {
        bail!("tidy: {count} findings");
    }
    eprintln!("tidy: {} files, {} rules, nothing found", files.len(), RULES.len() + 1);
    Ok(())
}

/// New files count before they are committed: that is when a finding helps.
fn files() -> Result<Vec<File>> {
    let mut git = shell::command("git");
    git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let root = shell::root();
    let mut files = Vec::new();
    for path in shell::capture(&mut git)?.split('\0').filter(|path| !path.is_empty()) {
        let file = root.join(path);
        if path == SAMPLES || !file.is_file() {
            continue;
        }
        let bytes = fs::read(&file).with_context(|| format!("{path} could not be read"))?;
        let text = bytes.utf8_chunks().map(|chunk| chunk.valid()).collect();
        files.push(File { path: path.to_owned(), text });
    }
    Ok(files)
}
