//! Whose an operation is: never another container's, never the host's by mistake.

use std::{collections::HashSet, fs, thread};

use hostnet_tests::{Actor, ActorBox, Agent, Docker, Run, at, needs_docker, needs_root, net, want};
use rustix::process::Signal;
use serde_json::{Value, json};

/// A bit of everything, inside the actor's own network namespace.
fn do_everything(actor: &mut ActorBox) {
    let listening = actor.one("listen 127.0.0.1 0");
    let port = &listening["local"]["port"];
    assert_eq!(actor.one(&format!("tcp-connect 127.0.0.1 {port}"))["result"], "ok");
    actor.one(&format!("serve {port}"));
    actor.one("listen :: 0");
    let closed = net::closed_port();
    assert_eq!(actor.one(&format!("tcp-connect 127.0.0.1 {closed}"))["result"], "ECONNREFUSED");
    actor.one("bind ::1 0");
    actor.perform("bind-used 127.0.0.1 0");
    actor.one("bind 0.0.0.0 0 --udp");
    let sent = actor.perform(&format!("udp-send 127.0.0.1 {closed} 127.0.0.2 {closed}"));
    assert!(sent.iter().all(|truth| truth["result"] == "ok"), "{sent:?}");
    actor.perform(&format!("udp-connect 127.0.0.1 {closed} --send 1"));
    actor.one("raw-icmp");
    actor.one("raw-icmp --v6");
    actor.perform(&format!("spawn -- exec-chain 1 -- tcp-connect 127.0.0.1 {closed}"));
    actor.perform(&format!("fork-connect -- tcp-connect 127.0.0.1 {closed}"));
}

/// Not one event is of the container: by id, name, cgroup or program. Host
/// processes such as `docker run` may well have its name among their arguments.
fn says_nothing_of(run: &Run, actor: &ActorBox) {
    run.none(&want().is("container.id", actor.container.id.as_str()));
    run.none(&want().is("container.name", actor.container.name.as_str()));
    run.none(&want().is("process.pid", actor.container.pid));
    for event in &run.events {
        let path = at(event, "hostnet.owner.cgroup.path").and_then(Value::as_str);
        assert!(!path.is_some_and(|path| path.contains(&actor.container.id)), "{event}");
        let ours = at(event, "process.executable").is_some_and(|path| path == "/actor");
        let other = at(event, "container.id").is_some();
        assert!(!ours || other, "the actor as a host process: {event}");
    }
}

fn not_one_event(network: &str, all: bool) {
    let docker = Docker::shared();
    let agent = Agent::setup();
    let agent = if all { agent.all() } else { agent }.start();
    let mut young = docker.launch(network).actor();
    do_everything(&mut young);
    agent.marker();
    let run = agent.stop();
    says_nothing_of(&run, &young);
    // The same container, now older than the agent.
    let agent = Agent::start();
    do_everything(&mut young);
    agent.marker();
    says_nothing_of(&agent.stop(), &young);
}

#[test]
fn not_one_event_of_a_bridge_container() {
    needs_root!();
    not_one_event("bridge", false);
}

#[test]
fn not_one_event_of_a_bridge_container_with_all() {
    needs_root!();
    not_one_event("bridge", true);
}

#[test]
fn not_one_event_of_a_container_without_network() {
    needs_root!();
    not_one_event("none", false);
}

/// That the techniques above are all told when the container does share the
/// host's network, so that the tests above can fail.
#[test]
fn the_same_in_the_hosts_network_is_told() {
    needs_root!();
    let agent = Agent::start();
    let mut actor = Docker::shared().launch("host").actor();
    do_everything(&mut actor);
    agent.marker();
    let run = agent.stop();
    let ours = |action| want().action(action).owned_by(&actor.container);
    run.exactly(6, &ours("bound-socket"));
    run.exactly(2, &ours("listen-for-connections"));
    run.only(&ours("connection_accepted"));
    run.exactly(2, &ours("opened-raw-socket"));
    // Four of TCP, two peers of one UDP socket, one connected UDP socket.
    run.exactly(7, &ours("connection_attempted"));
    run.none(&want().is("hostnet.owner.kind", "host"));
}

#[test]
fn a_container_that_joins_anothers_network() {
    needs_root!();
    needs_docker!("the declared network");
    let docker = Docker::shared();
    let agent = Agent::start();
    let first = docker.launch("host").start(["sleep", "1000"]);
    let mut second = docker.launch(&format!("container:{}", first.name)).actor();
    let port = net::closed_port();
    second.one(&format!("tcp-connect 127.0.0.1 {port}"));
    let declared = format!("container:{}", first.id);
    agent.expect(
        &want()
            .action("connection_attempted")
            .is("hostnet.remote.port", port)
            .owned_by(&second.container)
            .is("hostnet.netns.is_host", true)
            .is("hostnet.netns.declared", declared.as_str()),
    );
    agent.expect(
        &want()
            .action("container-joined-host-network")
            .owned_by(&second.container)
            .is("hostnet.netns.declared", declared.as_str()),
    );
    agent.stop();
}

