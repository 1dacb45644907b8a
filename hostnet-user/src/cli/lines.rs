//! Lines of several files, one after the other, each of bounded length.

use std::{
    fs::File,
    io::{BufRead, BufReader, Write},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use super::Usage;
use crate::{
    cli::exit_code::Exit,
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

/// Lines that are no event: the first few are named, the rest are counted.
#[derive(Default)]
pub struct BadLines(u64);

impl BadLines {
    /// How many are named.
    pub const NAMED: u64 = 3;

    /// One more; says what is wrong with it on standard error.
    ///
    /// # Errors
    /// When standard error cannot be written.
    pub fn say(&mut self, message: &str) -> Result<()> {
        self.0 += 1;
        if self.0 <= Self::NAMED {
            writeln!(std::io::stderr(), "{}", for_terminal(message))?;
        }
        Ok(())
    }

    /// Says how many were not named; how a command ends that met them.
    ///
    /// # Errors
    /// When standard error cannot be written.
    pub fn finish(&self) -> Result<Exit> {
        if self.0 > Self::NAMED {
            writeln!(std::io::stderr(), "… and {} more", self.0 - Self::NAMED)?;
        }
        Ok(if self.0 == 0 { Exit::Ok } else { Exit::Partial })
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
