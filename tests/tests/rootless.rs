//! Containers of a plain user's runtimes, without privilege on the host: Podman's have a
//! network that is the host's all the same, Docker's never.

use std::process::Command;

use hostnet_tests::{
    Agent, Docker, Podman, Want, hostnet, needs_docker, needs_root, net, rootless::Rootless, want,
};
use serde_json::Value;

/// What such a container is told as where Podman may not make cgroups for it: apart
/// from the host by its namespaces, and by no name.
fn apart(podman: &Podman) -> Want {
    want()
        .is("hostnet.owner.kind", "container-unknown")
        .is("hostnet.attribution.method", "namespaces")
        .is("hostnet.attribution.confidence", "namespace")
        .absent("container.id")
        .absent("hostnet.creator")
        .is("process.name", "actor")
        // Root in the container is nobody but the user on the host.
        .is("user.id", podman.user().uid.to_string())
}

#[test]
fn a_rootless_container_is_nobodys_by_name_and_never_the_hosts() {
    needs_root!();
    if !Podman::is_installed() {
        return;
    }
    let podman = Podman::rootless();
    let mut older = podman.actor("older");
    let listening = older.one("listen 127.0.0.1 0");
    // Whether its API is asked or nobody is, it is the same.
    for host in [podman.host(), "unix:///nonexistent/podman.sock".to_owned()] {
        let agent = Agent::setup_beside(&host).all().start();
        let existing = apart(&podman).action("existing_socket");
        agent.expect(&existing.endpoint("hostnet.local", &listening["local"]));
        let mut younger = podman.actor("younger");
        let mut ports = Vec::new();
        for actor in [&mut older, &mut younger] {
            let port = actor.connect_refused();
            agent.expect(&apart(&podman).attempt(port));
            ports.push(port);
        }
        let port = net::closed_port();
        podman.run(&["exec", "younger", "/actor", "short", "127.0.0.1", &port.to_string()]);
        agent.expect(&apart(&podman).attempt(port));
        younger.end();
        let run = agent.stop();
        for port in ports.into_iter().chain([port]) {
            run.exactly(1, &want().is("hostnet.remote.port", port));
        }
        run.none(&want().is("process.name", "actor").is("hostnet.owner.kind", "host"));
    }
}

/// What a rootless Docker calls the host's network is its own daemon's.
#[test]
fn the_host_network_of_a_rootless_docker_is_not_the_hosts() {
    needs_root!();
    needs_docker!("a Docker daemon");
    if !Rootless::is_possible() {
        return;
    }
    let docker = Docker::rootless();
    let agent = Agent::setup_beside(docker.host()).all().start();
    agent.expect(&want().action("runtime-reachable"));
    let mut inside = docker.launch("host").actor();
    let network = |who: &str| std::fs::read_link(format!("/proc/{who}/ns/net")).expect("it lives");
    assert_ne!(network(&inside.container.pid.to_string()), network("self"));
    let port = inside.connect_refused();
    let listening = inside.one("listen 127.0.0.1 0");
    agent.marker();
    let audit = Command::new(hostnet())
        .args(["audit", "--format", "json"])
        .env("DOCKER_HOST", docker.host())
        .output()
        .expect("hostnet can be started");
    let audit: Value = serde_json::from_slice(&audit.stdout).expect("JSON");
    let wrong = &audit["docker_ps"][0]["disagreements"][0];
    assert_eq!(wrong["container_id"], inside.container.id, "{audit}");
    assert_eq!(wrong["is_listed"], true, "its daemon says that it is: {wrong}");
    let run = agent.stop();
    run.none(&want().is("container.id", inside.container.id.as_str()));
    run.none(&want().is("process.pid", inside.container.pid));
    run.none(&want().is("hostnet.remote.port", port));
    run.none(&want().endpoint("hostnet.local", &listening["local"]));
}
