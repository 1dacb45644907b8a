//! Where a history lies: a directory that only its owner may enter, files that
//! only its owner may read, never through a symbolic link; one agent at a time.
//!
//! The file that is locked says which process and which run has it. Its time of
//! modification says until when that run's history is complete (mark.rs): a row for that
//! would be written every second on a host where nothing happens.

use std::{
    fs::{DirBuilder, File, OpenOptions, Permissions},
    io::{Read, Seek, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use rustix::fs::{FlockOperation, flock};

use super::{
    files::{COMPANIONS, LOCK, with_suffix},
    mark,
};

/// A place that is ours until it is dropped.
pub struct Place {
    /// The database, its directory without symbolic links.
    pub path: PathBuf,
    lock: File,
}

impl Place {
    /// Makes the directory if need be, and takes the place for a run.
    ///
    /// # Errors
    /// [`InUse`] when another agent has it; else when it cannot be made.
    pub fn take(path: &Path, run: &str) -> Result<Self> {
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let (directory, name) = directory
            .zip(path.file_name())
            .with_context(|| format!("{} does not name a file in a directory", path.display()))?;
        if !directory.exists() {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(directory)
                .with_context(|| format!("cannot make the directory {}", directory.display()))?;
        }
        // A service manager may make the directory a link; its owner may, so may we.
        let directory = directory
            .canonicalize()
            .with_context(|| format!("cannot find the directory {}", directory.display()))?;
        let path = directory.join(name);
        let lock_path = with_suffix(&path, LOCK);
        let mut lock = private(OpenOptions::new().read(true).write(true).create(true), &lock_path)?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            let mut holder = String::new();
            drop(lock.read_to_string(&mut holder));
            let holder = holder.split_whitespace().next().unwrap_or_default().to_owned();
            return Err(InUse { path, holder }.into());
        }
        // For the message above and for marks; the agent itself depends on neither.
        drop(lock.set_len(0).and_then(|()| lock.rewind()));
        drop(write!(lock, "{} {run}", std::process::id()));
        // Nothing is complete yet.
        mark::set(&lock, 0);
        Ok(Self { path, lock })
    }

    /// Notes until when, in nanoseconds since 1970, the history says all there is to say.
    pub fn mark(&self, until_ns: u64) {
        mark::set(&self.lock, until_ns);
    }

    /// Makes the database's file if it is not there, with mode 0600, which SQLite
    /// then gives to what it keeps beside it.
    ///
    /// # Errors
    /// When it cannot be opened, or is not a file.
    pub fn prepare(&self) -> Result<()> {
        let file = private(OpenOptions::new().read(true).write(true).create(true), &self.path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            bail!("{} is not a file", self.path.display());
        }
        if metadata.permissions().mode() & 0o077 != 0 {
            file.set_permissions(Permissions::from_mode(0o600)).with_context(|| {
                format!("cannot keep others from reading {}", self.path.display())
            })?;
        }
        Ok(())
    }

    /// Which file is there now; `None` when none is.
    #[must_use]
    pub fn identity(&self) -> Option<(u64, u64)> {
        self.path.symlink_metadata().ok().map(|metadata| (metadata.dev(), metadata.ino()))
    }

    /// Puts a database that cannot be used aside, for a person to look at.
    ///
    /// # Errors
    /// When it cannot be renamed.
    pub fn set_aside(&self, now_s: u64) -> Result<PathBuf> {
        let aside = with_suffix(&self.path, &format!(".corrupt-{now_s}"));
        // The companions first: whatever happens, none meets another database.
        for companion in COMPANIONS {
            let from = with_suffix(&self.path, companion);
            if from.exists() {
                std::fs::rename(&from, with_suffix(&aside, companion))
                    .with_context(|| format!("cannot rename {}", from.display()))?;
            }
        }
        if self.path.exists() {
            std::fs::rename(&self.path, &aside)
                .with_context(|| format!("cannot rename {}", self.path.display()))?;
        }
        Ok(aside)
    }

    /// Removes what SQLite kept beside a database that is gone.
    pub fn clear_companions(&self) {
        if self.identity().is_none() {
            for companion in COMPANIONS {
                drop(std::fs::remove_file(with_suffix(&self.path, companion)));
            }
        }
    }
}

/// Another agent writes this history.
#[derive(Debug)]
pub struct InUse {
    path: PathBuf,
    holder: String,
}

impl std::fmt::Display for InUse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let holder = if self.holder.is_empty() { "unknown" } else { &self.holder };
        write!(
            f,
            "the history {} is written by another agent (pid {holder}): stop that one, or give \
             this one another history.path",
            self.path.display()
        )
    }
}

impl std::error::Error for InUse {}

fn private(options: &mut OpenOptions, path: &Path) -> Result<File> {
    options
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC | libc::O_NONBLOCK)
        .open(path)
        .with_context(|| format!("cannot open {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_private_and_taken_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("made").join("history.db");
        let place = Place::take(&path, "run-1").unwrap();
        place.prepare().unwrap();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(path.parent().unwrap()), mode(&place.path)), (0o700, 0o600));
        let error = Place::take(&path, "run-1").err().unwrap();
        let own = format!("pid {}", std::process::id());
        assert!(error.is::<InUse>() && error.to_string().contains(&own), "{error:#}");
        drop(place);
        Place::take(&path, "run-1").unwrap();
    }

    #[test]
    fn a_link_is_not_followed_and_a_wide_mode_is_narrowed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("history.db");
        std::os::unix::fs::symlink("/etc/passwd", &path).unwrap();
        let place = Place::take(&path, "run-1").unwrap();
        assert!(place.prepare().is_err());
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "").unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        place.prepare().unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}
