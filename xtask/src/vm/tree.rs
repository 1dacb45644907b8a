//! The files of a VM, described before they are written: as the kernel's first
//! root, or as a disk.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::cpio::Archive;
use crate::shell;

/// Files by their absolute path in the VM.
#[derive(Clone, Default)]
pub struct Tree(BTreeMap<String, Entry>);

#[derive(Clone)]
enum Entry {
    Directory,
    Copy(PathBuf),
    Text(Vec<u8>),
    Link(String),
}

impl Tree {
    /// An empty directory.
    pub fn directory(&mut self, path: &str) {
        self.0.insert(path.to_owned(), Entry::Directory);
    }

    /// A file of this machine.
    pub fn copy(&mut self, from: &Path, to: &str) {
        self.0.insert(to.to_owned(), Entry::Copy(from.to_owned()));
    }

    /// A file with this content.
    pub fn file(&mut self, path: &str, content: impl Into<Vec<u8>>) {
        self.0.insert(path.to_owned(), Entry::Text(content.into()));
    }

    /// A symbolic link.
    pub fn link(&mut self, path: &str, target: &str) {
        self.0.insert(path.to_owned(), Entry::Link(target.to_owned()));
    }

    /// A program of this machine in `/bin`, and the shared libraries it needs.
    pub fn program(&mut self, name: &str) -> Result<()> {
        let path = shell::find_program(name).with_context(|| format!("{name} is not installed"))?;
        let path = fs::canonicalize(path)?;
        self.copy(&path, &format!("/bin/{name}"));
        // A static program is no error, it has no libraries.
        let told = shell::command("ldd").arg(&path).output().context("ldd cannot be started")?;
        let told = String::from_utf8(told.stdout)?;
        for library in told.split_whitespace().filter(|word| word.starts_with('/')) {
            self.copy(&fs::canonicalize(library)?, library);
        }
        Ok(())
    }

    /// Writes an archive that the kernel unpacks as its first root.
    pub fn write_archive(&self, path: &Path) -> Result<()> {
        let mut archive = Archive::create(path)?;
        for (path, entry) in &self.0 {
            match entry {
                Entry::Directory => archive.directory(path)?,
                Entry::Copy(from) => archive.copy(from, path)?,
                Entry::Text(content) => archive.file(path, 0o644, content)?,
                Entry::Link(target) => archive.link(path, target)?,
            }
        }
        archive.finish()
    }

    /// Writes an ext4 file system of this size to a file.
    pub fn write_disk(&self, path: &Path, megabytes: u32) -> Result<()> {
        let root = path.with_extension("root");
        let _ = fs::remove_dir_all(&root);
        self.write_directory(&root)
            .with_context(|| format!("cannot prepare {}", root.display()))?;
        let _ = fs::remove_file(path);
        shell::run(
            shell::command("mke2fs")
                .args(["-q", "-t", "ext4", "-E", "root_owner=0:0", "-d"])
                .arg(&root)
                .arg(path)
                .arg(format!("{megabytes}M")),
        )?;
        fs::remove_dir_all(&root)?;
        Ok(())
    }

    fn write_directory(&self, root: &Path) -> Result<()> {
        for (path, entry) in &self.0 {
            let target = root.join(path.trim_start_matches('/'));
            if let Some(parent) = target.parent() {
                fs::create_dir_all(parent)?;
            }
            match entry {
                Entry::Directory => fs::create_dir_all(&target)?,
                Entry::Copy(from) => drop(fs::copy(from, &target)?),
                Entry::Link(to) => symlink(to, &target)?,
                Entry::Text(content) => {
                    fs::write(&target, content)?;
                    fs::set_permissions(&target, fs::Permissions::from_mode(0o644))?;
                }
            }
        }
        Ok(())
    }
}
