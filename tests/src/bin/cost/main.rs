//! What hostnet adds to each operation, in instructions: run inside a virtual
//! machine whose clock advances one nanosecond per instruction
//! (`qemu -icount shift=0,sleep=off`), by `cargo xtask cost`.
//!
//! `cost HOSTNET` measures without the agent, with it in each of its ways, and
//! without it again. Each figure is one line: `cost WAY PLACE OPERATION COUNT`.

mod agent;
mod operations;
mod places;

use std::{
    io::{self, Write as _},
    path::Path,
};

use agent::Agent;
use operations::OPERATIONS;
use places::{MEASURE, PLACES};

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
        _ => panic!("usage: cost HOSTNET"),
    }
}

fn orchestrate(hostnet: &Path) {
    wait_for_clock();
    let measure = |way: &str| PLACES.iter().for_each(|place| places::measure_in(way, place));
    measure("none");
    for way in ["off", "first-use", "families"] {
        let agent = Agent::start(hostnet, way);
        if agent.observes_as(way) {
            measure(way);
            agent.tell_programs();
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
