//! A container that does more than anybody can be told of loses only its own
//! repeats, and each of them is counted.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use hostnet_tests::{
    Actor, Agent, Docker, User, at,
    flood::{Flood, Plan},
    needs_root, program,
};
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

/// Delays of connects to port 7, from when they happened to when they were reported, by address.
type Delays = Arc<Mutex<BTreeMap<String, Duration>>>;

fn note_delay(delays: &Delays, event: &Value) {
    let text = |field| at(event, field).and_then(Value::as_str).unwrap_or_default();
    let is_mark = at(event, "hostnet.remote.port").and_then(Value::as_u64) == Some(7);
    if text("event.action") != "connection_attempted" || !is_mark {
        return;
    }
    let time = |field| text(field).parse::<jiff::Timestamp>().expect("a time");
    let delay = time("event.created").duration_since(time("@timestamp"));
    let delay = Duration::try_from(delay).unwrap_or_default();
    delays.lock().expect("not poisoned").insert(text("hostnet.remote.ip").to_owned(), delay);
}

/// The port of a listener that was never bound is not in its record. Whoever makes such
/// listeners as fast as possible must not keep the agent from a quiet container's events.
#[test]
fn listens_without_bind_of_a_host_user_delay_no_event_of_a_container() {
    needs_root!();
    const MARKS: usize = 500;
    let delays = Delays::default();
    let noting = Arc::clone(&delays);
    let agent = Agent::setup()
        .divert(move |event| {
            note_delay(&noting, event);
            false
        })
        .start();
    let mut quiet = Docker::shared().launch("host").actor();
    let user = User::nobody();
    let mut command = user.command(program("actor").to_str().expect("a path"));
    command.arg("repl");
    let mut flooding = Actor::started(command);
    flooding.begin("flood listen 5000");
    quiet.one(&format!("marks 5000 --times {MARKS}"));
    let listens = flooding.finish().remove(0)["acts"].as_u64().expect("a number");
    agent.marker();
    let run = agent.stop();
    assert!(listens > 20_000, "no flood: {listens} listens");
    let delays = delays.lock().expect("not poisoned");
    let latest = delays.values().max().expect("at least one was reported");
    assert_eq!(delays.len(), MARKS, "connects reported, the latest after {latest:?}");
    assert!(*latest < hostnet_tests::patience() / 10, "the latest was reported after {latest:?}");
    assert_eq!(run.code(), Some(0));
}
