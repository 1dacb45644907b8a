//! `cargo xtask lint`: formatting, clippy for both targets, dependencies.

use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{ebpf, shell};

/// A step says in its own words what it could not do; `false` is a failure.
type Step = (&'static str, fn() -> Result<bool>);

const STEPS: &[Step] = &[
    ("formatting", formatting),
    ("clippy for this machine", clippy_host),
    ("clippy for builds with fewer sinks", clippy_fewer_sinks),
    ("clippy for BPF", clippy_bpf),
    ("licences, sources and duplicates of dependencies", dependencies),
    ("advisories on dependencies", advisories),
];

/// All steps, so that one run tells everything.
pub fn perform() -> Result<()> {
    let mut failed = Vec::new();
    for (name, step) in STEPS {
        if !step()? {
            failed.push(*name);
        }
    }
    if !failed.is_empty() {
        bail!("lint failed: {}", failed.join("; "));
    }
    Ok(())
}

/// rustfmt is given every file, also before it is committed: a module that a macro's row names is not found by cargo.
fn formatting() -> Result<bool> {
    let all = ["ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.rs"];
    let files = shell::capture(shell::command("git").args(all))?;
    let files = files.split('\0').filter(|path| shell::root().join(path).is_file());
    let files: Vec<&str> = files.collect();
    eprintln!("$ rustfmt --check: {} files", files.len());
    let mut rustfmt = shell::command("rustfmt");
    let status = rustfmt.args(["--check", "--edition", "2024"]).args(files).status();
    Ok(status.context("rustfmt could not be started")?.success())
}

fn clippy_host() -> Result<bool> {
    let args = ["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"];
    shell::succeeds(shell::cargo().args(args))
}

/// The workspace as a whole has all sinks, because their tests do.
fn clippy_fewer_sinks() -> Result<bool> {
    let mut good = true;
    for features in [&["--no-default-features"][..], &[]] {
        let mut clippy = shell::cargo();
        clippy.args(["clippy", "--package", "hostnet-user", "--quiet"]).args(features);
        good &= shell::succeeds(clippy.args(["--", "-D", "warnings"]))?;
    }
    Ok(good)
}

/// Clippy must be of the very compiler that builds for BPF. Where there is
/// none, the compiler's own warnings are better than nothing.
fn clippy_bpf() -> Result<bool> {
    let Some(toolchain) = ebpf::find_toolchain()? else {
        eprintln!(
            "clippy for BPF: skipped, no eBPF toolchain; cargo xtask ebpf says what is missing"
        );
        return Ok(true);
    };
    let clippy = toolchain.sysroot.join("bin/cargo-clippy");
    if clippy.exists() {
        let mut command = ebpf::cargo_for_bpf(shell::command(clippy), "clippy", &toolchain, &[]);
        return shell::succeeds(command.args(["--quiet", "--", "-D", "warnings"]));
    }
    eprintln!(
        "clippy for BPF: {} has no clippy (Debian: apt-get install rust-web-clippy); \
         checking the compiler's warnings only",
        toolchain.rustc.display()
    );
    let deny = ["-Dwarnings".to_owned()];
    shell::succeeds(&mut ebpf::cargo_for_bpf(shell::cargo(), "check", &toolchain, &deny))
}

fn dependencies() -> Result<bool> {
    match cargo_deny(&["bans", "licenses", "sources"]) {
        Some(mut command) => shell::succeeds(&mut command),
        None => Ok(true),
    }
}

/// The advisories come from a database on the network. Being cut off from it is
/// not a failure of this tree.
fn advisories() -> Result<bool> {
    let Some(mut command) = cargo_deny(&["advisories"]) else { return Ok(true) };
    eprintln!("$ {}", shell::shown(&command));
    let output = command.output()?;
    let told = output.stderr.utf8_chunks().map(|chunk| chunk.valid()).collect::<String>();
    let cut_off = !output.status.success() && told.contains("failed to fetch advisory database");
    if cut_off {
        eprintln!("advisories: not checked, the advisory database cannot be fetched from here");
    } else {
        eprint!("{told}");
    }
    Ok(output.status.success() || cut_off)
}

fn cargo_deny(checks: &[&str]) -> Option<Command> {
    let Some(program) = shell::find_program("cargo-deny") else {
        eprintln!(
            "{}: skipped, cargo-deny is not installed (cargo install cargo-deny --locked)",
            checks.join(", ")
        );
        return None;
    };
    let mut command = shell::command(program);
    command.args(["check", "--hide-inclusion-graph"]).args(checks);
    Some(command)
}
