//! What the record costs: rows per second through the history and one file, bytes
//! per event on disk, CPU per 100 000 events: `record_rate EVENTS` says it as one line of JSON
//! to `cargo xtask bench --only record`.

use std::time::{Duration, Instant};

#[expect(dead_code, reason = "shared with others, which need more of it")]
mod support;

use anyhow::{Context as _, Result};
use hostnet::{
    format::{Format, ecs::Identity},
    output::Output as _,
    record::{self, Sequence},
    sink::{Outbox, file::File},
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
    let settings = support::settings(&history);
    let identity = Identity { run: Uuid::now_v7(), ..Identity::default() };
    let sinks: Vec<(Outbox, Box<dyn hostnet::sink::Sink>)> =
        vec![(outbox, Box::new(File::open(&events)?))];
    let mut journal = record::begin(Some(settings), sinks, &identity)?;
    let mut sequence = Sequence::default();
    let acts = support::connections();
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
    let figures = serde_json::json!({
        "rows_per_second": count / took,
        "history_bytes": kept as f64 / count,
        "document_bytes": written as f64 / count,
        "cpu_per_100k": cpu * 1e5 / count,
    });
    println!("{figures}");
    Ok(())
}

fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}
