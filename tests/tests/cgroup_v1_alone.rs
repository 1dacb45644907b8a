//! A host that mounts no v2 hierarchy: every process is in v2's first cgroup, so
//! that the kernel cannot say whose an operation is. What /proc shows of the old
//! hierarchies names a container, as a claim; whoever it does not name is unknown,
//! not the host.

use hostnet_tests::{Actor, Agent, Docker, at, has_v2, needs_root, net, skip, want};

#[test]
fn a_container_is_named_by_its_old_path_and_nobody_is_the_host() {
    needs_root!(no owners);
    if has_v2() {
        skip("this host mounts cgroup v2");
        return;
    }
    let docker = Docker::shared();
    let mut older = docker.launch("host").actor();
    let agent = Agent::start();
    let mut younger = docker.launch("host").actor();
    let mut hosts = Actor::on_host();
    let attempt = |actor: &mut Actor| {
        let port = net::closed_port();
        actor.one(&format!("tcp-connect 127.0.0.1 {port}"));
        let attempt = want().action("connection_attempted").is("hostnet.remote.port", port);
        attempt.is("event.reason", "ECONNREFUSED")
    };
    for contained in [&mut older, &mut younger] {
        let claimed = attempt(contained)
            .is("hostnet.owner.kind", "container")
            .is("hostnet.attribution.method", "cgroup-v1-path")
            .is("hostnet.attribution.confidence", "path");
        agent.expect(&claimed.is("container.id", contained.container.id.as_str()));
    }
    let unknown = attempt(&mut hosts).is("hostnet.owner.kind", "unknown");
    agent.expect(&unknown.absent("container.id"));
    // What comes later in nobody's context is whose the socket's maker was.
    let listening = younger.one("listen 127.0.0.1 0");
    let port = listening["local"]["port"].clone();
    hosts.one(&format!("tcp-connect 127.0.0.1 {port}"));
    let accepted = want().action("connection_accepted").is("hostnet.local.port", port);
    agent.expect(&accepted.is("container.id", younger.container.id.as_str()));
    let run = agent.stop();
    for event in &run.events {
        assert_ne!(at(event, "hostnet.owner.kind"), Some(&"host".into()), "{event}");
    }
}
