//! A story: one container that does what attackers do, and honest ones beside it.
//! Each act is found once, with the right severity and the other end by name.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{self, Write as _},
    net::{Ipv4Addr, TcpListener, UdpSocket},
    os::{linux::net::SocketAddrExt as _, unix::net as unix},
    thread,
};

use hostnet_tests::{
    Actor, Agent, Container, Docker, Launch, Run, Service, import_as, loopback, needs_docker,
    needs_root, net, skip, want,
};
use serde_json::Value;

const EXPECTED: [&str; 4] =
    ["--label", "hostnet.expected=true", "--label", "hostnet.reason=it is part of the story"];

fn honest(docker: &Docker) -> Launch {
    docker.launch("host").options(EXPECTED)
}

/// The findings of a container: severity, technique and message by rule.
fn findings(run: &Run, of: &Container) -> BTreeMap<String, Vec<(String, String, String)>> {
    let mut found = BTreeMap::<_, Vec<_>>::new();
    for event in run.all(&want().action("finding").owned_by(of)) {
        let text = |path: &str| {
            let value = event.pointer(path).and_then(Value::as_str);
            value.unwrap_or_else(|| panic!("no {path} in {event}")).to_owned()
        };
        let finding =
            (text("/hostnet/finding/severity"), text("/threat/technique/id/0"), text("/message"));
        found.entry(text("/rule/id")).or_default().push(finding);
        let evidence = text("/hostnet/finding/evidence");
        let shown_by = want().is("event.id", evidence.as_str()).owned_by(of);
        assert_eq!(run.all(&shown_by).len(), 1, "{event}");
    }
    found
}

/// While the receiver of a sink is away, its place on the loopback is anybody's.
#[test]
fn a_container_that_listens_where_a_sink_delivers_is_named() {
    needs_root!();
    let port = net::closed_port();
    let sink = format!("type = \"syslog\"\naddress = \"127.0.0.1:{port}\"\nname = \"siem\"");
    let agent = Agent::setup().sink(&sink).start();
    agent.expect(&want().action("sink-failing"));
    let mut thief = Docker::shared().launch("host").actor();
    let listens = thief.one(&format!("listen 127.0.0.1 {port}"));
    assert_eq!(listens["local"]["port"], port, "{listens}");
    let found = want().action("finding").is("rule.id", "destination-taken");
    let found = agent.expect(&found.owned_by(&thief.container));
    let message = found["message"].as_str().expect("a message").to_owned();
    let what = format!("listens at 127.0.0.1:{port}, and there goes what sink siem sends");
    assert!(message.contains(&what), "{message}");
    assert_eq!(found["hostnet"]["finding"]["severity"], "high");
    let warning = format!("what sink siem sends goes without TLS to 127.0.0.1:{port}");
    assert!(agent.messages().contains(&warning), "{}", agent.messages());
    drop(thief);
    // The receiver is back, and takes all.
    let receiver = TcpListener::bind(("127.0.0.1", port)).expect("the port is free again");
    thread::spawn(move || {
        for mut stream in receiver.incoming().flatten() {
            thread::spawn(move || io::copy(&mut stream, &mut io::sink()));
        }
    });
    agent.stop();
}

