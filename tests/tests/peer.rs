//! The other end by name: who listened where a container connected to.

use std::{
    net::{SocketAddr, TcpListener, UdpSocket},
    os::{linux::net::SocketAddrExt as _, unix::net as unix},
    thread,
};

use hostnet_tests::{
    Actor, ActorBox, Agent, Docker, Service, Want, needs_docker, needs_root, net, wait_for, want,
};
use serde_json::Value;

fn connect(port: u16, by: &ActorBox) -> Want {
    want().action("connection_attempted").is("hostnet.remote.port", port).owned_by(&by.container)
}

fn is_host_process(wanted: Want, pid: u32) -> Want {
    wanted.is("hostnet.peer.kind", "host").is("hostnet.peer.process.pid", pid)
}

fn port_of(truth: &Value) -> u16 {
    truth["local"]["port"].as_u64().expect("a port") as u16
}

/// The services that loopback is said to protect, by name, process and unit.
#[test]
fn services_of_the_host() {
    needs_root!();
    if !Service::are_installed() {
        return;
    }
    let mut client = Docker::shared().launch("host").actor();
    // One is there before the agent, two come after it.
    let redis = Service::redis();
    let agent = Agent::start();
    let others = [Service::postgres(), Service::sshd()];
    for (service, name) in [(&redis, "redis"), (&others[0], "postgres"), (&others[1], "sshd")] {
        client.one(&format!("tcp-connect 127.0.0.1 {}", service.port));
        let expected = is_host_process(connect(service.port, &client), service.pid())
            .is("event.outcome", "success")
            .is("hostnet.peer.unit", service.unit.as_str())
            .is("hostnet.peer.method", "address")
            .is("hostnet.peer.listens_on.ip", "127.0.0.1")
            .is("hostnet.peer.listens_on.port", service.port)
            .is("hostnet.peer.scope", "loopback");
        let event = agent.expect(&expected);
        let message = event["message"].as_str().expect("a message");
        assert!(message.contains(&format!("{} on the host", service.unit)), "{message}");
        let program = event["hostnet"]["peer"]["process"]["name"].as_str().expect("a name");
        assert!(program.starts_with(name), "{name}: {program}");
    }
    agent.stop();
}

/// Every form of an address of this host, and every way to be bound to it.
#[test]
fn addresses_of_this_host() {
    needs_root!();
    let agent = Agent::start();
    let mut client = Docker::shared().launch("host").actor();
    let own = net::own_address().to_string();
    let rows = [
        ("127.0.0.1", "127.0.0.1", "address", "loopback"),
        ("127.0.0.1", "::ffff:127.0.0.1", "address", "loopback"),
        ("127.0.0.1", "0.0.0.0", "address", "loopback"),
        ("0.0.0.0", "127.0.0.1", "wildcard", "any"),
        ("0.0.0.0", &own, "wildcard", "any"),
        (&own, &own, "address", "specific"),
        ("::", "::1", "wildcard", "any"),
        ("::", "127.0.0.1", "wildcard", "any"),
        ("::", &own, "wildcard", "any"),
        ("::1", "::1", "address", "loopback"),
    ];
    for (listens_on, to, method, scope) in rows {
        let ip = listens_on.parse().expect("an address");
        let listener = TcpListener::bind(SocketAddr::new(ip, 0)).expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let done = client.one(&format!("tcp-connect {to} {port}"));
        assert_eq!(done["result"], "ok", "{listens_on} {to}");
        let expected = is_host_process(connect(port, &client), std::process::id());
        let expected = expected.is("hostnet.peer.method", method).is("hostnet.peer.scope", scope);
        agent.expect(&expected.is("hostnet.peer.listens_on.ip", listens_on));
    }
    agent.stop();
}

/// Who has a port now is not who had it before, or has it next.
#[test]
fn the_owner_of_the_port_at_that_instant() {
    needs_root!();
    let agent = Agent::start();
    let mut client = Docker::shared().launch("host").actor();
    let mut first = Docker::shared().launch("host").actor();
    let listening = first.one("listen 127.0.0.1 0");
    let port = port_of(&listening);
    client.one(&format!("tcp-connect 127.0.0.1 {port}"));
    first.one(&format!("unlisten {port}"));
    let refused = client.one(&format!("tcp-connect 127.0.0.1 {port}"));
    assert_eq!(refused["result"], "ECONNREFUSED");
    let mut second = Actor::on_host();
    second.one(&format!("listen 0.0.0.0 {port}"));
    client.one(&format!("tcp-connect 127.0.0.1 {port}"));
    agent.expect_many(3, &connect(port, &client));
    let run = agent.stop();
    let events = run.exactly(3, &connect(port, &client));
    let peer = |at: usize| &events[at]["hostnet"]["peer"];
    assert_eq!(peer(0)["kind"], "container", "{}", events[0]);
    assert_eq!(peer(0)["container"]["id"], first.container.id.as_str());
    assert_eq!(peer(0)["process"]["pid"], first.container.pid);
    assert!(peer(1).is_null(), "nobody listened: {}", events[1]);
    assert_eq!(peer(2)["process"]["pid"], second.host_pid(), "{}", events[2]);
}

