//! The namespace of the socket decides, not that of the process, and not what
//! the container declares.

use std::net::TcpListener;

use hostnet_tests::{Actor, Docker, Technique, all, needs_docker, needs_root, net, want};

/// A container that may go from one network namespace to another.
fn may_move() -> Technique {
    Technique::new().unconfined().capability("SYS_ADMIN").capability("SYS_PTRACE")
}

/// A container of the bridge whose process enters the host's network.
#[test]
fn e22_setns_from_a_bridge_container() {
    needs_root!();
    needs_docker!("a container that sees the host's processes");
    let path = format!("/proc/{}/ns/net", std::process::id());
    let trial = may_move().network("bridge").options(["--pid=host"]).is_told(|actor| {
        // Before it moves, nothing is the host's.
        let port = net::closed_port();
        assert_eq!(actor.one(&format!("tcp-connect 127.0.0.1 {port}"))["result"], "ECONNREFUSED");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let words = format!("in-netns {path} -- tcp-connect 127.0.0.1 {port}");
        let mut rows = all("ok", actor.perform(&words));
        rows.extend(all("ok", actor.perform(&format!("in-netns {path} -- bind 127.0.0.1 0"))));
        rows
    });
    assert_eq!(trial.joined.expect("joined").rows, 2);
}

#[test]
fn e22_a_socket_carried_out_of_the_hosts_network() {
    needs_root!();
    let trial = may_move().is_told(|actor| {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("bound").port();
        all("ok", actor.perform(&format!("carried-out 127.0.0.1 {port}")))
    });
    assert_eq!(trial.joined.expect("joined").rows, 3);
}

/// Nothing is told of a socket of another namespace, wherever it is used.
#[test]
fn e22_a_socket_carried_into_the_hosts_network() {
    needs_root!();
    let trial = may_move().is_told(|actor| {
        let mut rows = all("ok", actor.perform("carried-in 0.0.0.0 4711"));
        // One that is told, so that the account is not empty.
        rows.extend(all("ok", actor.perform("bind 127.0.0.1 0")));
        rows
    });
    assert_eq!(trial.joined.expect("joined").rows, 1);
    trial.run.none(&want().is("hostnet.local.port", 4711).owned_by(&trial.container));
}

/// `--network container:X` where X has the host's network.
#[test]
fn e22_joined_to_a_container_of_the_hosts_network() {
    needs_root!();
    needs_docker!("a container that joins another's network");
    let docker = Docker::shared();
    let first = docker.launch("host").start(["sleep", "1000"]);
    let trial = Technique::new().network(&format!("container:{}", first.id)).is_told(|actor| {
        let mut server = Actor::on_host();
        let listening = server.one("listen 127.0.0.1 0");
        let port = &listening["local"]["port"];
        all("ok", actor.perform(&format!("tcp-connect 127.0.0.1 {port}")))
    });
    assert_eq!(trial.joined.expect("joined").rows, 1);
}
