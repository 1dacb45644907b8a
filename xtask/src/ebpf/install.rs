//! Bringing the missing parts of the eBPF toolchain onto this machine.

use std::path::Path;

use anyhow::{Result, bail};

use super::toolchain::{
    DEBIAN_PACKAGES, LLVM_PREFIX, Missing, RUSTUP_COMMANDS, install_linker_args,
};
use crate::{packages, shell};

/// Says what is missing and installs it: Debian's packages where root may,
/// rustup's nightly otherwise, and the linker with cargo.
pub fn install(missing: &Missing) -> Result<()> {
    eprintln!("{missing}");
    let has_llvm = Path::new(LLVM_PREFIX).join("bin/llvm-config").exists();
    if missing.compiler.is_some() || missing.objcopy.is_some() || !has_llvm {
        if packages::is_debian() && shell::is_root() {
            packages::install("the eBPF toolchain", DEBIAN_PACKAGES)?;
        } else if missing.compiler.is_some() && shell::find_program("rustup").is_some() {
            install_with_rustup()?;
        }
    }
    if missing.linker.is_some() {
        install_linker()?;
    }
    Ok(())
}

fn install_with_rustup() -> Result<()> {
    for line in RUSTUP_COMMANDS {
        let mut words = line.split_whitespace();
        if let Some(program) = words.next() {
            shell::run(shell::command(program).args(words))?;
        }
    }
    Ok(())
}

fn install_linker() -> Result<()> {
    let mut command = shell::cargo();
    command.args(install_linker_args()).arg("--force");
    if Path::new(LLVM_PREFIX).is_dir() {
        command.env("LLVM_PREFIX", LLVM_PREFIX);
    } else if std::env::var_os("LLVM_PREFIX").is_none() {
        bail!(
            "bpf-linker is built with LLVM 22, which is not at {LLVM_PREFIX}; \
             install it, set LLVM_PREFIX to where it is, and try again"
        );
    }
    shell::run(&mut command)
}
