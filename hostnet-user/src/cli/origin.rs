//! Who makes a page or a case, with which program, of what: as far as the system says.

use std::{fs::File, io::Read, os::unix::ffi::OsStrExt as _, path::Path};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use crate::{
    query::Time,
    record::{self, Bad, Good, chain::hex},
    report::Origin,
    text::text,
};

/// The origin of what is made now of `source`.
pub fn now(source: &Path) -> Origin {
    Origin {
        source: source.display().to_string(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        // The program that runs, whatever is at its path by now.
        binary: file_hash(Path::new("/proc/self/exe")).ok(),
        command_line: std::env::args_os().map(|arg| text(arg.as_bytes()).readable).collect(),
        operator: operator(),
        made: Some(Time::now()),
        verified: None,
    }
}

/// Whether a history is what the agent wrote: what is good about it, or what is bad.
pub fn verified(history: &Path) -> Result<String, String> {
    match record::verify(history, None, &[]) {
        Ok(Ok(Good { rows, range, checkpoints, key, signed_to, unsigned, .. })) => Ok(format!(
            "{rows} rows ({} to {}) are unchanged since they were written; {checkpoints} checkpoints match{}; \
             {unsigned} rows are not signed",
            range.0,
            range.1,
            key.map(|key| format!(", signed with {key} up to row {signed_to}")).unwrap_or_default()
        )),
        Ok(Err(Bad { row, why, .. })) => Err(format!("row {row} is bad: {why}")),
        Err(error) => Err(format!("it cannot be read: {error}")),
    }
}

/// SHA-256 of a file, in hexadecimal.
///
/// # Errors
/// When it cannot be read.
pub fn file_hash(path: &Path) -> Result<String> {
    let mut file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let (mut digest, mut piece) = (Sha256::new(), vec![0; 1 << 16]);
    loop {
        let length =
            file.read(&mut piece).with_context(|| format!("cannot read {}", path.display()))?;
        if length == 0 {
            return Ok(hex(&digest.finalize()));
        }
        digest.update(&piece[..length]);
    }
}

/// The user who asked: the one who became root, where sudo says so.
fn operator() -> String {
    let uid = rustix::process::getuid().as_raw();
    let name = |variable| std::env::var(variable).ok().filter(|name| !name.is_empty());
    let user = name("USER").or_else(|| name("LOGNAME"));
    let by = user.map(|user| format!(" ({user})")).unwrap_or_default();
    let for_whom = name("SUDO_USER").map(|user| format!(", for {user}")).unwrap_or_default();
    format!("user {uid}{by}{for_whom}")
}
