//! Pinned programs go on while no agent runs, and the next one takes them over.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use hostnet_tests::{
    Actor, Agent, Docker, at, needs_root,
    pins::{Killed, Pins, Plan, kill_agents},
    want,
};
use rustix::process::Signal;
use serde_json::Value;

#[test]
fn nothing_is_lost_while_agents_are_killed() {
    needs_root!();
    let plan = Plan { kills: 6, lasts: 20_000, acts: 60_000, observe: "" };
    let Killed { run, account, owners, is_left } = kill_agents(plan);
    assert!(!is_left, "what is pinned is removed by an agent that ends well");
    run.none(&want().action("records-lost"));
    assert_eq!(account.single.len(), 60_000, "each at least once");
    assert!(account.suppressed.is_empty(), "{:?}", account.suppressed);
    assert!(owners <= 2, "only the actor's and the marker's acts");
}

/// Whoever is killed before it tells an attempt has told nothing of it; the next agent
/// tells it, with its own time and process, and completes it.
#[test]
fn what_waits_for_its_outcome_at_a_kill_is_told_by_the_next_agent() {
    needs_root!();
    let pins = Pins::new("waits");
    let mut client = Docker::shared().launch("host").actor();
    let told = Arc::new(AtomicBool::new(false));
    loop {
        let (mut server, port, filling) = Actor::busy_server();
        let attempt = want()
            .action("connection_attempted")
            .is("hostnet.remote.port", port)
            .owned_by(&client.container);
        let (seen, noted) = (attempt.clone(), Arc::clone(&told));
        let note = move |event: &_| {
            noted.fetch_or(seen.matches(event), Ordering::Relaxed);
            false
        };
        let agent = Agent::setup().observe(&pins.line()).divert(note).start();
        client.begin(&format!("tcp-connect-late 127.0.0.1 {port}"));
        let started = client.told();
        // It has taken the record by then.
        agent.marker();
        agent.kill();
        let is_late = told.swap(false, Ordering::Relaxed);
        let agent = Agent::setup().observe(&pins.line()).start();
        agent.expect(&want().action("programs-adopted"));
        if !is_late {
            let unknown =
                attempt.is("event.outcome", "unknown").is("process.pid", client.container.pid);
            agent.expect(&unknown.endpoint("hostnet.remote", &started["remote"]));
        }
        drop(filling);
        server.begin(&format!("serve {port} --count 2"));
        assert_eq!(client.finish()[0]["result"], "ok");
        server.finish();
        agent.stop();
        // A machine so busy that the patience ran out before the kill shows nothing.
        if !is_late {
            break;
        }
    }
}

/// The agent's own cgroup is the host's in the maps it adopts, and yet it proves as much.
#[test]
fn adopted_programs_are_proven_as_new_ones_are() {
    needs_root!();
    let pins = Pins::new("proven");
    let states = |agent: &Agent| {
        let started = agent.expect(&want().action("agent-started"));
        let rows = started.pointer("/hostnet/health/coverage").and_then(Value::as_array);
        let rows = rows.expect("a row for each hook").iter();
        rows.map(|row| (row["hook"].clone(), row["state"].clone())).collect::<Vec<_>>()
    };
    let agent = Agent::setup().observe(&pins.line()).start();
    let before = states(&agent);
    agent.kill();
    let agent = Agent::setup().observe(&pins.line()).start();
    agent.expect(&want().action("programs-adopted"));
    assert_eq!(states(&agent), before);
    agent.stop();
}

#[test]
fn other_settings_replace_what_is_pinned() {
    needs_root!();
    let pins = Pins::new("replaced");
    Agent::setup().observe(&pins.line()).start().kill();
    assert!(pins.0.exists(), "what is pinned outlives a killed agent");
    let other = format!("{}\nburst = 40000", pins.line());
    let agent = Agent::setup().observe(&other).start();
    agent.expect(&want().action("programs-replaced"));
    let versions = std::fs::read_dir(&pins.0).expect("a directory").count();
    assert_eq!(versions, 1, "the old programs are gone");
    agent.marker();
    // Not `stop`, which allows no loss: what the old programs told last nobody reads.
    let run = agent.stop_with(Signal::TERM);
    for lost in run.all(&want().action("records-lost")) {
        assert_eq!(at(lost, "hostnet.loss.place"), Some(&"restart".into()), "{lost}");
    }
    assert!(!pins.0.exists());
}

#[test]
fn uninstall_leaves_nothing() {
    needs_root!();
    let pins = Pins::new("uninstalled");
    let agent = Agent::setup().observe(&pins.line()).start();
    assert!(!pins.uninstall(), "not under a running agent");
    agent.kill();
    assert!(pins.uninstall());
    assert!(!pins.0.exists());
    assert!(pins.uninstall(), "there is nothing to do");
}
