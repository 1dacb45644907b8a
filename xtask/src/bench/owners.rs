//! Whether owners are true and told by name, and what a crowd of them costs: by
//! programs of the live tests' harness, which know who acted.

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::{
    Programs,
    target::{Target, target},
};
use crate::shell;

/// What the harness says of a crowd of containers with sockets from before the agent.
#[derive(Serialize, Deserialize)]
pub struct Crowd {
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
#[derive(Serialize, Deserialize)]
pub struct Scale {
    few: Crowd,
    many: Crowd,
}

/// What the harness says of containers that come and go.
#[derive(Serialize, Deserialize)]
pub struct Shifts {
    containers: u32,
    events: u64,
    connects: u64,
    named: u64,
    nameless: u64,
    never_named: u64,
    lost: u64,
    unknown: u64,
    wrong: u64,
    first_wrong: Option<String>,
}

pub fn scale(programs: &Programs, quick: bool) -> Result<Scale> {
    let containers = if quick { "1000" } else { "10000" };
    eprintln!("scale: {containers} containers with 10 sockets each");
    let answer = ask(programs, "scale", &[containers, "10"])?;
    serde_json::from_str(&answer).context("scale said something else")
}

pub fn mixed(programs: &Programs, quick: bool) -> Result<Shifts> {
    let containers = if quick { "20" } else { "100" };
    eprintln!("mixed: {containers} containers, twenty at a time, with 10 000 events each");
    shifts(programs, "mixed", containers)
}

pub fn short(programs: &Programs, quick: bool) -> Result<Shifts> {
    let containers = if quick { "100" } else { "2000" };
    eprintln!("short: {containers} containers that live a moment, on busy processors");
    shifts(programs, "short", containers)
}

fn shifts(programs: &Programs, kind: &str, containers: &str) -> Result<Shifts> {
    let answer = ask(programs, "owners", &[kind, containers])?;
    serde_json::from_str(&answer).context("owners said something else")
}

pub fn ask(programs: &Programs, name: &str, words: &[&str]) -> Result<String> {
    let mut command = shell::command(programs.load.with_file_name(name));
    command.args(words).env("HOSTNET_BIN", &programs.hostnet);
    // A million events may be a while on their way.
    shell::capture(command.env("HOSTNET_TESTS_PATIENCE", "5"))
}

impl Scale {
    pub fn targets(&self, targets: &mut Vec<Target>) {
        let Self { few, many } = self;
        let Crowd { containers, sockets, .. } = many;
        let of = format!("with {containers} containers and {sockets} sockets");
        let start = many.seconds_to_observe;
        let what = format!("start {of}: observing, and told so");
        targets.push(target(&what, format!("{start:.1} s"), "≤ 10 s", start <= 10.0));
        // Whoever reads that much shares the processors with the agent.
        let told = many.seconds_to_all_sockets.max(many.seconds_to_all_names);
        let what = format!("start {of}: each of them told, all by name");
        targets.push(target(&what, format!("{told:.1} s"), "≤ 10 s", told <= 10.0));
        let what = format!("resident memory {of}, the most at any time");
        let met = many.peak_mib <= 256;
        targets.push(target(&what, format!("{} MiB", many.peak_mib), "≤ 256 MiB", met));
        let ratio = many.cpu_seconds_per_100k / few.cpu_seconds_per_100k;
        let what = format!("CPU per event {of}, in units of that with {}", few.containers);
        targets.push(target(&what, format!("{ratio:.2}"), "≤ 1.5", ratio <= 1.5));
        let wrong = few.wrong + many.wrong + u64::from(many.first_wrong.is_some());
        let what = format!("wrong owners {of}");
        targets.push(target(&what, wrong.to_string(), "0", wrong == 0));
    }
}

impl Shifts {
    pub fn targets(&self, what: &str, targets: &mut Vec<Target>) {
        let Self { events, containers, .. } = self;
        let of = format!("of {events} events of {containers} {what}");
        let wrong = self.wrong;
        targets.push(target(&format!("wrong owners {of}"), wrong.to_string(), "0", wrong == 0));
        let percent = 100.0 * self.named as f64 / *events as f64;
        let what = format!("named in the event itself {of}");
        targets.push(target(&what, format!("{percent:.3} %"), "≥ 99.9 %", percent >= 99.9));
        let lost = self.lost;
        let what_lost = format!("lost, and reported, beside {events} events");
        targets.push(target(&what_lost, lost.to_string(), "0", lost == 0));
        let never = self.never_named + self.unknown;
        targets.push(target(&format!("never named {of}"), never.to_string(), "0", never == 0));
    }
}
