//! Lines of several files, one after the other, each of bounded length.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use crate::{
    cli::Usage,
    text::{for_terminal, text},
};

/// The longest line that is an event of ours; a longer one is none, and is not
/// kept in memory to find that out.
pub const LONGEST_LINE: usize = 1 << 20;

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

/// Calls `take` with every line that is not empty, without its end; a line that is
/// too long is cut off after [`LONGEST_LINE`] and one more byte.
///
/// # Errors
/// When a file cannot be opened or read, or `take` fails.
pub fn each(files: &[PathBuf], mut take: impl FnMut(Place<'_>, &[u8]) -> Result<()>) -> Result<()> {
    let mut line = Vec::new();
    for file in files {
        let mut reader = open(file)?;
        let mut number = 0;
        loop {
            number += 1;
            line.clear();
            let most = LONGEST_LINE as u64 + 2;
            let read = reader.by_ref().take(most).read_until(b'\n', &mut line);
            let read = read.with_context(|| format!("cannot read {}", file.display()))?;
            if read == 0 {
                break;
            }
            if line.last() != Some(&b'\n') && line.len() > LONGEST_LINE {
                reader
                    .skip_until(b'\n')
                    .with_context(|| format!("cannot read {}", file.display()))?;
            }
            let text = line.trim_ascii();
            if !text.is_empty() {
                take(Place { file, line: number }, text)?;
            }
        }
    }
    Ok(())
}

fn open(file: &Path) -> Result<Box<dyn BufRead>> {
    if file == Path::new("-") {
        return Ok(Box::new(std::io::stdin().lock()));
    }
    let opened = File::open(file)
        .with_context(|| format!("cannot open {}", file.display()))
        .map_err(Usage)?;
    Ok(Box::new(BufReader::with_capacity(1 << 18, opened)))
}
