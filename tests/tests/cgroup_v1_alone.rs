//! A host that mounts no v2 hierarchy: every process is in v2's first cgroup, so
//! that the kernel cannot say whose an operation is. It is told all the same, and
//! its owner is unknown, not the host.

use hostnet_tests::{Actor, Agent, Docker, at, has_v2, needs_root, net, skip, want};

#[test]
fn the_owner_is_unknown_rather_than_the_host() {
    needs_root!(no owners);
    if has_v2() {
        skip("this host mounts cgroup v2");
        return;
    }
    let agent = Agent::start();
    let mut contained = Docker::shared().launch("host").actor();
    let mut hosts = Actor::on_host();
    let ports = [net::closed_port(), net::closed_port()];
    contained.one(&format!("tcp-connect 127.0.0.1 {}", ports[0]));
    hosts.one(&format!("tcp-connect 127.0.0.1 {}", ports[1]));
    for port in ports {
        agent.expect(
            &want()
                .action("connection_attempted")
                .is("hostnet.remote.port", port)
                .is("event.reason", "ECONNREFUSED")
                .is("hostnet.owner.kind", "unknown")
                .absent("container.id"),
        );
    }
    let run = agent.stop();
    for event in &run.events {
        assert_ne!(at(event, "hostnet.owner.kind"), Some(&"host".into()), "{event}");
    }
}
