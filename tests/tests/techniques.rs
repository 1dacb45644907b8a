//! Every technique of the actor works, with no agent anywhere: what a live test
//! expects hostnet to tell did really happen.

use std::net::UdpSocket;

use hostnet_tests::{Actor, Docker, Rewriter, needs_docker, needs_root, net};
use serde_json::Value;

fn results(truths: &[Value]) -> Vec<&str> {
    truths.iter().filter_map(|truth| truth["result"].as_str()).collect()
}

#[test]
fn tcp_works_in_a_host_network_container() {
    needs_root!(no owners);
    let mut client = Docker::shared().launch("host").actor();
    let mut server = Actor::on_host();
    for address in net::LOOPBACKS {
        let listening = server.one("listen :: 0");
        let port = &listening["local"]["port"];
        for option in ["", " --nonblocking"] {
            server.begin(&format!("serve {port} --reply 700"));
            let connect = client.one(&format!("tcp-connect {address} {port} --send 30{option}"));
            assert_eq!((&connect["result"], &connect["received"]), (&"ok".into(), &700.into()));
            let accepted = server.finish().remove(0);
            assert_eq!((&accepted["received"], &accepted["sent"]), (&30.into(), &700.into()));
            assert_eq!(accepted["remote"]["port"], connect["local"]["port"]);
        }
        server.one(&format!("unlisten {port}"));
        let refused = client.one(&format!("tcp-connect {address} {port}"));
        assert_eq!(refused["result"], "ECONNREFUSED");
    }
}

#[test]
fn a_connect_to_a_full_backlog_times_out() {
    needs_root!(no owners);
    let mut client = Docker::shared().launch("host").actor();
    assert_eq!(results(&client.perform("tcp-backlog-full")), ["ok", "ETIMEDOUT"]);
}

#[test]
fn binds_succeed_and_are_refused() {
    needs_root!(no owners);
    let mut actor = Docker::shared().launch("host").actor();
    for address in net::LOOPBACKS {
        for option in ["", " --udp"] {
            let truths = actor.perform(&format!("bind-used {address} 0{option}"));
            assert_eq!(results(&truths), ["ok", "EADDRINUSE"], "{address}{option}");
            assert_eq!(truths[0]["local"]["port"], truths[1]["requested"]["port"]);
        }
    }
}

#[test]
fn udp_and_raw_sockets_work_in_a_host_network_container() {
    needs_root!(no owners);
    let mut actor = Docker::shared().launch("host").actor();
    let peer = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let port = peer.local_addr().expect("bound").port();
    let sent = actor.perform(&format!("udp-send 127.0.0.1 {port} 127.0.0.1 {port} --datagrams 2"));
    assert_eq!(results(&sent), ["ok"; 4]);
    let mut buffer = [0; 16];
    let (length, from) = peer.recv_from(&mut buffer).expect("a datagram");
    assert_eq!(
        (length, from.port()),
        (4, sent[0]["local"]["port"].as_u64().expect("a port") as u16)
    );
    let connected = actor.perform(&format!("udp-connect 127.0.0.1 {port} --send 9"));
    assert_eq!(results(&connected), ["ok", "ok"]);
    for option in ["", " --v6"] {
        assert_eq!(results(&actor.perform(&format!("raw-icmp{option}"))), ["ok"]);
    }
}

#[test]
fn processes_exec_fork_and_end() {
    needs_root!(no owners);
    let mut actor = Docker::shared().launch("host").actor();
    let port = net::closed_port();
    let chain = actor.perform(&format!("spawn -- exec-chain 2 -- tcp-connect 127.0.0.1 {port}"));
    let operations: Vec<&Value> = chain.iter().map(|truth| &truth["op"]).collect();
    assert_eq!(operations, ["exec", "exec", "exec", "connect", "exit"]);
    assert_eq!(chain[0]["pid"], chain[3]["pid"]);
    let forked = actor.perform(&format!("fork-connect -- tcp-connect 127.0.0.1 {port}"));
    assert_eq!(forked[0]["op"], "connect");
    assert_eq!(forked[1]["child"], forked[0]["pid"]);
    assert_ne!(forked[0]["pid"], 1);
}

#[test]
fn a_bridge_container_reaches_itself_only() {
    needs_root!(no owners);
    let mut actor = Docker::shared().launch("bridge").actor();
    let listening = actor.one("listen 127.0.0.1 0");
    let port = &listening["local"]["port"];
    assert_eq!(actor.one(&format!("tcp-connect 127.0.0.1 {port}"))["result"], "ok");
    let host = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = host.local_addr().expect("bound").port();
    assert_eq!(actor.one(&format!("tcp-connect 127.0.0.1 {port}"))["result"], "ECONNREFUSED");
}

#[test]
fn a_container_outlives_its_daemon() {
    needs_root!(no owners);
    needs_docker!("a restart");
    let docker = Docker::restartable();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut actor = docker.launch("host").actor_by_pipes(directory.path());
    for _ in 0..2 {
        docker.daemon().stop();
        assert_eq!(actor.one("bind 127.0.0.1 0")["result"], "ok");
        docker.daemon().start();
        let format = "{{.State.Running}} {{.State.Pid}}";
        let state = docker.run(["inspect", "--format", format, &actor.container.id]);
        assert_eq!(state, format!("true {}", actor.container.pid));
        docker.daemon().kill();
        docker.daemon().start();
    }
    assert_eq!(actor.one("bind 127.0.0.1 0")["result"], "ok");
}

#[test]
fn docker_is_overheard_with_another_name() {
    needs_root!(no owners);
    needs_docker!("names");
    let docker = Docker::shared();
    let (plain, other) = ("hnt-rewritten-name-1", "hnt-\\u001b[2J-name-1x");
    let between = Rewriter::start(docker.host(), plain, &other[..plain.len()]);
    let _box = docker.launch("host").name(plain).start(["sleep", "1000"]);
    let output = docker
        .command()
        .env("DOCKER_HOST", between.host())
        .args(["ps", "--format", "{{json .Names}}"])
        .output()
        .expect("docker can be started");
    let names = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(names.contains("u001b") && !names.contains(plain), "{names}");
}
