//! An archive in the form the kernel unpacks as its first root: "newc" cpio,
//! described in the kernel's Documentation/driver-api/early-userspace/buffer-format.rst.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result};

const DIRECTORY: u32 = 0o040_755;
const FILE: u32 = 0o100_000;
const LINK: u32 = 0o120_777;

/// An archive that is being written. Directories of what is put into it are
/// made by themselves.
pub struct Archive<W: Write> {
    out: W,
    written: usize,
    inode: u32,
    directories: BTreeSet<String>,
}

impl Archive<BufWriter<File>> {
    /// Begins an archive in a new file.
    pub fn create(path: &Path) -> Result<Self> {
        let file =
            File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Self::to(BufWriter::new(file)))
    }
}

impl<W: Write> Archive<W> {
    fn to(out: W) -> Self {
        Self { out, written: 0, inode: 0, directories: BTreeSet::new() }
    }

    /// Adds a directory, and those it is in.
    pub fn directory(&mut self, path: &str) -> Result<()> {
        let path = path.trim_matches('/');
        if path.is_empty() || self.directories.contains(path) {
            return Ok(());
        }
        if let Some((parent, _)) = path.rsplit_once('/') {
            self.directory(parent)?;
        }
        self.directories.insert(path.to_owned());
        self.entry(path, DIRECTORY, b"")
    }

    /// Adds a file of this machine, with its permissions.
    pub fn copy(&mut self, from: &Path, to: &str) -> Result<()> {
        let context = || format!("cannot read {}", from.display());
        let mode = from.metadata().with_context(context)?.permissions().mode() & 0o777;
        let bytes = fs::read(from).with_context(context)?;
        self.file(to, mode, &bytes)
    }

    /// Adds a file.
    pub fn file(&mut self, path: &str, mode: u32, bytes: &[u8]) -> Result<()> {
        self.in_its_directory(path, FILE | mode, bytes)
    }

    /// Adds a symbolic link.
    pub fn link(&mut self, path: &str, target: &str) -> Result<()> {
        self.in_its_directory(path, LINK, target.as_bytes())
    }

    /// Ends the archive.
    pub fn finish(mut self) -> Result<()> {
        self.inode = 0;
        self.entry("TRAILER!!!", 0, b"")?;
        self.out.flush().context("cannot write the archive")
    }

    fn in_its_directory(&mut self, path: &str, mode: u32, bytes: &[u8]) -> Result<()> {
        let path = path.trim_start_matches('/');
        if let Some((directory, _)) = path.rsplit_once('/') {
            self.directory(directory)?;
        }
        self.entry(path, mode, bytes)
    }

    fn entry(&mut self, path: &str, mode: u32, bytes: &[u8]) -> Result<()> {
        let size = u32::try_from(bytes.len()).with_context(|| format!("{path} is too large"))?;
        let name = u32::try_from(path.len() + 1)?;
        self.inode += 1;
        // inode, mode, uid, gid, links, mtime, size, dev, dev, rdev, rdev, name, checksum
        let fields = [self.inode, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, name, 0];
        let mut header = String::from("070701");
        for field in fields {
            header.push_str(&format!("{field:08x}"));
        }
        self.put(header.as_bytes())?;
        self.put(path.as_bytes())?;
        self.put(b"\0")?;
        self.align()?;
        self.put(bytes)?;
        self.align()
    }

    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.written += bytes.len();
        self.out.write_all(bytes).context("cannot write the archive")
    }

    fn align(&mut self) -> Result<()> {
        let missing = self.written.next_multiple_of(4) - self.written;
        self.put(&[0; 3][..missing])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_aligned_and_have_their_directories() {
        let mut bytes = Vec::new();
        let mut archive = Archive::to(&mut bytes);
        archive.file("/a/b/name", 0o644, b"hello").expect("memory");
        archive.link("a/link", "b/name").expect("memory");
        archive.finish().expect("memory");
        let headers: Vec<usize> =
            (0..bytes.len()).filter(|at| bytes[*at..].starts_with(b"070701")).collect();
        let names: Vec<&[u8]> = headers
            .iter()
            .map(|at| bytes[at + 110..].split(|byte| *byte == 0).next().expect("a name"))
            .collect();
        let expected: [&[u8]; 5] = [b"a", b"a/b", b"a/b/name", b"a/link", b"TRAILER!!!"];
        assert_eq!(names, expected);
        assert!(headers.iter().all(|at| at % 4 == 0), "{headers:?}");
    }
}
