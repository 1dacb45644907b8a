//! TCP connects: one event each, with the outcome and the kernel's address.

use std::process::Command;

use hostnet_tests::{Actor, ActorBox, Agent, Docker, Want, hostnet, needs_root, net, skip, want};
use serde_json::{Value, json};

const LOOPBACKS: [(&str, &str, &str); 3] = [
    ("127.0.0.1", "ipv4", "inet"),
    ("::1", "ipv6", "inet6"),
    ("::ffff:127.0.0.1", "ipv4", "inet6"),
];

fn attempted(actor: &ActorBox, remote: &Value) -> Want {
    want()
        .action("connection_attempted")
        .is("hostnet.operation", "connect")
        .is("network.transport", "tcp")
        .is("network.direction", "egress")
        .endpoint("hostnet.remote", remote)
        .endpoint("destination", remote)
        .endpoint("server", remote)
        .owned_by(&actor.container)
        .is("process.pid", actor.container.pid)
        .is("process.vpid", 1)
        .is("process.executable", "/actor")
        .is("process.args", json!(["/actor", "repl"]))
}

fn any_attempt(actor: &ActorBox) -> Want {
    want().action("connection_attempted").is("container.id", actor.container.id.as_str())
}

fn any_accept(actor: &ActorBox) -> Want {
    want().action("connection_accepted").is("container.id", actor.container.id.as_str())
}

fn any_outcome(actor: &ActorBox) -> Want {
    want().action("connection-outcome").is("container.id", actor.container.id.as_str())
}

fn succeeds(option: &str) {
    let agent = Agent::start();
    let mut client = Docker::shared().launch("host").actor();
    let mut server = Actor::on_host();
    let listening = server.one("listen :: 0");
    let port = &listening["local"]["port"];
    for (address, network, family) in LOOPBACKS {
        server.begin(&format!("serve {port}"));
        let truth = client.one(&format!("tcp-connect {address} {port} --send 1{option}"));
        server.finish();
        assert_eq!(truth["result"], "ok");
        agent.expect(
            &attempted(&client, &truth["remote"])
                .is("event.outcome", "success")
                .endpoint("hostnet.local", &truth["local"])
                .endpoint("source", &truth["local"])
                .endpoint("client", &truth["local"])
                .is("network.type", network)
                .is("hostnet.socket.family", family)
                .is("hostnet.socket.type", "stream")
                .is("hostnet.socket.protocol", "tcp")
                .absent("event.reason")
                .absent("hostnet.socket.errno")
                .present("network.community_id"),
        );
    }
    agent.marker();
    let run = agent.stop();
    run.exactly(LOOPBACKS.len(), &any_attempt(&client));
    run.none(&any_outcome(&client));
}

fn refused(option: &str) {
    let agent = Agent::start();
    let mut client = Docker::shared().launch("host").actor();
    let port = net::closed_port();
    for (address, network, family) in LOOPBACKS {
        let truth = client.one(&format!("tcp-connect {address} {port}{option}"));
        assert_eq!(truth["result"], "ECONNREFUSED");
        agent.expect(
            &attempted(&client, &truth["remote"])
                .is("event.outcome", "failure")
                .is("event.reason", "ECONNREFUSED")
                .is("hostnet.socket.errno", 111)
                .is("network.type", network)
                .is("hostnet.socket.family", family),
        );
    }
    agent.marker();
    let run = agent.stop();
    run.exactly(LOOPBACKS.len(), &any_attempt(&client));
    run.none(&any_outcome(&client));
    let ours = want().is("container.id", client.container.id.as_str());
    run.none(&ours.action("disconnect_received"));
}

#[test]
fn a_connect_that_succeeds() {
    needs_root!();
    succeeds("");
}

#[test]
fn a_non_blocking_connect_that_succeeds() {
    needs_root!();
    succeeds(" --nonblocking");
}

#[test]
fn a_connect_that_is_refused() {
    needs_root!();
    refused("");
}

#[test]
fn a_non_blocking_connect_that_is_refused() {
    needs_root!();
    refused(" --nonblocking");
}

/// The outcome takes 3 s: told after one second without it, then completed.
#[test]
fn a_connect_that_times_out() {
    needs_root!();
    let agent = Agent::start();
    let mut client = Docker::shared().launch("host").actor();
    client.begin("tcp-backlog-full");
    assert_eq!(client.told()["op"], "listen");
    let filling = client.told();
    let remote = filling["remote"].clone();
    agent.expect(
        &attempted(&client, &remote)
            .is("event.outcome", "success")
            .endpoint("hostnet.local", &filling["local"]),
    );
    let unknown = agent.expect(&attempted(&client, &remote).is("event.outcome", "unknown"));
    let late = client.finish().remove(0);
    assert_eq!(late["result"], "ETIMEDOUT");
    agent.expect(
        &want()
            .action("connection-outcome")
            .is("hostnet.amends", unknown["event"]["id"].clone())
            .is("event.outcome", "failure")
            .is("event.reason", "ETIMEDOUT")
            .is("hostnet.socket.errno", 110)
            .is("hostnet.socket.cookie", unknown["hostnet"]["socket"]["cookie"].clone())
            .endpoint("hostnet.remote", &remote)
            .owned_by(&client.container),
    );
    agent.marker();
    let run = agent.stop();
    run.exactly(2, &any_attempt(&client));
    run.only(&any_outcome(&client));
}

