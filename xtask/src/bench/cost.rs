//! What watching adds to the CPU time of an operation, for the one who does it.

use anyhow::Result;
use serde::Serialize;

use super::{
    Agent, Bench, Load,
    floor::{Floor, Variant},
    stats::{Spread, median},
};
use crate::shell;

/// Measurements of one kind in a row; their median is one sample, so that an
/// interrupt at the wrong moment is not.
const CHUNKS: u64 = 9;

/// How often a pair is repeated that others disturbed.
const ATTEMPTS: u32 = 4;

/// One operation of the load.
struct Kind {
    /// What it is called in the result.
    name: &'static str,
    /// What the load calls it.
    order: &'static str,
    /// Operations per chunk. All chunks together fit hostnet's ring: what is
    /// lost costs less than what is told.
    count: u64,
    /// Done by a process of the host, on the container's listener.
    on_host: bool,
}

const fn kind(name: &'static str, order: &'static str, count: u64) -> Kind {
    Kind { name, order, count, on_host: false }
}

const KINDS: &[Kind] = &[
    kind(CONNECT, "connect", 4000),
    kind("bind(2) alone, refused", "bind-refused", 4000),
    kind("socket, bind to port 0, close: TCP", "bind-tcp", 500),
    kind("socket, bind to port 0, close: UDP", "bind-udp", 500),
    kind("TCP connection, both ends: connect, accept, closes", "tcp", 200),
    Kind { on_host: true, ..kind("TCP connection, accepting end: accept, close", "tcp", 200) },
    kind("UDP send, first to a peer", "send-first", 500),
    kind("UDP send, repeated", "send-again", 4000),
    kind(GETPPID, "getppid", 20_000),
    kind(READ, "read", 20_000),
];

pub const CONNECT: &str = "connect(2) alone";
pub const GETPPID: &str = "getppid(2)";
pub const READ: &str = "read(2) of one byte";

/// Added nanoseconds by operation.
#[derive(Serialize)]
pub struct Costs {
    pub pairs: u64,
    pub rows: Vec<Row>,
    /// Records hostnet lost meanwhile: then its cost is understated.
    pub lost: u64,
    /// Pairs during which somebody else watched, too.
    pub disturbed: u64,
}

#[derive(Serialize)]
pub struct Row {
    pub operation: &'static str,
    /// With nobody watching.
    pub alone_ns: f64,
    pub empty: Option<Spread>,
    pub record: Option<Spread>,
    pub hostnet: Spread,
}

impl Row {
    /// hostnet's cost in units of the least useful one.
    pub fn ratio(&self) -> Option<f64> {
        let floor = self.record?.median;
        (floor > 0.0).then(|| self.hostnet.median / floor)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Watcher {
    Floor(Variant),
    Hostnet,
}

/// Nanoseconds per operation, by kind.
type Sample = Vec<f64>;

pub fn measure(bench: &mut Bench) -> Result<Costs> {
    let mut host = Load::start(shell::command(&bench.programs.load))?;
    host.listen_as(&bench.container.load)?;
    let mut watchers = vec![Watcher::Hostnet];
    if bench.programs.floor.is_some() {
        watchers.extend([Variant::Empty, Variant::Record].map(Watcher::Floor));
    }
    let pairs = bench.either(15, 4);
    let mut alone: Vec<Sample> = Vec::new();
    let mut added: Vec<Vec<Sample>> = watchers.iter().map(|_| Vec::new()).collect();
    let (mut lost, mut disturbed) = (0, 0);
    sample(bench, &mut host, None)?;
    for round in 0..pairs {
        eprintln!("cost: pair {} of {pairs}", round + 1);
        for (watcher, added) in watchers.iter().zip(&mut added) {
            let pair = quiet_pair(bench, &mut host, *watcher, round)?;
            lost += pair.lost;
            disturbed += u64::from(pair.disturbed);
            let differences =
                pair.with.iter().zip(&pair.without).map(|(with, without)| with - without);
            added.push(differences.collect());
            alone.push(pair.without);
        }
    }
    let column = |samples: &[Sample], at: usize| -> Vec<f64> {
        samples.iter().filter_map(|sample| sample.get(at).copied()).collect()
    };
    let spread_of = |watcher: Watcher, at: usize| {
        let place = watchers.iter().position(|other| *other == watcher)?;
        Some(Spread::of(&column(&added[place], at)))
    };
    let rows = KINDS.iter().enumerate().map(|(at, kind)| Row {
        operation: kind.name,
        alone_ns: median(&column(&alone, at)),
        empty: spread_of(Watcher::Floor(Variant::Empty), at),
        record: spread_of(Watcher::Floor(Variant::Record), at),
        hostnet: Spread::of(&column(&added[0], at)),
    });
    Ok(Costs { pairs, rows: rows.collect(), lost, disturbed })
}

/// One measurement with a watcher, and one without right beside it.
struct Pair {
    without: Sample,
    with: Sample,
    lost: u64,
    disturbed: bool,
}

/// A pair that nobody disturbed, or the last of several.
fn quiet_pair(bench: &mut Bench, host: &mut Load, watcher: Watcher, round: u64) -> Result<Pair> {
    let mut attempts = 1;
    loop {
        let pair = pair(bench, host, watcher, round)?;
        if !pair.disturbed || attempts == ATTEMPTS {
            return Ok(pair);
        }
        attempts += 1;
    }
}

fn pair(bench: &mut Bench, host: &mut Load, watcher: Watcher, round: u64) -> Result<Pair> {
    let mut quiet = bench.is_unwatched_soon()?;
    // Whatever drifts meets both in turns.
    let (without, with, lost) = if round.is_multiple_of(2) {
        let without = sample(bench, host, None)?;
        quiet &= bench.is_unwatched()?;
        let (with, lost) = watched(bench, host, watcher)?;
        (without, with, lost)
    } else {
        let (with, lost) = watched(bench, host, watcher)?;
        quiet &= bench.is_unwatched()?;
        (sample(bench, host, None)?, with, lost)
    };
    quiet &= bench.is_unwatched()?;
    Ok(Pair { without, with, lost, disturbed: !quiet })
}

/// A sample while `watcher` is attached, and what it lost.
fn watched(bench: &mut Bench, host: &mut Load, watcher: Watcher) -> Result<(Sample, u64)> {
    if let (Watcher::Floor(variant), Some(floor)) = (watcher, &bench.programs.floor) {
        let _attached = Floor::start(floor, variant)?;
        return Ok((sample(bench, host, None)?, 0));
    }
    let mut agent = Agent::start(bench)?;
    let sample = sample(bench, host, Some(&mut agent))?;
    Ok((sample, agent.stop()?.lost))
}

/// `agent` is waited for after each kind, so that the next finds an empty ring.
fn sample(bench: &mut Bench, host: &mut Load, mut agent: Option<&mut Agent>) -> Result<Sample> {
    let mut sample = Sample::new();
    for kind in KINDS {
        let load = if kind.on_host { &mut *host } else { &mut bench.container.load };
        let mut chunks = Vec::new();
        for chunk in 0..=CHUNKS {
            let spent = load.run(kind.order, kind.count)?;
            // The first warms up.
            if chunk > 0 {
                chunks.push(spent.cpu_ns as f64 / kind.count as f64);
            }
        }
        sample.push(median(&chunks));
        if kind.order == "send-first" {
            load.run("send-end", 1)?;
        }
        if let Some(agent) = &mut agent {
            agent.settle()?;
        }
    }
    Ok(sample)
}
