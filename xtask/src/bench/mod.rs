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

use crate::{ebpf, packages, shell};

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
    /// A smoke of these parts, with this hostnet and what is built beside it.
    fn smoke(hostnet: &Path, only: Vec<Part>) -> Self {
        Self {
            quick: false,
            smoke: true,
            only,
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
    /// Agents have a second sink, of this format and to nowhere.
    second_sink: Option<&'static str>,
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

/// Shows that every part that this machine can run still runs, with this hostnet and what is
/// built beside it; returns what was left out, and why.
pub fn smoke(hostnet: &Path) -> Result<Vec<String>> {
    if let Err(why) = machine::check() {
        return Ok(vec![format!("benchmark: {why:#}")]);
    }
    let mut parts = Part::all().to_vec();
    let mut left_out = Vec::new();
    if ebpf::find_toolchain()?.is_none() {
        parts.retain(|part| *part != Part::Cost);
        left_out.push("benchmark, cost: there is no eBPF toolchain to build the floor with".into());
    }
    perform(&Args::smoke(hostnet, parts), || Ok(()))?;
    Ok(left_out)
}

/// Runs every part whatever the one before it found; a goal that is not reached is reported,
/// and no failure. `publish` is called whenever something was kept.
pub fn perform(args: &Args, publish: impl Fn() -> Result<()>) -> Result<()> {
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
                    publish()?;
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
    let measured = match way(part) {
        Way::Load(measure) => {
            let shared = match bench.take() {
                Some(shared) => shared,
                None => {
                    let (programs, container) = (Rc::clone(programs), Container::start(programs)?);
                    Bench {
                        programs,
                        container,
                        size,
                        beside_others: args.beside_others,
                        second_sink: None,
                    }
                }
            };
            measure(bench.insert(shared))
        }
        Way::Alone(measure) => {
            // The container's daemon would be measured along.
            drop(bench.take());
            measure(programs, size)
        }
    };
    // A load that was broken off answers no further order.
    let measured = measured.inspect_err(|_| drop(bench.take()))?;
    machine.load_average_after = machine::load_average()?;
    let seconds = began.elapsed().as_secs();
    Kept::of(part, (origin.clone(), machine, size), seconds, measured)
}

/// How a part is measured.
enum Way {
    /// With a load in the container, which such parts share.
    Load(fn(&mut Bench) -> Result<Measured>),
    /// With a load of its own.
    Alone(fn(&Programs, Size) -> Result<Measured>),
}

fn way(part: Part) -> Way {
    match part {
        Part::Cost => Way::Load(cost::measure),
        Part::Delivery => Way::Load(delivery::at_full_speed),
        Part::Sustained => Way::Load(delivery::sustained),
        Part::Upkeep => Way::Load(upkeep::measure),
        Part::Scale => Way::Alone(owners::scale),
        Part::Mixed => Way::Alone(owners::mixed),
        Part::Short => Way::Alone(owners::short),
        Part::Flood => Way::Alone(endurance::floods),
        Part::ListenFlood => Way::Alone(endurance::listen_floods),
        Part::Restart => Way::Alone(endurance::restart),
        Part::Record => Way::Alone(record::rate),
        Part::Query => Way::Alone(record::query),
        Part::Crash => Way::Alone(record::crash),
        Part::Outage => Way::Alone(record::outage),
        Part::Drain => Way::Alone(record::drain),
    }
}

#[expect(clippy::print_stdout, reason = "the result is what was asked for")]
fn print(text: &str) {
    println!("{text}");
}
