//! `cargo xtask cost`: how many instructions hostnet adds to each operation, on
//! each kernel, held against the committed table.
//!
//! In a VM whose clock advances one nanosecond per instruction the figures are
//! the same on every machine, so that a dearer program is a failed check and
//! not a matter of opinion. `tests/src/bin/cost` does the measuring inside.

mod table;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::vm::{self, Kernel, Machine, Program, Programs};
use crate::{packages, shell};
pub use table::Table;

#[derive(clap::Args)]
pub struct Args {
    /// Series of Debian's kernels [default: those of the committed tables].
    kernels: Vec<String>,

    /// Write the tables instead of comparing with them.
    #[arg(long)]
    update: bool,
}

impl Args {
    /// These kernels, held against their tables.
    pub fn of(kernels: &[&str]) -> Self {
        Self { kernels: kernels.iter().map(|name| (*name).to_owned()).collect(), update: false }
    }
}

/// Kernels whose cost is kept.
const KERNELS: [&str; 3] = ["6.1", "6.12", "7.3"];

/// What a kept table says is added to an operation, as documents quote it: `page` is its file,
/// `id` the place, the operation and the way, `watched-bind-families`.
pub fn quoted(kept: &BTreeMap<String, Table>, page: &str, id: &str) -> Option<String> {
    kept.get(page)?.quoted(id)
}

/// The kept tables, by their files.
pub fn kept() -> Result<BTreeMap<String, Table>> {
    let table = |series: &str| {
        let path = path(series);
        let text = fs::read_to_string(shell::root().join(&path));
        Ok((path.clone(), Table::parse(&text.with_context(|| format!("cannot read {path}"))?)))
    };
    KERNELS.into_iter().map(table).collect()
}

fn path(series: &str) -> String {
    format!("docs/cost/{series}.md")
}

/// Seconds for all measurements.
const DEADLINE: u64 = 400;

/// What is dearer once may be the machine's own work in the middle of it; what is
/// dearer each time is the programs'.
const TRIES: u32 = 3;

pub fn perform(args: &Args) -> Result<()> {
    packages::ensure("VMs", packages::VMS)?;
    let wanted = if args.kernels.is_empty() {
        KERNELS.map(str::to_owned).to_vec()
    } else {
        args.kernels.clone()
    };
    let kernels = vm::fetch(&wanted, &vm::directory(), false)?;
    let programs = Programs::build()?;
    for kernel in &kernels {
        eprintln!("=== {} ({})", kernel.series, kernel.release);
        let path = PathBuf::from(path(&kernel.series));
        if args.update {
            let text = measure(kernel, &programs)?.text(&kernel.series);
            fs::create_dir_all("docs/cost")?;
            fs::write(&path, &text).with_context(|| format!("cannot write {}", path.display()))?;
            eprintln!("wrote {}", path.display());
            print(&text);
            continue;
        }
        let mut outcome = compare(kernel, &programs, &path);
        for _ in 1..TRIES {
            let Err(error) = &outcome else { break };
            eprintln!("once more: {error:#}");
            outcome = compare(kernel, &programs, &path);
        }
        outcome?;
    }
    Ok(())
}

fn compare(kernel: &Kernel, programs: &Programs, path: &Path) -> Result<()> {
    let text = fs::read_to_string(path).with_context(|| {
        format!("{} cannot be read; cargo xtask cost --update makes it", path.display())
    })?;
    let measured = measure(kernel, programs)?;
    print(&measured.text(&kernel.series));
    let dearer = measured.dearer_than(&Table::parse(&text));
    if !dearer.is_empty() {
        bail!("dearer than {}:\n{}", path.display(), dearer.join("\n"));
    }
    Ok(())
}

fn measure(kernel: &Kernel, programs: &Programs) -> Result<Table> {
    let machine = Machine {
        kernel,
        tree: programs.with_tests()?,
        modules: &[],
        parameters: vec!["hostnet.cgroup=v2".to_owned(), "quiet".to_owned()],
        disk: None,
        size: (1, 1024),
        // Without a random number instruction there is no entropy: nothing in
        // such a machine ever happens by chance.
        qemu: &[
            "-accel",
            "tcg,thread=single",
            "-icount",
            "shift=0,sleep=off",
            "-cpu",
            "qemu64,+rdrand",
        ],
        logs: vm::directory().join("logs").join(format!("cost-{}", kernel.series)),
    };
    let program = Program {
        name: "cost".to_owned(),
        command: [Programs::helper_path("cost"), Programs::helper_path("hostnet")].into(),
        environment: [("PATH".to_owned(), "/bin".to_owned())].into(),
        deadline: DEADLINE,
    };
    let report = machine.run(&[program])?;
    if let Some(failure) = report.failure {
        bail!("{failure}");
    }
    let ran = report.programs.first().context("nothing was run")?;
    if !ran.succeeded() {
        bail!("measuring failed:\n{}", ran.output);
    }
    Table::measured(&ran.output)
}

#[expect(clippy::print_stdout, reason = "the result is what was asked for")]
fn print(text: &str) {
    println!("{text}");
}
