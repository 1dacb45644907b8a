//! Containers of a plain user's Podman: no privilege on the host, and a network
//! that is the host's all the same.

use hostnet_tests::{Agent, Podman, Want, needs_root, net, want};

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
