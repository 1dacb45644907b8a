//! A sink that is away while events come as fast as they can be kept, and then is there
//! again; beside it one with a cap: `record_outage EVENTS`, which
//! `cargo xtask bench --only outage` calls. It says as one line of JSON what was lost, how long
//! delivery took, what memory it needed, and whether all that the cap took was reported.

#[expect(dead_code, reason = "shared with others, which need more of it")]
mod support;

use std::{
    io::{BufRead as _, BufReader},
    os::unix::net::UnixListener,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use hostnet::{
    event::{Event, Health, Operation, RecordHealth},
    format::{Format, ecs::Identity},
    output::Output as _,
    record::{self, Journal, Sequence},
    sink::{Outbox, Sink, unix},
};
use serde::Deserialize;
use uuid::Uuid;

/// Bytes that may wait for the sink with a cap.
const CAP: u64 = 64 << 20;

/// How long delivery may take once the sinks are back.
const PATIENCE: Duration = Duration::from_secs(1200);

#[expect(clippy::print_stdout, reason = "the figures are what was asked for")]
fn main() -> Result<()> {
    let events = std::env::args().nth(1).context("usage: record_outage EVENTS")?;
    let events: u64 = events.parse().context("EVENTS is a number")?;
    let directory = tempfile::tempdir()?;
    let path = |name: &str| directory.path().join(name);
    let settings = support::settings(&path("history.db"));
    let identity = Identity { run: Uuid::now_v7(), ..Identity::default() };
    let sinks =
        vec![sink("whole", &path("whole"), 1 << 40)?, sink("capped", &path("capped"), CAP)?];
    let journal = record::begin(Some(settings), sinks, &identity)?;
    let mut run = Run { journal, sequence: Sequence::default(), dropped: 0 };

    let mut early = 0;
    for number in 0..events {
        run.tell(reachable())?;
        if number % 400 == 0 {
            run.turn()?;
        }
        if number == events / 10 {
            early = support::resident_mib()?;
        }
    }
    run.turn()?;
    let late = support::resident_mib()?;

    let back = Instant::now();
    let readers = [read(&path("whole"))?, read(&path("capped"))?];
    while run.journal.sinks().values().any(|sink| sink.waiting > 0) {
        ensure!(back.elapsed() < PATIENCE, "{:?}", run.journal.sinks());
        run.turn()?;
        thread::sleep(Duration::from_millis(50));
    }
    let drained = back.elapsed().as_secs_f64();
    let peak = support::resident_mib()?;
    run.journal.close()?;
    drop(run.journal);
    let told = run.sequence.given();
    let [whole, capped] = readers.map(|reader| reader.join().expect("a reader does not panic"));
    let figures = serde_json::json!({
        "events": events,
        "early_mib": early,
        "late_mib": late,
        "drained_seconds": drained,
        "peak_mib": peak,
        "missing": told.cast_signed() - whole.events.cast_signed(),
        "misplaced": whole.misplaced,
        "capped": capped.events,
        "dropped": run.dropped,
        "unaccounted": told.cast_signed() - (capped.events + run.dropped).cast_signed(),
    });
    println!("{figures}");
    Ok(())
}

/// The record of a run, served as the pipeline does it.
struct Run {
    journal: Journal,
    sequence: Sequence,
    /// Events that the sink with the cap was not given, as it was told.
    dropped: u64,
}

impl Run {
    fn tell(&mut self, health: Health) -> Result<()> {
        let event =
            Event::new(Uuid::now_v7(), 1, 1_764_000_000_000_000_000, Operation::Health(health));
        let record = self.sequence.record(event, 1_764_000_000_000_000_000);
        self.journal.write(&record)
    }

    fn turn(&mut self) -> Result<()> {
        self.journal.flush()?;
        for news in self.journal.take_news() {
            if let Health::Record(record) = &news
                && let RecordHealth::SinkDropped { sink, dropped, refused, reason } = &**record
            {
                ensure!(
                    sink == "capped" && *refused == 0,
                    "{sink} was not given {dropped}, and refused {refused}: {reason}"
                );
                self.dropped += dropped;
            }
            self.tell(news)?;
        }
        Ok(())
    }
}

fn sink(name: &str, path: &Path, cap: u64) -> Result<(Outbox, Box<dyn Sink>)> {
    let (datasets, actions) = (Vec::new(), Vec::new());
    let outbox = Outbox { name: name.to_owned(), format: Format::Ecs, datasets, actions, cap };
    let path: PathBuf = path.to_owned();
    let settings = unix::Settings { path, mode: unix::Mode::Stream, timeout_s: 10 };
    Ok((outbox, Box::new(unix::Unix::open(settings)?)))
}

/// As long as a connect's record is: about 1.5 kB.
fn reachable() -> Health {
    Health::RuntimeReachable { endpoint: "x".repeat(450), version: "x".repeat(10) }
}

/// What came.
#[derive(Default)]
struct Came {
    events: u64,
    /// Those that did not come after one with a smaller number.
    misplaced: u64,
}

#[derive(Deserialize)]
struct Line {
    event: Place,
}

#[derive(Deserialize)]
struct Place {
    sequence: u64,
}

/// A sink's other end, from now on.
fn read(path: &Path) -> Result<thread::JoinHandle<Came>> {
    let listener = UnixListener::bind(path)?;
    Ok(thread::spawn(move || {
        let mut came = Came::default();
        let mut last = 0;
        let (stream, _) = listener.accept().expect("the sink connects");
        for line in BufReader::with_capacity(1 << 18, stream).split(b'\n') {
            let line: Line = serde_json::from_slice(&line.expect("readable")).expect("an event");
            came.events += 1;
            came.misplaced += u64::from(line.event.sequence <= last);
            last = line.event.sequence;
        }
        came
    }))
}
