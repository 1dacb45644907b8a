//! UDP: one event per socket and peer, whoever sent first.

use std::net::{SocketAddr, UdpSocket};

use hostnet_tests::{ActorBox, Agent, Docker, Want, needs_root, net, want};
use serde_json::{Value, json};

const LOOPBACKS: [(&str, &str, &str); 3] = [
    ("127.0.0.1", "ipv4", "inet"),
    ("::1", "ipv6", "inet6"),
    ("::ffff:127.0.0.1", "ipv4", "inet6"),
];

fn udp(actor: &ActorBox, action: &str, direction: &str) -> Want {
    want()
        .action(action)
        .is("network.transport", "udp")
        .is("network.direction", direction)
        .owned_by(&actor.container)
        .is("process.pid", actor.container.pid)
        .is("process.executable", "/actor")
}

fn any(actor: &ActorBox, action: &str) -> Want {
    want().action(action).is("container.id", actor.container.id.as_str())
}

#[test]
fn sendto_three_peers_without_connect() {
    needs_root!(no tcp);
    let agent = Agent::start();
    let mut actor = Docker::shared().launch("host").actor();
    for (address, network, family) in LOOPBACKS {
        let unspecified = if family == "inet" { "0.0.0.0" } else { "::" };
        let peers = [(); 3].map(|()| net::free_udp_port());
        let words = peers.map(|port| format!("{address} {port}")).join(" ");
        let truths = actor.perform(&format!("udp-send {words} --datagrams 3"));
        for truth in &truths[..3] {
            agent.expect(
                &udp(&actor, "connection_attempted", "egress")
                    .is("hostnet.operation", "send")
                    .is("event.outcome", "success")
                    .endpoint("hostnet.remote", &truth["remote"])
                    .endpoint("destination", &truth["remote"])
                    .is("hostnet.local.port", truth["local"]["port"].clone())
                    .one_of("source.ip", [unspecified, truth["remote"]["ip"].as_str().expect("ip")])
                    .is("network.type", network)
                    .is("hostnet.socket.family", family)
                    .is("hostnet.socket.type", "dgram"),
            );
        }
        agent.expect(
            &udp(&actor, "disconnect_received", "egress")
                .is("hostnet.local.port", truths[0]["local"]["port"].clone())
                .is("hostnet.udp.peers", 3)
                .is("hostnet.udp.datagrams_sent", 9)
                .is("hostnet.udp.datagrams_received", 0)
                .present("event.duration"),
        );
    }
    agent.marker();
    let run = agent.stop();
    run.exactly(3 * LOOPBACKS.len(), &any(&actor, "connection_attempted"));
    run.exactly(LOOPBACKS.len(), &any(&actor, "disconnect_received"));
}

#[test]
fn a_connected_socket() {
    needs_root!(no tcp);
    let agent = Agent::start();
    let mut actor = Docker::shared().launch("host").actor();
    for (address, network, family) in LOOPBACKS {
        let port = net::free_udp_port();
        let truths = actor.perform(&format!("udp-connect {address} {port} --send 5"));
        agent.expect(
            &udp(&actor, "connection_attempted", "egress")
                .is("hostnet.operation", "connect")
                .is("event.outcome", "unknown")
                .endpoint("hostnet.remote", &truths[0]["remote"])
                .endpoint("destination", &truths[0]["remote"])
                .is("network.type", network)
                .is("hostnet.socket.family", family),
        );
    }
    agent.marker();
    agent.stop().exactly(LOOPBACKS.len(), &any(&actor, "connection_attempted"));
}

#[test]
fn a_server_that_receives_from_two_peers() {
    needs_root!(no tcp);
    let agent = Agent::start();
    let mut actor = Docker::shared().launch("host").actor();
    for (bind, client, network, family) in [
        ("127.0.0.1", "127.0.0.1", "ipv4", "inet"),
        ("::1", "::1", "ipv6", "inet6"),
        ("::", "127.0.0.1", "ipv4", "inet6"),
    ] {
        let unspecified = if family == "inet" { "0.0.0.0" } else { "::" };
        actor.begin(&format!("udp-serve 0 --addr {bind} --count 4"));
        let bound = actor.told();
        let port = bound["local"]["port"].as_u64().expect("a port") as u16;
        let peers = [(); 2].map(|()| UdpSocket::bind((client, 0)).expect("a port"));
        let server: SocketAddr =
            (client.parse::<std::net::IpAddr>().expect("an address"), port).into();
        for peer in peers.iter().chain(&peers) {
            peer.send_to(b"question", server).expect("loopback");
            let mut buffer = [0; 16];
            assert_eq!(peer.recv(&mut buffer).expect("an answer"), 8);
        }
        assert_eq!(actor.finish().len(), 4);
        for peer in &peers {
            let peer = peer.local_addr().expect("bound");
            let peer = json!({"ip": peer.ip().to_string(), "port": peer.port()});
            agent.expect(
                &received(&actor, &peer, port)
                    .is("network.type", network)
                    .is("hostnet.socket.family", family)
                    .one_of("destination.ip", [unspecified, client]),
            );
        }
        agent.expect(
            &udp(&actor, "disconnect_received", "ingress")
                .is("hostnet.local.port", port)
                .is("hostnet.udp.peers", 2)
                .is("hostnet.udp.datagrams_sent", 4)
                .is("hostnet.udp.datagrams_received", 4),
        );
    }
    agent.marker();
    let run = agent.stop();
    run.exactly(6, &any(&actor, "connection_accepted"));
    run.none(&any(&actor, "connection_attempted"));
    run.exactly(3, &any(&actor, "bound-socket"));
}

fn received(actor: &ActorBox, peer: &Value, port: u16) -> Want {
    udp(actor, "connection_accepted", "ingress")
        .is("hostnet.operation", "receive")
        .is("event.outcome", "success")
        .endpoint("hostnet.remote", peer)
        .endpoint("source", peer)
        .endpoint("client", peer)
        .is("hostnet.local.port", port)
        .is("destination.port", port)
}
