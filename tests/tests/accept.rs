//! Listeners: who connected, how many bytes went each way, and for how long.

use std::{net::SocketAddr, thread, time::Instant};

use hostnet_tests::{Agent, Container, Docker, PAGE, Want, needs_root, net, want};
use serde_json::json;

fn accepted_from(client: SocketAddr, server: SocketAddr) -> Want {
    let ip = |address: SocketAddr| address.ip().to_canonical().to_string();
    want()
        .is("network.transport", "tcp")
        .is("network.direction", "ingress")
        .is("source.ip", ip(client))
        .is("source.port", client.port())
        .is("client.port", client.port())
        .is("destination.ip", ip(server))
        .is("destination.port", server.port())
        .is("server.port", server.port())
        .is("hostnet.remote.port", client.port())
        .is("hostnet.local.port", server.port())
}

/// A page from busybox httpd, as a person would fetch it.
#[test]
fn httpd_serves_a_page() {
    needs_root!();
    let port = net::free_port();
    let agent = Agent::start();
    let argument = port.to_string();
    let words = ["httpd", "-f", "-p", &argument, "-h", "/www"];
    let web = Docker::shared().launch("host").start(words);
    let httpd = |action: &str| {
        want()
            .action(action)
            .owned_by(&web)
            .is("process.pid", web.pid)
            .is("process.name", "httpd")
            .is("process.args", json!(words))
    };
    let bound = agent.expect(&httpd("bound-socket").is("event.outcome", "success"));
    assert_eq!(bound["hostnet"]["bind"]["requested_port"], port);
    assert_eq!(bound["hostnet"]["bind"]["scope"], "any");
    assert_eq!(bound["hostnet"]["local"]["port"], port);
    agent.expect(&httpd("listen-for-connections").is("hostnet.local.port", port));

    let server: SocketAddr = ([127, 0, 0, 1], port).into();
    let began = Instant::now();
    let fetched = net::exchange(server, b"GET /page HTTP/1.0\r\n\r\n");
    assert!(fetched.received.ends_with(PAGE), "httpd served the page");
    let expected = accepted_from(fetched.local, server).owned_by(&web);
    agent.expect(&expected.clone().action("connection_accepted").is("event.outcome", "success"));
    let closed = expected
        .clone()
        .action("disconnect_received")
        .is("source.bytes", fetched.sent)
        .is("destination.bytes", fetched.received.len())
        .is("network.bytes", fetched.sent + fetched.received.len())
        .is("hostnet.socket.family", "inet6")
        .present("event.duration");
    let closed = agent.expect(&closed);
    let longest = began.elapsed().as_nanos() as u64;
    let duration = closed["event"]["duration"].as_u64().expect("nanoseconds");
    assert!(duration > 0 && duration <= longest, "{duration} ns of {longest} ns: {closed}");

    agent.marker();
    let run = agent.stop();
    for action in
        ["bound-socket", "listen-for-connections", "connection_accepted", "disconnect_received"]
    {
        run.only(&want().action(action).is("container.id", web.id.as_str()));
    }
}

/// The whole life of a server that lets the kernel choose its port.
#[test]
fn a_server_on_port_0_shows_the_real_port() {
    needs_root!();
    let agent = Agent::start();
    let mut server = Docker::shared().launch("host").actor();
    server.begin("tcp-serve --addr 0.0.0.0 --port 0 --count 1 --reply 9");
    let port = server.told()["local"]["port"].as_u64().expect("a port") as u16;
    let done = net::exchange(([127, 0, 0, 1], port).into(), b"question\n");
    server.finish();
    let ours = |action| {
        let port_of = want().action(action).is("hostnet.local.port", port);
        port_of.owned_by(&server.container).is("process.pid", server.container.pid)
    };
    let bound = ours("bound-socket").is("hostnet.bind.requested_port", 0);
    agent.expect(&bound.is("hostnet.local.ip", "0.0.0.0").is("hostnet.bind.scope", "any"));
    agent.expect(&ours("listen-for-connections").is("hostnet.local.ip", "0.0.0.0"));
    agent.expect(&ours("connection_accepted").is("source.port", done.local.port()));
    let closed = ours("disconnect_received").is("source.port", done.local.port());
    agent.expect(&closed.is("source.bytes", 9).is("destination.bytes", 9));
    agent.expect(&ours("closed-listener"));
    let run = agent.stop();
    let about_it = want().is("container.id", server.container.id.as_str());
    let acts = about_it.is("event.kind", "event");
    run.exactly(5, &acts.is("hostnet.local.port", port));
}

#[test]
fn bytes_of_both_ways_are_exact() {
    needs_root!();
    let agent = Agent::start();
    let mut server = Docker::shared().launch("host").actor();
    let listening = server.one("listen :: 0");
    let port = listening["local"]["port"].as_u64().expect("a port") as u16;
    let sizes = [(1, 0), (1, 1), (1000, 1), (1, 1_000_000), (70_000, 70_000)];
    for address in ["127.0.0.1", "::1"] {
        for (request, reply) in sizes {
            server.begin(&format!("serve {port} --reply {reply}"));
            let mut text = vec![b'q'; request];
            text[request - 1] = b'\n';
            let remote = SocketAddr::new(address.parse().expect("an address"), port);
            let done = net::exchange(remote, &text);
            let truth = server.finish().remove(0);
            assert_eq!((&truth["received"], &truth["sent"]), (&json!(request), &json!(reply)));
            let expected = accepted_from(done.local, remote).owned_by(&server.container);
            agent.expect(&expected.clone().action("connection_accepted"));
            agent.expect(
                &expected
                    .action("disconnect_received")
                    .is("source.bytes", request)
                    .is("destination.bytes", reply)
                    .is("network.type", if remote.is_ipv4() { "ipv4" } else { "ipv6" }),
            );
        }
    }
    agent.marker();
    let run = agent.stop();
    let ours = |action| want().action(action).is("container.id", server.container.id.as_str());
    run.exactly(2 * sizes.len(), &ours("connection_accepted"));
    run.exactly(2 * sizes.len(), &ours("disconnect_received"));
}

