//! Lines in a file that only its owner may read.
//!
//! The file is appended to and never followed through a symbolic link. It may be
//! renamed (with or without a SIGHUP), removed, or copied and truncated at any
//! time: what is written next is in the file that has the name then. Lines that
//! `copytruncate` cuts off between its copy and its cut are nobody's to find.

use std::{
    fs::{self, OpenOptions},
    io::{ErrorKind, Read, Seek, SeekFrom, Write},
    os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use anyhow::{Context, anyhow, bail};
use serde::{Deserialize, Serialize};

use super::{Message, Outcome, Sink, SinkConfig};

/// `[[sink]]` with `type = "file"`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The file.
    pub path: PathBuf,
}

impl SinkConfig for Settings {
    fn name(&self) -> String {
        format!("file:{}", self.path.display())
    }

    fn check(&self) -> anyhow::Result<()> {
        if self.path.as_os_str().is_empty() {
            bail!("sink.path is {:?}: it must name a file", self.path);
        }
        Ok(())
    }

    fn open(&self) -> anyhow::Result<Box<dyn Sink>> {
        Ok(Box::new(File::open(&self.path)?))
    }
}

/// One message per line in a file.
#[derive(Debug)]
pub struct File {
    path: PathBuf,
    file: fs::File,
    lines: Vec<u8>,
    /// The file ends inside a line, which nobody will end.
    is_torn: bool,
}

impl File {
    /// Opens the file, making it if need be.
    ///
    /// # Errors
    /// When it cannot be opened for appending.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let (file, is_torn) = append(path)?;
        Ok(Self { path: path.to_owned(), file, lines: Vec::new(), is_torn })
    }

    /// Opens the name anew unless it is still this file's.
    fn follow(&mut self) -> anyhow::Result<()> {
        let own = self.file.metadata()?;
        let named = self.path.symlink_metadata();
        if named.is_ok_and(|named| (named.dev(), named.ino()) == (own.dev(), own.ino())) {
            return Ok(());
        }
        self.reopen()
    }

    fn append(&mut self, messages: &[Message<'_>]) -> anyhow::Result<()> {
        self.follow()?;
        // A file that is removed while it is written takes with it what was written.
        loop {
            self.lines.clear();
            if self.is_torn {
                self.lines.push(b'\n');
            }
            for message in messages {
                self.lines.extend_from_slice(message.body);
                self.lines.push(b'\n');
            }
            self.write()
                .map_err(|error| anyhow!("cannot write to {}: {error}", self.path.display()))?;
            let is_removed =
                self.file.metadata().is_ok_and(|own| own.is_file() && own.nlink() == 0);
            if !is_removed {
                return Ok(());
            }
            self.reopen()?;
        }
    }

    fn write(&mut self) -> std::io::Result<()> {
        let mut written = 0;
        while let Some(rest) = self.lines.get(written..).filter(|rest| !rest.is_empty()) {
            match self.file.write(rest) {
                Ok(count) => written += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    self.cut(written);
                    return Err(error);
                }
            }
        }
        self.is_torn = false;
        Ok(())
    }

    /// Takes back what was written of lines that are all to be written again.
    fn cut(&mut self, written: usize) {
        let taken_back = self.file.metadata().is_ok_and(|metadata| {
            let before = metadata.len().checked_sub(written as u64);
            metadata.is_file() && before.is_some_and(|before| self.file.set_len(before).is_ok())
        });
        self.is_torn |= written > 0 && !taken_back;
    }
}

impl Sink for File {
    fn deliver(&mut self, messages: &[Message<'_>]) -> Outcome {
        match self.append(messages) {
            Ok(()) => Outcome::taken(messages.len()),
            Err(error) => Outcome::again(format!("{error:#}")),
        }
    }

    fn reopen(&mut self) -> anyhow::Result<()> {
        (self.file, self.is_torn) = append(&self.path)?;
        Ok(())
    }
}

/// Opens for appending; says whether the file ends inside a line, as it does
/// where a process was killed or a disk was full.
fn append(path: &Path) -> anyhow::Result<(fs::File, bool)> {
    let mut options = OpenOptions::new();
    options
        .append(true)
        .create(true)
        .mode(0o600)
        // Opening a pipe would wait for its reader.
        .custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC | libc::O_NONBLOCK);
    let file = options
        .open(path)
        .with_context(|| format!("cannot open {} for writing: {}", path.display(), hint(path)))?;
    Ok((file, is_torn(path)))
}

fn is_torn(path: &Path) -> bool {
    let last = || {
        if !path.symlink_metadata()?.is_file() {
            return Ok(b'\n');
        }
        let mut file = fs::File::open(path)?;
        let mut last = [b'\n'];
        if file.seek(SeekFrom::End(0))? > 0 {
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
        }
        Ok::<u8, std::io::Error>(last[0])
    };
    last().is_ok_and(|last| last != b'\n')
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
