//! `cargo xtask bench`: what hostnet costs and what it loses on this machine,
//! beside the least that anything on the same hooks must cost. A whole run is kept
//! in docs/benchmarks, a file per part, and docs/benchmarks.md is made from that.
//!
//! The load runs in a real host-network container on CPU 0, hostnet on CPU 1.
//! Costs are CPU time of the load, with and without a watcher in turns, so that
//! whatever else the machine does meets both; the median of the differences is
//! what counts.

use std::{
    path::{Path, PathBuf},
    rc::Rc,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

use crate::{docs, packages, shell};

mod agent;
mod catalogue;
mod container;
mod cost;
mod delivery;
mod endurance;
mod floor;
mod kept;
mod lines;
mod load;
mod machine;
mod owners;
mod page;
mod part;
mod programs;
mod record;
mod size;
mod stats;
mod table;
mod upkeep;

use agent::Agent;
use container::Container;
use kept::{Measured, Origin};
use load::Load;
use machine::Machine;
use part::Part;
use programs::Programs;
use size::Size;

pub use kept::Kept;
pub use page::{PAGE, quoted, text};

/// How long others may take to stop watching.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(clap::Args)]
pub struct Args {
    /// Fewer rounds and shorter loads: minutes become seconds, and noise stays.
    #[arg(long, conflicts_with = "smoke")]
    quick: bool,
    /// As little of each part as shows that it still runs, with the programs that `cargo xtask
    /// test` built.
    #[arg(long)]
    smoke: bool,
    /// Only these parts.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "PART")]
    only: Vec<Part>,
    /// Go on although other programs watch sockets, and would be flooded.
    #[arg(long)]
    beside_others: bool,
    /// Measure this hostnet instead of the one built from the checkout; nothing is kept.
    #[arg(long, value_name = "FILE")]
    hostnet: Option<PathBuf>,
    /// Keep what a quick run found, too; the page says that it is one.
    #[arg(long, requires = "quick")]
    keep: bool,
}

impl Args {
    /// A smoke of every part, with this hostnet and what is built beside it.
    pub fn smoke(hostnet: &Path) -> Self {
        Self {
            quick: false,
            smoke: true,
            only: Vec::new(),
            beside_others: true,
            hostnet: Some(hostnet.to_owned()),
            keep: false,
        }
    }

    const fn size(&self) -> Size {
        match (self.quick, self.smoke) {
            (_, true) => Size::Smoke,
            (true, false) => Size::Quick,
            (false, false) => Size::Whole,
        }
    }

    fn parts(&self) -> Vec<Part> {
        let wanted = |part: &Part| self.only.is_empty() || self.only.contains(part);
        Part::all().iter().copied().filter(wanted).collect()
    }

    /// Whether what is found goes into the page.
    fn keeps(&self) -> bool {
        self.hostnet.is_none() && (self.size() == Size::Whole || self.keep)
    }
}

/// What the measurements with a load in a container work with.
pub struct Bench {
    programs: Rc<Programs>,
    container: Container,
    size: Size,
    beside_others: bool,
}

impl Bench {
    /// Programs on the hooks of socket addresses, ours included; zero when they
    /// cannot be counted.
    fn watchers(&self) -> Result<u64> {
        self.programs.floor.as_ref().map_or(Ok(0), floor::watchers)
    }

    /// Whether nobody watches; to be asked while none of ours does.
    fn is_unwatched(&self) -> Result<bool> {
        Ok(self.watchers()? == 0)
    }

    /// Gives others a while to end, unless they may go on; says whether nobody watches.
    fn is_unwatched_soon(&self) -> Result<bool> {
        let deadline = Instant::now() + PATIENCE;
        while !self.is_unwatched()? {
            if self.beside_others || Instant::now() > deadline {
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

/// Runs every part whatever the one before it found; a goal that is not reached is reported,
/// and no failure.
pub fn perform(args: &Args) -> Result<()> {
    if !shell::is_root() {
        bail!(
            "only root may load eBPF programs and start a Docker daemon: \
             sudo -E env \"PATH=$PATH\" cargo xtask bench"
        );
    }
    packages::ensure("benchmark", packages::LIVE_TESTS)?;
    machine::check()?;
    let (began, size, parts) = (Instant::now(), args.size(), args.parts());
    let origin = Origin::now()?;
    let programs = Rc::new(Programs::find(size, args.hostnet.as_deref())?);
    let mut bench = None;
    let mut failed = Vec::new();
    for (at, part) in parts.iter().enumerate() {
        let name = part.name();
        let minutes = began.elapsed().as_secs() / 60;
        eprintln!("=== {name} ({} of {}, {minutes} min so far)", at + 1, parts.len());
        match perform_part(*part, args, &programs, &mut bench, &origin) {
            Ok(kept) => {
                print(&page::summary(&kept));
                // What was found is in the page whatever becomes of the parts that follow.
                if args.keeps() {
                    kept.keep()?;
                    docs::settle_benchmarks(false)?;
                }
            }
            Err(error) => {
                eprintln!("error: {name}: {error:#}");
                failed.push(name);
            }
        }
    }
    drop(bench);
    eprintln!("=== {} parts in {} s", parts.len(), began.elapsed().as_secs());
    if !failed.is_empty() {
        bail!("these parts failed: {}", failed.join(", "));
    }
    Ok(())
}

fn perform_part(
    part: Part,
    args: &Args,
    programs: &Rc<Programs>,
    bench: &mut Option<Bench>,
    origin: &Origin,
) -> Result<Kept> {
    let (mut machine, began, size) = (Machine::read()?, Instant::now(), args.size());
    let measured = if part.is_load() {
        if bench.is_none() {
            let (programs, container) = (Rc::clone(programs), Container::start(programs)?);
            *bench = Some(Bench { programs, container, size, beside_others: args.beside_others });
        }
        bench.as_mut().map_or_else(|| bail!("no container"), |bench| measure_load(part, bench))
    } else {
        // The container's daemon would be measured along.
        drop(bench.take());
        measure(part, programs, size)
    };
    // A load that was broken off answers no further order.
    let measured = measured.inspect_err(|_| drop(bench.take()))?;
    machine.load_average_after = machine::load_average()?;
    let seconds = began.elapsed().as_secs();
    Kept::of(part, (origin.clone(), machine, size), seconds, measured)
}

fn measure_load(part: Part, bench: &mut Bench) -> Result<Measured> {
    match part {
        Part::Cost => cost::measure(bench),
        Part::Delivery => delivery::at_full_speed(bench),
        Part::Sustained => delivery::sustained(bench),
        Part::Upkeep => upkeep::measure(bench),
        Part::Scale
        | Part::Mixed
        | Part::Short
        | Part::Flood
        | Part::ListenFlood
        | Part::Restart
        | Part::Record
        | Part::Query
        | Part::Crash
        | Part::Outage
        | Part::Drain => bail!("{} has a load of its own", part.name()),
    }
}

fn measure(part: Part, programs: &Programs, size: Size) -> Result<Measured> {
    match part {
        Part::Scale => owners::scale(programs, size),
        Part::Mixed => owners::mixed(programs, size),
        Part::Short => owners::short(programs, size),
        Part::Flood => endurance::floods(programs, size),
        Part::ListenFlood => endurance::listen_floods(programs, size),
        Part::Restart => endurance::restart(programs, size),
        Part::Record => record::rate(programs, size),
        Part::Query => record::query(programs, size),
        Part::Crash => record::crash(programs, size),
        Part::Outage => record::outage(programs, size),
        Part::Drain => record::drain(programs, size),
        Part::Cost | Part::Delivery | Part::Sustained | Part::Upkeep => {
            bail!("{} needs a load in a container", part.name())
        }
    }
}

#[expect(clippy::print_stdout, reason = "the result is what was asked for")]
fn print(text: &str) {
    println!("{text}");
}