#[test]
fn each_act_is_found_once_and_honest_containers_are_left_alone() {
    needs_root!();
    needs_docker!("labels that say what is expected");
    let api = Docker::with_options(&["-H", "tcp://127.0.0.1:2375", "--tls=false"]);
    let redis = Service::are_installed().then(Service::redis);
    let name = format!("hostnet-story-{}", std::process::id());
    let address = unix::SocketAddr::from_abstract_name(&name).expect("a name");
    let host_socket = unix::UnixListener::bind_addr(&address).expect("nobody has it");
    thread::spawn(move || {
        // Held until the other side has gone: an answer is not needed.
        let mut held = Vec::new();
        host_socket.incoming().for_each(|client| held.push(client));
        drop(held);
    });
    let agent = Agent::setup().sections("[expectations]\ntrust_labels = true\n").start();
    let docker = Docker::shared();

    let web_port = net::closed_port();
    let web = honest(docker).start(["httpd", "-f", "-p", &web_port.to_string()]);
    agent.expect(&want().action("listen-for-connections").owned_by(&web));
    net::exchange(([127, 0, 0, 1], web_port).into(), b"GET / HTTP/1.0\r\n\r\n");
    let exporter_port = net::closed_port();
    let at = format!("127.0.0.1:{exporter_port}");
    let exporter = honest(docker).start(["httpd", "-f", "-p", &at]);
    agent.expect(&want().action("listen-for-connections").owned_by(&exporter));
    net::exchange(([127, 0, 0, 1], exporter_port).into(), b"GET / HTTP/1.0\r\n\r\n");
    let resolver = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let resolver_port = resolver.local_addr().expect("bound").port();
    let mut client = honest(docker).actor();
    client.one(&format!("udp-send 127.0.0.1 {resolver_port}"));
    let mut victim = honest(docker).actor();
    let shared = victim.one("listen 127.0.0.1 0 --reuse-port")["local"]["port"].clone();

    let mut attacker = docker.launch("host").actor();
    let mut closed = BTreeSet::new();
    while closed.len() < 25 {
        closed.insert(attacker.connect_refused());
    }
    for _ in 0..2 {
        attacker.one("tcp-connect 127.0.0.1 2375");
        attacker.perform("packet");
        let hex: String = name.bytes().map(|byte| format!("{byte:02x}")).collect();
        attacker.perform(&format!("unix-connect {hex}"));
        if let Some(redis) = &redis {
            attacker.one(&format!("tcp-connect 127.0.0.1 {}", redis.port));
        }
    }
    attacker.one(&format!("listen 127.0.0.1 {shared} --reuse-port"));
    let through = docker.launch(&format!("container:{}", attacker.container.id));
    let mut companion = through.actor();
    companion.connect_refused();
    let run = agent.stop();
    drop(api);

    for (what, container) in [
        ("web server", &web),
        ("exporter", &exporter),
        ("client", &client.container),
        ("victim", &victim.container),
    ] {
        assert!(run.all(&want().owned_by(container)).len() > 1, "{what} was seen");
        assert_eq!(findings(&run, container), BTreeMap::new(), "{what}");
    }
    let found = findings(&run, &attacker.container);
    let sole = |rule: &str, severity: &str, technique: &str| {
        let of_rule = found.get(rule).unwrap_or_else(|| panic!("no {rule} in {found:#?}"));
        let [(its_severity, its_technique, message)] = &of_rule[..] else {
            panic!("more than one {rule}: {of_rule:#?}");
        };
        assert_eq!((&**its_severity, &**its_technique), (severity, technique), "{rule}");
        message.clone()
    };
    sole("unexpected-container", "low", "T1610");
    sole("port-scan", "high", "T1046");
    let message = sole("runtime-api", "critical", "T1611");
    assert!(message.contains("API of dockerd at 127.0.0.1:2375"), "{message}");
    sole("packet-socket", "high", "T1040");
    let message = sole("host-abstract-socket", "high", "T1611");
    assert!(message.contains(&format!("@{name}")), "{message}");
    let message = sole("port-shared", "high", "T1557");
    assert!(message.contains(&victim.container.name), "{message}");
    let mut rules = 6;
    if let Some(redis) = &redis {
        let message = sole("host-loopback-service", "medium", "T1021");
        assert!(message.contains(&redis.unit), "{message}");
        rules += 1;
    }
    assert_eq!(found.len(), rules, "{found:#?}");
    let found = findings(&run, &companion.container);
    let rules: Vec<&str> = found.keys().map(String::as_str).collect();
    assert_eq!(rules, ["undeclared-join", "unexpected-container"], "{found:#?}");
}

