//! What hostnet adds to each operation, in instructions: run inside a virtual
//! machine whose clock advances one nanosecond per instruction
//! (`qemu -icount shift=0,sleep=off`), by `cargo xtask cost`.
//!
//! `cost HOSTNET` measures without the agent, with it in each of its ways, and
//! without it again. Each figure is one line: `cost WAY PLACE OPERATION COUNT`. Where the
//! most is added, it also says what each program has of it, which it measures apart because
//! counting that costs instructions, too: `part OPERATION PROGRAM RUNS INSTRUCTIONS`, both in
//! hundredths for one operation.

mod agent;
mod operations;
mod places;
mod programs;

use std::{
    io::{self, Write as _},
    path::Path,
};

use agent::Agent;
use operations::OPERATIONS;
use places::{MEASURE, PARTS, PLACES};

/// The way with the most programs.
const DEAREST: &str = "families";

/// Measurements of one operation; the median is told, for timer interrupts and
/// the agent's own work fall into some of them.
const TIMES: usize = 301;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments[..] {
        [hostnet] => orchestrate(Path::new(hostnet)),
        [measure, way, place] if measure == MEASURE => {
            places::enter(place);
            measure_here(way, place);
        }
        [parts, _, place] if parts == PARTS => {
            places::enter(place);
            measure_parts();
        }
        _ => panic!("usage: cost HOSTNET"),
    }
}

fn orchestrate(hostnet: &Path) {
    wait_for_clock();
    let measure =
        |way: &str| PLACES.iter().for_each(|place| places::measure_in(MEASURE, way, place));
    measure("none");
    for way in ["off", "first-use", "families"] {
        let agent = Agent::start(hostnet, way);
        if agent.observes_as(way) {
            measure(way);
            agent.tell_programs();
        }
        if way == DEAREST {
            programs::count();
            places::measure_in(PARTS, way, PLACES[0]);
            programs::count_no_more();
        }
        agent.stop();
    }
    measure("none-again");
}

fn measure_here(way: &str, place: &str) {
    // The clock itself takes instructions, too.
    let _warm = median(|| {});
    let empty = median(|| {});
    for (name, prepare) in OPERATIONS {
        let mut operation = prepare();
        // Once to warm up: memory for the first of a kind is not the operation's.
        operation();
        let count = median(&mut operation).saturating_sub(empty);
        say(&format!("cost {way} {place} {name} {count}"));
    }
}

fn measure_parts() {
    for (name, prepare) in OPERATIONS {
        let mut operation = prepare();
        operation();
        let before = programs::all();
        (0..TIMES).for_each(|_| operation());
        for part in programs::since(&before) {
            let each = |count: u64| count * 100 / TIMES as u64;
            let (runs, instructions) = (each(part.runs), each(part.instructions));
            say(&format!("part {name} {} {runs} {instructions}", part.name));
        }
    }
}

/// Until the kernel trusts its final clock, reading it takes a system call.
fn wait_for_clock() {
    let file = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    while std::fs::read_to_string(file).expect("/sys is mounted").trim() != "tsc" {
        std::thread::yield_now();
    }
}

fn median(mut operation: impl FnMut()) -> u64 {
    let mut counts: Vec<u64> = (0..TIMES)
        .map(|_| {
            let before = now();
            operation();
            now() - before
        })
        .collect();
    counts.sort_unstable();
    counts[TIMES / 2]
}

/// Nanoseconds, and so instructions.
fn now() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::MonotonicRaw);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

fn say(line: &str) {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).expect("somebody reads");
}
