//! `hostnet advise` by the history of a real agent: what it says a container needs is
//! what it runs with.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
    process::Command,
};

use hostnet_tests::{
    Agent, Docker, PAGE, Service, hostnet, needs_docker, needs_root, net, wait_for, want,
};
use serde_json::Value;

/// `hostnet advise`: its exit code, what it says, and what it complains of.
fn advise(history: &Path, arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(hostnet());
    command.arg("advise").args(arguments).arg("--history").arg(history);
    let output = command.output().expect("hostnet can be started");
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    let code = output.status.code().expect("it ended by itself");
    (code, text(&output.stdout), text(&output.stderr))
}

/// The advice for one container.
fn advice(history: &Path, name: &str) -> Value {
    let (code, text, errors) = advise(history, &[name, "--format", "json"]);
    assert_eq!(code, 0, "{errors}{text}");
    let mut all: Vec<Value> = serde_json::from_str(&text).expect("JSON");
    assert_eq!(all.len(), 1, "{text}");
    all.remove(0)
}

fn because(advice: &Value) -> String {
    let reasons = advice["verdict"]["because"].as_array().expect("reasons");
    reasons.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("; ")
}

fn fetches(port: u16) -> bool {
    let at = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    net::exchange(at, b"GET /page HTTP/1.0\r\n\r\n").received.ends_with(PAGE)
}

#[test]
fn what_a_web_server_needs_is_what_it_runs_with() {
    needs_root!();
    needs_docker!("published ports");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let history = directory.path().join("history.db");
    let docker = Docker::publishing();
    let agent = Agent::setup().docker_host(docker.host()).history(&history).start();
    let port = net::closed_port();
    let number = port.to_string();
    let command = ["httpd", "-f", "-p", &number, "-h", "/www"];
    let web = docker.launch("host").start(command);
    let idle = docker.launch("host").start(["sleep", "1000"]);
    wait_for("the web server", || fetches(port));
    for _ in 0..20 {
        assert!(fetches(port));
    }
    let accepted = want().action("connection_accepted").owned_by(&web);
    agent.expect_many(21, &accepted.is("hostnet.local.port", port));
    agent.expect(&want().action("container-joined-host-network").owned_by(&idle));
    // While the agent writes it.
    let said = advice(&history, &web.name);
    assert_eq!(said["verdict"]["answer"], "not-needed", "{said:#}");
    // A moment is never enough to be sure.
    assert_eq!(said["verdict"]["confidence"], "low", "{said:#}");
    assert_eq!(said["observed"]["starts_seen"], 1, "{said:#}");
    assert!(said["measured"]["connections_in"].as_u64() >= Some(21), "{said:#}");
    assert!(said["measured"]["bytes_sent"].as_u64() >= Some(20 * 1000), "{said:#}");
    let words = said["change"]["docker_run"].as_array().expect("arguments");
    let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
    // Only this host came, over loopback.
    assert_eq!(words, ["-p", &format!("127.0.0.1:{port}:{port}")]);
    let (_, text, _) = advise(&history, &[&web.name]);
    assert!(text.contains("host networking is not needed"), "{text}");
    assert!(text.contains(&format!("-p 127.0.0.1:{port}:{port}")), "{text}");
    // One that did nothing is not said to need nothing.
    let other = advice(&history, &idle.name);
    assert_eq!(other["verdict"]["answer"], "not-enough-observed", "{other:#}");
    assert!(because(&other).contains("did nothing in the network"), "{other:#}");
    drop(web);
    drop(idle);
    agent.stop();
    // It is known after it is gone, and by the beginning of its id.
    let id = said["ids"][0].as_str().expect("an id");
    assert_eq!(advice(&history, &id[..12])["verdict"]["answer"], "not-needed");
    assert_eq!(advice(&history, id)["observed"]["ends_seen"], 1);
    // That very change, and nothing else.
    let [option, value] = words[..] else { panic!("{words:?}") };
    let bridged = docker.launch("bridge").options([option, value]).start(command);
    wait_for("the same on a bridge network", || fetches(port));
    let network = docker.run(["inspect", "--format", "{{.HostConfig.NetworkMode}}", &bridged.id]);
    assert_eq!(network, "bridge");
}

#[test]
fn what_only_the_hosts_network_gives_is_named() {
    needs_root!();
    needs_docker!("names");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let history = directory.path().join("history.db");
    let agent = Agent::setup().history(&history).start();
    let mut sniffer = Docker::shared().launch("host").actor();
    sniffer.perform("packet");
    let mut client = Docker::shared().launch("host").actor();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    client.one(&format!("tcp-connect 127.0.0.1 {port}"));
    let redis = Service::are_installed().then(Service::redis);
    if let Some(redis) = &redis {
        client.one(&format!("tcp-connect 127.0.0.1 {}", redis.port));
    }
    agent.marker();
    let (client_name, sniffer_name) =
        (client.container.name.clone(), sniffer.container.name.clone());
    agent.stop();
    let said = advice(&history, &sniffer_name);
    assert_eq!(said["verdict"]["answer"], "needed", "{said:#}");
    assert_eq!(said["verdict"]["confidence"], "high", "{said:#}");
    assert_eq!(said["evidence"][0]["group"], "packet-socket", "{said:#}");
    let said = advice(&history, &client_name);
    assert_eq!(said["verdict"]["answer"], "needed", "{said:#}");
    assert!(because(&said).contains(&format!("127.0.0.1:{port} (")), "{said:#}");
    if let Some(redis) = &redis {
        let named = format!("{} on the host", redis.unit);
        assert!(because(&said).contains(&named), "{said:#}");
    }
    // Together with the tests' own container, which marks moments.
    let (code, text, errors) = advise(&history, &[]);
    assert_eq!(code, 0, "{errors}");
    let line =
        |name: &str| text.lines().find(|line| line.starts_with(name)).expect(name).to_owned();
    assert!(line(&client_name).contains(" needed "), "{text}");
    assert!(line(&sniffer_name).contains(" needed "), "{text}");
    let near = &sniffer_name[..sniffer_name.len() - 1];
    let (code, _, errors) = advise(&history, &[&format!("{near}x")]);
    assert_eq!(code, 2, "{errors}");
    assert!(errors.contains("was seen") && errors.contains(near), "{errors}");
    let (code, _, errors) = advise(&history.with_extension("none"), &[]);
    assert_eq!(code, 2, "{errors}");
    assert!(errors.contains("there is no history"), "{errors}");
}