#[test]
fn the_connecting_side_counts_its_bytes_too() {
    needs_root!();
    let agent = Agent::start();
    let mut client = Docker::shared().launch("host").actor();
    let mut server = hostnet_tests::Actor::on_host();
    for address in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
        let listening = server.one("listen :: 0");
        let port = &listening["local"]["port"];
        server.begin(&format!("serve {port} --reply 4321"));
        let truth = client.one(&format!("tcp-connect {address} {port} --send 123"));
        server.finish();
        agent.expect(
            &want()
                .action("disconnect_received")
                .is("network.direction", "egress")
                .endpoint("source", &truth["local"])
                .endpoint("destination", &truth["remote"])
                .is("source.bytes", 123)
                .is("destination.bytes", 4321)
                .present("event.duration")
                .owned_by(&client.container),
        );
    }
    agent.marker();
    let run = agent.stop();
    let ours = want().is("container.id", client.container.id.as_str());
    run.exactly(3, &ours.clone().action("disconnect_received"));
    run.none(&ours.action("connection_accepted"));
    run.none(&want().is("hostnet.owner.kind", "host"));
}

#[test]
fn many_clients_at_once_are_told_one_by_one() {
    needs_root!();
    const CLIENTS: usize = 40;
    let agent = Agent::start();
    let mut server = Docker::shared().launch("host").actor();
    let listening = server.one("listen 127.0.0.1 0");
    let port = listening["local"]["port"].as_u64().expect("a port") as u16;
    server.begin(&format!("serve {port} --count {CLIENTS} --reply 10"));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| thread::spawn(move || net::exchange(([127, 0, 0, 1], port).into(), b"q\n")))
        .collect();
    let done: Vec<_> = clients.into_iter().map(|client| client.join().expect("served")).collect();
    assert_eq!(server.finish().len(), CLIENTS);
    let closed = want()
        .action("disconnect_received")
        .is("source.bytes", 2)
        .is("destination.bytes", 10)
        .owned_by(&server.container);
    agent.expect_many(CLIENTS, &closed);
    let run = agent.stop();
    run.exactly(CLIENTS, &closed);
    for exchange in done {
        let expected = accepted_from(exchange.local, exchange.remote);
        run.only(&expected.action("connection_accepted").owned_by(&server.container));
    }
}

/// Connections are completed by whoever's packet arrives, often in the middle of
/// another container's work: two pairs of containers keep each other busy.
#[test]
fn e32_accepts_while_others_are_busy() {
    needs_root!();
    const EACH: usize = 200;
    let agent = Agent::start();
    let pairs: Vec<_> = thread::scope(|scope| {
        let pair = || {
            let mut server = Docker::shared().launch("host").actor();
            let mut client = Docker::shared().launch("host").actor();
            let port = server.one("listen 127.0.0.1 0")["local"]["port"].clone();
            server.begin(&format!("serve {port} --count {EACH} --reply 1"));
            for _ in 0..EACH {
                let truth = client.one(&format!("tcp-connect 127.0.0.1 {port} --send 1"));
                assert_eq!(truth["result"], "ok");
            }
            assert_eq!(server.finish().len(), EACH);
            (server.container, client.container, port)
        };
        let busy: Vec<_> = (0..2).map(|_| scope.spawn(pair)).collect();
        busy.into_iter().map(|one| one.join().expect("served")).collect()
    });
    agent.marker();
    let run = agent.stop();
    for (server, client, port) in &pairs {
        let accepted = want().action("connection_accepted").is("hostnet.local.port", port.clone());
        run.exactly(EACH, &accepted);
        run.exactly(EACH, &accepted.owned_by(server));
        let connected =
            want().action("connection_attempted").is("hostnet.remote.port", port.clone());
        run.exactly(EACH, &connected);
        run.exactly(EACH, &connected.owned_by(client));
    }
}

#[test]
fn a_listener_that_closes_says_so() {
    needs_root!();
    let agent = Agent::start();
    let mut server = Docker::shared().launch("host").actor();
    let ours = |action: &str, container: &Container| want().action(action).owned_by(container);
    for address in ["127.0.0.1", "::1", "0.0.0.0", "::"] {
        let listening = server.one(&format!("listen {address} 0 --backlog 7"));
        let local = &listening["local"];
        let listen = ours("listen-for-connections", &server.container);
        agent.expect(&listen.endpoint("hostnet.local", local).endpoint("server", local));
        server.one(&format!("unlisten {}", local["port"]));
        let close = ours("closed-listener", &server.container);
        agent.expect(&close.endpoint("hostnet.local", local));
    }
    // Without bind(2), the kernel chooses the port after it has announced the listener.
    let listening = server.one("listen 0.0.0.0 0 --no-bind");
    let listen = ours("listen-for-connections", &server.container);
    agent.expect(&listen.endpoint("hostnet.local", &listening["local"]));
    agent.marker();
    let run = agent.stop();
    run.exactly(5, &ours("listen-for-connections", &server.container));
    run.exactly(4, &ours("closed-listener", &server.container));
    run.exactly(4, &ours("bound-socket", &server.container));
}
