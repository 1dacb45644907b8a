//! `cargo xtask vm`: the live tests on other kernels than this machine's.
//!
//! The lower half (`machine`, `kernel`, `tree`, `report`) boots a kernel with
//! files and a plan, and knows nothing of tests; the upper half (`programs`,
//! `matrix`, `verdicts`, `outcome`, `run`) runs hostnet's tests in it.

mod apt;
mod cpio;
mod kernel;
mod machine;
mod matrix;
mod modules;
mod outcome;
mod programs;
mod report;
mod run;
mod tree;
mod verdicts;

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::{packages, shell};
use matrix::{Cgroups, Running, Variant};

pub use kernel::{Kernel, fetch};
pub use machine::{Machine, Program};
pub use matrix::KERNELS;
pub use programs::Programs;
#[cfg(test)]
pub use run::tests::sample;
pub use run::{MAIN, Run};
pub use verdicts::Verdict;

#[derive(clap::Args)]
pub struct Args {
    /// Series of Debian's kernels: 5.10, 6.1, 6.12, 6.16 to 6.19, 7.0 and later.
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    kernels: Vec<String>,

    /// Every kernel of the matrix, every cgroup layout, and Docker where it is in it.
    #[arg(long, conflicts_with_all = ["cgroup", "docker", "systemd", "no_btf", "only"])]
    all: bool,

    /// How the VM mounts its cgroup hierarchies.
    #[arg(long, value_enum, default_value_t = Cgroups::V2)]
    cgroup: Cgroups,

    /// Real containers, by this machine's Docker in the VM: few tests, slow.
    #[arg(long, conflicts_with = "cgroup")]
    docker: bool,

    /// The same with systemd as the first process, which makes the containers' cgroups.
    #[arg(long, conflicts_with = "cgroup")]
    systemd: bool,

    /// A kernel that does not describe its types: only the test of that.
    #[arg(long, conflicts_with_all = ["cgroup", "docker", "systemd", "only"])]
    no_btf: bool,

    /// Only this test program (a file of tests/tests); may be given more than once.
    #[arg(long, value_name = "TEST")]
    only: Vec<String>,

    /// How many VMs run at the same time; each keeps one processor busy.
    #[arg(long, value_name = "N", default_value_t = 2)]
    jobs: usize,

    /// Look for newer kernels than those fetched before.
    #[arg(long)]
    fresh: bool,

    /// Keep what each VM found, failures included, for docs/coverage.md.
    #[arg(long, conflicts_with = "only")]
    update: bool,
}

impl Args {
    /// These test programs on these kernels.
    pub fn of(kernels: &[&str], only: &[&str]) -> Self {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self {
            kernels: owned(kernels),
            all: false,
            cgroup: Cgroups::V2,
            docker: false,
            systemd: false,
            no_btf: false,
            only: owned(only),
            jobs: 2,
            fresh: false,
            update: false,
        }
    }

    /// The same with Docker under systemd.
    pub fn with_systemd(kernels: &[&str], only: &[&str]) -> Self {
        Self { systemd: true, ..Self::of(kernels, only) }
    }
}

pub fn perform(args: &Args) -> Result<()> {
    packages::ensure("VMs", packages::VMS)?;
    let mut variants = if args.all {
        matrix::all()
    } else {
        let variant = |series: &String| match args {
            Args { systemd: true, .. } => Variant::with_systemd(series),
            Args { docker: true, .. } => Variant::with_docker(series),
            Args { no_btf: true, .. } => Variant::without_btf(series),
            _ => Variant::new(series, args.cgroup),
        };
        args.kernels.iter().map(variant).collect()
    };
    if !args.only.is_empty() {
        variants.iter_mut().for_each(|variant| variant.choose(&args.only));
    }
    if variants.iter().any(Variant::has_docker) {
        packages::ensure("VMs with Docker", packages::LIVE_TESTS)?;
    }
    let (jobs, fresh, keep) = (args.jobs.max(1), args.fresh, args.update);
    let outcome = matrix::run(&variants, &Running { jobs, directory: &directory(), fresh, keep })?;
    print(&outcome.text());
    if args.update {
        print("docs/coverage.md is made of what is kept: now cargo xtask docs");
    }
    if outcome.failed() > 0 {
        bail!("{} failed", outcome.failed());
    }
    Ok(())
}

/// Kernels, disks and logs; kept between runs.
pub fn directory() -> PathBuf {
    shell::target_dir().join("vm")
}

#[expect(clippy::print_stdout, reason = "the result is what was asked for")]
fn print(text: &str) {
    println!("{text}");
}
