//! Programs of others may refuse or change the address of a connect. What a
//! container asked for is told all the same, and how the kernel is asked follows
//! from who is there.

use hostnet_tests::{
    ActorBox, Agent, Denial, Docker, Run, Want, at, cgroups::HostCgroup, hostnet, needs_root, net,
    want,
};
use serde_json::Value;

/// Hooks in use whose set is `connect`, or which that set replaces.
fn connect_hooks(run: &Run) -> Vec<&str> {
    let coverage = at(&run.events[0], "hostnet.health.coverage").and_then(Value::as_array);
    let rows = coverage.expect("the start event tells coverage").iter();
    let hooks = rows.filter(|row| row["state"] == "proven").filter_map(|row| row["hook"].as_str());
    hooks.filter(|hook| hook.contains("connect") && !hook.starts_with("fexit")).collect()
}

const CGROUP: [&str; 2] = ["cgroup/connect4", "cgroup/connect6"];
const DIRECT: [&str; 3] =
    ["fentry/tcp_v4_connect", "fentry/tcp_v6_connect", "fentry/inet_dgram_connect"];

fn refused(actor: &mut ActorBox) -> Want {
    let truth = actor.one(&format!("tcp-connect 127.0.0.1 {}", net::closed_port()));
    assert_eq!(truth["result"], "EPERM", "another program refuses it");
    want()
        .action("connection_attempted")
        .endpoint("hostnet.remote", &truth["remote"])
        .owned_by(&actor.container)
        .is("process.pid", actor.container.pid)
}

fn is_told(run: &Run, attempt: Want) {
    // Without fexit nothing shows how it ended.
    let attempt = if run.proves("families") {
        attempt.is("event.outcome", "failure").is("event.reason", "EPERM")
    } else {
        attempt.is("event.outcome", "unknown")
    };
    run.only(&attempt);
}

#[test]
fn refused_by_a_program_that_was_there_first() {
    needs_root!();
    let mut actor = Docker::shared().launch("host").actor();
    let _denial = Denial::of(actor.container.pid);
    let agent = Agent::start();
    let attempt = refused(&mut actor);
    agent.marker();
    let run = agent.stop();
    assert_eq!(connect_hooks(&run), CGROUP);
    is_told(&run, attempt);
}

#[test]
fn refused_by_a_program_that_came_later() {
    needs_root!();
    let mut actor = Docker::shared().launch("host").actor();
    let agent = Agent::start();
    let _denial = Denial::of(actor.container.pid);
    let attempt = refused(&mut actor);
    agent.marker();
    let run = agent.stop();
    let hooks: &[&str] = if run.proves("families") { &DIRECT } else { &CGROUP };
    assert_eq!(connect_hooks(&run), hooks);
    is_told(&run, attempt);
}

/// All of the set, or the hooks that it stands in for.
#[test]
fn without_a_hook_of_the_set() {
    needs_root!();
    let agent = Agent::setup().observe("without = [\"tcp_v6_connect\"]").start();
    let mut actor = Docker::shared().launch("host").actor();
    let remotes = ["127.0.0.1", "::1"].map(|address| {
        actor.one(&format!("tcp-connect {address} {}", net::closed_port()))["remote"].clone()
    });
    agent.marker();
    let run = agent.stop();
    assert_eq!(connect_hooks(&run), CGROUP);
    for remote in &remotes {
        let attempt = want().action("connection_attempted").owned_by(&actor.container);
        run.only(&attempt.endpoint("hostnet.remote", remote).is("event.reason", "ECONNREFUSED"));
    }
}

/// A packet filter that drops the agent's own TCP on loopback leaves its canary without an
/// answer: the start waits for that a moment, not until the kernel gives up the connects.
#[test]
fn tcp_that_is_dropped_on_loopback_does_not_hold_up_the_start() {
    needs_root!();
    let cgroup = HostCgroup::new("dropped");
    let _drops = Denial::of_tcp(&cgroup.directory());
    let mut inside = cgroup.inside();
    inside.arg(hostnet());
    let agent = Agent::setup().wrapped(inside).start();
    agent.marker();
    let run = agent.stop();
    let coverage = at(&run.events[0], "hostnet.health.coverage").and_then(Value::as_array);
    let rows = coverage.expect("the start event reports the coverage");
    let of = |hook: &str| rows.iter().find(|row| row["hook"] == hook).expect("a row for each hook");
    // What UDP shows is proven all the same.
    assert_eq!(of("cgroup/recvmsg4")["state"], "proven", "{rows:?}");
    assert_eq!(of("cgroup/recvmsg6")["state"], "proven", "{rows:?}");
    for row in rows.iter().filter(|row| row["state"] == "unproven") {
        let reason = row["reason"].as_str().expect("a reason");
        assert!(reason.contains("cannot connect over ") && reason.contains(" by TCP"), "{row}");
    }
    if run.proves("families") {
        assert_eq!(of("fexit/inet_accept")["state"], "unproven", "{rows:?}");
    }
}
