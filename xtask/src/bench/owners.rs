//! Whether owners are true and told by name, and what a crowd of them costs: by
//! programs of the live tests' harness, which know who acted.

use anyhow::Result;
use serde::Deserialize;

use super::{
    kept::Measured,
    programs::Programs,
    size::Size,
    table::{Table, number},
};

/// What the harness says of a crowd of containers with sockets from before the agent.
#[derive(Deserialize)]
struct Crowd {
    containers: u32,
    sockets: u32,
    seconds_to_observe: f64,
    seconds_to_all_sockets: f64,
    seconds_to_all_names: f64,
    resident_mib: u64,
    peak_mib: u64,
    cpu_seconds_per_100k: f64,
    wrong: u64,
    unknown: u64,
    not_named_at_once: u64,
    lost: u64,
    first_wrong: Option<String>,
}

/// The same of few and of many containers.
#[derive(Deserialize)]
struct Scale {
    few: Crowd,
    many: Crowd,
}

/// What the harness says of containers that come and go.
#[derive(Deserialize)]
struct Shifts {
    events: u64,
    named: u64,
    never_named: u64,
    lost: u64,
    unknown: u64,
    wrong: u64,
    first_wrong: Option<String>,
}

pub fn scale(programs: &Programs, size: Size) -> Result<Measured> {
    let containers = size.of("10000", "1000", "40");
    let acts = size.of("100000", "100000", "2000");
    eprintln!("scale: {containers} containers with 10 sockets each");
    let Scale { few, many } = programs.ask("scale", &[containers, "10", acts])?;
    let mut table = Table::new(
        "Few containers and many",
        &[
            "containers",
            "sockets",
            "observes, s",
            "all sockets, s",
            "all names, s",
            "resident, MiB",
            "CPU per 100 000, s",
            "unknown",
            "not named at once",
            "lost",
        ],
    );
    for crowd in [&few, &many] {
        crowd.first_wrong.iter().for_each(|wrong| eprintln!("scale: a wrong owner: {wrong}"));
        table.row([
            number(crowd.containers.into(), 0),
            number(crowd.sockets.into(), 0),
            number(crowd.seconds_to_observe, 1),
            number(crowd.seconds_to_all_sockets, 1),
            number(crowd.seconds_to_all_names, 1),
            crowd.resident_mib.to_string(),
            number(crowd.cpu_seconds_per_100k, 2),
            crowd.unknown.to_string(),
            crowd.not_named_at_once.to_string(),
            crowd.lost.to_string(),
        ]);
    }
    Ok(Measured {
        workload: format!(
            "An agent starts beside {} containers with {} sockets; then they do {acts} acts.",
            number(many.containers.into(), 0),
            number(many.sockets.into(), 0)
        ),
        figures: vec![
            ("scale-start", many.seconds_to_observe),
            // Whoever reads that much shares the processors with the agent.
            ("scale-told", many.seconds_to_all_sockets.max(many.seconds_to_all_names)),
            ("scale-peak", many.peak_mib as f64),
            ("scale-cpu", many.cpu_seconds_per_100k / few.cpu_seconds_per_100k),
            ("scale-wrong", (few.wrong + many.wrong) as f64),
        ],
        tables: vec![table],
    })
}

pub fn mixed(programs: &Programs, size: Size) -> Result<Measured> {
    let (containers, rounds) = size.of(("100", "1000"), ("20", "1000"), ("4", "20"));
    eprintln!("mixed: {containers} containers, twenty at a time");
    let shifts: Shifts = programs.ask("owners", &["mixed", containers, rounds])?;
    let workload =
        format!("{containers} containers, twenty at a time, do mixed socket operations and end.");
    Ok(shifts.measured(
        workload,
        ["mixed-events", "mixed-wrong", "mixed-named", "mixed-never", "mixed-lost"],
    ))
}

pub fn short(programs: &Programs, size: Size) -> Result<Measured> {
    let containers = size.of("2000", "100", "8");
    eprintln!("short: {containers} containers that live a moment, on busy processors");
    let shifts: Shifts = programs.ask("owners", &["short", containers, "1"])?;
    let workload = format!(
        "{containers} containers live a moment each, four at a time, while all processors are busy."
    );
    Ok(shifts.measured(
        workload,
        ["short-events", "short-wrong", "short-named", "short-never", "short-lost"],
    ))
}

impl Shifts {
    /// `ids` are of all events, wrong ones, named ones, those that never are, and lost ones.
    fn measured(&self, workload: String, ids: [&'static str; 5]) -> Measured {
        self.first_wrong.iter().for_each(|wrong| eprintln!("a wrong owner: {wrong}"));
        let values = [
            self.events as f64,
            self.wrong as f64,
            100.0 * self.named as f64 / self.events as f64,
            (self.never_named + self.unknown) as f64,
            self.lost as f64,
        ];
        Measured { workload, figures: ids.into_iter().zip(values).collect(), tables: Vec::new() }
    }
}
