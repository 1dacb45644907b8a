//! UDP: one event per socket and peer, whoever sent first.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

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
                    .is("source.ip", unspecified)
                    .absent("network.community_id")
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
        let end = |end: &Value| {
            let ip = end["ip"].as_str().and_then(|ip| ip.parse().ok()).expect("an address");
            SocketAddr::new(ip, end["port"].as_u64().expect("a port") as u16)
        };
        // connect(2) chose the address, which the first datagram shows.
        let id = community_id(end(&truths[0]["local"]), end(&truths[0]["remote"]));
        agent.expect(
            &udp(&actor, "disconnect_received", "egress")
                .endpoint("hostnet.local", &truths[0]["local"])
                .is("network.community_id", id.clone()),
        );
        agent.expect(
            &udp(&actor, "connection_attempted", "egress")
                .is("hostnet.operation", "connect")
                .is("event.outcome", "success")
                .is("hostnet.udp.sent_to_peer", "yes")
                .endpoint("hostnet.remote", &truths[0]["remote"])
                .endpoint("destination", &truths[0]["remote"])
                .endpoint("hostnet.local", &truths[0]["local"])
                .is("network.community_id", id)
                .is("network.type", network)
                .is("hostnet.socket.family", family),
        );
    }
    agent.marker();
    let run = agent.stop();
    run.exactly(LOOPBACKS.len(), &any(&actor, "connection_attempted"));
    run.none(&any(&actor, "connection-outcome"));
}

/// Whether a datagram left for its peer is known, and a datagram by address is none.
#[test]
fn a_connected_socket_that_sends_nothing_to_its_peer() {
    needs_root!(no tcp);
    let agent = Agent::start();
    let mut actor = Docker::shared().launch("host").actor();
    for (address, ..) in LOOPBACKS {
        for past in [None, Some(net::free_udp_port())] {
            let port = net::free_udp_port();
            let to = past.map(|port| format!(" --to {port}")).unwrap_or_default();
            let truths = actor.perform(&format!("udp-connect {address} {port}{to}"));
            let at = &truths[0]["remote"];
            let connect =
                udp(&actor, "connection_attempted", "egress").endpoint("hostnet.remote", at);
            let connect = connect.is("hostnet.operation", "connect");
            agent.expect(
                &connect.is("event.outcome", "unknown").is("hostnet.udp.sent_to_peer", "no"),
            );
            let closed = udp(&actor, "disconnect_received", "egress");
            agent.expect(
                &closed.endpoint("hostnet.remote", at).is("hostnet.udp.sent_to_peer", "no"),
            );
        }
    }
    agent.marker();
    let run = agent.stop();
    let sent = any(&actor, "connection_attempted").is("hostnet.operation", "send");
    run.exactly(LOOPBACKS.len(), &sent);
    run.none(&any(&actor, "connection-outcome"));
}

/// Connected, told after a second without a datagram, and completed by one; connected
/// again to the same peer, and the first datagram is told once more.
#[test]
fn a_connected_socket_whose_first_datagram_comes_late() {
    needs_root!(no tcp);
    let agent = Agent::start();
    let mut actor = Docker::shared().launch("host").actor();
    for (address, ..) in LOOPBACKS {
        let port = net::free_udp_port();
        let truth = actor.one(&format!("udp-connect {address} {port} --keep"));
        let at = &truth["remote"];
        let connect = udp(&actor, "connection_attempted", "egress").endpoint("hostnet.remote", at);
        let aimed = agent.expect(
            &connect.clone().is("event.outcome", "unknown").is("hostnet.udp.sent_to_peer", "no"),
        );
        actor.one("udp-send-kept 4");
        actor.one("udp-send-kept 4");
        agent.expect(
            &udp(&actor, "connection-outcome", "egress")
                .is("hostnet.amends", aimed["event"]["id"].clone())
                .is("event.outcome", "success")
                .is("hostnet.udp.sent_to_peer", "yes")
                .endpoint("hostnet.remote", at),
        );
        actor.one(&format!("udp-connect-kept {address} {port}"));
        actor.one("udp-send-kept 4");
        agent.expect(&connect.is("event.outcome", "success").is("hostnet.udp.sent_to_peer", "yes"));
    }
    agent.marker();
    let run = agent.stop();
    run.exactly(LOOPBACKS.len(), &any(&actor, "connection-outcome"));
    run.exactly(2 * LOOPBACKS.len(), &any(&actor, "connection_attempted"));
}

