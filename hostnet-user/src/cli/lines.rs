//! Lines of several files, one after the other, each of bounded length.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use super::Usage;
use crate::{
    past::Lines,
    text::{for_terminal, text},
};

/// Where a line is.
pub struct Place<'a> {
    /// The file, `-` for standard input.
    pub file: &'a Path,
    /// Counted from 1.
    pub line: u64,
}

impl Place<'_> {
    /// The file's name as text.
    pub fn name(&self) -> String {
        text(self.file.as_os_str().as_bytes()).readable
    }
}

impl std::fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", for_terminal(&self.name()), self.line)
    }
}

/// Calls `take` with every line that is not empty, as [`Lines`] has it.
///
/// # Errors
/// When a file cannot be opened or read, or `take` fails.
pub fn each(files: &[PathBuf], mut take: impl FnMut(Place<'_>, &[u8]) -> Result<()>) -> Result<()> {
    for file in files {
        let mut lines = Lines::new(open(file)?);
        loop {
            let line = lines.next_line();
            let line = line.with_context(|| format!("cannot read {}", file.display()))?;
            let Some((line, text)) = line else { break };
            take(Place { file, line }, text)?;
        }
    }
    Ok(())
}

/// Opens a file, `-` for standard input.
///
/// # Errors
/// When it cannot be opened.
pub fn open(file: &Path) -> Result<Box<dyn BufRead>> {
    if file == Path::new("-") {
        return Ok(Box::new(std::io::stdin().lock()));
    }
    let opened = File::open(file)
        .with_context(|| format!("cannot open {}", file.display()))
        .map_err(Usage)?;
    Ok(Box::new(BufReader::with_capacity(1 << 18, opened)))
}
