//! Processes in namespaces of their own that no container's cgroup holds: never
//! the host's, and nobody's by name.

use std::process::Command;

use hostnet_tests::{Actor, Agent, Docker, Want, cgroups, needs_root, net, program, want};

/// An actor in a cgroup of the host's, started by `sh` with `"$@"`.
fn started(cgroup: &cgroups::HostCgroup, script: &str) -> Actor {
    let mut command = Command::new("sh");
    let script = format!("echo 0 >\"$0\"/cgroup.procs && exec {script}");
    command.args(["-c", &script]).arg(cgroup.directory()).arg(program("actor")).arg("repl");
    Actor::started(command)
}

#[test]
fn by_unshare_and_by_setns() {
    needs_root!();
    let other = Docker::shared().launch("none").start(["sleep", "1000"]);
    let enter = format!("nsenter --target {} --mount --pid /actor repl", other.pid);
    for (name, script) in [
        ("mounts", "unshare --mount \"$@\""),
        ("pids", "unshare --pid --fork \"$@\""),
        ("both", "unshare --mount --pid --fork --mount-proc \"$@\""),
        ("joined", &*enter),
    ] {
        let cgroup = cgroups::HostCgroup::new(name);
        let agent = Agent::start();
        let mut actor = started(&cgroup, script);
        let mut hosts = started(&cgroup, "\"$@\"");
        let ports = [net::closed_port(), net::closed_port()];
        for (actor, port) in [(&mut actor, ports[0]), (&mut hosts, ports[1])] {
            let connect = actor.one(&format!("tcp-connect 127.0.0.1 {port}"));
            assert_eq!(connect["result"], "ECONNREFUSED");
        }
        let listening = actor.one("listen 127.0.0.1 0");
        let port = &listening["local"]["port"];
        let ours = || {
            want()
                .is("hostnet.owner.kind", "container-unknown")
                .is("hostnet.owner.cgroup.path", cgroup.path.as_str())
                .is("hostnet.attribution.method", "namespaces")
                .is("hostnet.attribution.confidence", "namespace")
                .is("process.name", "actor")
                .absent("container.id")
                .absent("hostnet.creator")
        };
        let refused = ours().action("connection_attempted").is("event.reason", "ECONNREFUSED");
        agent.expect(&refused.is("hostnet.remote.port", ports[0]));
        let listens = ours().action("listen-for-connections");
        agent.expect(&listens.endpoint("hostnet.local", &listening["local"]));
        hosts.one(&format!("tcp-connect 127.0.0.1 {port}"));
        let accepted = ours().action("connection_accepted");
        agent.expect(&accepted.is("hostnet.local.port", port.clone()));
        agent.marker();
        let run = agent.stop();
        // The host's process beside it, in the same cgroup, is the host's.
        run.none(&want().is("process.pid", hosts.host_pid()));
        run.none(&want().is("hostnet.remote.port", ports[1]));
        run.none(&want().is("hostnet.owner.kind", "host"));
    }
}

/// One that is older than the agent, and its child.
#[test]
fn from_before_the_agent() {
    needs_root!();
    let cgroup = cgroups::HostCgroup::new("older");
    let mut actor = started(&cgroup, "unshare --mount \"$@\"");
    let listening = actor.one("listen 127.0.0.1 0");
    let agent = Agent::start();
    let ours = || want().is("hostnet.owner.kind", "container-unknown").absent("container.id");
    let existing = ours().action("existing_socket");
    agent.expect(&existing.endpoint("hostnet.local", &listening["local"]));
    let port = net::closed_port();
    actor.perform(&format!("fork-connect -- tcp-connect 127.0.0.1 {port}"));
    agent.expect(&ours().is("hostnet.remote.port", port).is("event.reason", "ECONNREFUSED"));
    agent.stop();
}

/// Its connections come in through a listener that is older than the agent, in nobody's
/// context: they are its own all the same.
#[test]
fn what_one_from_before_the_agent_accepts_is_its_own() {
    needs_root!();
    let cgroup = cgroups::HostCgroup::new("server");
    let mut actor = started(&cgroup, "unshare --mount \"$@\"");
    let listening = actor.one("listen 127.0.0.1 0");
    let port = listening["local"]["port"].as_u64().expect("a port") as u16;
    let agent = Agent::start();
    let mut client = Docker::shared().launch("host").actor();
    let of =
        |action: &str| want().action(action).is("hostnet.local.port", port).absent("container.id");
    for _ in 0..3 {
        client.one(&format!("tcp-connect 127.0.0.1 {port}"));
    }
    let pid = actor.host_pid();
    let ours =
        |wanted: Want| wanted.is("hostnet.owner.kind", "container-unknown").is("process.pid", pid);
    agent.expect_many(3, &ours(of("connection_accepted")));
    let to = want().attempt(port).owned_by(&client.container);
    agent.expect_many(3, &to.is("hostnet.peer.kind", "container-unknown"));
    let run = agent.stop();
    run.only(&ours(of("existing_socket")));
    run.exactly(3, &of("connection_accepted"));
}
