//! What watching adds to the CPU time of an operation, for the one who does it.

use anyhow::{Context as _, Result, bail};

use super::{
    Agent, Bench, Load,
    floor::{Floor, Variant},
    kept::Measured,
    stats::{Spread, median},
    table::{Table, number},
};
use crate::shell;

/// How often a pair is repeated that others disturbed.
const ATTEMPTS: u32 = 4;

/// One operation of the load.
struct Kind {
    /// What it is called in the result.
    name: &'static str,
    /// What the load calls it.
    order: &'static str,
    /// Operations per measurement. All together fit hostnet's ring: what is
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
    kind(BIND, "bind-refused", 4000),
    kind("socket, bind to port 0, close: TCP", "bind-tcp", 500),
    kind("socket, bind to port 0, close: UDP", "bind-udp", 500),
    kind("TCP connection, both ends: connect, accept, closes", "tcp", 200),
    Kind { on_host: true, ..kind("TCP connection, accepting end: accept, close", "tcp", 200) },
    kind("UDP send, first to a peer", "send-first", 500),
    kind("UDP send, repeated", "send-again", 4000),
    kind(GETPPID, "getppid", 20_000),
    kind(READ, "read", 20_000),
];

const CONNECT: &str = "connect(2) alone";
const BIND: &str = "bind(2) alone, refused";
const GETPPID: &str = "getppid(2)";
const READ: &str = "read(2) of one byte";

/// Added nanoseconds of one operation.
struct Row {
    operation: &'static str,
    /// With nobody watching.
    alone_ns: f64,
    empty: Spread,
    record: Spread,
    hostnet: Spread,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Watcher {
    Floor(Variant),
    Hostnet,
}

/// Nanoseconds per operation, by kind.
type Sample = Vec<f64>;

const WATCHERS: [Watcher; 3] =
    [Watcher::Hostnet, Watcher::Floor(Variant::Empty), Watcher::Floor(Variant::Record)];

pub fn measure(bench: &mut Bench) -> Result<Measured> {
    if bench.programs.floor.is_none() {
        bail!("there is nothing to compare with: cargo xtask ebpf --install gets the toolchain");
    }
    let mut host = Load::start(shell::command(bench.programs.harness("load")))?;
    host.listen_as(&bench.container.load)?;
    let pairs = bench.size.of(15, 4, 1);
    let mut alone: Vec<Sample> = Vec::new();
    let mut added = WATCHERS.map(|_| Vec::<Sample>::new());
    let (mut lost, mut disturbed) = (0, 0);
    sample(bench, &mut host, None)?;
    for round in 0..pairs {
        eprintln!("cost: pair {} of {pairs}", round + 1);
        for (watcher, added) in WATCHERS.into_iter().zip(&mut added) {
            let pair = quiet_pair(bench, &mut host, watcher, round)?;
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
    let row = |(at, kind): (usize, &Kind)| {
        let [hostnet, empty, record] =
            added.each_ref().map(|samples| Spread::of(&column(samples, at)));
        let alone_ns = median(&column(&alone, at));
        Row { operation: kind.name, alone_ns, empty, record, hostnet }
    };
    let rows: Vec<Row> = KINDS.iter().enumerate().map(row).collect();
    Ok(Measured {
        workload: format!(
            "{pairs} pairs of measurements with a watcher and without, in turns, for hostnet and each floor."
        ),
        figures: figures(&rows, lost, disturbed)?,
        tables: vec![table(&rows)],
    })
}

fn figures(rows: &[Row], lost: u64, disturbed: u64) -> Result<Vec<(&'static str, f64)>> {
    let row = |name: &str| {
        let row = rows.iter().find(|row| row.operation == name);
        row.with_context(|| format!("{name} was not measured"))
    };
    let (connect, bind) = (row(CONNECT)?, row(BIND)?);
    // A floor below a nanosecond is noise, and nothing to divide by.
    let ratio = |row: &Row| row.hostnet.median / row.record.median.max(1.0);
    Ok(vec![
        ("connect-ratio", ratio(connect)),
        ("connect-added", connect.hostnet.median),
        ("connect-floor", connect.record.median),
        ("connect-empty", connect.empty.median),
        ("bind-ratio", ratio(bind)),
        ("bind-added", bind.hostnet.median),
        ("bind-floor", bind.record.median),
        ("getppid-added", row(GETPPID)?.hostnet.median),
        ("read-added", row(READ)?.hostnet.median),
        ("cost-lost", lost as f64),
        ("cost-disturbed", disturbed as f64),
    ])
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new(
        "Added CPU time per operation in ns: median and quartiles of the differences",
        &["operation", "alone", "floor: empty", "floor: record", "hostnet"],
    );
    let spread = |spread: Spread| {
        format!("{:+.0} [{:+.0}…{:+.0}]", spread.median, spread.lower, spread.upper)
    };
    for row in rows {
        table.row([
            row.operation.to_owned(),
            number(row.alone_ns, 0),
            spread(row.empty),
            spread(row.record),
            spread(row.hostnet),
        ]);
    }
    table
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
    // Measurements of one kind in a row; their median is one sample, so that an interrupt at
    // the wrong moment is not.
    let measurements = bench.size.of(9, 9, 1);
    for kind in KINDS {
        let load = if kind.on_host { &mut *host } else { &mut bench.container.load };
        let mut times = Vec::new();
        for number in 0..=measurements {
            let spent = load.run(kind.order, kind.count)?;
            // The first warms up.
            if number > 0 {
                times.push(spent.cpu_ns as f64 / kind.count as f64);
            }
        }
        sample.push(median(&times));
        if kind.order == "send-first" {
            load.run("send-end", 1)?;
        }
        if let Some(agent) = &mut agent {
            agent.settle()?;
        }
    }
    Ok(sample)
}
