//! Reads rules from files, and nothing that could keep it.

use std::{
    fs::{self, File},
    io::{self, Read},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{
    Rules,
    cost::{MOST_BYTES, MOST_RULES},
};
use crate::event::RuleFault;
use crate::text::text;

/// A rule as it was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleText {
    /// The file.
    pub file: String,
    /// What is in it.
    pub text: String,
}

/// Reads every `*.yml` and `*.yaml` directly in these directories, in the order of
/// their names, and those of the paths that are files; and what could not be read.
#[must_use]
pub fn read(paths: &[PathBuf]) -> (Vec<RuleText>, Vec<RuleFault>) {
    let mut faults = Vec::new();
    let mut files = Vec::new();
    for path in paths {
        match rule_files(path) {
            Ok(found) => files.extend(found),
            Err(error) => faults.push(unreadable(path, &error)),
        }
    }
    if let Some(beyond) = files.get(MOST_RULES) {
        let reason = format!(
            "there are {} rules and {MOST_RULES} are judged at most: this one and those after it \
             are not; remove some",
            files.len()
        );
        faults.push(RuleFault { file: name(beyond), line: None, reason });
        files.truncate(MOST_RULES);
    }
    let mut texts = Vec::new();
    for file in files {
        match read_one(&file) {
            Ok(text) => texts.push(RuleText { file: name(&file), text }),
            Err(error) => faults.push(unreadable(&file, &error)),
        }
    }
    (texts, faults)
}

impl Rules {
    /// Reads the rules of a directory, or of one file: those that are good, and what
    /// is wrong with the others.
    #[must_use]
    pub fn load(path: &Path) -> (Self, Vec<RuleFault>) {
        let (texts, mut faults) = read(&[path.to_owned()]);
        let (rules, wrong) = Self::parse(&texts);
        faults.extend(wrong);
        (rules, faults)
    }
}

fn rule_files(path: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            return Ok(vec![path.to_owned()]);
        }
        Err(error) => return Err(error),
    };
    let is_rule = |path: &PathBuf| {
        path.extension().is_some_and(|extension| extension == "yml" || extension == "yaml")
    };
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .filter(|path| path.as_ref().map_or(true, is_rule))
        .collect::<io::Result<_>>()?;
    files.sort_unstable();
    Ok(files)
}

/// At most so many bytes, of a regular file: a pipe would never end.
fn read_one(path: &Path) -> io::Result<String> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(MOST_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > MOST_BYTES {
        let most = MOST_BYTES >> 10;
        return Err(io::Error::other(format!("it has more than {most} KiB: give it fewer values")));
    }
    let is_utf_16 = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
    String::from_utf8(bytes).map_err(|_not_utf_8| {
        io::Error::other(if is_utf_16 {
            "it is not UTF-8: it begins with the byte order mark of UTF-16; save it as UTF-8"
        } else {
            "it is not UTF-8"
        })
    })
}

fn unreadable(path: &Path, error: &io::Error) -> RuleFault {
    RuleFault { file: name(path), line: None, reason: format!("cannot be read: {error}") }
}

fn name(path: &Path) -> String {
    text(path.as_os_str().as_bytes()).readable
}
