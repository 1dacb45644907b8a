//! Finding a toolchain that can build the eBPF programs.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::shell;

/// What the programs are compiled for.
pub const TARGET: &str = "bpfel-unknown-none";

/// The release of bpf-linker that the programs are linked with.
pub const BPF_LINKER: &str = "0.13.0";
/// The LLVM that this bpf-linker is built with, and its Debian directory.
pub const LLVM: u32 = 22;
pub const LLVM_PREFIX: &str = "/usr/lib/llvm-22";

/// Everything that turns the sources into the committed object.
pub struct Toolchain {
    pub rustc: PathBuf,
    pub sysroot: PathBuf,
    /// Debian ships `core` for BPF; rustup's nightly builds it from its sources.
    pub builds_core: bool,
    pub bpf_linker: PathBuf,
    pub objcopy: PathBuf,
}

/// What decides about the bytes of the object, beside its sources.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versions {
    rustc: String,
    bpf_linker: String,
    linker_llvm: String,
}

impl fmt::Display for Versions {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rustc, bpf_linker, linker_llvm } = self;
        write!(out, "{rustc}, {bpf_linker}, LLVM {linker_llvm}")
    }
}

/// The parts of the toolchain that this machine lacks, each with the reason.
#[derive(Debug, Default)]
pub struct Missing {
    pub compiler: Option<String>,
    pub linker: Option<String>,
    pub objcopy: Option<String>,
}

impl fmt::Display for Missing {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "the eBPF toolchain is not complete:")?;
        for part in [&self.compiler, &self.linker, &self.objcopy].into_iter().flatten() {
            write!(out, "\n  - {part}")?;
        }
        write!(
            out,
            "\nto get it, run `cargo xtask ebpf --install`, or on Debian 12:\n  \
             apt-get install --no-install-recommends {}\n  {}\n\
             elsewhere, LLVM {LLVM} from where your system has it, and in place of Debian's rustc:\n  {}",
            DEBIAN_PACKAGES.join(" "),
            install_linker_line(),
            RUSTUP_COMMANDS.join("\n  ")
        )
    }
}

pub const DEBIAN_PACKAGES: &[&str] = &["rustc-web", "libstd-rust-web-dev-bpf", "llvm-22-dev"];
pub const RUSTUP_COMMANDS: &[&str] =
    &["rustup toolchain install nightly --profile minimal --component rust-src"];

pub fn install_linker_args() -> Vec<String> {
    let features = format!("llvm-{LLVM}");
    ["install", "bpf-linker", "--version", BPF_LINKER, "--locked", "--no-default-features"]
        .into_iter()
        .chain(["--features", features.as_str()])
        .map(str::to_owned)
        .collect()
}

fn install_linker_line() -> String {
    format!("LLVM_PREFIX={LLVM_PREFIX} cargo {}", install_linker_args().join(" "))
}

/// A whole toolchain, or what is missing of one.
pub fn find() -> Result<Result<Toolchain, Missing>> {
    let compiler = find_compiler()?;
    let linker = find_linker()?;
    let objcopy = linker.as_ref().ok().and_then(|path| find_objcopy(path)).ok_or_else(|| {
        format!("llvm-objcopy of LLVM {LLVM} or newer, which strips the object, was not found")
    });
    Ok(match (compiler, linker, objcopy) {
        (Ok((rustc, sysroot, builds_core)), Ok(bpf_linker), Ok(objcopy)) => {
            Ok(Toolchain { rustc, sysroot, builds_core, bpf_linker, objcopy })
        }
        (compiler, linker, objcopy) => Err(Missing {
            compiler: compiler.err(),
            objcopy: linker.is_ok().then(|| objcopy.err()).flatten(),
            linker: linker.err(),
        }),
    })
}

impl Toolchain {
    pub fn versions(&self) -> Result<Versions> {
        let version = |program| shell::capture(shell::command(program).arg("--version"));
        Ok(Versions {
            rustc: version(&self.rustc)?,
            bpf_linker: version(&self.bpf_linker)?,
            // The linker does not tell its LLVM; its neighbour in the same
            // library does, and of a static one only its release is known.
            linker_llvm: linked_llvm(&self.bpf_linker)
                .and_then(|_| llvm_version(&self.objcopy))
                .unwrap_or_else(|| format!("{LLVM}, static")),
        })
    }
}

type Compiler = (PathBuf, PathBuf, bool);

fn find_compiler() -> Result<Result<Compiler, String>> {
    let debian = PathBuf::from("/usr/bin/rustc");
    let mut reasons = Vec::new();

    if debian.exists() {
        let sysroot = sysroot(&debian)?;
        if sysroot.join("lib/rustlib").join(TARGET).is_dir() {
            return Ok(llvm_fits(&debian)?.map(|()| (debian, sysroot, false)));
        }
        reasons.push(format!("{} has no standard library for {TARGET}", debian.display()));
    } else {
        reasons.push(format!("there is no {}", debian.display()));
    }

    match rustup_nightly() {
        Some(rustc) => {
            let sysroot = sysroot(&rustc)?;
            if sysroot.join("lib/rustlib/src/rust/library/core").is_dir() {
                return Ok(llvm_fits(&rustc)?.map(|()| (rustc, sysroot, true)));
            }
            reasons.push("rustup's nightly has no component rust-src".to_owned());
        }
        None => reasons.push("rustup has no toolchain nightly".to_owned()),
    }
    Ok(Err(format!("a Rust compiler for {TARGET}: {}", reasons.join("; "))))
}