/// The part of the story that leaves loopback. Where there is another interface a
/// packet might leave the machine, so only a VM without one does it: `cargo xtask vm`.
#[test]
fn the_clouds_metadata_service() {
    needs_root!();
    let mut interfaces = fs::read_dir("/sys/class/net").expect("sysfs is mounted").flatten();
    if !interfaces.all(|interface| interface.file_name() == "lo") {
        return skip("there is an interface beside loopback");
    }
    let (service, absent) = (Ipv4Addr::new(169, 254, 169, 254), Ipv4Addr::new(169, 254, 170, 2));
    // Its network comes with it.
    loopback::add_address(service).expect("root may give loopback an address");
    let listener = TcpListener::bind((service, 80)).expect("nobody has it");
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            stream.write_all(b"HTTP/1.0 200 OK\r\n\r\nami-id\n").expect("somebody reads");
        }
    });
    let agent = Agent::start();
    let mut attacker = Docker::shared().launch("host").actor();
    for _ in 0..2 {
        assert_eq!(attacker.one(&format!("tcp-connect {service} 80"))["result"], "ok");
        assert_eq!(attacker.one(&format!("tcp-connect {absent} 80"))["result"], "ECONNREFUSED");
    }
    let run = agent.stop();
    let found = findings(&run, &attacker.container);
    let found: Vec<_> = found["cloud-metadata"]
        .iter()
        .map(|(severity, technique, message)| (&**severity, &**technique, &**message))
        .collect();
    let [("high", "T1552.005", read), ("medium", "T1552.005", tried)] = found[..] else {
        panic!("not one finding for each: {found:#?}");
    };
    assert!(read.contains("reached the cloud metadata service at 169.254.169.254:80"), "{read}");
    assert!(tried.contains("tried to reach the cloud metadata service"), "{tried}");
}

/// The same port, free for the container that may have it, a finding for another.
#[test]
fn an_expectation_says_what_may_be_bound() {
    needs_root!();
    needs_docker!("names that expectations go by");
    let (allowed, other) = (net::closed_port(), TcpListener::bind("0.0.0.0:0").expect("a port"));
    let refused = other.local_addr().expect("bound").port();
    drop(other);
    let name = Docker::fresh_name("expected");
    let expect =
        format!("[[expect]]\nname = \"{name}\"\nreason = \"a test\"\nbind = [\"tcp/{allowed}\"]\n");
    let agent = Agent::setup().sections(&expect).start();
    let mut actor = Docker::shared().launch("host").name(&name).actor();
    actor.one(&format!("listen 0.0.0.0 {allowed}"));
    actor.one(&format!("listen 0.0.0.0 {refused}"));
    let run = agent.stop();
    let found = findings(&run, &actor.container);
    let rules: Vec<&str> = found.keys().map(String::as_str).collect();
    assert_eq!(rules, ["beyond-expectation", "wildcard-listener"], "{found:#?}");
    for of_rule in found.values() {
        let [(_, _, message)] = &of_rule[..] else { panic!("{of_rule:#?}") };
        assert!(message.contains(&format!("tcp/{refused}")), "{message}");
    }
}

/// An image brings its labels along: by default they excuse nothing, and where the operator
/// believes them the audit and the findings agree that they do.
#[test]
fn labels_of_an_image_excuse_nothing_by_default() {
    needs_root!();
    needs_docker!("images and their labels");
    let docker = Docker::shared();
    let image = format!("{}:1", Docker::fresh_name("excuse"));
    let change = "LABEL hostnet.expected=true hostnet.reason=trustme".to_owned();
    import_as(docker, &image, &[change]);
    let found_of = |sections: &str| {
        let agent = Agent::setup().sections(sections).start();
        let mut actor = docker.launch("host").image(&image).actor();
        let port = net::closed_port();
        actor.one(&format!("listen 0.0.0.0 {port}"));
        findings(&agent.stop(), &actor.container)
    };
    let found = found_of("");
    let rules: Vec<&str> = found.keys().map(String::as_str).collect();
    assert_eq!(rules, ["unexpected-container", "wildcard-listener"], "{found:#?}");
    let (_, _, message) = &found["unexpected-container"][0];
    assert!(message.contains("only its own labels allow that"), "{message}");
    let found = found_of("[expectations]\ntrust_labels = true\n");
    assert!(found.is_empty(), "{found:#?}");
}

