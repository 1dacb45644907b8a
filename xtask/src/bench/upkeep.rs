//! What the agent itself needs: CPU time per event, memory, CPU time when
//! nothing happens, and time to start.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::Result;
use serde::Serialize;

use super::{Agent, Bench, agent::Memory, delivery, stats::median};

/// Events per second while its CPU time is taken.
const RATE: u64 = 20_000;

/// Connects per second while the agent starts: one every tick of the load.
const STARTING_RATE: u64 = 1000;

#[derive(Serialize)]
pub struct Upkeep {
    pub cpu_seconds_per_100k: Vec<f64>,
    pub idle_cpu_percent: f64,
    pub idle_memory: Memory,
    pub busy_memory: Memory,
    /// From spawning the agent to the first line of what a container did.
    pub start_seconds: Vec<f64>,
}

impl Upkeep {
    pub fn cpu(&self) -> f64 {
        median(&self.cpu_seconds_per_100k)
    }

    pub fn start(&self) -> f64 {
        self.start_seconds.iter().copied().fold(0.0, f64::max)
    }
}

pub fn measure(bench: &mut Bench) -> Result<Upkeep> {
    let seconds = bench.either(10, 3);
    let mut cpu_seconds_per_100k = Vec::new();
    let mut busy_memory = Memory::default();
    for _ in 0..bench.either(3, 1) {
        eprintln!("upkeep: {RATE}/s for {seconds} s");
        let delivery = delivery::offer(bench, RATE * seconds, Some(RATE))?;
        cpu_seconds_per_100k.push(delivery.agent_cpu_seconds * 1e5 / delivery.delivered as f64);
        busy_memory = delivery.memory;
    }
    let (idle_cpu_percent, idle_memory) = idle(bench)?;
    let start_seconds = (0..bench.either(5, 3)).map(|_| start(bench)).collect::<Result<_>>()?;
    Ok(Upkeep { cpu_seconds_per_100k, idle_cpu_percent, idle_memory, busy_memory, start_seconds })
}

fn idle(bench: &Bench) -> Result<(f64, Memory)> {
    let seconds = bench.either(20, 5);
    eprintln!("upkeep: idle for {seconds} s");
    let agent = Agent::start(bench)?;
    let (began, before) = (Instant::now(), agent.cpu()?);
    sleep(Duration::from_secs(seconds));
    let cpu = agent.cpu()? - before;
    let percent = 100.0 * cpu.as_secs_f64() / began.elapsed().as_secs_f64();
    let memory = agent.memory()?;
    agent.stop()?;
    Ok((percent, memory))
}

/// Something happens all the time; how long until the agent tells it?
fn start(bench: &mut Bench) -> Result<f64> {
    bench.container.load.begin("connect", STARTING_RATE * 3, Some(STARTING_RATE))?;
    let mut agent = Agent::begin(bench)?;
    agent.wait_for("told nothing", |seen| seen.connects > 0)?;
    let seconds = agent.began.elapsed().as_secs_f64();
    while bench.container.load.ended(Duration::from_millis(250))?.is_none() {
        agent.lines.poll()?;
    }
    agent.stop()?;
    Ok(seconds)
}