#[test]
fn a_server_that_receives_from_two_peers() {
    needs_root!(no tcp);
    let agent = Agent::start();
    let mut actor = Docker::shared().launch("host").actor();
    for (bind, client, network, family) in SERVERS {
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
            let from = peer.local_addr().expect("bound");
            let peer = json!({"ip": from.ip().to_string(), "port": from.port()});
            let expected = received(&actor, &peer, port)
                .is("network.type", network)
                .is("hostnet.socket.family", family)
                .endpoint("hostnet.local", &bound["local"])
                .endpoint("destination", &bound["local"]);
            // Which address it came to is known where the socket has only one.
            agent.expect(&match is_any(bind) {
                true => expected.absent("network.community_id"),
                false => expected.is("network.community_id", community_id(from, server)),
            });
        }
        agent.expect(
            &udp(&actor, "disconnect_received", "ingress")
                .endpoint("hostnet.local", &bound["local"])
                .is("hostnet.udp.peers", 2)
                .is("hostnet.udp.datagrams_sent", 4)
                .is("hostnet.udp.datagrams_received", 4),
        );
    }
    agent.marker();
    let run = agent.stop();
    run.exactly(2 * SERVERS.len(), &any(&actor, "connection_accepted"));
    run.none(&any(&actor, "connection_attempted"));
    run.exactly(SERVERS.len(), &any(&actor, "bound-socket"));
}

/// Datagrams from more sources than a socket is given entries for: their number is known,
/// and no neighbour's counts suffer.
#[test]
fn a_server_with_thousands_of_peers_has_counts_and_no_event_for_each() {
    needs_root!(no tcp);
    const SOURCES: u32 = 2_000;
    let agent = Agent::start();
    let (mut busy, mut quiet) =
        (Docker::shared().launch("host").actor(), Docker::shared().launch("host").actor());
    let serve = |actor: &mut ActorBox, count| {
        actor.begin(&format!("udp-serve 0 --addr 0.0.0.0 --count {count}"));
        let port = actor.told()["local"]["port"].as_u64().expect("a port") as u16;
        SocketAddr::from(([127, 0, 0, 1], port))
    };
    let ask = |source: Ipv4Addr, server: SocketAddr| {
        let peer = UdpSocket::bind((source, 0)).expect("a port");
        peer.send_to(b"question", server).expect("loopback");
        assert_eq!(peer.recv(&mut [0; 16]).expect("an answer"), 8);
    };
    let server = serve(&mut busy, SOURCES);
    for source in 0..SOURCES {
        ask(Ipv4Addr::from(0x7f02_0000 + source), server);
    }
    let neighbour = serve(&mut quiet, 2);
    for _ in 0..2 {
        ask(Ipv4Addr::new(127, 3, 0, 1), neighbour);
    }
    busy.finish();
    quiet.finish();
    agent.expect(
        &udp(&busy, "disconnect_received", "ingress")
            .is("hostnet.udp.peers", 256)
            .is("hostnet.udp.datagrams_received", SOURCES)
            .is("hostnet.udp.datagrams_sent", SOURCES)
            .is("hostnet.udp.others_received", SOURCES - 256)
            .is("hostnet.udp.others_sent", SOURCES - 256),
    );
    agent.expect(
        &udp(&quiet, "disconnect_received", "ingress")
            .is("hostnet.udp.peers", 2)
            .is("hostnet.udp.datagrams_received", 2)
            .is("hostnet.udp.datagrams_sent", 2)
            .absent("hostnet.udp.others_sent"),
    );
    let run = agent.stop();
    run.exactly(256, &any(&busy, "connection_accepted"));
    run.only(&any(&busy, "connection_accepted").is("hostnet.udp.further_peers_counted", true));
    run.none(&any(&busy, "connection_attempted"));
}

