//! Whoever blinds the agent is told of within ten seconds.

use std::{
    fs,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use hostnet_tests::{
    Agent, Docker, Want, at, events_directory, hostnet, is_slow, needs_root,
    pins::Pins,
    tamper::{BPF_CGROUP_INET4_BIND, detach, fill, refuses_removal, wipe},
    want,
};
use rustix::process::Signal;
use serde_json::{Value, json};

/// How long it may take.
const LONGEST: Duration = Duration::from_secs(10);

/// Tampers, and returns what is told of it in time.
fn told(agent: &Agent, tamper: impl FnOnce(), want: &Want) -> Value {
    let began = Instant::now();
    tamper();
    let event = agent.expect(want);
    assert!(began.elapsed() <= LONGEST || is_slow(), "told after {:?}", began.elapsed());
    event
}

fn states(event: &Value) -> Vec<(&str, &str)> {
    let rows = at(event, "hostnet.health.coverage").and_then(Value::as_array).expect("rows");
    rows.iter()
        .map(|row| (row["hook"].as_str().expect("a hook"), row["reason"].as_str().unwrap_or("")))
        .collect()
}

/// Detaches a program, which is told, as is that it is attached again, and it sees.
fn detaches(agent: &Agent) {
    let changed = want().action("coverage-changed");
    let event = told(agent, || detach(agent, BPF_CGROUP_INET4_BIND), &changed);
    assert_eq!(states(&event), [("cgroup/bind4", "another program has detached it")]);
    let events = agent.expect_many(2, &changed);
    let again = "it was detached, and is attached again";
    assert_eq!(states(&events[1]), [("cgroup/bind4", again)]);
    // What is asked for is seen by no other program.
    let mut actor = Docker::shared().launch("host").actor();
    let truth = actor.one("bind 127.0.0.1 0");
    agent.expect(
        &want()
            .action("bound-socket")
            .endpoint("hostnet.local", &truth["local"])
            .is("hostnet.bind.requested_port", 0)
            .owned_by(&actor.container),
    );
}

#[test]
fn a_detached_program_is_told_and_attached_again() {
    needs_root!();
    let agent = Agent::start();
    detaches(&agent);
    agent.stop();
}

#[test]
fn a_detached_program_that_an_agent_before_had_pinned_is_attached_again() {
    needs_root!();
    let pins = Pins::new("detached");
    let start = || Agent::setup().observe(&pins.line()).start();
    start().kill();
    let adopted = want().action("programs-adopted");
    for _ in 0..2 {
        // The second takes over what the first has attached again.
        let agent = start();
        agent.expect(&adopted);
        detaches(&agent);
        agent.kill();
    }
    let agent = start();
    agent.expect(&adopted);
    agent.stop();
    assert!(!pins.0.exists(), "what is pinned is removed by an agent that ends well");
}

#[test]
fn an_emptied_map_is_told() {
    needs_root!();
    let agent = Agent::start();
    // The agent has marked its maps when its first look is over.
    thread::sleep(Duration::from_secs(1));
    let wiped = want().action("maps-wiped");
    let event = told(&agent, || wipe(&agent, 8, 24, 1 << 16), &wiped);
    assert_eq!(at(&event, "hostnet.health.maps"), Some(&json!(["CGROUPS"])));
    // Absent means told: nothing is lost by it.
    agent.marker();
    agent.stop();
}

/// Nobody would notice if that map were emptied.
#[test]
fn a_map_without_room_for_a_mark_is_told() {
    needs_root!();
    let agent = Agent::start();
    agent.marker();
    agent.asleep(|| {
        wipe(&agent, 8, 24, 1 << 16);
        fill(&agent, 8, 24, 1 << 16);
    });
    let event = agent.expect(&want().action("maps-unmarked"));
    assert_eq!(at(&event, "hostnet.health.maps"), Some(&json!(["CGROUPS"])));
    let run = agent.stop_with(Signal::TERM);
    assert!(run.status.success(), "{}", run.messages);
}

/// A record of a kind that the agent has not, as from programs of another version. Nobody can
/// write into the ring, so it is one of a recorded run.
#[test]
fn a_record_that_cannot_be_read_is_told() {
    needs_root!();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("run");
    let agent = Agent::setup().observe(&format!("record = \"{}\"", path.display())).start();
    agent.marker();
    agent.stop();
    let mut recording = fs::read(&path).expect("a recording");
    // After eight bytes a frame is a tag, a length and bytes; tag 0 is a record, which has its
    // kind at 48.
    let mut frame = 8;
    while recording[frame] != 0 {
        let length = recording[frame + 1..frame + 5].try_into().expect("four bytes");
        frame += 5 + u32::from_le_bytes(length) as usize;
    }
    recording[frame + 5 + 48..][..2].fill(0xff);
    fs::write(&path, recording).expect("the recording");
    let replayed = Command::new(hostnet()).args(["replay", "--json"]).arg(&path).output();
    let replayed = replayed.expect("hostnet can be run");
    let lines: Vec<Value> = serde_json::Deserializer::from_slice(&replayed.stdout)
        .into_iter()
        .map(|line| line.expect("JSON"))
        .collect();
    let told = lines.iter().find(|line| line["event"]["action"] == "records-undecodable");
    let told = told.unwrap_or_else(|| panic!("{lines:?}"));
    assert_eq!(at(told, "hostnet.loss.count"), Some(&1.into()), "{told}");
    let name = "tamper-a_record_that_cannot_be_read.ndjson";
    fs::write(events_directory().join(name), replayed.stdout).expect("an events file");
}

#[test]
fn what_a_flood_must_not_hide_cannot_be_changed() {
    needs_root!();
    let agent = Agent::start();
    agent.marker();
    assert!(refuses_removal(&agent, 8, 8, 48));
    agent.stop();
}

#[test]
fn a_stopped_agent_tells_it_when_it_goes_on() {
    needs_root!();
    let agent = Agent::start();
    let mut actor = Docker::shared().launch("host").actor();
    agent.marker();
    let port = agent.asleep(|| {
        thread::sleep(Duration::from_secs(4));
        actor.connect_refused()
    });
    agent.expect(&want().action("agent-stalled"));
    // What happened meanwhile is told.
    agent.expect(
        &want()
            .action("connection_attempted")
            .is("hostnet.remote.port", port)
            .owned_by(&actor.container),
    );
    agent.stop();
}
