//! Whether a flood or a killed agent takes anything from the record: by a program of
//! the live tests' harness, which knows who acted.

use anyhow::Result;
use serde::Deserialize;

use super::{
    kept::Measured,
    programs::Programs,
    size::Size,
    table::{Table, number},
};

/// What became of a flood by one container beside another one's acts.
#[derive(Deserialize)]
struct Flood {
    generated: u64,
    told: u64,
    suppressed: u64,
    lost: u64,
    unaccounted: i64,
    rare: u64,
    rare_told: u64,
    marks: u64,
    marks_told: u64,
    marks_suppressed: u64,
    marks_lost: u64,
}

/// What became of a quiet container's connects while a user of the host's listened without
/// a bind, beside other sockets.
#[derive(Deserialize)]
struct ListenFlood {
    sockets: u64,
    listens: u64,
    marks: u64,
    marks_told: u64,
    latest_ms: u64,
    marks_lost: u64,
}

/// What became of acts while agents were killed, the programs pinned.
#[derive(Deserialize)]
struct Restart {
    kills: u32,
    seconds: f64,
    acts: u64,
    /// Acts that were told, at least once.
    told: u64,
    loss_events: u64,
}

pub fn floods(programs: &Programs, size: Size) -> Result<Measured> {
    let (runs, words) = size.of(
        (3, ["flood", "60000", "100000", "10000"]),
        (1, ["flood", "10000", "16000", "1600"]),
        (1, ["flood", "1000", "200", "20"]),
    );
    let flood = |run| {
        eprintln!("flood: {} ms from both cores, run {} of {runs}", words[1], run + 1);
        programs.ask("endurance", &words)
    };
    let floods: Vec<Flood> = (0..runs).map(flood).collect::<Result<_>>()?;
    let sum = |of: fn(&Flood) -> u64| floods.iter().map(of).sum::<u64>() as f64;
    let mut table = Table::new(
        "Each flood",
        &["connects", "reported", "suppressed", "lost", "other's acts", "suppressed", "lost"],
    );
    for flood in &floods {
        let cells = [
            flood.generated,
            flood.told,
            flood.suppressed,
            flood.lost,
            flood.marks,
            flood.marks_suppressed,
            flood.marks_lost,
        ];
        table.row(cells.map(|count| number(count as f64, 0)));
    }
    Ok(Measured {
        workload: format!(
            "{runs} times a container connects for {} ms from both cores as fast as it can, beside \
             another container that acts.",
            words[1]
        ),
        figures: vec![
            ("flood-acts", sum(|one| one.generated)),
            ("flood-unaccounted", sum(|one| one.unaccounted.unsigned_abs())),
            ("flood-marks", sum(|one| one.marks)),
            ("flood-marks-missing", sum(|one| one.marks.abs_diff(one.marks_told))),
            ("flood-rare", sum(|one| one.rare)),
            ("flood-rare-missing", sum(|one| one.rare.abs_diff(one.rare_told))),
        ],
        tables: vec![table],
    })
}

pub fn listen_floods(programs: &Programs, size: Size) -> Result<Measured> {
    let (lasts, marks) = size.of(("60000", "2000"), ("10000", "400"), ("1000", "40"));
    let beside = size.of(["0", "4000", "60000"], ["0", "4000", "60000"], ["0", "40", "400"]);
    let flood = |sockets| {
        eprintln!("listen-flood: {lasts} ms beside {sockets} other sockets");
        programs.ask("endurance", &["listens", lasts, marks, sockets])
    };
    let floods: Vec<ListenFlood> = beside.into_iter().map(flood).collect::<Result<_>>()?;
    let sum = |of: fn(&ListenFlood) -> u64| floods.iter().map(of).sum::<u64>() as f64;
    let mut table = Table::new(
        "By how many sockets there are",
        &["other sockets", "listens", "connects", "reported", "latest, ms"],
    );
    for flood in &floods {
        let cells = [flood.sockets, flood.listens, flood.marks, flood.marks_told, flood.latest_ms];
        table.row(cells.map(|count| number(count as f64, 0)));
    }
    let latest = floods.iter().map(|flood| flood.latest_ms).max().unwrap_or(0);
    Ok(Measured {
        workload: format!(
            "A user of the host listens without a bind for {lasts} ms as fast as it can, beside other \
             sockets and a quiet container."
        ),
        figures: vec![
            ("listen-flood-acts", sum(|one| one.listens)),
            ("listen-flood-marks", sum(|one| one.marks)),
            ("listen-flood-missing", sum(|one| one.marks.abs_diff(one.marks_told))),
            ("listen-flood-latest", latest as f64),
            ("listen-flood-lost", sum(|one| one.marks_lost)),
        ],
        tables: vec![table],
    })
}

pub fn restart(programs: &Programs, size: Size) -> Result<Measured> {
    let words = size.of(
        ["restart", "6", "20000", "600000"],
        ["restart", "2", "8000", "240000"],
        ["restart", "1", "3000", "3000"],
    );
    eprintln!("restart: {} kills while a container acts for {} ms", words[1], words[2]);
    let Restart { kills, seconds, acts, told, loss_events } = programs.ask("endurance", &words)?;
    Ok(Measured {
        workload: format!(
            "{kills} agents are killed in {seconds:.0} s while a container acts; the programs are pinned."
        ),
        figures: vec![
            ("restart-acts", acts as f64),
            ("restart-missing", acts.abs_diff(told) as f64),
            ("restart-losses", loss_events as f64),
        ],
        tables: Vec::new(),
    })
}
