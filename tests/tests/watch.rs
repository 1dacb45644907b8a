//! `hostnet watch`: for a person at a terminal, and for a pipe.

use std::{fs, path::Path, process::Command};

use hostnet_tests::{
    Agent, Docker, Terminal, at, hostile_controls, hostnet, is_neighbours, needs_docker,
    needs_root, net, want,
};
use rustix::process::Signal;
use serde_json::Value;

#[test]
fn the_same_events_as_json() {
    needs_root!();
    let agent = Agent::setup().watch([]).start();
    let mut actor = Docker::shared().launch("host").actor();
    let port = net::closed_port();
    actor.one(&format!("tcp-connect 127.0.0.1 {port}"));
    let connect = want().action("connection_attempted").is("hostnet.remote.port", port);
    agent.expect(&connect.is("event.reason", "ECONNREFUSED").owned_by(&actor.container));
    agent.marker();
    agent.stop();
}

#[test]
fn only_one_container() {
    needs_root!();
    needs_docker!("names");
    let docker = Docker::shared();
    let name = Docker::fresh_name("chosen");
    let agent = Agent::setup().watch(["--container", &name]).start();
    let mut other = docker.launch("host").actor();
    let mut chosen = docker.launch("host").name(&name).actor();
    let ports = [net::closed_port(), net::closed_port()];
    other.one(&format!("tcp-connect 127.0.0.1 {}", ports[0]));
    chosen.one(&format!("tcp-connect 127.0.0.1 {}", ports[1]));
    agent.expect(&want().is("hostnet.remote.port", ports[1]).owned_by(&chosen.container));
    let run = agent.stop_with(Signal::TERM);
    assert_eq!(run.code(), Some(0), "{}", run.messages);
    run.none(&want().is("container.id", other.container.id.as_str()));
    run.none(&want().is("hostnet.remote.port", ports[0]));
}

/// A name may be what another container's id begins with.
#[test]
fn an_exact_name_goes_before_the_beginning_of_an_id() {
    needs_root!();
    needs_docker!("names");
    let docker = Docker::shared();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("history.db");
    let mut other = docker.launch("host").actor();
    let name = other.container.id[..3].to_owned();
    let mut chosen = docker.launch("host").name(&name).actor();
    let agent = Agent::setup().watch(["--container", &name]).start();
    let beside = Agent::setup().history(&path).start();
    other.connect_refused();
    let port = chosen.connect_refused();
    let connect = want().action("connection_attempted").is("hostnet.remote.port", port);
    agent.expect(&connect.clone().owned_by(&chosen.container));
    beside.expect(&connect.owned_by(&chosen.container));
    let run = agent.stop_with(Signal::TERM);
    assert_eq!(run.code(), Some(0), "{}", run.messages);
    run.none(&want().is("container.id", other.container.id.as_str()));
    let kept = beside.stop();
    assert!(!kept.all(&want().is("container.id", other.container.id.as_str())).is_empty());
    let ids = |arguments: &[&str]| {
        let mut command = Command::new(hostnet());
        let output = command.args(arguments).output().expect("hostnet can be started");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {said}");
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        let rows = text.lines().map(|line| serde_json::from_str(line).expect("JSON"));
        let ids =
            rows.filter_map(|row: Value| row.pointer("/container/id")?.as_str().map(Into::into));
        ids.collect::<std::collections::BTreeSet<String>>()
    };
    let history = path.to_str().expect("UTF-8");
    let only = [chosen.container.id.clone()].into();
    assert_eq!(ids(&["replay", "--json", "--container", &name, history]), only);
    let query = ["query", "events", "--format", "json", "--container", &name];
    assert_eq!(ids(&[&query[..], &["--history", history]].concat()), only);
}

#[test]
fn a_name_that_nobody_has_is_said() {
    needs_root!();
    let agent = Agent::setup().watch(["--container", "no-such-container"]).start();
    let run = agent.stop_with(Signal::TERM);
    assert!(
        run.messages.contains("no container has the name \"no-such-container\""),
        "{}",
        run.messages
    );
}

