//! What a flood and kills take from the record: `endurance flood MILLISECONDS MARKS RARE`
//! floods from both cores beside another container, `endurance restart KILLS MILLISECONDS
//! ACTS` kills agents while a container acts. Either says its figures as one line of JSON;
//! `cargo xtask bench --only flood,restart` calls it.

use hostnet_tests::{
    Agent,
    flood::{self, flood},
    pins::{self, Killed, kill_agents},
    want,
};
use rustix::process::Signal;
use serde_json::{Value, json};

#[expect(clippy::print_stdout, reason = "the result is what was asked for")]
fn main() {
    let mut words = std::env::args().skip(1);
    let kind = words.next();
    let numbers: Vec<u32> = words.filter_map(|word| word.parse().ok()).collect();
    let figures = match (kind.as_deref(), &numbers[..]) {
        (Some("flood"), &[lasts, marks, rare]) => flooded(lasts, marks, rare),
        (Some("restart"), &[kills, lasts, acts]) => killed(kills, lasts, acts),
        _ => panic!("usage: endurance flood MS MARKS RARE | restart KILLS MS ACTS"),
    };
    println!("{figures}");
}

fn flooded(lasts: u32, marks: u32, rare: u32) -> Value {
    let plan = flood::Plan { kind: "connect", lasts, marks, rare };
    // Losses are for the figures to show, not for the harness to fail by.
    let end = |agent: Agent| drop(agent.stop_with(Signal::TERM));
    let flood::Flood { acts, rare, guilty, other } = flood(plan, end);
    let generated = acts + rare;
    let (told, suppressed, lost) =
        (guilty.told("connection_attempted"), guilty.suppressed("connect"), guilty.lost("connect"));
    let counted = told + suppressed + lost;
    let once = |told: &std::collections::BTreeMap<String, u64>| {
        told.values().filter(|times| **times == 1).count()
    };
    json!({
        "seconds": f64::from(lasts) / 1e3,
        "generated": generated,
        "told": told,
        "suppressed": suppressed,
        "lost": lost,
        "unaccounted": generated.cast_signed() - counted.cast_signed(),
        "rare": rare,
        "rare_told": once(&guilty.single),
        "marks": marks,
        "marks_told": once(&other.single),
        "marks_suppressed": other.suppressed("connect"),
        "marks_lost": other.lost("connect"),
    })
}

fn killed(kills: u32, lasts: u32, acts: u32) -> Value {
    let plan = pins::Plan { kills, lasts, acts, observe: "events_per_second = 0" };
    let Killed { run, account, .. } = kill_agents(plan);
    let lost = run.all(&want().action("records-lost")).len();
    json!({
        "kills": kills,
        "seconds": f64::from(lasts) / 1e3,
        "acts": acts,
        "told": account.single.len(),
        "events": account.told("connection_attempted"),
        "loss_events": lost,
    })
}
