//! A container that does more than anybody can be told of loses only its own
//! repeats, and each of them is counted.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use hostnet_tests::{
    Agent, Docker, at,
    flood::{Delays, Flood, Plan, host_user},
    is_slow, needs_root, patience, want,
};
use rustix::process::Signal;
use serde_json::Value;

/// Floods of one kind from both cores beside another container that acts, and
/// checks that generated, told and counted agree.
fn flood(kind: &'static str, records: &[&str], action: &str) {
    let plan = Plan { kind, lasts: 10_000, marks: 20_000, rare: 2_000 };
    let end = |agent: Agent| drop(agent.stop());
    let Flood { acts, rare, guilty, other } = hostnet_tests::flood::flood(plan, end);
    assert_eq!(other.single.len(), 20_000, "of the other's {other:?}", other = other.told);
    assert!(other.single.values().all(|told| *told == 1), "each once");
    assert!(other.suppressed.is_empty(), "{other:?}", other = other.suppressed);
    assert_eq!(guilty.single.len() as u64, rare, "its own rare acts");
    let in_flood = if kind == "connect" { rare } else { 0 };
    for record in records {
        let suppressed = guilty.suppressed(record);
        assert!(suppressed > 0, "no flood of {record}: {acts} acts");
        // Of some kinds of records no event comes.
        if *record == records[0] {
            assert_eq!(guilty.told(action) + suppressed, acts + in_flood, "{guilty:?}");
        }
    }
    let why = " counted but not shown: over its limit of observe.events_per_second";
    assert!(guilty.said.iter().any(|said| said.contains(why)), "{said:?}", said = guilty.said);
    assert!(!guilty.binds.contains("failure"), "a bind whose end was suppressed");
}

#[test]
fn connects() {
    needs_root!();
    flood("connect", &["connect"], "connection_attempted");
}

#[test]
fn raw_sockets() {
    needs_root!();
    flood("raw-socket", &["raw-socket"], "opened-raw-socket");
}

#[test]
fn binds() {
    needs_root!();
    flood("bind", &["bind", "bind-asked"], "bound-socket");
}

/// The port of a listener that was never bound is not in its record. Whoever makes such
/// listeners as fast as possible must not keep the agent from a quiet container's events.
#[test]
fn listens_without_bind_of_a_host_user_delay_no_event_of_a_container() {
    needs_root!();
    let delays = Delays::default();
    let noting = delays.clone();
    let agent = Agent::setup()
        .divert(move |event| {
            noting.note(event);
            false
        })
        .start();
    let mut quiet = Docker::shared().launch("host").actor();
    let mut flooding = host_user([]);
    flooding.begin("flood listen 5000");
    quiet.one(&format!("marks 5000 --times {MARKS}"));
    let listens = flooding.finish().remove(0)["acts"].as_u64().expect("a number");
    agent.marker();
    let run = agent.stop();
    assert!(listens > 20_000, "no flood: {listens} listens");
    are_in_time(&delays);
    assert_eq!(run.code(), Some(0));
}

/// Where records of processes are beyond what their owner may cause, every process is in
/// doubt and looked up in /proc, second after second. Many processes with command lines as
/// long as the kernel takes make that dear; a quiet container's events do not wait for it.
#[test]
fn many_processes_in_doubt_of_a_host_user_delay_no_event_of_a_container() {
    needs_root!();
    let processes = if is_slow() { 300 } else { 1_500 };
    let delays = Delays::default();
    let asked = Arc::new(AtomicU64::new(0));
    let (noting, counting) = (delays.clone(), Arc::clone(&asked));
    let agent = Agent::setup()
        .observe("events_per_second = 5000\nburst = 5000\n[metrics]\nheartbeat_seconds = 1\n")
        .divert(move |event| {
            noting.note(event);
            let of_processes = |what| {
                let path = format!("hostnet.health.lookups.process.{what}");
                at(event, &path).and_then(Value::as_u64).unwrap_or_default()
            };
            counting.fetch_max(of_processes("asked") + of_processes("refused"), Ordering::Relaxed);
            false
        })
        .start();
    let mut quiet = Docker::shared().launch("host").actor();
    // An argument has at most 128 KiB.
    let mut flooding = host_user((0..12).map(|_| "a".repeat(120 << 10)));
    flooding.begin(&format!("flood-processes 6000 --count {processes}"));
    quiet.one(&format!("marks 6000 --times {MARKS}"));
    flooding.finish();
    agent.marker();
    let heartbeat = want().action("agent-heartbeat");
    agent.expect_many(agent.count(&heartbeat) + 2, &heartbeat);
    // Operations beyond the user's limit are counted, which other tests must not see.
    let run = agent.stop_with(Signal::TERM);
    let asked = asked.load(Ordering::Relaxed);
    assert!(asked > 2 * processes, "no process was in doubt: {asked} lookups");
    are_in_time(&delays);
    assert_eq!(run.code(), Some(0));
}

/// Connects of the quiet container.
const MARKS: usize = 500;

fn are_in_time(delays: &Delays) {
    let (reported, latest) = delays.latest();
    assert_eq!(reported, MARKS, "connects reported, the latest after {latest:?}");
    assert!(latest < patience() / 10, "the latest was reported after {latest:?}");
}
