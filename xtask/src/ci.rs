//! `cargo xtask ci`: what a change must pass. `.ci/run` starts it on a machine
//! with nothing prepared.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::{cost, ebpf, lint, packages, shell, test, tidy, vm};

#[derive(clap::Args)]
pub struct Args {
    /// Handed to `cargo xtask test`.
    #[arg(long, value_name = "SCRIPT")]
    ecs_validator: Option<PathBuf>,
    /// Handed to `cargo xtask test`.
    #[arg(long, value_name = "SCRIPT")]
    ocsf_validator: Option<PathBuf>,
}

/// It takes minutes to build and judges every dependency, so one known release.
const CARGO_DENY: &str = "0.20.2";

/// Other kernels, and what runs there: what a change of a program may break. All
/// of it on every kernel takes an hour: `cargo xtask vm --all`.
const VM_KERNELS: [&str; 2] = ["6.1", "6.12"];
const VM_TESTS: [&str; 4] = ["accept", "beyond_ip", "connect", "findings"];

/// Docker where systemd makes the containers' cgroups: whose each event is.
const SYSTEMD: (&str, &str) = ("6.12", "owner");

/// Where the committed cost is held; instructions are the same on every machine.
const COST_KERNELS: [&str; 1] = ["6.12"];

/// Runs every step whatever the one before it said, the tests last: then the
/// last lines are theirs, unless something else failed.
pub fn perform(args: &Args) -> Result<()> {
    let test = test::Args {
        ecs_validator: args.ecs_validator.clone(),
        ocsf_validator: args.ocsf_validator.clone(),
    };
    let check = ebpf::Args { check: true, install: false };
    let steps: &[(&str, &dyn Fn() -> Result<()>)] = &[
        ("install", &install),
        ("lint", &lint::perform),
        ("tidy", &tidy::perform),
        ("ebpf --check", &|| ebpf::perform(&check)),
        ("vm", &|| vm::perform(&vm::Args::of(&VM_KERNELS, &VM_TESTS))),
        ("vm --systemd", &|| vm::perform(&vm::Args::with_systemd(&[SYSTEMD.0], &[SYSTEMD.1]))),
        ("cost", &|| cost::perform(&cost::Args::of(&COST_KERNELS))),
        ("test", &|| test::perform(&test)),
    ];

    let mut failed = Vec::new();
    for (name, step) in steps {
        eprintln!("\n=== {name}");
        let start = Instant::now();
        if let Err(error) = step() {
            eprintln!("error: {error:#}");
            failed.push(*name);
        }
        if *name != "test" {
            eprintln!("=== {name}: {} s", start.elapsed().as_secs());
        }
    }
    if !failed.is_empty() {
        bail!("failed: {}", failed.join(", "));
    }
    Ok(())
}

fn install() -> Result<()> {
    let needed = [packages::BPF_LINT, packages::LIVE_TESTS, packages::RECEIVERS];
    packages::ensure("checks", needed.into_iter().flatten())?;
    ebpf::ensure_toolchain()?;
    if shell::find_program("cargo-deny").is_none() {
        shell::run(
            shell::cargo().args(["install", "cargo-deny", "--version", CARGO_DENY]).arg("--locked"),
        )
        .context("licences and advisories of dependencies cannot be checked")?;
    }
    Ok(())
}