/// A container whose sockets have more peers than the share that one owner has: the rest
/// is told as long as it is new, and counted.
#[test]
fn a_container_with_more_flows_than_its_share_takes_none_of_a_neighbours() {
    needs_root!(no tcp);
    const SHARE: usize = 32;
    const BEYOND: usize = 4;
    let agent = Agent::start();
    let (mut many, mut quiet) =
        (Docker::shared().launch("host").actor(), Docker::shared().launch("host").actor());
    let truth = many.one(&format!("udp-spray {} 256", SHARE + BEYOND));
    assert_eq!(truth["datagrams"], (SHARE + BEYOND) * 256);
    let port = net::free_udp_port();
    quiet.perform(&format!("udp-send 127.0.0.1 {port} --datagrams 3"));
    let closed = |actor: &ActorBox| udp(actor, "disconnect_received", "egress");
    agent.expect(
        &closed(&quiet).is("hostnet.udp.datagrams_sent", 3).absent("hostnet.udp.others_sent"),
    );
    let ends = agent.expect_many(SHARE + BEYOND, &any(&many, "disconnect_received"));
    let sum = |field: &str| -> u64 {
        ends.iter().filter_map(|end| hostnet_tests::at(end, field)?.as_u64()).sum()
    };
    assert_eq!(sum("hostnet.udp.datagrams_sent"), truth["datagrams"], "each is counted");
    assert_eq!(sum("hostnet.udp.peers"), SHARE as u64 * 256);
    assert_eq!(sum("hostnet.udp.others_sent"), BEYOND as u64 * 256);
    let run = agent.stop();
    // The peers of those beyond are the same for each of them.
    run.exactly((SHARE + 1) * 256, &any(&many, "connection_attempted"));
}

/// What a UDP server is bound to, where from it is asked, and what comes of that.
const SERVERS: [(&str, &str, &str, &str); 6] = [
    ("127.0.0.1", "127.0.0.1", "ipv4", "inet"),
    ("0.0.0.0", "127.0.0.1", "ipv4", "inet"),
    ("::1", "::1", "ipv6", "inet6"),
    ("::", "::1", "ipv6", "inet6"),
    ("::", "127.0.0.1", "ipv4", "inet6"),
    ("::ffff:127.0.0.1", "127.0.0.1", "ipv4", "inet6"),
];

fn is_any(address: &str) -> bool {
    matches!(address, "0.0.0.0" | "::")
}

/// What Zeek, Suricata and Wireshark call the flow.
fn community_id(from: SocketAddr, to: SocketAddr) -> String {
    let ports = (Some(from.port()), Some(to.port()));
    let id = community_id::calculate_community_id(
        0,
        from.ip().to_canonical(),
        to.ip().to_canonical(),
        ports.0,
        ports.1,
        17,
        false,
    );
    id.expect("two ends of one family")
}

/// A socket that is bound to the address that it sends from, and one that leaves the
/// choice to the kernel.
#[test]
fn a_sender_is_told_with_the_address_that_it_sends_from() {
    needs_root!(no tcp);
    let agent = Agent::start();
    let mut actor = Docker::shared().launch("host").actor();
    let peer = net::free_udp_port();
    for (bind, to, from) in [
        ("127.0.0.2", "127.0.0.1", Some("127.0.0.2")),
        ("::1", "::1", Some("::1")),
        ("::ffff:127.0.0.2", "::ffff:127.0.0.1", Some("127.0.0.2")),
        ("0.0.0.0", "127.0.0.1", None),
        ("::", "::1", None),
    ] {
        let truth = actor.one(&format!("udp-send {to} {peer} --from {bind}"));
        assert_eq!(truth["result"], "ok", "{truth}");
        let port = truth["local"]["port"].as_u64().expect("a port") as u16;
        let expected = udp(&actor, "connection_attempted", "egress")
            .endpoint("hostnet.local", &truth["local"])
            .endpoint("hostnet.remote", &truth["remote"]);
        let end = |ip: &str, port| SocketAddr::new(ip.parse().expect("an address"), port);
        agent.expect(&match from {
            Some(from) => expected
                .is("hostnet.local.ip", from)
                .is("network.community_id", community_id(end(from, port), end(to, peer))),
            None => expected.absent("network.community_id"),
        });
    }
    agent.stop().exactly(5, &any(&actor, "connection_attempted"));
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