/// The end that accepts knows the end that connects, when both are told.
#[test]
fn a_container_that_connects_to_another() {
    needs_root!();
    let agent = Agent::start();
    let mut server = Docker::shared().launch("host").actor();
    let mut client = Docker::shared().launch("host").actor();
    let port = port_of(&server.one("listen 127.0.0.1 0"));
    server.begin(&format!("serve {port} --reply 5"));
    let done = client.one(&format!("tcp-connect 127.0.0.1 {port} --send 5"));
    server.finish();
    let accepted = want().action("connection_accepted").owned_by(&server.container);
    agent.expect(
        &accepted
            .clone()
            .is("hostnet.remote.port", done["local"]["port"].clone())
            .is("hostnet.peer.kind", "container")
            .is("hostnet.peer.container.id", client.container.id.as_str())
            .is("hostnet.peer.process.pid", client.container.pid)
            .is("hostnet.peer.method", "connection"),
    );
    // A host process that connects is not told, and so not known.
    server.begin(&format!("serve {port} --reply 5"));
    let done = net::exchange(([127, 0, 0, 1], port).into(), b"q\n");
    server.finish();
    let from_host = accepted.is("hostnet.remote.port", done.local.port());
    agent.expect(&from_host.absent("hostnet.peer"));
    agent.stop();
}

#[test]
fn datagrams_name_their_receiver() {
    needs_root!();
    let before = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let agent = Agent::start();
    let mut client = Docker::shared().launch("host").actor();
    let mut box_ = Docker::shared().launch("host").actor();
    let after = UdpSocket::bind("[::1]:0").expect("a port");
    let held = box_.one("bind 127.0.0.1 0 --udp --keep");
    let port = |socket: &UdpSocket| socket.local_addr().expect("bound").port();
    let to_host = |port| is_host_process(connect(port, &client), std::process::id());
    let (first, second) = (to_host(port(&before)), to_host(port(&after)));
    client.one(&format!("udp-send 127.0.0.1 {}", port(&before)));
    agent.expect(&first.is("network.transport", "udp").is("hostnet.peer.method", "address"));
    client.one(&format!("udp-connect ::1 {}", port(&after)));
    agent.expect(&second.is("network.transport", "udp"));
    let held = port_of(&held);
    client.one(&format!("udp-send 127.0.0.1 {held}"));
    let receiver = box_.container.id.as_str();
    agent.expect(&connect(held, &client).is("hostnet.peer.container.id", receiver));
    // Closed, it is nobody's: the host's sockets from before and after the agent too.
    for (socket, ip) in [(before, "127.0.0.1"), (after, "::1")] {
        let port = port(&socket);
        drop(socket);
        let mut another = Docker::shared().launch("host").actor();
        another.one(&format!("udp-send {ip} {port}"));
        agent.expect(&connect(port, &another).absent("hostnet.peer"));
    }
    agent.stop();
}

/// Who cannot be known to have gone is not named at all.
#[test]
fn nobody_is_named_whose_end_would_not_be_seen() {
    needs_root!();
    let without = r#"without = ["inet_sock_set_state", "sock_release"]"#;
    let (listener, socket) = (net::listener(), UdpSocket::bind("127.0.0.1:0").expect("a port"));
    let agent = Agent::setup().observe(without).start();
    let mut client = Docker::shared().launch("host").actor();
    let udp = socket.local_addr().expect("bound").port();
    client.one(&format!("tcp-connect 127.0.0.1 {}", listener.1));
    client.one(&format!("udp-send 127.0.0.1 {udp}"));
    for port in [listener.1, udp] {
        agent.expect(&connect(port, &client).absent("hostnet.peer"));
    }
    agent.stop();
}

/// A published port is the container's behind it, not docker-proxy's.
#[test]
fn e38_a_published_port_is_the_containers() {
    needs_root!();
    needs_docker!("published ports");
    let docker = Docker::publishing();
    let port = net::free_port();
    let publish = format!("127.0.0.1:{port}:80");
    let words = ["httpd", "-f", "-p", "80", "-h", "/www"];
    let web = docker.launch("bridge").options(["--publish", &publish]).start(words);
    let fetch = || net::exchange(([127, 0, 0, 1], port).into(), b"GET /page HTTP/1.0\r\n\r\n");
    wait_for("the published port", || fetch().received.ends_with(hostnet_tests::PAGE));
    let agent = Agent::setup().docker_host(docker.host()).start();
    let mut client = docker.launch("host").actor();
    client.one(&format!("tcp-connect 127.0.0.1 {port} --send 5"));
    agent.expect(
        &connect(port, &client)
            .is("hostnet.peer.kind", "container")
            .is("hostnet.peer.via", "docker-proxy")
            .is("hostnet.peer.container.id", web.id.as_str())
            .is("hostnet.peer.container.name", web.name.as_str())
            .is("hostnet.peer.process.name", "docker-proxy"),
    );
    // The same for one that is published while the agent runs.
    let port = net::free_port();
    let publish = format!("127.0.0.1:{port}:80");
    let other = docker.launch("bridge").options(["--publish", &publish]).start(words);
    client.one(&format!("tcp-connect 127.0.0.1 {port} --send 5"));
    agent.expect(
        &connect(port, &client)
            .is("hostnet.peer.via", "docker-proxy")
            .is("hostnet.peer.container.name", other.name.as_str()),
    );
    // The container's own sockets are in its own network namespace.
    let run = agent.stop();
    run.none(&want().is("container.id", web.id.as_str()));
}

