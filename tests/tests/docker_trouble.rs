//! Docker comes late, goes, and comes back: nothing is lost, nothing is wrong,
//! names follow.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    os::unix::{
        fs::{PermissionsExt as _, symlink},
        net::UnixStream,
    },
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use hostnet_tests::{ActorBox, Agent, Docker, IMAGE, needs_docker, needs_root, net, want};
use rustix::process::Signal;
use serde_json::Value;

/// Told at once by the id alone: its full identity is the kernel's, only the
/// name is missing.
fn nameless(agent: &Agent, actor: &ActorBox, port: u16) -> Value {
    agent.expect(
        &want()
            .attempt(port)
            .is("hostnet.owner.kind", "container")
            .is("container.id", actor.container.id.as_str())
            .is("process.pid", actor.container.pid)
            .absent("container.name"),
    )
}

/// A later record names the container; `Agent::stop` checks that it counts the
/// events that lacked the name.
fn identified(agent: &Agent, actor: &ActorBox) {
    agent.expect(&want().action("container-identified").owned_by(&actor.container));
}

/// Told with the name, or told without it and named by a later record: the
/// container is older than the agent, which asks Docker while it starts.
fn named_in_the_end(agent: &Agent, actor: &ActorBox, port: u16) -> Value {
    let ours = want().attempt(port).is("container.id", actor.container.id.as_str());
    let event = agent.expect(&ours.is("process.pid", actor.container.pid));
    if event["container"]["name"].is_null() {
        identified(agent, actor);
    } else {
        assert!(want().attempt(port).owned_by(&actor.container).matches(&event), "{event}");
    }
    event
}

fn pipes() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

#[test]
fn docker_comes_after_the_agent() {
    needs_root!();
    needs_docker!("an absence");
    let docker = Docker::restartable();
    let directory = pipes();
    let mut actor = docker.launch("host").actor_by_pipes(directory.path());
    docker.daemon().stop();
    let agent = Agent::setup().docker_host(docker.host()).start();
    agent.expect(&want().action("runtime-unreachable").is("event.dataset", "hostnet.health"));
    let port = actor.connect_refused();
    nameless(&agent, &actor, port);
    docker.daemon().start();
    agent.expect(&want().action("runtime-reachable"));
    identified(&agent, &actor);
    let port = actor.connect_refused();
    agent.expect(&want().attempt(port).owned_by(&actor.container));
    // A container that Docker starts only now is named from its first event.
    let mut young = docker.launch("host").actor();
    let port = young.connect_refused();
    agent.expect(&want().attempt(port).owned_by(&young.container));
    agent.stop();
}

fn restarted(how: impl Fn(&Docker)) {
    let docker = Docker::restartable();
    let directory = pipes();
    let mut actor = docker.launch("host").actor_by_pipes(directory.path());
    let agent = Agent::setup().docker_host(docker.host()).start();
    let before = actor.connect_refused();
    named_in_the_end(&agent, &actor, before);
    // The container may be inspected before the list has shown that Docker answers.
    let reachable = want().action("runtime-reachable");
    agent.expect(&reachable);
    how(&docker);
    agent.expect(&want().action("runtime-unreachable"));
    let during = actor.connect_refused();
    agent.expect(&want().attempt(during).owned_by(&actor.container));
    docker.daemon().start();
    agent.expect_many(2, &reachable);
    let after = actor.connect_refused();
    agent.expect(&want().attempt(after).owned_by(&actor.container));
    let mut young = docker.launch("host").actor();
    let port = young.connect_refused();
    agent.expect(&want().attempt(port).owned_by(&young.container));
    agent.marker();
    let run = agent.stop();
    for port in [before, during, after] {
        run.only(&want().attempt(port));
    }
    run.only(&want().action("runtime-unreachable"));
    run.exactly(2, &reachable);
    run.none(
        &want()
            .action("container-left-host-network")
            .is("container.id", actor.container.id.as_str()),
    );
}

#[test]
fn docker_is_restarted_during_the_run() {
    needs_root!();
    needs_docker!("a restart");
    restarted(|docker| docker.daemon().stop());
}