#[test]
fn a_container_comes_and_goes() {
    needs_root!();
    needs_docker!("the declared network");
    let agent = Agent::start();
    let mut actor = Docker::shared().launch("host").actor();
    let port = net::closed_port();
    actor.one(&format!("tcp-connect 127.0.0.1 {port}"));
    let state = |action| {
        let declared = want().action(action).is("hostnet.netns.declared", "host");
        declared.is("event.dataset", "hostnet.state").owned_by(&actor.container)
    };
    agent.expect(&state("container-joined-host-network"));
    let left = state("container-left-host-network");
    let connected = want().is("hostnet.remote.port", port).is("hostnet.netns.declared", "host");
    agent.expect(&connected.owned_by(&actor.container));
    drop(actor);
    agent.expect(&left);
    let run = agent.stop();
    run.only(&left);
    run.only(&want().action("container-joined-host-network").present("container.name"));
}

#[test]
fn a_host_process_only_with_all() {
    needs_root!();
    let mut actor = Actor::on_host();
    let operate = |actor: &mut Actor| {
        let port = net::closed_port();
        actor.one(&format!("tcp-connect 127.0.0.1 {port}"));
        let bound = actor.one("bind 127.0.0.1 0");
        (port, bound["local"]["port"].clone())
    };
    let agent = Agent::start();
    operate(&mut actor);
    agent.marker();
    let run = agent.stop();
    run.none(&want().is("process.pid", actor.host_pid()));
    run.none(&want().is("hostnet.owner.kind", "host"));

    let agent = Agent::setup().all().start();
    let (refused, bound) = operate(&mut actor);
    let ours = want()
        .is("hostnet.owner.kind", "host")
        .is("process.pid", actor.host_pid())
        .absent("container.id");
    let connect = ours.clone().action("connection_attempted").is("hostnet.remote.port", refused);
    agent.expect(&connect.is("event.reason", "ECONNREFUSED"));
    agent.expect(&ours.action("bound-socket").is("hostnet.local.port", bound));
    agent.stop();
}

/// Each is gone long before anybody could ask about it.
#[test]
fn e33_a_hundred_containers_that_live_a_moment() {
    needs_root!();
    needs_docker!("names");
    const EACH: usize = 25;
    let docker = Docker::shared();
    let agent = Agent::start();
    let port = net::closed_port();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let run_some = |_| {
        let directory = directory.path().to_owned();
        thread::spawn(move || {
            (0..EACH)
                .map(|_| {
                    let name = Docker::fresh_name("short");
                    let file = directory.join(&name);
                    let path = file.to_str().expect("UTF-8");
                    let port = port.to_string();
                    let launch = docker.launch("host").name(&name).options(["--cidfile", path]);
                    launch.to_end(["/actor", "short", "127.0.0.1", &port]);
                    (name, fs::read_to_string(file).expect("docker wrote the id"))
                })
                .collect::<Vec<(String, String)>>()
        })
    };
    let threads = [0, 1, 2, 3].map(run_some);
    let containers = threads.into_iter().flat_map(|thread| thread.join().expect("docker runs"));
    let containers: Vec<(String, String)> = containers.collect();
    let attempts = want().action("connection_attempted").is("hostnet.remote.port", port);
    agent.expect_many(4 * EACH, &attempts);
    agent.marker();
    let run = agent.stop();
    run.exactly(4 * EACH, &attempts);
    for (name, id) in &containers {
        run.only(
            &attempts
                .clone()
                .is("event.reason", "ECONNREFUSED")
                .is("process.args", json!(["/actor", "short", "127.0.0.1", port.to_string()]))
                .is("container.id", id.as_str())
                .is("container.name", name.as_str())
                .is("container.image.name", "hostnet-test/box")
                .is("container.image.tag", json!(["1"])),
        );
    }
}

/// Two containers at full speed at the same time, each with a program and a port
/// of its own.
#[test]
fn two_containers_interleaved() {
    needs_root!();
    const TIMES: usize = 300;
    let agent = Agent::start();
    let ports = [net::closed_port(), net::closed_port()];
    let programs = ["/tmp/alpha", "/tmp/beta"];
    let mut actors = programs.map(|program| Docker::shared().launch("host").actor_at(program));
    for (actor, port) in actors.iter_mut().zip(ports) {
        actor.begin(&format!("tcp-connect 127.0.0.1 {port} --times {TIMES}"));
    }
    for actor in &mut actors {
        assert_eq!(actor.finish().len(), TIMES);
    }
    let attempts =
        |at: usize| want().action("connection_attempted").is("hostnet.remote.port", ports[at]);
    for at in [0, 1] {
        agent.expect_many(TIMES, &attempts(at));
    }
    agent.marker();
    let run = agent.stop();
    for (at, actor) in actors.iter().enumerate() {
        run.exactly(TIMES, &attempts(at));
        run.exactly(
            TIMES,
            &attempts(at)
                .owned_by(&actor.container)
                .is("process.pid", actor.container.pid)
                .is("process.name", programs[at].trim_start_matches("/tmp/"))
                .is("process.executable", programs[at])
                .is("process.args", json!([programs[at], "repl"])),
        );
    }
}