#[test]
fn a_non_blocking_connect_that_succeeds_later() {
    needs_root!();
    let agent = Agent::start();
    let mut client = Docker::shared().launch("host").actor();
    let (mut server, port, filling) = Actor::busy_server();
    client.begin(&format!("tcp-connect-late 127.0.0.1 {port}"));
    let started = client.told();
    let remote = &started["remote"];
    let unknown = agent.expect(&attempted(&client, remote).is("event.outcome", "unknown"));
    drop(filling);
    server.begin(&format!("serve {port} --count 2"));
    assert_eq!(client.finish()[0]["result"], "ok");
    server.finish();
    agent.expect(
        &want()
            .action("connection-outcome")
            .is("hostnet.amends", unknown["event"]["id"].clone())
            .is("event.outcome", "success")
            .endpoint("hostnet.local", &started["local"])
            .endpoint("hostnet.remote", remote)
            .owned_by(&client.container)
            .is("process.pid", client.container.pid),
    );
    let closed = want().action("disconnect_received").owned_by(&client.container);
    agent.expect(&closed.clone().endpoint("source", &started["local"]));
    agent.marker();
    let run = agent.stop();
    run.only(&any_attempt(&client));
    run.only(&any_outcome(&client));
    run.only(&closed);
}

#[test]
fn a_connect_abandoned_before_its_outcome() {
    needs_root!();
    let agent = Agent::start();
    let mut client = Docker::shared().launch("host").actor();
    let (_server, port, _filling) = Actor::busy_server();
    let truths = client.perform(&format!("tcp-connect-abandoned 127.0.0.1 {port}"));
    let expected = attempted(&client, &truths[0]["remote"]);
    agent.expect(&expected.one_of("event.outcome", ["failure", "unknown"]));
    agent.marker();
    let run = agent.stop();
    run.only(&any_attempt(&client));
    run.none(
        &want().is("container.id", client.container.id.as_str()).action("disconnect_received"),
    );
}

/// A shutdown tells what is still pending.
#[test]
fn a_connect_still_pending_when_the_agent_stops() {
    needs_root!();
    let agent = Agent::start();
    let mut client = Docker::shared().launch("host").actor();
    let (_server, port, _filling) = Actor::busy_server();
    client.begin(&format!("tcp-connect-late 127.0.0.1 {port}"));
    let started = client.told();
    agent.marker();
    let run = agent.stop();
    run.only(&attempted(&client, &started["remote"]).is("event.outcome", "unknown"));
}

#[test]
fn to_another_address_of_this_host() {
    needs_root!();
    let agent = Agent::start();
    let mut client = Docker::shared().launch("host").actor();
    let mut server = Actor::on_host();
    let listening = server.one("listen 0.0.0.0 0");
    let port = &listening["local"]["port"];
    server.begin(&format!("serve {port}"));
    let truth = client.one(&format!("tcp-connect {} {port} --send 1", net::own_address()));
    server.finish();
    agent.expect(
        &attempted(&client, &truth["remote"])
            .is("event.outcome", "success")
            .endpoint("hostnet.local", &truth["local"]),
    );
    agent.stop().only(&any_attempt(&client));
}

/// What `hostnet` answers of a history: a line of JSON each.
fn ask(history: &std::path::Path, words: &[&str]) -> Vec<Value> {
    let mut command = Command::new(hostnet());
    let command = command.args(words).args(["--format", "json", "--history"]).arg(history);
    let output = command.output().expect("hostnet can be started");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let values = serde_json::Deserializer::from_str(&text).into_iter();
    values.map(|value| value.unwrap_or_else(|error| panic!("{error}: {text}"))).collect()
}

/// Has a socket connect to its own address, which is told as that; returns the port.
fn connects_to_itself(
    agent: &Agent,
    actor: &mut ActorBox,
    (address, network, family): (&str, &str, &str),
    option: &str,
) -> u16 {
    let port = net::closed_port();
    let truth = actor.one(&format!("self-connect {address} {port}{option}"));
    assert_eq!((&truth["result"], &truth["local"]), (&"ok".into(), &truth["remote"]));
    agent.expect(
        &attempted(actor, &truth["remote"])
            .is("event.outcome", "success")
            .endpoint("hostnet.local", &truth["local"])
            .is("network.type", network)
            .is("hostnet.socket.family", family)
            .is("hostnet.peer.container.id", actor.container.id.as_str())
            .is("hostnet.peer.process.pid", actor.container.pid)
            .is("hostnet.peer.method", "connection"),
    );
    port
}

