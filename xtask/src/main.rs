//! `cargo xtask`: everything this repository does to itself, one file per
//! subcommand. Needs `cargo` alone; what else a task needs, it names or installs.
#![allow(clippy::print_stderr, reason = "a task runner talks to the person who started it")]

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

mod bench;
mod ci;
mod cost;
mod coverage;
mod docs;
mod ebpf;
mod lint;
mod packages;
mod record;
mod run;
mod shell;
mod static_build;
mod test;
mod tidy;
mod vm;

/// Build, run, test and check hostnet.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build hostnet as one static binary and start it (`hostnet watch`, or what you name).
    Run(run::Args),
    /// Run every test: the live ones with real containers (root), then the pure ones.
    Test(test::Args),
    /// Check formatting, clippy for the host and for BPF, licences and advisories.
    Lint,
    /// Check the cheap invariants of the tree: who may name what, circles and layers of modules, file sizes,
    /// leaked paths.
    Tidy,
    /// Build the eBPF object that hostnet carries, and record what it was built from.
    Ebpf(ebpf::Args),
    /// Measure on this machine what hostnet costs and what it loses (root).
    Bench(bench::Args),
    /// Run the live tests on other kernels, each in a VM of its own.
    Vm(vm::Args),
    /// Count the instructions that hostnet adds to each operation, against the committed tables.
    Cost(cost::Args),
    /// Record a run with many kinds of events (root), or pick samples of the others.
    Record(record::Args),
    /// Write the documents that are generated from the code.
    Docs(docs::Args),
    /// Everything that a change must pass, on a machine with nothing but `cargo`.
    Ci(ci::Args),
}

fn main() -> ExitCode {
    let task = Cli::parse().task;
    match perform(task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn perform(task: Task) -> Result<()> {
    match task {
        Task::Run(args) => run::perform(&args),
        Task::Test(args) => test::perform(&args),
        Task::Lint => lint::perform(),
        Task::Tidy => tidy::perform(),
        Task::Ebpf(args) => ebpf::perform(&args),
        Task::Bench(args) => bench::perform(&args, || docs::settle_benchmarks(false).map(drop)),
        Task::Vm(args) => vm::perform(&args),
        Task::Cost(args) => cost::perform(&args),
        Task::Record(args) => record::perform(&args),
        Task::Docs(args) => docs::perform(&args),
        Task::Ci(args) => ci::perform(&args),
    }
}
