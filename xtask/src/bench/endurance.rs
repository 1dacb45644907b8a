//! Whether a flood or a killed agent takes anything from the record: by a program of
//! the live tests' harness, which knows who acted.

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::{
    Programs, owners,
    target::{Target, target},
};

/// What became of a flood by one container beside another one's acts.
#[derive(Serialize, Deserialize)]
pub struct Flood {
    seconds: f64,
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
#[derive(Serialize, Deserialize)]
pub struct ListenFlood {
    seconds: f64,
    sockets: u64,
    listens: u64,
    marks: u64,
    marks_told: u64,
    latest_ms: u64,
    marks_lost: u64,
}

/// What became of acts while agents were killed, the programs pinned.
#[derive(Serialize, Deserialize)]
pub struct Restart {
    kills: u32,
    seconds: f64,
    acts: u64,
    /// Acts that were told, at least once.
    told: u64,
    /// Events of them.
    events: u64,
    loss_events: u64,
}

pub fn floods(programs: &Programs, quick: bool) -> Result<Vec<Flood>> {
    let (runs, words) = match quick {
        true => (1, ["flood", "10000", "16000", "1600"]),
        false => (5, ["flood", "60000", "100000", "10000"]),
    };
    let flood = |run| {
        eprintln!("flood: {} ms from both cores, run {} of {runs}", words[1], run + 1);
        let answer = owners::ask(programs, "endurance", &words)?;
        serde_json::from_str(&answer).context("endurance said something else")
    };
    (0..runs).map(flood).collect()
}

pub fn listen_floods(programs: &Programs, quick: bool) -> Result<Vec<ListenFlood>> {
    let (lasts, marks) = if quick { ("10000", "400") } else { ("60000", "2000") };
    let flood = |sockets| {
        eprintln!("listen-flood: {lasts} ms beside {sockets} other sockets");
        let answer = owners::ask(programs, "endurance", &["listens", lasts, marks, sockets])?;
        serde_json::from_str(&answer).context("endurance said something else")
    };
    ["0", "4000", "60000"].into_iter().map(flood).collect()
}

pub fn restart(programs: &Programs, quick: bool) -> Result<Restart> {
    let words = match quick {
        true => ["restart", "2", "8000", "240000"],
        false => ["restart", "6", "20000", "600000"],
    };
    eprintln!("restart: {} kills while a container does 30 000 acts/s", words[1]);
    let answer = owners::ask(programs, "endurance", &words)?;
    serde_json::from_str(&answer).context("endurance said something else")
}

impl Flood {
    pub fn targets(floods: &[Self], targets: &mut Vec<Target>) {
        let Some(first) = floods.first() else { return };
        let sum = |of: fn(&Self) -> u64| floods.iter().map(of).sum::<u64>();
        let generated = sum(|flood| flood.generated);
        let unaccounted: i64 = floods.iter().map(|flood| flood.unaccounted.abs()).sum();
        let what = format!(
            "{} floods of {:.0} s from both cores: generated ({generated}) − told − counted",
            floods.len(),
            first.seconds
        );
        targets.push(target(&what, unaccounted.to_string(), "0", unaccounted == 0));
        let all = |what: &str, told: u64, of: u64, targets: &mut Vec<Target>| {
            let what = format!("meanwhile {what}, all floods together: told once each");
            targets.push(target(&what, told.to_string(), &of.to_string(), told == of));
        };
        all("acts of another container", sum(|one| one.marks_told), sum(|one| one.marks), targets);
        all("rare acts of its own", sum(|one| one.rare_told), sum(|one| one.rare), targets);
    }
}

impl ListenFlood {
    /// The latest that a quiet container's connect may be reported.
    const LATEST_MS: u64 = 2_000;

    pub fn targets(&self, targets: &mut Vec<Target>) {
        let Self { seconds, sockets, listens, marks, marks_told, latest_ms, marks_lost } = self;
        let beside = format!(
            "{listens} listens without bind of a host user in {seconds:.0} s, {sockets} other sockets"
        );
        let met = marks_told == marks && *marks_lost == 0;
        let what = format!("{beside}: connects of another container reported");
        targets.push(target(&what, marks_told.to_string(), &marks.to_string(), met));
        let what = format!("{beside}: the latest of them after");
        let (latest, most) = (format!("{latest_ms} ms"), format!("{} ms", Self::LATEST_MS));
        targets.push(target(&what, latest, &most, *latest_ms <= Self::LATEST_MS));
    }
}

impl Restart {
    pub fn targets(&self, targets: &mut Vec<Target>) {
        let Self { kills, seconds, acts, told, .. } = self;
        let what = format!("{acts} acts in {seconds:.0} s over {kills} kills, pinned: told");
        let met = told == acts && self.loss_events == 0;
        targets.push(target(&what, told.to_string(), &acts.to_string(), met));
    }
}