#[test]
fn an_mptcp_socket_that_connects_to_itself_is_one_connect_to_itself() {
    needs_root!();
    let agent = Agent::start();
    let mut actor = Docker::shared().launch("host").actor();
    for loopback in LOOPBACKS {
        connects_to_itself(&agent, &mut actor, loopback, " --mptcp");
    }
    agent.marker();
    let run = agent.stop();
    run.exactly(LOOPBACKS.len(), &any_attempt(&actor));
    run.none(&any_outcome(&actor));
    run.none(&any_accept(&actor));
}

/// The kernel takes it through SYN_RECV, as it takes what a listener accepts.
#[test]
fn a_socket_that_connects_to_itself_is_one_connect_to_itself() {
    needs_root!();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let history = directory.path().join("history.db");
    let agent = Agent::setup().history(&history).start();
    let mut actor = Docker::shared().launch("host").actor();
    let mut ports = Vec::new();
    for option in ["", " --nonblocking"] {
        for loopback in LOOPBACKS {
            ports.push(connects_to_itself(&agent, &mut actor, loopback, option));
        }
    }
    agent.marker();
    let name = actor.container.name.clone();
    let container = actor.into_container();
    let run = agent.stop();
    let of_it = |action| want().action(action).is("container.id", container.id.as_str());
    run.exactly(ports.len(), &of_it("connection_attempted"));
    run.exactly(ports.len(), &of_it("disconnect_received"));
    run.none(&of_it("connection-outcome"));
    run.none(&of_it("connection_accepted"));
    let found = want().present("rule.id").is("container.id", container.id.as_str());
    run.none(&found.clone().is("rule.id", "host-loopback-service"));
    run.none(&found.is("rule.id", "new-destination"));
    // One flow each.
    let flows = ask(&history, &["query", "flows", &container.id]);
    assert_eq!(flows.len(), ports.len(), "{flows:#?}");
    for flow in &flows {
        let ends = (&flow["id.orig_p"], &flow["conn_state"]);
        assert_eq!(ends, (&flow["id.resp_p"], &"SF".into()), "{flow:#}");
    }
    // Nobody came from outside: there is nothing to publish.
    if !name.is_empty() {
        let advice = ask(&history, &["advise", &container.id]).remove(0).take();
        assert_eq!(advice[0]["ports"], json!([]), "{advice:#}");
        assert_eq!(advice[0]["change"]["docker_run"], json!([]), "{advice:#}");
    }
}

/// An address on the loopback interface that this machine has only later: until then
/// what is sent there vanishes.
struct LateAddress(&'static str);

impl LateAddress {
    fn new(address: &'static str) -> Option<Self> {
        let late = Self(address);
        late.ip(&["route", "add", "ADDRESS/32", "dev", "lo"]).then_some(late)
    }

    fn ip(&self, words: &[&str]) -> bool {
        let words = words.iter().map(|word| word.replace("ADDRESS", self.0));
        Command::new("busybox").arg("ip").args(words).status().is_ok_and(|status| status.success())
    }

    fn comes(&self) {
        assert!(self.ip(&["addr", "add", "ADDRESS/32", "dev", "lo"]), "it can be added");
    }
}

impl Drop for LateAddress {
    fn drop(&mut self) {
        self.ip(&["addr", "del", "ADDRESS/32", "dev", "lo"]);
        self.ip(&["route", "del", "ADDRESS/32", "dev", "lo"]);
    }
}

/// Two containers connect to each other at once, and nobody listens.
#[test]
fn two_sockets_that_connect_to_each_other_are_two_connects() {
    needs_root!();
    // Of those for documentation (RFC 5737).
    let Some(address) = LateAddress::new("192.0.2.77") else {
        return skip("the route to an address on lo cannot be made");
    };
    let agent = Agent::start();
    let (one_port, other_port) = (net::closed_port(), net::closed_port());
    let mut one = Docker::shared().launch("host").actor();
    let mut other = Docker::shared().launch("host").actor();
    let (left, right) = (format!("127.0.0.1 {one_port}"), format!("192.0.2.77 {other_port}"));
    let started = one.one(&format!("connect-from {left} {right} --nonblocking"));
    assert_eq!(started["result"], "EINPROGRESS", "{started}");
    address.comes();
    let met = other.one(&format!("connect-from {right} {left}"));
    assert_eq!(met["result"], "ok", "{met}");
    let ended = one.one("connect-outcomes");
    assert_eq!(ended["result"], "ok", "{ended}");
    let each = [(&one, &ended, &other), (&other, &met, &one)];
    for (from, truth, to) in each {
        let told = want()
            .one_of("event.action", ["connection_attempted", "connection-outcome"])
            .owned_by(&from.container)
            .is("event.outcome", "success")
            .endpoint("hostnet.local", &truth["local"])
            .endpoint("hostnet.remote", &truth["remote"])
            .is("hostnet.peer.container.id", to.container.id.as_str())
            .is("hostnet.peer.process.pid", to.container.pid);
        agent.expect(&told);
    }
    agent.marker();
    let run = agent.stop();
    for actor in [&one, &other] {
        run.only(&any_attempt(actor));
        run.none(&any_accept(actor));
    }
}