fn rustup_nightly() -> Option<PathBuf> {
    let rustup = shell::find_program("rustup")?;
    let mut command = shell::command(rustup);
    shell::capture(command.args(["which", "rustc", "--toolchain", "nightly"]))
        .ok()
        .map(PathBuf::from)
}

fn sysroot(rustc: &Path) -> Result<PathBuf> {
    shell::capture(shell::command(rustc).args(["--print", "sysroot"])).map(PathBuf::from)
}

/// bpf-linker reads the bitcode that rustc writes; LLVM reads older, not newer.
fn llvm_fits(rustc: &Path) -> Result<Result<(), String>> {
    let verbose = shell::capture(shell::command(rustc).arg("-vV"))?;
    let llvm = verbose.lines().find_map(|line| line.strip_prefix("LLVM version: "));
    let major = llvm.and_then(major).with_context(|| {
        format!("`{} -vV` names no LLVM version, so it cannot be matched", rustc.display())
    })?;
    Ok(if major <= LLVM {
        Ok(())
    } else {
        Err(format!("{} writes LLVM {major}; bpf-linker reads up to {LLVM}", rustc.display()))
    })
}

fn find_linker() -> Result<Result<PathBuf, String>> {
    let Some(path) = shell::find_program("bpf-linker") else {
        return Ok(Err(format!("bpf-linker {BPF_LINKER} is not on PATH")));
    };
    let version = match shell::capture(shell::command(&path).arg("--version")) {
        Ok(version) => version,
        Err(error) => return Ok(Err(format!("bpf-linker does not start: {error:#}"))),
    };
    let wanted = format!("bpf-linker {BPF_LINKER}");
    Ok(if version == wanted {
        Ok(path)
    } else {
        Err(format!("{} is {version}; {wanted} is needed", path.display()))
    })
}

/// The strip tool that came with the linker's own LLVM, else any that is new
/// enough to know what it reads.
fn find_objcopy(bpf_linker: &Path) -> Option<PathBuf> {
    let beside_library = linked_llvm(bpf_linker)
        .and_then(|library| Some(library.parent()?.parent()?.join("bin/llvm-objcopy")));
    let versioned = format!("llvm-objcopy-{LLVM}");
    beside_library
        .into_iter()
        .chain([Path::new(LLVM_PREFIX).join("bin/llvm-objcopy")])
        .chain([versioned.as_str(), "llvm-objcopy"].into_iter().filter_map(shell::find_program))
        .find(|path| llvm_version(path).as_deref().and_then(major).is_some_and(|it| it >= LLVM))
}

/// The LLVM library that the linker loads, unless it carries its own.
fn linked_llvm(bpf_linker: &Path) -> Option<PathBuf> {
    let libraries = shell::capture(shell::command("ldd").arg(bpf_linker)).ok()?;
    let library = libraries
        .lines()
        .filter_map(|line| line.trim().strip_prefix("libLLVM")?.split_once("=> "))
        .find_map(|(_, target)| target.split_whitespace().next())?;
    fs::canonicalize(library).ok()
}

fn llvm_version(program: &Path) -> Option<String> {
    let banner = shell::capture(shell::command(program).arg("--version")).ok()?;
    llvm_version_in(&banner)
}

fn llvm_version_in(banner: &str) -> Option<String> {
    let (_, rest) = banner.split_once("LLVM version ")?;
    rest.split_whitespace().next().map(str::to_owned)
}

fn major(version: &str) -> Option<u32> {
    version.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn llvm_tells_its_version_in_its_banner() {
        let banner = "llvm-objcopy, compatible with GNU objcopy\nDebian LLVM version 22.1.8\n  Opt";
        assert_eq!(llvm_version_in(banner).as_deref(), Some("22.1.8"));
        assert_eq!(llvm_version_in("GNU objcopy 2.40"), None);
        assert_eq!(major("22.1.8"), Some(22));
    }

    #[test]
    fn what_is_missing_is_told_with_the_commands_that_bring_it() {
        let missing = Missing {
            linker: Some("bpf-linker 0.13.0 is not on PATH".into()),
            ..Missing::default()
        };
        let text = missing.to_string();
        assert!(text.contains("  - bpf-linker 0.13.0 is not on PATH"), "{text}");
        assert!(text.contains("rustc-web libstd-rust-web-dev-bpf llvm-22-dev"), "{text}");
        assert!(
            text.contains(
                "LLVM_PREFIX=/usr/lib/llvm-22 cargo install bpf-linker --version 0.13.0 --locked \
                 --no-default-features --features llvm-22"
            ),
            "{text}"
        );
    }
}
