//! What the record costs: rows per second through the history and one file, bytes
//! per event on disk, CPU per 100 000 events: `record_rate EVENTS`, which
//! `cargo xtask bench --only record` calls.

use std::time::{Duration, Instant};

#[path = "../tests/acts/mod.rs"]
#[expect(dead_code, reason = "shared with tests, which need more of it")]
mod acts;

use anyhow::{Context as _, Result};
use hostnet::{
    event::{Direction, Event, Outcome},
    format::{Format, ecs::Identity},
    output::Output as _,
    record::{self, Limits, Outbox, Sequence, Settings},
    sink::File,
};
use uuid::Uuid;

#[expect(clippy::print_stdout, reason = "the figures are what was asked for")]
fn main() -> Result<()> {
    let events = std::env::args().nth(1).context("usage: record_rate EVENTS")?;
    let count: u32 = events.parse().context("EVENTS is a number")?;
    let directory = tempfile::tempdir()?;
    let (history, events) = (directory.path().join("history.db"), directory.path().join("events"));
    let outbox = Outbox {
        name: "file".to_owned(),
        format: Format::Ecs,
        datasets: Vec::new(),
        actions: Vec::new(),
        cap: 1 << 40,
    };
    let settings = Settings {
        path: history.clone(),
        // The events are of a time of their own, and none is to go for its age.
        limits: Limits { age: Duration::from_secs(u32::MAX.into()), bytes: 1 << 40 },
        checkpoint_every: Duration::from_secs(10),
    };
    let identity = Identity { run: Uuid::now_v7(), ..Identity::default() };
    let sinks: Vec<(Outbox, Box<dyn hostnet::sink::Sink>)> =
        vec![(outbox, Box::new(File::open(&events)?))];
    let mut journal = record::begin(Some(settings), sinks, &identity)?;
    let mut sequence = Sequence::default();
    let acts = connections();
    let (began, cpu) = (Instant::now(), cpu_time());
    for number in 0..count {
        let event = &acts[number as usize % acts.len()];
        let record = sequence.record(event.clone(), event.wall_ns);
        journal.write(&record)?;
        if number % 400 == 0 {
            journal.flush()?;
        }
    }
    journal.close()?;
    let (took, cpu) = (began.elapsed().as_secs_f64(), (cpu_time() - cpu).as_secs_f64());
    let (kept, written) = (history.metadata()?.len(), events.metadata()?.len());
    let count = f64::from(count);
    println!("record: {:.0} rows/s through the history and one file", count / took);
    println!(
        "record: {:.0} bytes/event in the history, {:.0} of them the document",
        kept as f64 / count,
        written as f64 / count
    );
    println!("record: {:.2} s of CPU per 100 000 events", cpu * 100_000.0 / count);
    Ok(())
}

/// Connections of a hundred containers to a service of the host's, made and closed
/// in turns: what a busy host tells most, and what most of the indexes are for.
fn connections() -> Vec<Event> {
    let service = acts::Actor {
        owner: acts::host("redis-server.service"),
        process: acts::process(800, "redis-server", acts::BOOTED_NS, None),
    };
    let mut events = Vec::new();
    for number in 0..100 {
        let name = format!("shop-worker-{number}");
        let owner = acts::container(number, &name, "registry.example/shop/worker:1.27", "host");
        let process = acts::process(number as u32 + 1000, "worker", acts::BOOTED_NS, None);
        let actor = acts::Actor { owner, process };
        for turn in 0..10 {
            let local = ([127, 0, 0, 1], 40_000 + number as u16 * 10 + turn).into();
            let remote = ([127, 0, 0, 1], 6379).into();
            let of = Some(acts::socket(number * 10 + u64::from(turn), acts::TCP, local));
            let at = acts::BOOTED_NS + (number * 10 + u64::from(turn)) * acts::SECOND;
            let connect = acts::connect(local, remote, Outcome::Success);
            let mut event = acts::event(at, Some(&actor), of, connect);
            event.peer = Some(acts::peer(&service, Some(remote)));
            events.push(event);
            let close = acts::close((local, remote), Direction::Egress, (300, 80), 1_000_000);
            events.push(acts::event(at + 1_000_000, Some(&actor), of, close));
        }
    }
    events
}

fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}
