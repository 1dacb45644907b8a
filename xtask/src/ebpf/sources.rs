//! What the committed eBPF object was built from, as one hash.
//!
//! `hostnet-ebpf/tests/provenance.rs` includes this very file, so that the one
//! who writes the hash and the one who checks it cannot disagree about it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

pub const OBJECT: &str = "hostnet-ebpf/dist/hostnet.bpf.o";
pub const PROVENANCE: &str = "hostnet-ebpf/dist/provenance.json";

/// The crates whose code ends up in the object, by the start of their names.
const CRATES: &[&str] = &["aya-ebpf", "aya-log-common", "aya-log-ebpf", "zerocopy"];

/// The hash over the programs' sources, their manifest, and the versions of
/// what they are built with. Names and lengths go in too: moving a line from
/// one file to another is a change.
pub fn sources_sha256(root: &Path) -> io::Result<String> {
    let package = root.join("hostnet-ebpf");
    let mut files = vec![package.join("Cargo.toml")];
    rust_files(&package.join("src"), &mut files)?;
    files.sort();

    let mut hash = Sha256::new();
    for file in &files {
        let bytes = fs::read(file)?;
        let name = file.strip_prefix(root).unwrap_or(file);
        hash.update(name.as_os_str().as_encoded_bytes());
        hash.update([0]);
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(&bytes);
    }
    for locked in locked_crates(&fs::read_to_string(root.join("Cargo.lock"))?) {
        hash.update(locked);
        hash.update([0]);
    }
    Ok(hex(&hash.finalize()))
}

pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn rust_files(dir: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            rust_files(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

/// `name version` of every crate in `CRATES`. Cargo writes the two lines of a
/// package one after the other, and the packages in order.
fn locked_crates(cargo_lock: &str) -> Vec<String> {
    let value = |line: &str, key: &str| {
        line.strip_prefix(key)?.strip_prefix(" = \"")?.strip_suffix('"').map(str::to_owned)
    };
    cargo_lock
        .lines()
        .zip(cargo_lock.lines().skip(1))
        .filter_map(|(first, second)| Some((value(first, "name")?, value(second, "version")?)))
        .filter(|(name, _)| CRATES.iter().any(|prefix| name.starts_with(prefix)))
        .map(|(name, version)| format!("{name} {version}"))
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_programs_are_built_with_counts() {
        let lock = "[[package]]\nname = \"anyhow\"\nversion = \"1.0.0\"\n\n\
                    [[package]]\nname = \"aya-ebpf\"\nversion = \"0.2.1\"\nsource = \"x\"\n\n\
                    [[package]]\nname = \"aya-log\"\nversion = \"0.3.0\"\n\n\
                    [[package]]\nname = \"zerocopy-derive\"\nversion = \"0.8.63\"\n";
        assert_eq!(locked_crates(lock), ["aya-ebpf 0.2.1", "zerocopy-derive 0.8.63"]);
    }

    #[test]
    fn the_hash_is_sha256() {
        assert!(sha256_hex(b"").starts_with("e3b0c44298fc1c149afbf4c8996fb924"));
    }
}
