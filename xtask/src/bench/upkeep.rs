//! What the agent itself needs: CPU time per event, memory, CPU time when
//! nothing happens, and time to start.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::Result;

use super::{
    Agent, Bench,
    agent::Memory,
    delivery,
    kept::Measured,
    size::Size,
    stats::median,
    table::{Table, number},
};

/// Events per second while its CPU time is taken.
const RATE: u64 = 20_000;

/// Connects per second while the agent starts: one every tick of the load.
const STARTING_RATE: u64 = 1000;

pub fn measure(bench: &mut Bench) -> Result<Measured> {
    let (cpu, memory) = busy(bench, None)?;
    let (_, seconds) = busy_for(bench.size);
    // What a sink of ECS takes is in that already; what another format takes comes to it.
    let mut with = |format| Ok::<f64, anyhow::Error>(busy(bench, Some(format))?.0);
    let (ecs, ocsf, cef) = (with("ecs")?, with("ocsf")?, with("cef")?);
    let relative = |other: f64| 1.0 + (other - ecs) / cpu;
    let (idle_percent, idle) = idle(bench)?;
    let starts = bench.size.of(5, 3, 1);
    let starts: Vec<f64> = (0..starts).map(|_| start(bench)).collect::<Result<_>>()?;
    let mib = |kib: u64| kib as f64 / 1024.0;
    Ok(Measured {
        workload: format!(
            "An agent without history reports {} connects a second for {seconds} s, does nothing, and starts.",
            number(RATE as f64, 0)
        ),
        figures: vec![
            ("agent-cpu", cpu),
            ("agent-cpu-ocsf", relative(ocsf)),
            ("agent-cpu-cef", relative(cef)),
            ("resident", mib(idle.resident_kib.max(memory.resident_kib))),
            ("peak", mib(idle.peak_kib.max(memory.peak_kib))),
            ("idle-cpu", idle_percent),
            ("start", starts.into_iter().fold(0.0, f64::max)),
        ],
        tables: vec![table(idle, memory)],
    })
}

/// How often, and for how many seconds each time.
fn busy_for(size: Size) -> (u64, u64) {
    size.of((3, 10), (1, 3), (1, 1))
}

/// CPU per 100 000 events, and memory, of an agent that may have a second sink, of that format.
fn busy(bench: &mut Bench, second_sink: Option<&'static str>) -> Result<(f64, Memory)> {
    let (times, seconds) = busy_for(bench.size);
    let mut cpu_seconds = Vec::new();
    let mut memory = Memory::default();
    bench.second_sink = second_sink;
    for _ in 0..times {
        eprintln!("upkeep: {RATE}/s for {seconds} s");
        let delivery = delivery::offer(bench, RATE * seconds, Some(RATE))?;
        cpu_seconds.push(delivery.agent_cpu_seconds * 1e5 / delivery.delivered as f64);
        memory = delivery.memory;
    }
    bench.second_sink = None;
    Ok((median(&cpu_seconds), memory))
}

fn table(idle: Memory, busy: Memory) -> Table {
    let columns = ["memory, MiB", "resident", "anonymous", "program and ring", "most so far"];
    let mut table = Table::new("The agent's own memory", &columns);
    for (name, memory) in [("idle", idle), ("busy", busy)] {
        let mib = |kib: u64| number(kib as f64 / 1024.0, 1);
        let Memory { resident_kib, anonymous_kib, file_kib, peak_kib } = memory;
        let [resident, anonymous, file, peak] =
            [resident_kib, anonymous_kib, file_kib, peak_kib].map(mib);
        table.row([name.to_owned(), resident, anonymous, file, peak]);
    }
    table
}

fn idle(bench: &Bench) -> Result<(f64, Memory)> {
    let seconds = bench.size.of(20, 5, 1);
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
