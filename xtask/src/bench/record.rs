//! The record without a kernel: what it costs, how long questions about it take, whether kills
//! lose anything, what becomes of a sink that is away, and how quickly it has what it missed.
//! All are programs of hostnet-user.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use serde::Deserialize;

use super::{
    catalogue,
    kept::Measured,
    part::Part,
    programs::Programs,
    size::Size,
    table::{Table, number},
};

#[derive(Deserialize)]
struct Rate {
    rows_per_second: f64,
    history_bytes: f64,
    document_bytes: f64,
    cpu_per_100k: f64,
}

pub fn rate(programs: &Programs, size: Size) -> Result<Measured> {
    let events = size.of("300000", "100000", "1000");
    let rate: Rate = programs.ask_example("record_rate", &[events])?;
    Ok(Measured {
        workload: format!("{events} events of connections through a history and one file."),
        figures: vec![
            ("record-rate", rate.rows_per_second),
            ("record-bytes", rate.history_bytes),
            ("record-document", rate.document_bytes),
            ("record-cpu", rate.cpu_per_100k),
        ],
        tables: Vec::new(),
    })
}

#[derive(Deserialize)]
struct Answers {
    events: u64,
    mib: u64,
    seconds: u64,
    times: u64,
    worst_ms: BTreeMap<String, f64>,
}

pub fn query(programs: &Programs, size: Size) -> Result<Measured> {
    let (events, times) = size.of(("1000000", "20"), ("200000", "20"), ("500", "1"));
    eprintln!("query: writes a history of {events} events, then asks it");
    let answers: Answers = programs.ask_example("query_rate", &[events, times])?;
    let Answers { events, mib, seconds, times, worst_ms } = answers;
    let figures = catalogue::figures(Part::Query).iter().map(|figure| {
        let question = figure.id.trim_start_matches("query-");
        let worst = worst_ms.get(question);
        Ok((figure.id, *worst.with_context(|| format!("{question} was not asked"))?))
    });
    Ok(Measured {
        workload: format!(
            "A history of {events} events of a hundred containers ({mib} MiB, written in {seconds} s) is asked \
             {times} times, opened anew each time; the figure is the slowest answer."
        ),
        figures: figures.collect::<Result<_>>()?,
        tables: Vec::new(),
    })
}

#[derive(Deserialize)]
struct Crash {
    kills: f64,
    runs: f64,
    events: f64,
    gaps: f64,
    latest_ms: f64,
}

pub fn crash(programs: &Programs, size: Size) -> Result<Measured> {
    let kills = size.of("200", "30", "4");
    eprintln!("crash: {kills} kills");
    let crash: Crash = programs.ask_example("record_crash", &[kills])?;
    Ok(Measured {
        workload: "A process that keeps and delivers events as fast as it can is killed at any moment, and \
                   started again on the same history."
            .to_owned(),
        figures: vec![
            ("crash-kills", crash.kills),
            ("crash-runs", crash.runs),
            ("crash-events", crash.events),
            ("crash-gaps", crash.gaps),
            ("crash-latest", crash.latest_ms),
        ],
        tables: Vec::new(),
    })
}

#[derive(Deserialize)]
struct Outage {
    events: f64,
    early_mib: f64,
    late_mib: f64,
    drained_seconds: f64,
    peak_mib: f64,
    missing: f64,
    misplaced: f64,
    capped: f64,
    dropped: f64,
    unaccounted: f64,
}

pub fn outage(programs: &Programs, size: Size) -> Result<Measured> {
    let events = size.of("3600000", "360000", "2000");
    eprintln!("outage: {events} events while both sinks are away");
    let outage: Outage = programs.ask_example("record_outage", &[events])?;
    let peak = outage.late_mib.max(outage.peak_mib);
    Ok(Measured {
        workload:
            "Events are kept as fast as possible while two sinks are away, one of them with a cap; \
                   then both come back."
                .to_owned(),
        figures: vec![
            ("outage-events", outage.events),
            ("outage-missing", outage.missing.abs()),
            ("outage-misplaced", outage.misplaced),
            ("outage-drained", outage.drained_seconds),
            ("outage-early", outage.early_mib),
            ("outage-peak", peak),
            ("outage-growth", (peak - outage.early_mib).max(0.0)),
            ("outage-capped", outage.capped),
            ("outage-dropped", outage.dropped),
            ("outage-unaccounted", outage.unaccounted.abs()),
        ],
        tables: Vec::new(),
    })
}

#[derive(Deserialize)]
struct Drain {
    waiting: f64,
    sinks: Vec<Sink>,
}

#[derive(Deserialize)]
struct Sink {
    name: String,
    rate: f64,
    cpu_per_100k: f64,
    mib: f64,
}

pub fn drain(programs: &Programs, size: Size) -> Result<Measured> {
    let events = size.of("600000", "60000", "400");
    eprintln!("drain: {events} events for each sink");
    let drain: Drain = programs.ask_example("record_drain", &[events])?;
    let mut figures = vec![("drain-waiting", drain.waiting)];
    let mut table =
        Table::new("What each sink's thread needs", &["sink", "CPU per 100 000, s", "memory, MiB"]);
    for sink in &drain.sinks {
        let id = format!("drain-{}", sink.name);
        let (_, figure) =
            catalogue::find(&id).with_context(|| format!("the catalogue has no {id}"))?;
        figures.push((figure.id, sink.rate));
        table.row([figure.what.to_owned(), number(sink.cpu_per_100k, 2), number(sink.mib, 0)]);
    }
    Ok(Measured {
        workload: format!(
            "{events} events wait for each sink; then each comes back alone, and 1000 events a second come \
             meanwhile."
        ),
        figures,
        tables: vec![table],
    })
}