#[test]
fn docker_is_killed_during_the_run() {
    needs_root!();
    needs_docker!("a restart");
    restarted(|docker| docker.daemon().kill());
}

#[test]
fn containers_older_than_the_agent_have_names() {
    needs_root!();
    needs_docker!("names");
    let docker = Docker::shared();
    let mut actors = [(); 3].map(|()| docker.launch("host").actor());
    let mut server = docker.launch("host").actor();
    let listening = server.one("listen 127.0.0.1 0");
    let served = listening["local"]["port"].as_u64().expect("a port") as u16;
    let agent = Agent::start();
    let ports = actors.each_mut().map(|actor| actor.connect_refused());
    for (actor, port) in actors.iter().zip(ports) {
        let event = named_in_the_end(&agent, actor, port);
        let process = want()
            .is("process.vpid", 1)
            .is("process.executable", "/actor")
            .is("process.args", serde_json::json!(["/actor", "repl"]))
            .present("process.start");
        assert!(process.matches(&event), "{:?}: {event}", process.differences(&event));
    }
    agent.expect_many(actors.len(), &want().action("container-in-host-network"));
    // A listener older than the agent accepts and closes like any other.
    server.begin(&format!("serve {served} --reply 5"));
    net::exchange(([127, 0, 0, 1], served).into(), b"q\n");
    server.finish();
    let accepted = want().is("hostnet.local.port", served).owned_by(&server.container);
    agent.expect(&accepted.clone().action("connection_accepted"));
    agent.expect(
        &accepted.action("disconnect_received").is("source.bytes", 2).is("destination.bytes", 5),
    );
    agent.marker();
    agent.stop();
}

/// A container that goes while Docker is away is still told, and gone.
#[test]
fn a_container_ends_while_docker_is_away() {
    needs_root!();
    needs_docker!("an absence");
    let docker = Docker::restartable();
    let directory = pipes();
    let mut actor = docker.launch("host").actor_by_pipes(directory.path());
    let agent = Agent::setup().docker_host(docker.host()).start();
    let port = actor.connect_refused();
    named_in_the_end(&agent, &actor, port);
    docker.daemon().stop();
    let pid = rustix::process::Pid::from_raw(actor.container.pid as i32).expect("a process id");
    rustix::process::kill_process(pid, Signal::KILL).expect("it runs");
    agent.expect(&want().action("end").owned_by(&actor.container).is("process.vpid", 1));
    docker.daemon().start();
    agent.stop();
}

/// Without the right to open Docker's socket: everything but names, and a word
/// about it.
#[test]
fn the_docker_socket_is_not_readable() {
    needs_root!();
    needs_docker!("a socket");
    let docker = Docker::shared();
    let mut actor = docker.launch("host").actor();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let closed = directory.path().join("closed");
    std::fs::create_dir(&closed).expect("a directory");
    symlink(docker.host().trim_start_matches("unix://"), closed.join("docker.sock"))
        .expect("a link");
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o000)).expect("chmod");
    rustix::fs::chown(&closed, Some(rustix::fs::Uid::from_raw(65_534)), None).expect("chown");
    let host = format!("unix://{}", closed.join("docker.sock").display());
    let lacking = "-dac_override,-dac_read_search";
    let agent = Agent::setup().docker_host(&host).without_capabilities(lacking).start();
    let unreachable = agent.expect(&want().action("runtime-unreachable"));
    let text = unreachable.to_string().to_lowercase();
    assert!(text.contains("permission denied"), "{text}");
    let port = actor.connect_refused();
    nameless(&agent, &actor, port);
    let run = agent.stop();
    assert!(run.messages.contains(&host.replace("unix://", "")), "{}", run.messages);
    assert!(run.messages.to_lowercase().contains("permission denied"), "{}", run.messages);
}

/// A file where the socket should be is no reason to stop observing either.
#[test]
fn the_docker_socket_is_no_socket() {
    needs_root!();
    let mut actor = Docker::shared().launch("host").actor();
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    let agent = Agent::setup().docker_host(&format!("unix://{}", file.path().display())).start();
    agent.expect(&want().action("runtime-unreachable"));
    let port = actor.connect_refused();
    nameless(&agent, &actor, port);
    agent.stop();
}

