//! TCP connects: one event each, with the outcome and the kernel's address.

use hostnet_tests::{Actor, ActorBox, Agent, Docker, Want, needs_root, net, want};
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