/// Each event carries what Docker knows of its container, and nothing of another's.
#[test]
fn labels_and_settings_of_the_container() {
    needs_root!();
    needs_docker!("labels");
    let agent = Agent::start();
    let label = ["--label", "hostnet.team=blue", "--label", "com.docker.compose.service=web"];
    let mut plain = Docker::shared().launch("host").actor();
    let mut labelled = Docker::shared().launch("host").options(label).actor();
    let ports = [net::closed_port(), net::closed_port()];
    plain.one(&format!("tcp-connect 127.0.0.1 {}", ports[0]));
    labelled.one(&format!("tcp-connect 127.0.0.1 {}", ports[1]));
    let connect = |port| want().action("connection_attempted").is("hostnet.remote.port", port);
    let first = agent.expect(&connect(ports[0]).owned_by(&plain.container));
    let second = agent.expect(&connect(ports[1]).owned_by(&labelled.container));
    let labels = |event: &Value| {
        let labels = event["container"]["labels"].as_object().cloned().unwrap_or_default();
        labels.keys().cloned().collect::<HashSet<String>>()
    };
    assert!(!labels(&first).contains("hostnet_team"), "{first}");
    assert_eq!(second["container"]["labels"]["hostnet_team"], "blue", "{second}");
    assert_eq!(second["container"]["labels"]["com_docker_compose_service"], "web", "{second}");
    agent.stop();
}

/// That its cgroup was made is among what a full ring loses.
#[test]
fn of_a_container_whose_beginning_was_lost() {
    needs_root!();
    needs_docker!("names");
    let docker = Docker::shared();
    let agent = Agent::setup().observe("ring_mib = 1\n[metrics]\nheartbeat_seconds = 1\n").start();
    let mut flooder = docker.launch("host").actor();
    let closed = net::closed_port();
    let mut young = agent.asleep(|| {
        flooder.perform(&format!("tcp-connect 127.0.0.1 {closed} --times 16000"));
        docker.launch("host").actor()
    });
    // Between two heartbeats the ring is emptied: there is room for what it does.
    let heartbeat = want().action("agent-heartbeat");
    agent.expect_many(agent.count(&heartbeat) + 2, &heartbeat);
    let port = young.connect_refused();
    let connect = want().action("connection_attempted").is("hostnet.remote.port", port);
    let event = agent.expect(&connect);
    assert_eq!(at(&event, "container.id"), Some(&json!(young.container.id)), "{event}");
    assert_eq!(at(&event, "container.name"), Some(&json!(young.container.name)), "{event}");
    assert_eq!(at(&event, "hostnet.attribution.confidence"), Some(&json!("confirmed")));
    // Records were lost, which is what every other test must not see.
    let run = agent.stop_with(Signal::TERM);
    let made_unseen = run.all(&want().action("records-lost")).into_iter().any(|loss| {
        let by = loss["hostnet"]["loss"]["by"].as_array().expect("by whom");
        by.iter().any(|by| by["operation"] == "cgroup-mkdir")
    });
    assert!(made_unseen, "the ring had room for the container's beginning");
}

/// One that does nothing is told all the same, as being there: at once, and once.
#[test]
fn a_container_that_does_nothing_is_told_at_the_start() {
    needs_root!();
    let docker = Docker::shared();
    let idle = docker.launch("host").start(["sleep", "1000"]);
    let elsewhere = docker.launch("bridge").start(["sleep", "1000"]);
    let directory = tempfile::tempdir().expect("a temporary directory");
    let history = directory.path().join("history.db");
    let agent = Agent::setup().history(&history).start();
    let there = want().action("container-in-host-network").is("event.kind", "state");
    let there = there.is("event.dataset", "hostnet.state").is("hostnet.operation", "present");
    let of_idle = there.owned_by(&idle).is("hostnet.present.agent", false);
    let event = agent.expect(&of_idle);
    assert_eq!(event["container"]["name"], idle.name.as_str(), "{event}");
    agent.expect(&want().is("rule.id", "unexpected-container").owned_by(&idle));
    idle.exec(["/actor", "short", "127.0.0.1", "9"]);
    agent.expect(&want().attempt(9).owned_by(&idle));
    agent.marker();
    let run = agent.stop();
    run.only(&of_idle);
    run.none(&want().action("container-joined-host-network").owned_by(&idle));
    run.none(&want().is("container.id", elsewhere.id.as_str()));
    let mut query = std::process::Command::new(hostnet_tests::hostnet());
    query.args(["query", "containers", "--format", "json", "--history"]).arg(&history);
    let answer = query.output().expect("hostnet can be started");
    let text = String::from_utf8(answer.stdout).expect("text");
    assert!(text.contains(&idle.id), "{text}");
}