/// Docker answers, but slowly: the agent must not wait for it.
#[test]
fn docker_hangs() {
    needs_root!();
    needs_docker!("patience");
    let docker = Docker::restartable();
    let directory = pipes();
    let mut actor = docker.launch("host").actor_by_pipes(directory.path());
    let pid = std::fs::read_to_string(docker.daemon().directory().join("docker.pid"));
    let pid = pid.expect("dockerd wrote it").trim().to_owned();
    signal(&pid, "STOP");
    let agent = Agent::setup().docker_host(docker.host()).start();
    let port = actor.connect_refused();
    nameless(&agent, &actor, port);
    signal(&pid, "CONT");
    identified(&agent, &actor);
    agent.stop();
}

/// A connection to the daemon by which containers are renamed faster than by its
/// command line.
struct Renamer(BufReader<UnixStream>);

impl Renamer {
    fn new(docker: &Docker) -> Self {
        let path = docker.host().strip_prefix("unix://").expect("a unix socket");
        Self(BufReader::new(UnixStream::connect(path).expect("the daemon listens")))
    }

    fn rename(&mut self, container: &str, name: &str) {
        let request = format!(
            "POST /containers/{container}/rename?name={name} HTTP/1.1\r\nHost: localhost\r\n\
             Content-Length: 0\r\n\r\n"
        );
        self.0.get_mut().write_all(request.as_bytes()).expect("the daemon listens");
        let mut status = String::new();
        self.0.read_line(&mut status).expect("an answer");
        assert!(status.contains(" 204 "), "{status}");
        let mut line = status;
        while line.trim() != "" {
            line.clear();
            self.0.read_line(&mut line).expect("an answer");
        }
    }
}

/// Docker gives up on a reader that is a thousand events behind, and says nothing:
/// the list has what the stream forgot.
#[test]
fn a_stalled_agent_catches_up_with_five_thousand_events() {
    needs_root!();
    needs_docker!("events");
    const OTHERS: usize = 50;
    const EACH: usize = 100;
    const STALLED: Duration = Duration::from_secs(10);
    let docker = Docker::shared();
    let label = Docker::label();
    let create = |_| {
        let name = Docker::fresh_name("other");
        docker.run(["create", "--name", &name, "--label", &label, IMAGE, "true"]);
        name
    };
    let others: Vec<String> = (0..OTHERS).map(create).collect();
    let mut actors = [(); 3].map(|()| docker.launch("host").actor());
    let agent = Agent::start();
    for actor in &mut actors {
        let port = actor.connect_refused();
        named_in_the_end(&agent, actor, port);
    }
    let stalled = Instant::now();
    agent.signal(Signal::STOP);
    thread::scope(|scope| {
        for name in &others {
            scope.spawn(move || {
                let mut renamer = Renamer::new(docker);
                for turn in 0..EACH / 2 {
                    let other = format!("{name}-{turn}");
                    renamer.rename(name, &other);
                    renamer.rename(&other, name);
                }
            });
        }
    });
    let names = actors.each_ref().map(|_| Docker::fresh_name("late"));
    for (actor, name) in actors.iter().zip(&names) {
        docker.run(["rename", &actor.container.id, name]);
    }
    thread::sleep(STALLED.saturating_sub(stalled.elapsed()));
    agent.signal(Signal::CONT);
    let woken = Instant::now();
    for (actor, name) in actors.iter_mut().zip(&names) {
        loop {
            let acted = woken.elapsed();
            let port = actor.connect_refused();
            let ours = want().attempt(port).is("container.id", actor.container.id.as_str());
            let event = agent.expect(&ours);
            if event["container"]["name"] == name.as_str() {
                break;
            }
            assert!(acted < Duration::from_secs(5), "not {name} after {acted:?}: {event}");
        }
    }
    docker.run(["rm"].into_iter().chain(others.iter().map(String::as_str)));
    agent.stop();
}

fn signal(pid: &str, name: &str) {
    assert!(Path::new("/proc").join(pid).exists(), "dockerd runs");
    let status =
        Command::new("kill").args([&format!("-{name}"), pid]).stdin(Stdio::null()).status();
    assert!(status.expect("kill can be started").success());
}
