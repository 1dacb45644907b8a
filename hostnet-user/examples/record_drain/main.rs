//! How quickly sinks that were away get what waited for them, while the agent goes on:
//! `record_drain EVENTS`, which `cargo xtask bench --only drain` calls. Events are kept
//! while all sinks are away; then each comes back alone, and 1000 events a second come
//! meanwhile. It says as one line of JSON how quickly each took them, and fails when an event
//! is missing.

mod receivers;
#[path = "../support/mod.rs"]
mod support;

use std::{
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use hostnet::{
    event::Event,
    format::ecs::Identity,
    output::Output as _,
    record::{self, Journal, Sequence},
    sink::{Failure, Message, Outbox, Outcome, Sink, Then},
};
use receivers::{RECEIVERS, Receiver};
use serde_json::json;
use uuid::Uuid;

/// Events that come meanwhile, and how often.
const MEANWHILE: usize = 50;
const EVERY: Duration = Duration::from_millis(50);

/// How long a sink may take before it is none.
const PATIENCE: Duration = Duration::from_secs(600);

#[expect(clippy::print_stdout, reason = "the figures are what was asked for")]
fn main() -> Result<()> {
    let events = std::env::args().nth(1).context("usage: record_drain EVENTS")?;
    let events: u64 = events.parse().context("EVENTS is a number")?;
    let directory = tempfile::tempdir()?;
    let directory = directory.path();
    let mut waiting = keep(directory, events)?;
    let (first, mut sinks) = (waiting, Vec::new());
    for receiver in &RECEIVERS {
        let Drained { told, rate, cpu, mib } = drain(directory, receiver, waiting)?;
        waiting += told;
        let name = receiver.name;
        sinks.push(json!({ "name": name, "rate": rate, "cpu_per_100k": cpu, "mib": mib }));
    }
    println!("{}", json!({ "waiting": first, "sinks": sinks }));
    Ok(())
}

/// Keeps events while nobody takes any; returns how many there are with what the run
/// tells of itself.
fn keep(directory: &Path, events: u64) -> Result<u64> {
    let sinks = RECEIVERS.iter().map(|receiver| {
        let sink: Box<dyn Sink> = Box::new(Away);
        Ok((outbox(receiver, directory)?, sink))
    });
    let mut run = Run::begin(directory, sinks.collect::<Result<_>>()?)?;
    for turn in 0..events.div_ceil(400) {
        run.tell((events - turn * 400).min(400) as usize)?;
    }
    // They are away.
    drop(run.journal.close());
    Ok(run.sequence.given())
}

/// How it went.
struct Drained {
    /// Events that came meanwhile.
    told: u64,
    rate: f64,
    /// Of the sink's thread, per 100 000 events.
    cpu: f64,
    mib: u64,
}

fn drain(directory: &Path, receiver: &Receiver, waiting: u64) -> Result<Drained> {
    let received = receiver.start(directory)?;
    let outbox = outbox(receiver, directory)?;
    let sink = receiver.settings(directory)?.destination.config().open()?;
    let began = Instant::now();
    let mut run = Run::begin(directory, vec![(outbox, sink)])?;
    while run.delivered() < waiting {
        ensure!(began.elapsed() < PATIENCE, "{}: {:?}", receiver.name, run.journal.sinks());
        run.tell(MEANWHILE)?;
        thread::sleep(EVERY);
    }
    let (took, cpu) = (began.elapsed(), support::thread_time("sink")?);
    let (delivered, mib) = (run.delivered() as f64, support::resident_mib()?);
    // The end of the agent gives sinks a few seconds; a slow one needs more for the rest.
    while run.delivered() < run.sequence.given() + waiting {
        ensure!(began.elapsed() < PATIENCE, "{}: {:?}", receiver.name, run.journal.sinks());
        run.tell(0)?;
        thread::sleep(EVERY);
    }
    run.journal.close()?;
    let told = run.sequence.given();
    let received = received.count(directory)?;
    ensure!(received == waiting + told, "{} of {} came", received, waiting + told);
    let rate = delivered / took.as_secs_f64();
    Ok(Drained { told, rate, cpu: cpu.as_secs_f64() * 1e5 / delivered, mib })
}

/// The record of a run.
struct Run {
    journal: Journal,
    sequence: Sequence,
    acts: Vec<Event>,
}

impl Run {
    fn begin(directory: &Path, sinks: Vec<(Outbox, Box<dyn Sink>)>) -> Result<Self> {
        let identity = Identity { run: Uuid::now_v7(), ..Identity::default() };
        let settings = support::settings(&directory.join("history.db"));
        let journal = record::begin(Some(settings), sinks, &identity)?;
        Ok(Self { journal, sequence: Sequence::default(), acts: support::connections() })
    }

    fn tell(&mut self, count: usize) -> Result<()> {
        for _ in 0..count {
            let event = &self.acts[self.sequence.given() as usize % self.acts.len()];
            let record = self.sequence.record(event.clone(), event.wall_ns);
            self.journal.write(&record)?;
        }
        // What the record tells of itself is not what is measured.
        drop(self.journal.take_news());
        self.journal.flush()
    }

    fn delivered(&self) -> u64 {
        self.journal.sinks().values().map(|sink| sink.delivered).sum()
    }
}

fn outbox(receiver: &Receiver, directory: &Path) -> Result<Outbox> {
    Ok(Outbox { cap: 1 << 40, ..receiver.settings(directory)?.outbox() })
}

/// Takes nothing.
struct Away;

impl Sink for Away {
    fn deliver(&mut self, _: &[Message<'_>]) -> Outcome {
        let then = Then::Again(Some(PATIENCE));
        Outcome::failed(Failure { reason: "it is away".to_owned(), then })
    }
}
