//! What the files beside a history are called.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

/// How the name of the file that is locked ends.
pub const LOCK: &str = ".lock";

/// How the name of SQLite's log ends.
pub const LOG: &str = "-wal";

/// What SQLite keeps beside a database.
pub const COMPANIONS: [&str; 2] = [LOG, "-shm"];

/// A file beside the database, as SQLite names its own.
pub fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}