fn abstract_listener(name: &str) -> unix::UnixListener {
    let address = unix::SocketAddr::from_abstract_name(name).expect("a short name");
    unix::UnixListener::bind_addr(&address).expect("a free name")
}

fn hex(name: &str) -> String {
    name.bytes().map(|byte| format!("{byte:02x}")).collect()
}

/// CVE-2020-15257: a host-network container reaches the host's abstract sockets.
/// Listeners from before and after the agent are named alike, and a name that
/// somebody else has by now is not taken for its former owner's.
#[test]
fn e39_abstract_sockets_of_the_host() {
    needs_root!();
    let mut client = Docker::shared().launch("host").actor();
    let name = format!("hostnet-e39-{}", std::process::id());
    let before = abstract_listener(&name);
    let works = client.perform(&format!("unix-connect {}", hex(&name)));
    assert!(works.iter().all(|truth| truth["result"] == "ok"), "{works:?}");
    let agent = Agent::start();
    let connected = |to: &str| {
        let to = format!("00{}", hex(to));
        want()
            .action("connection_attempted")
            .is("network.transport", "unix")
            .is("hostnet.remote.name_hex", to)
            .is("hostnet.peer.method", "credentials")
    };
    let is_ours = |wanted: Want| is_host_process(wanted, std::process::id());
    client.perform(&format!("unix-connect {}", hex(&name)));
    agent.expect(&is_ours(connected(&name)).owned_by(&client.container));
    let later = format!("{name}-later");
    let after = abstract_listener(&later);
    client.perform(&format!("unix-connect {}", hex(&later)));
    agent.expect(&is_ours(connected(&later)).owned_by(&client.container));
    // The name changes hands.
    drop((before, after));
    let mut thief = Docker::shared().launch("host").actor();
    thief.perform(&format!("hold-unix 00{}", hex(&name)));
    client.perform(&format!("unix-connect {}", hex(&name)));
    agent.expect(
        &connected(&name)
            .owned_by(&client.container)
            .is("hostnet.peer.kind", "container")
            .is("hostnet.peer.container.id", thief.container.id.as_str())
            .is("hostnet.peer.process.pid", thief.container.pid),
    );
    agent.stop();
}

/// The end that accepted knows who connected; a datagram socket the other's cgroup.
#[test]
fn unix_peers_both_ways_and_of_datagrams() {
    needs_root!();
    let agent = Agent::start();
    let mut server = Docker::shared().launch("host").actor();
    let name = format!("hostnet-peers-{}", std::process::id());
    server.perform(&format!("unix-stream {}", hex(&name)));
    let named = |action: &str| {
        want()
            .action(action)
            .owned_by(&server.container)
            .is("network.transport", "unix")
            .is("hostnet.peer.container.id", server.container.id.as_str())
            .is("hostnet.peer.process.pid", server.container.pid)
    };
    agent.expect(&named("connection_attempted"));
    agent.expect(&named("connection_accepted"));
    let datagrams = format!("{name}-dgram");
    let address = unix::SocketAddr::from_abstract_name(&datagrams).expect("a short name");
    let _receiver = unix::UnixDatagram::bind_addr(&address).expect("a free name");
    server.perform(&format!("unix-connect-dgram {}", hex(&datagrams)));
    agent.expect(
        &want()
            .action("connection_attempted")
            .is("hostnet.remote.name_hex", format!("00{}", hex(&datagrams)))
            .is("hostnet.peer.kind", "host")
            .absent("hostnet.peer.process"),
    );
    agent.stop();
}

/// A gateway of a network that is made while the agent runs is this host.
#[test]
fn an_address_that_comes_later() {
    needs_root!();
    needs_docker!("a network");
    let agent = Agent::start();
    let docker = Docker::shared();
    let mut client = docker.launch("host").actor();
    let network = Docker::fresh_name("net");
    docker.run(["network", "create", "--subnet", "198.51.100.0/28", &network]);
    let (_listener, port) = net::listener();
    let outcome = thread::scope(|scope| {
        scope
            .spawn(|| {
                let done = client.one(&format!("tcp-connect 198.51.100.1 {port}"));
                assert_eq!(done["result"], "ok");
                let expected = is_host_process(connect(port, &client), std::process::id());
                agent.expect(&expected.is("hostnet.peer.method", "wildcard"));
            })
            .join()
    });
    docker.run(["network", "rm", &network]);
    outcome.expect("the gateway is this host's");
    agent.stop();
}