/// The first interface beside the loopback one, by its index.
fn another_interface() -> Option<u32> {
    let names = std::fs::read_dir("/sys/class/net").ok()?;
    let index = |name: std::fs::DirEntry| {
        std::fs::read_to_string(name.path().join("ifindex")).ok()?.trim().parse().ok()
    };
    names.flatten().filter_map(index).find(|index| *index != LOOPBACK)
}

/// Index of the loopback interface.
const LOOPBACK: u32 = 1;

/// As minidlna and many others do: it answers by unicast, and nothing else tells that it
/// lives on multicast.
#[test]
fn a_server_that_joined_a_multicast_group_needs_the_hosts_network_or_is_doubted() {
    needs_root!(no tcp);
    let directory = tempfile::tempdir().expect("a temporary directory");
    let history = directory.path().join("history.db");
    let agent = Agent::setup().history(&history).start();
    let mut server = Docker::shared().launch("host").actor();
    let (port, interface) = (net::free_udp_port(), another_interface());
    let at = interface.unwrap_or(LOOPBACK);
    server.begin(&format!("multicast-serve {port} 239.213.7.20 {at} --count 12"));
    assert_eq!([server.told(), server.told()].map(|row| row["result"].clone())[1], "ok");
    for _ in 0..12 {
        let client = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
        client.send_to(b"question", ("127.0.0.1", port)).expect("loopback");
        client.recv(&mut [0; 16]).expect("an answer");
    }
    server.finish();
    let id = server.container.id.clone();
    let came = want().action("connection_accepted").owned_by(&server.container);
    agent.expect_many(12, &came.is("hostnet.local.port", port));
    agent.marker();
    let run = agent.stop();
    let said = advice(&history, &id);
    let verdict = &said["verdict"];
    let joined = want().action("joined-multicast-group").owned_by(&server.container);
    if !run.proves("families") {
        run.none(&joined);
        let doubts = verdict["doubts"].to_string();
        assert_eq!(verdict["confidence"], "low", "{said:#}");
        let doubt = format!("udp *:{port} may be a multicast or broadcast server");
        assert!(doubts.contains(&doubt), "{said:#}");
        return;
    }
    let joined = joined.is("hostnet.multicast.group", "239.213.7.20");
    run.only(&joined.is("hostnet.multicast.interface_index", at).is("hostnet.local.port", port));
    let answer = if interface.is_some() { "needed" } else { "not-enough-observed" };
    assert_eq!(verdict["answer"], answer, "{said:#}");
    assert!(because(&said).contains("it joined multicast group 239.213.7.20"), "{said:#}");
}

/// A container that connects UDP sockets: what is said of it, and which addresses it is
/// said to have had to do with.
fn connects_udp(observe: &str, options: &str) -> (Value, Vec<Value>) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let history = directory.path().join("history.db");
    let agent = Agent::setup().observe(observe).history(&history).start();
    let mut actor = Docker::shared().launch("host").actor();
    let port = net::free_udp_port();
    for _ in 0..12 {
        actor.perform(&format!("udp-connect 127.0.0.1 {port}{options}"));
    }
    let name = actor.container.name.clone();
    agent.expect_many(12, &want().action("disconnect_received").owned_by(&actor.container));
    agent.marker();
    agent.stop();
    let said = advice(&history, &name);
    let mut command = Command::new(hostnet());
    command.args(["query", "peers", &name, "--format", "json", "--history"]).arg(&history);
    let output = command.output().expect("hostnet can be started");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let rows = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    (said, rows)
}

#[test]
fn a_udp_socket_that_sends_nothing_is_no_contact_and_one_that_sends_is() {
    needs_root!();
    needs_docker!("names");
    let (said, rows) = connects_udp("", "");
    assert_eq!(said["verdict"]["answer"], "not-enough-observed", "{said:#}");
    assert_eq!(said["measured"]["udp_peers"], 0, "{said:#}");
    assert_eq!(rows, [Value::Null; 0]);
    let (said, rows) = connects_udp("", " --send 4");
    assert_eq!(said["measured"]["udp_peers"], 12, "{said:#}");
    assert!(rows.len() == 1 && rows[0]["begun"] == 12 && rows[0]["ended"] == 12, "{rows:#?}");
}

/// Without the hooks that show it nobody knows, and nothing follows from it.
#[test]
fn udp_sockets_whose_datagrams_are_not_seen_make_nothing_unneeded() {
    needs_root!();
    needs_docker!("names");
    let (said, rows) = connects_udp("beyond_ip = \"off\"", " --send 4");
    assert_eq!(said["verdict"]["answer"], "not-enough-observed", "{said:#}");
    assert!(because(&said).contains("connected 12 UDP"), "{said:#}");
    assert_eq!(said["measured"]["udp_peers"], 0, "{said:#}");
    assert!(rows.len() == 1 && rows[0]["begun"] == 0 && rows[0]["ended"] == 0, "{rows:#?}");
}
