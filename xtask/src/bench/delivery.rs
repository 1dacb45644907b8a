//! What arrives of a load: at full speed, and at a rate that is kept up.

use std::time::Duration;

use anyhow::{Result, bail};

use super::{
    Agent, Bench,
    agent::Memory,
    kept::Measured,
    load::Spent,
    table::{Table, number},
};

/// Per second; must be kept up without loss.
const SUSTAINED: u64 = 60_000;

/// Per second; tried in turn until something is lost.
const HIGHER: &[u64] = &[80_000, 100_000, 150_000, 200_000, 300_000, 400_000];

/// A load that cannot keep its rate says nothing about the agent.
const KEPT: f64 = 0.97;

/// How often the agent's output is counted and thrown away.
const POLL: Duration = Duration::from_millis(250);

/// A load and what became of it.
pub struct Delivery {
    pub offered: u64,
    /// As measured, not as asked for.
    pub offered_per_second: f64,
    /// Lines of the load's container that are connects.
    pub delivered: u64,
    /// Told in `records-lost` events.
    pub reported_lost: u64,
    pub agent_cpu_seconds: f64,
    pub memory: Memory,
}

impl Delivery {
    pub fn delivered_percent(&self) -> f64 {
        100.0 * self.delivered as f64 / self.offered as f64
    }

    pub const fn is_complete(&self) -> bool {
        self.delivered == self.offered && self.reported_lost == 0
    }

    /// What neither arrived nor was told as lost; negative when told twice.
    pub const fn unaccounted(&self) -> i64 {
        self.offered as i64 - self.delivered as i64 - self.reported_lost as i64
    }
}

/// Several bursts, each with an agent of its own.
pub fn at_full_speed(bench: &mut Bench) -> Result<Measured> {
    let (bursts, connects) = bench.size.of((5, 300_000), (2, 300_000), (1, 3000));
    let burst = |at| {
        eprintln!("delivery: burst {} of {bursts}", at + 1);
        offer(bench, connects, None)
    };
    let runs: Vec<Delivery> = (0..bursts).map(burst).collect::<Result<_>>()?;
    let worst = runs.iter().map(Delivery::delivered_percent).fold(100.0, f64::min);
    Ok(Measured {
        workload: format!(
            "{bursts} bursts of {} connects from one core, each with an agent of its own.",
            number(connects as f64, 0)
        ),
        figures: vec![("burst-delivered", worst), ("burst-unaccounted", unaccounted(&runs))],
        tables: vec![table("Each burst", &runs)],
    })
}

fn unaccounted(runs: &[Delivery]) -> f64 {
    runs.iter().map(|run| run.unaccounted().unsigned_abs()).sum::<u64>() as f64
}

fn table(heading: &str, runs: &[Delivery]) -> Table {
    let columns = [
        "offered/s",
        "offered",
        "delivered",
        "%",
        "reported lost",
        "unaccounted",
        "CPU per 100 000, s",
    ];
    let mut table = Table::new(heading, &columns);
    for run in runs {
        table.row([
            number(run.offered_per_second, 0),
            number(run.offered as f64, 0),
            number(run.delivered as f64, 0),
            number(run.delivered_percent(), 2),
            number(run.reported_lost as f64, 0),
            run.unaccounted().to_string(),
            number(run.agent_cpu_seconds * 1e5 / run.delivered as f64, 2),
        ]);
    }
    table
}

/// The required rate for long, then higher ones until something is lost.
pub fn sustained(bench: &mut Bench) -> Result<Measured> {
    let (whole, step, higher) =
        bench.size.of((60, 10, HIGHER), (10, 3, HIGHER), (1, 1, &HIGHER[..1]));
    eprintln!("sustained: {SUSTAINED}/s for {whole} s");
    let mut rates = vec![offer(bench, SUSTAINED * whole, Some(SUSTAINED))?];
    for rate in higher {
        eprintln!("sustained: {rate}/s for {step} s");
        let tried = offer(bench, rate * step, Some(*rate))?;
        let is_last = !tried.is_complete();
        let is_kept = tried.offered_per_second >= KEPT * *rate as f64;
        rates.push(tried);
        if is_last || !is_kept {
            break;
        }
    }
    let highest = rates.iter().filter(|run| run.is_complete());
    let highest = highest.map(|run| run.offered_per_second).fold(0.0, f64::max);
    Ok(Measured {
        workload: format!(
            "A container connects at {} a second for {whole} s, then at higher rates for {step} s each \
             until something is lost or the load cannot keep the rate.",
            number(SUSTAINED as f64, 0)
        ),
        figures: vec![
            ("sustained-delivered", rates.first().map_or(0.0, Delivery::delivered_percent)),
            ("sustained-highest", highest),
            ("sustained-unaccounted", unaccounted(&rates)),
        ],
        tables: vec![table("Each rate", &rates)],
    })
}

/// Connects of the container, counted as they arrive.
pub fn offer(bench: &mut Bench, count: u64, rate: Option<u64>) -> Result<Delivery> {
    bench.spare_others()?;
    let mut agent = Agent::start(bench)?;
    let cpu = agent.cpu()?;
    let spent = run(bench, &mut agent, count, rate)?;
    agent.settle()?;
    let cpu = agent.cpu()? - cpu;
    let memory = agent.memory()?;
    let seen = agent.stop()?;
    let load_seconds = spent.wall_ns as f64 / 1e9;
    Ok(Delivery {
        offered: count,
        offered_per_second: count as f64 / load_seconds,
        delivered: seen.connects,
        reported_lost: seen.lost_connects,
        agent_cpu_seconds: cpu.as_secs_f64(),
        memory,
    })
}

fn run(bench: &mut Bench, agent: &mut Agent, count: u64, rate: Option<u64>) -> Result<Spent> {
    let watchers = bench.watchers()?;
    bench.container.load.begin("connect", count, rate)?;
    loop {
        if let Some(spent) = bench.container.load.ended(POLL)? {
            return Ok(spent);
        }
        agent.lines.poll()?;
        if !bench.beside_others && bench.watchers()? > watchers {
            bail!("another program began to watch sockets: the load must not flood it");
        }
    }
}
