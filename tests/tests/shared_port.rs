//! One port, several owners: who else is reached there is said at once.

use hostnet_tests::{Actor, ActorBox, Agent, Docker, Want, needs_root, net, want};
use serde_json::Value;

fn container() -> ActorBox {
    Docker::shared().launch("host").actor()
}

fn bound(truth: &Value, by: &ActorBox) -> Want {
    let bound = want().action("bound-socket").owned_by(&by.container);
    bound.is("hostnet.local.port", port_of(truth)).is("event.outcome", "success")
}

fn port_of(truth: &Value) -> u16 {
    truth["local"]["port"].as_u64().expect("a port") as u16
}

/// The containers and processes that share the port, as the event says.
fn others(event: &Value, section: &str) -> Vec<(Value, Value)> {
    let others = event["hostnet"][section]["shares_port_with"].as_array().cloned();
    let other = |one: Value| (one["container"]["id"].clone(), one["process"]["pid"].clone());
    others.unwrap_or_default().into_iter().map(other).collect()
}

fn facts(of: &ActorBox) -> (Value, Value) {
    (of.container.id.as_str().into(), of.container.pid.into())
}

#[test]
fn e31_tcp_sockets_of_one_reuseport_group() {
    needs_root!();
    let (mut first, mut second, mut client) = (container(), container(), container());
    let tried = first.one("listen 0.0.0.0 0 --reuse-port");
    second.one(&format!("listen 0.0.0.0 {} --reuse-port", port_of(&tried)));

    let agent = Agent::start();
    for (address, to) in [("0.0.0.0", "127.0.0.1"), ("::", "::1")] {
        let truth = first.one(&format!("listen {address} 0 --reuse-port"));
        let port = port_of(&truth);
        let alone = agent.expect(&bound(&truth, &first));
        assert_eq!(others(&alone, "bind"), []);
        second.one(&format!("listen {address} {port} --reuse-port"));
        let joined = agent.expect(&bound(&truth, &second).is("hostnet.bind.reuse_port", true));
        assert_eq!(others(&joined, "bind"), [facts(&first)], "{joined}");
        let listens = want().action("listen-for-connections").is("hostnet.local.port", port);
        let listens = agent.expect(&listens.owned_by(&second.container));
        assert_eq!(others(&listens, "listen"), [facts(&first)], "{listens}");
        let message = joined["message"].as_str().expect("a message");
        assert!(message.contains("sharing the port with"), "{message}");
        // The kernel chooses one of both: the one that accepted is named.
        client.one(&format!("tcp-connect {to} {port}"));
        let connected = want().action("connection_attempted").is("hostnet.remote.port", port);
        let connected = agent.expect(&connected.owned_by(&client.container));
        let accepted = want().action("connection_accepted").is("hostnet.local.port", port);
        let accepted = agent.expect(&accepted);
        let peer = &connected["hostnet"]["peer"];
        assert_eq!(peer["container"]["id"], accepted["container"]["id"], "{peer}");
        let both = [&facts(&first).0, &facts(&second).0].map(ToString::to_string);
        assert!(both.contains(&peer["container"]["id"].to_string()), "{peer}");
    }
    agent.stop();
}

/// Whoever binds the very address is reached instead of whoever bound every one.
#[test]
fn e31_a_specific_address_over_a_wildcard() {
    needs_root!();
    let agent = Agent::start();
    let (mut wild, mut specific, mut client) = (Actor::on_host(), container(), container());
    let truth = wild.one("listen 0.0.0.0 0 --reuse-port");
    let port = port_of(&truth);
    specific.one(&format!("listen 127.0.0.1 {port} --reuse-port"));
    let event = agent.expect(&bound(&truth, &specific));
    assert_eq!(others(&event, "bind"), [(Value::Null, wild.host_pid().into())], "{event}");
    let own = net::own_address();
    for (to, peer) in [("127.0.0.1", "container"), (&own.to_string(), "host")] {
        client.one(&format!("tcp-connect {to} {port}"));
        let connected = want().action("connection_attempted").is("hostnet.remote.ip", to);
        let connected = connected.is("hostnet.remote.port", port).owned_by(&client.container);
        agent.expect(&connected.is("hostnet.peer.kind", peer));
    }
    agent.stop();
}

#[test]
fn e31_udp_sockets_that_reuse_an_address() {
    needs_root!();
    let agent = Agent::start();
    let (mut first, mut second) = (container(), container());
    for (address, over) in [("0.0.0.0", "127.0.0.1"), ("127.0.0.1", "0.0.0.0"), ("::", "::1")] {
        let port = net::free_udp_port();
        let truth = first.one(&format!("bind {address} {port} --udp --reuse-address --keep"));
        second.one(&format!("bind {over} {port} --udp --reuse-address --keep"));
        let event = agent.expect(&bound(&truth, &second));
        assert_eq!(others(&event, "bind"), [facts(&first)], "{event}");
    }
    agent.stop();
}
