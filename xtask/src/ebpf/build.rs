//! Compiling the eBPF programs to the object that is committed: the same bytes
//! from the same sources and toolchain, wherever the checkout is.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::{
    elf,
    toolchain::{TARGET, Toolchain},
};
use crate::shell;

const PACKAGE: &str = "hostnet-ebpf";
const PROFILE: &str = "ebpf";

/// A cargo command for the eBPF package and its target. `program` is cargo, or
/// a cargo subcommand's own executable.
pub fn cargo_for_bpf(
    program: Command,
    subcommand: &str,
    toolchain: &Toolchain,
    flags: &[String],
) -> Command {
    cargo_for(PACKAGE, program, subcommand, toolchain, flags)
}

/// Builds another package's programs, to be loaded and thrown away: debug
/// information and local paths may stay in. Returns the object's path.
pub fn throwaway(package: &str, toolchain: &Toolchain) -> Result<PathBuf> {
    shell::run(&mut cargo_for(package, shell::cargo(), "build", toolchain, &flags(&[])))?;
    Ok(target_dir().join(TARGET).join(PROFILE).join(package))
}

fn cargo_for(
    package: &str,
    mut program: Command,
    subcommand: &str,
    toolchain: &Toolchain,
    flags: &[String],
) -> Command {
    program
        .arg(subcommand)
        .args(["--package", package, "--bin", package, "--profile", PROFILE, "--target", TARGET])
        .arg("--target-dir")
        .arg(target_dir())
        // aya-ebpf is written for an unstable compiler.
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTC", &toolchain.rustc)
        .env("PATH", linker_first(toolchain))
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"))
        .env_remove("RUSTFLAGS")
        // Compiled in parts it has functions that the verifier refuses.
        .env_remove("CARGO_INCREMENTAL")
        .env_remove("RUSTC_WRAPPER")
        .env_remove("RUSTC_WORKSPACE_WRAPPER");
    if toolchain.builds_core {
        program.arg("-Zbuild-std=core");
    }
    program
}

/// Builds, strips and verifies the object, and returns its bytes.
pub fn object(toolchain: &Toolchain, locked: bool) -> Result<Vec<u8>> {
    let sources = registry_sources()?;
    let root = shell::root();
    let flags = flags(&[
        // The linker runs in the checkout: so it still finds the source lines
        // that it writes into the BTF, and verifier logs can show them.
        (path_text(&root)?, "."),
        (path_text(&sources)?, "/crates"),
        (path_text(&toolchain.sysroot.join("lib/rustlib/src/rust"))?, "/rust"),
    ]);
    let mut command = cargo_for_bpf(shell::cargo(), "build", toolchain, &flags);
    if locked {
        command.arg("--locked");
    }
    shell::run(&mut command)?;

    let linked = target_dir().join(TARGET).join(PROFILE).join(PACKAGE);
    let stripped = linked.with_extension("stripped.o");
    shell::run(
        shell::command(&toolchain.objcopy).arg("--strip-debug").arg(&linked).arg(&stripped),
    )?;
    let read = |path: &PathBuf| {
        fs::read(path).with_context(|| format!("{} could not be read", path.display()))
    };
    let bytes = read(&stripped)?;
    elf::verify_stripped(&read(&linked)?, &bytes)?;

    let registry = sources.file_name().map(PathBuf::from);
    for path in [Some(root), Some(shell::cargo_home()), registry, env::home_dir()].iter().flatten()
    {
        refuse_trace(&bytes, path_text(path)?)?;
    }
    Ok(bytes)
}

fn flags(remapped: &[(&str, &str)]) -> Vec<String> {
    let fixed = [
        // By name: where the linker is must not be part of the build.
        "-Clinker=bpf-linker",
        "-Clink-arg=--btf",
        // The programs touch no registers; without this, who builds on another
        // architecture gets other bytes.
        "--cfg=bpf_target_arch=\"x86_64\"",
    ];
    let remapped = remapped.iter().map(|(from, to)| format!("--remap-path-prefix={from}={to}"));
    fixed.into_iter().map(str::to_owned).chain(remapped).collect()
}

/// The directory that cargo unpacks crates into. Its name tells the registry's
/// host, so it is remapped whole; only cargo knows where it is.
fn registry_sources() -> Result<PathBuf> {
    const WITNESS: &str = "aya-ebpf";
    let metadata = shell::capture(shell::cargo().args(["metadata", "--format-version", "1"]))?;
    let metadata: Value = serde_json::from_str(&metadata).context("`cargo metadata` is no JSON")?;
    let manifest = metadata["packages"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|package| package["name"] == WITNESS)
        .and_then(|package| package["manifest_path"].as_str())
        .with_context(|| format!("`cargo metadata` does not know {WITNESS}"))?;
    let sources = PathBuf::from(manifest).parent().and_then(|dir| dir.parent()).map(PathBuf::from);
    sources.with_context(|| format!("{manifest} is not where cargo unpacks crates"))
}

/// The object goes into every hostnet; this machine's directories must not. A
/// directory such as `/src` is also the end of other paths, so of a short one
/// only the beginning of a path counts.
fn refuse_trace(object: &[u8], path: &str) -> Result<()> {
    let is_short = path.matches('/').count() == 1;
    let starts_path = |at: usize| {
        let before = at.checked_sub(1).and_then(|before| object.get(before));
        !is_short
            || !before.is_some_and(|byte| byte.is_ascii_alphanumeric() || b"._-/".contains(byte))
    };
    let mut places = object.windows(path.len().max(1)).enumerate();
    if path.len() > 1 && places.any(|(at, bytes)| bytes == path.as_bytes() && starts_path(at)) {
        bail!("the object names the local directory {path}; --remap-path-prefix must cover it");
    }
    Ok(())
}

fn target_dir() -> PathBuf {
    shell::target_dir().join("bpf")
}

fn linker_first(toolchain: &Toolchain) -> OsString {
    let path = env::var_os("PATH").unwrap_or_default();
    let dirs = toolchain.bpf_linker.parent().map(PathBuf::from);
    env::join_paths(dirs.into_iter().chain(env::split_paths(&path))).unwrap_or(path)
}

fn path_text(path: &Path) -> Result<&str> {
    path.to_str().with_context(|| format!("the path {} is not UTF-8", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_local_path_in_the_object_is_refused() {
        assert!(refuse_trace(b"\0/checkout/x.rs\0", "/checkout").is_err());
        assert!(refuse_trace(b"\0/crates/x.rs\0", "/checkout").is_ok());
        assert!(refuse_trace(b"\0/crates/x.rs\0", "/").is_ok());
        assert!(refuse_trace(b"", "/checkout").is_ok());
        assert!(refuse_trace(b"\0/crates/x/src/x.rs\0", "/src").is_ok());
        assert!(refuse_trace(b"\0/src/x.rs\0", "/src").is_err());
        assert!(refuse_trace(b"text/builds/hostnet/x.rs\0", "/builds/hostnet").is_err());
    }

    #[test]
    fn every_directory_is_remapped() {
        let flags = flags(&[("/a", "."), ("/b", "/crates")]);
        assert!(flags.contains(&"--remap-path-prefix=/a=.".to_owned()));
        assert!(flags.contains(&"--remap-path-prefix=/b=/crates".to_owned()));
    }
}
