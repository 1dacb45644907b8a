//! Lines in a file that only its owner may read.
//!
//! The file is appended to, never followed through a symbolic link, and opened
//! anew on SIGHUP, so that logrotate may rename it.

use std::{
    fs::{File, OpenOptions},
    io::{ErrorKind, Write},
    os::unix::fs::{FileTypeExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use super::Output;
use crate::{format::Lines, record::Recorded};

/// Bytes held back before they are written in one go.
const BATCH: usize = 1 << 16;

/// Most bytes held back while the file cannot be written.
const MOST_HELD: usize = 1 << 23;

/// One event per line in a file.
pub struct FileSink {
    form: Lines,
    path: PathBuf,
    file: File,
    lines: Vec<u8>,
    dropped: u64,
}

impl FileSink {
    /// Opens the file, making it if need be.
    ///
    /// # Errors
    /// When it cannot be opened for appending.
    pub fn open(form: Lines, path: &Path) -> Result<Self> {
        Ok(Self {
            form,
            path: path.to_owned(),
            file: append(path)?,
            lines: Vec::with_capacity(BATCH * 2),
            dropped: 0,
        })
    }
}

impl Output for FileSink {
    fn write(&mut self, record: &Recorded) -> Result<()> {
        if self.lines.len() >= MOST_HELD {
            self.dropped += 1;
            return self.flush();
        }
        self.form.append(record, &mut self.lines)?;
        if self.lines.len() >= BATCH { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        let mut written = 0;
        let outcome = loop {
            match self.file.write(&self.lines[written..]) {
                Ok(count) => written += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
            if written == self.lines.len() {
                break Ok(());
            }
        };
        // What was written is not written again when the rest fails.
        self.lines.drain(..written);
        outcome.with_context(|| format!("cannot write to {}", self.path.display()))
    }

    fn take_dropped(&mut self) -> u64 {
        std::mem::take(&mut self.dropped)
    }

    fn reopen(&mut self) -> Result<()> {
        self.flush()?;
        self.file = append(&self.path)?;
        Ok(())
    }
}

fn append(path: &Path) -> Result<File> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        // Opening a pipe would wait for its reader.
        .custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC | libc::O_NONBLOCK)
        .open(path)
        .with_context(|| format!("cannot open {} for writing: {}", path.display(), hint(path)))
}

/// What to do about a file that cannot be opened.
fn hint(path: &Path) -> &'static str {
    match path.symlink_metadata().map(|metadata| metadata.file_type()) {
        Ok(kind) if kind.is_symlink() => "symbolic links are not followed, name the file itself",
        Ok(kind) if kind.is_dir() => "it is a directory, name a file in it",
        Ok(kind) if kind.is_fifo() => "start the reader of the pipe first",
        Ok(_) => "check its permissions",
        Err(_) => "make its directory, and let the agent write there",
    }
}
