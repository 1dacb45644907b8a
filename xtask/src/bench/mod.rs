//! `cargo xtask bench`: what hostnet costs and what it loses on this machine,
//! beside the least that anything on the same hooks must cost.
//!
//! The load runs in a real host-network container on CPU 0, hostnet on CPU 1.
//! Costs are CPU time of the load, with and without a watcher in turns, so that
//! whatever else the machine does meets both; the median of the differences is
//! what counts.

use std::{
    fs,
    path::{Path, PathBuf},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use crate::{packages, shell};

mod agent;
mod container;
mod cost;
mod delivery;
mod endurance;
mod floor;
mod lines;
mod load;
mod machine;
mod owners;
mod programs;
mod record;
mod report;
mod stats;
mod target;
mod upkeep;

use agent::Agent;
use container::Container;
use load::Load;
use programs::Programs;
use report::Report;

/// How long others may take to stop watching.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(clap::Args)]
pub struct Args {
    /// Fewer rounds and shorter loads: minutes become seconds, and noise stays.
    #[arg(long)]
    quick: bool,
    /// Only these parts.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "PART")]
    only: Vec<Part>,
    /// Go on although other programs watch sockets, and would be flooded.
    #[arg(long)]
    beside_others: bool,
    /// Measure this hostnet instead of the one built from the checkout.
    #[arg(long, value_name = "FILE")]
    hostnet: Option<PathBuf>,
    /// Also write the results as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Also write the results as Markdown tables, for docs/cost/README.md to quote.
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Added CPU time per operation.
    Cost,
    /// What arrives of a burst at full speed.
    Delivery,
    /// The rate that is kept up without loss.
    Sustained,
    /// What the agent itself needs: CPU, memory, time to start.
    Upkeep,
    /// Start, memory and lookups with 10 000 containers and 100 000 sockets.
    Scale,
    /// Owners of a million mixed events while containers come and go.
    Mixed,
    /// Names of 2 000 containers that live a moment.
    Short,
    /// Five floods of a minute from both cores, beside another container's acts.
    Flood,
    /// Listens without a bind of a host user for a minute, beside up to 60 000 sockets.
    ListenFlood,
    /// Agents killed at 30 000 acts a second, the programs pinned.
    Restart,
    /// Rows per second, bytes and CPU of the history with one sink.
    Record,
    /// How long questions about a history take; `HOSTNET_EVENTS` says how long it is.
    Query,
    /// 500 kills of a process that keeps and delivers as fast as it can.
    Crash,
    /// A sink that is away for 3.6 million events, and one with a cap.
    Outage,
    /// How quickly each kind of sink gets what waited for it.
    Drain,
}

impl Part {
    /// Whether it needs no kernel: only when named.
    const fn is_record(self) -> bool {
        matches!(self, Self::Record | Self::Query | Self::Crash | Self::Outage | Self::Drain)
    }

    /// Whether it is a load in a container of the benchmark's own.
    const fn is_load(self) -> bool {
        matches!(self, Self::Cost | Self::Delivery | Self::Sustained | Self::Upkeep)
    }
}

/// What every measurement works with.
pub struct Bench {
    programs: Programs,
    container: Container,
    quick: bool,
    beside_others: bool,
}

impl Bench {
    /// A number for a whole run, or for a quick one.
    const fn either(&self, whole: u64, quick: u64) -> u64 {
        if self.quick { quick } else { whole }
    }

    /// Programs on the hooks of socket addresses, ours included; zero when they
    /// cannot be counted.
    fn watchers(&self) -> Result<u64> {
        self.programs.floor.as_ref().map_or(Ok(0), floor::watchers)
    }

    /// Whether nobody watches; to be asked while none of ours does.
    fn is_unwatched(&self) -> Result<bool> {
        Ok(self.watchers()? == 0)
    }

    /// Gives others a while to end; says whether they did.
    fn is_unwatched_soon(&self) -> Result<bool> {
        let deadline = Instant::now() + PATIENCE;
        while !self.is_unwatched()? {
            if Instant::now() > deadline {
                return Ok(false);
            }
            sleep(Duration::from_millis(100));
        }
        Ok(true)
    }

    /// Fails when others would be told of millions of connects.
    fn spare_others(&self) -> Result<()> {
        if !self.beside_others && !self.is_unwatched_soon()? {
            bail!(
                "other programs watch sockets on this machine, and the load would flood them: \
                 stop them, or allow it with --beside-others"
            );
        }
        Ok(())
    }
}

pub fn perform(args: &Args) -> Result<()> {
    if !shell::is_root() {
        bail!(
            "only root may load eBPF programs and start a Docker daemon: \
             sudo -E env \"PATH=$PATH\" cargo xtask bench"
        );
    }
    let of_record = || args.only.iter().filter(|part| part.is_record());
    of_record().try_for_each(|part| record::measure(*part, args.quick))?;
    if !args.only.is_empty() && of_record().count() == args.only.len() {
        return Ok(());
    }
    packages::ensure("benchmark", packages::LIVE_TESTS)?;
    machine::check()?;
    let programs = Programs::build(args.hostnet.as_deref())?;
    let wanted = |part| args.only.is_empty() || args.only.contains(&part);
    let mut report = Report::new(args.quick)?;
    if wanted(Part::Scale) {
        report.scale = Some(owners::scale(&programs, args.quick)?);
    }
    if wanted(Part::Mixed) {
        report.mixed = Some(owners::mixed(&programs, args.quick)?);
    }
    if wanted(Part::Short) {
        report.short = Some(owners::short(&programs, args.quick)?);
    }
    if wanted(Part::Flood) {
        report.floods = endurance::floods(&programs, args.quick)?;
    }
    if wanted(Part::ListenFlood) {
        report.listen_floods = endurance::listen_floods(&programs, args.quick)?;
    }
    if wanted(Part::Restart) {
        report.restart = Some(endurance::restart(&programs, args.quick)?);
    }
    if args.only.is_empty() || args.only.iter().any(|part| part.is_load()) {
        load_parts(args, programs, wanted, &mut report)?;
    }
    report.finish()?;

    if let Some(path) = &args.json {
        write(path, &(serde_json::to_string_pretty(&report)? + "\n"))?;
    }
    if let Some(path) = &args.markdown {
        write(path, &report.markdown())?;
    }
    print(&report.text());
    match report.missed() {
        0 => Ok(()),
        count => bail!("{count} of {} targets missed", report.targets.len()),
    }
}

fn load_parts(
    args: &Args,
    programs: Programs,
    wanted: impl Fn(Part) -> bool,
    report: &mut Report,
) -> Result<()> {
    let container = Container::start(&programs)?;
    let mut bench =
        Bench { programs, container, quick: args.quick, beside_others: args.beside_others };
    if wanted(Part::Cost) {
        report.cost = Some(cost::measure(&mut bench)?);
    }
    if wanted(Part::Delivery) {
        report.full_speed = delivery::at_full_speed(&mut bench)?;
    }
    if wanted(Part::Sustained) {
        report.sustained = delivery::sustained(&mut bench)?;
    }
    if wanted(Part::Upkeep) {
        report.upkeep = Some(upkeep::measure(&mut bench)?);
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

#[expect(clippy::print_stdout, reason = "the result is what was asked for")]
fn print(text: &str) {
    println!("{text}");
}