#[test]
fn a_table_on_a_terminal() {
    needs_root!();
    needs_docker!("names");
    let docker = Docker::shared();
    let mut command = Command::new(hostnet());
    command.arg("watch").env("DOCKER_HOST", docker.host());
    let terminal = Terminal::run(command, 160);
    terminal.expect("the first line", |text| !text.trim().is_empty());
    let mut actor = docker.launch("host").actor();
    let listening = actor.one("listen 127.0.0.1 0");
    let port = listening["local"]["port"].as_u64().expect("a port");
    let address = format!("127.0.0.1:{port}");
    terminal.expect("the listener", |text| {
        text.lines().any(|line| line.contains(&address) && line.contains(&actor.container.name))
    });
    actor.one(&format!("tcp-connect 127.0.0.1 {port}"));
    let other_end = format!("({})", actor.container.name);
    terminal.expect("who is at the other end", |text| {
        text.lines().any(|line| line.contains("connect ") && line.contains(&other_end))
    });
    let refused = net::closed_port();
    actor.one(&format!("tcp-connect 127.0.0.1 {refused}"));
    terminal.expect("the refusal", |text| {
        let refused = format!("127.0.0.1:{refused}");
        let told = |line: &str| line.contains("ECONNREFUSED") || line.contains("refused");
        text.lines().any(|line| line.contains(&refused) && told(line))
    });
    let (status, output) = terminal.end(Signal::INT);
    assert!(status.success(), "{status}");
    assert!(hostile_controls(&output).is_empty(), "{:?}", String::from_utf8_lossy(&output));
    let text = String::from_utf8_lossy(&output);
    let summary = text.rsplit_once(&refused.to_string()).expect("seen above").1;
    assert!(summary.contains("lost"), "the closing summary says what was lost: {summary}");
    assert!(output.contains(&0x1b), "a terminal gets colours");
}

#[test]
fn no_colour_when_the_user_says_so() {
    needs_root!();
    let docker = Docker::shared();
    let mut command = Command::new("env");
    command.arg("NO_COLOR=1").arg(hostnet()).arg("watch").env("DOCKER_HOST", docker.host());
    let terminal = Terminal::run(command, 160);
    let mut actor = docker.launch("host").actor();
    terminal.expect("the first line", |text| !text.trim().is_empty());
    let bound = actor.one("bind 127.0.0.1 0");
    let port = bound["local"]["port"].to_string();
    terminal.expect("the bind", |text| text.contains(&port));
    let (_, output) = terminal.end(Signal::INT);
    let text = String::from_utf8_lossy(&output);
    assert!(!text.contains("\x1b[3") && !text.contains("\x1b[1;3"), "{text:?}");
}

#[test]
fn a_file_that_is_rotated() {
    needs_root!();
    let docker = Docker::shared();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("events.ndjson");
    let agent = Agent::setup().also_to_file(&path).start();
    let mut actor = docker.launch("host").actor();
    let connect = |port| want().action("connection_attempted").is("hostnet.remote.port", port);
    let ports = [net::closed_port(), net::closed_port()];
    actor.one(&format!("tcp-connect 127.0.0.1 {}", ports[0]));
    agent.expect(&connect(ports[0]));
    // The file has a thread of its own, which may be later than standard output.
    let read = |path: &Path| -> Vec<Value> {
        let text = fs::read_to_string(path).expect("a file");
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    };
    hostnet_tests::wait_for("the event in the file", || {
        read(&path).iter().any(|event| connect(ports[0]).matches(event))
    });
    let old = directory.path().join("events.1");
    fs::rename(&path, &old).expect("a file");
    agent.signal(Signal::HUP);
    // The new file appears when the signal has been handled.
    hostnet_tests::wait_for("the new file", || path.exists());
    actor.one(&format!("tcp-connect 127.0.0.1 {}", ports[1]));
    agent.expect(&connect(ports[1]));
    let run = agent.stop();
    let (before, after) = (read(&old), read(&path));
    assert!(before.iter().any(|event| connect(ports[0]).matches(event)));
    assert!(after.iter().any(|event| connect(ports[1]).matches(event)));
    let both = before.into_iter().chain(after);
    let both: Vec<_> = both.filter(|event| !is_neighbours(event)).collect();
    assert_eq!(both, run.events, "the file and standard output say the same");
}

#[test]
fn nothing_is_seen_before_it_happened() {
    needs_root!();
    let agent = Agent::setup().all().start();
    let mut actor = Docker::shared().launch("host").actor();
    actor.perform("bind-used 127.0.0.1 0");
    agent.marker();
    for event in agent.stop().events {
        let time = |path| at(&event, path).and_then(Value::as_str).expect("a time");
        // Both are UTC with nine digits of a second, so they sort as text.
        assert!(time("@timestamp") <= time("event.created"), "{event}");
    }
}
