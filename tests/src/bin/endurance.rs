//! What a flood and kills take from the record: `endurance flood MILLISECONDS MARKS RARE`
//! floods from both cores beside another container, `endurance restart KILLS MILLISECONDS
//! ACTS` kills agents while a container acts, `endurance listens MILLISECONDS MARKS SOCKETS`
//! has a user of the host's listen without a bind as fast as it can, beside a quiet container
//! and that many other sockets. Each says its figures as one line of JSON; `cargo xtask bench
//! --only flood,listen-flood,restart` calls it.

use hostnet_tests::{
    Actor, Agent, Docker,
    flood::{self, Accounts, Delays, flood, host_user},
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
        (Some("listens"), &[lasts, marks, sockets]) => listened(lasts, marks, sockets),
        _ => panic!(
            "usage: endurance flood MS MARKS RARE | restart KILLS MS ACTS | listens MS MARKS SOCKETS"
        ),
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
        "loss_events": lost,
    })
}

/// Sockets that one process holds.
const SOCKETS_EACH: u32 = 15_000;

fn listened(lasts: u32, marks: u32, sockets: u32) -> Value {
    let holding: Vec<Actor> = (0..sockets.div_ceil(SOCKETS_EACH))
        .map(|at| {
            let count = (sockets - at * SOCKETS_EACH).min(SOCKETS_EACH);
            let mut holder = Actor::on_host();
            // Each connection is two.
            holder.one(&format!("hold-many {}", count / 2));
            holder
        })
        .collect();
    let (accounts, delays) = (Accounts::default(), Delays::default());
    let (counting, noting) = (accounts.clone(), delays.clone());
    let agent = Agent::setup()
        .divert(move |event| {
            noting.note(event);
            counting.take(event)
        })
        .start();
    let mut quiet = Docker::shared().launch("host").actor();
    let mut flooding = host_user([]);
    flooding.begin(&format!("flood listen {lasts}"));
    quiet.one(&format!("marks {lasts} --times {marks}"));
    let listens = flooding.finish().remove(0)["acts"].as_u64().expect("a number");
    agent.marker();
    drop(agent.stop_with(Signal::TERM));
    drop(holding);
    let (reported, latest) = delays.latest();
    let of_quiet = accounts.of(&quiet.container);
    let sum = |counts: &std::collections::BTreeMap<String, u64>| counts.values().sum::<u64>();
    json!({
        "sockets": sockets,
        "listens": listens,
        "marks": marks,
        "marks_told": reported,
        "latest_ms": latest.as_millis() as u64,
        "marks_lost": sum(&of_quiet.lost) + sum(&of_quiet.suppressed),
    })
}