/// Severity and message of each finding of `host-loopback-service`.
fn of_loopback(run: &Run, of: &Container) -> Vec<(String, String)> {
    let found = findings(run, of).remove("host-loopback-service").unwrap_or_default();
    found.into_iter().map(|(severity, _, message)| (severity, message)).collect()
}

#[test]
fn a_udp_socket_that_sends_nothing_reaches_nobody() {
    needs_root!();
    let service = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let port = service.local_addr().expect("bound").port();
    let agent = Agent::start();
    let mut aims = Docker::shared().launch("host").actor();
    let mut sends = Docker::shared().launch("host").actor();
    // It does not leave this machine: nothing is sent.
    aims.perform("udp-connect 169.254.169.254 80");
    for _ in 0..2 {
        aims.perform(&format!("udp-connect 127.0.0.1 {port}"));
        sends.perform(&format!("udp-connect 127.0.0.1 {port} --send 4"));
    }
    let run = agent.stop();
    let found = findings(&run, &aims.container);
    let [(severity, _, message)] = &found["cloud-metadata"][..] else { panic!("{found:#?}") };
    assert_eq!(severity, "low", "{message}");
    assert!(message.contains("aimed a socket at the cloud metadata service"), "{message}");
    let found = of_loopback(&run, &aims.container);
    let [(severity, message)] = &found[..] else { panic!("{found:#?}") };
    assert!(severity == "low" && message.contains("aimed a socket at"), "{found:#?}");
    let found = of_loopback(&run, &sends.container);
    let [(severity, message)] = &found[..] else { panic!("{found:#?}") };
    assert!(severity == "medium" && message.contains(" reached "), "{found:#?}");
}

#[test]
fn a_connect_without_an_answer_tried_and_its_outcome_amends_that() {
    needs_root!();
    let agent = Agent::start();
    let mut client = Docker::shared().launch("host").actor();
    let (mut server, port, filling) = Actor::busy_server();
    client.begin(&format!("tcp-connect-late 127.0.0.1 {port}"));
    client.told();
    let finding = want().action("finding").is("rule.id", "host-loopback-service");
    let finding = finding.owned_by(&client.container);
    let tried = agent.expect(&finding.clone().is("hostnet.finding.severity", "low"));
    let message = tried["message"].as_str().expect("a message");
    assert!(message.contains("tried to reach") && !message.contains(" reached "), "{message}");
    drop(filling);
    server.begin(&format!("serve {port} --count 2"));
    assert_eq!(client.finish()[0]["result"], "ok");
    server.finish();
    let reached = agent.expect(
        &finding
            .clone()
            .is("hostnet.amends", tried["event"]["id"].clone())
            .is("hostnet.finding.severity", "medium"),
    );
    let message = reached["message"].as_str().expect("a message");
    assert!(message.contains(" reached "), "{message}");
    agent.marker();
    agent.stop().exactly(2, &finding);
}

/// As systemd-resolved serves every host that has it.
#[test]
fn names_asked_of_a_resolver_on_the_hosts_loopback_are_no_finding() {
    needs_root!();
    let address = "127.0.0.54:53";
    let (Ok(udp), Ok(_tcp)) = (UdpSocket::bind(address), TcpListener::bind(address)) else {
        return skip("this machine has a resolver there");
    };
    let agent = Agent::start();
    let mut client = Docker::shared().launch("host").actor();
    client.perform("udp-connect 127.0.0.54 53 --send 4");
    client.perform("udp-send 127.0.0.54 53");
    client.perform("tcp-connect 127.0.0.54 53");
    udp.set_nonblocking(true).expect("a socket");
    assert!(udp.recv(&mut [0; 8]).is_ok(), "the resolver was asked");
    let run = agent.stop();
    let attempts = want().action("connection_attempted").owned_by(&client.container);
    run.exactly(3, &attempts.is("hostnet.remote.port", 53));
    assert_eq!(of_loopback(&run, &client.container), [], "names");
}
