//! The release build as users get it: one static file per program.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::shell;

/// A cargo command that builds static release programs of one package.
///
/// The target is named although it is the host: only then do the flags leave
/// build scripts and procedural macros alone, which cannot be static.
pub fn cargo(subcommand: &str, package: &str) -> Result<Command> {
    let mut cargo = shell::cargo();
    cargo
        .args([subcommand, "--release", "--package", package, "--target", &shell::host_triple()?])
        .arg("--target-dir")
        .arg(shell::target_dir())
        .env_remove("RUSTFLAGS")
        // Compiled in parts it is slower and larger than what users get.
        .env_remove("CARGO_INCREMENTAL")
        .env("CARGO_ENCODED_RUSTFLAGS", "-Ctarget-feature=+crt-static");
    Ok(cargo)
}

/// Where the programs are.
pub fn directory() -> Result<PathBuf> {
    Ok(shell::target_dir().join(shell::host_triple()?).join("release"))
}

/// Builds hostnet and returns its path.
pub fn hostnet() -> Result<PathBuf> {
    shell::run(cargo("build", "hostnet-user")?.arg("--bins"))?;
    Ok(directory()?.join("hostnet"))
}
