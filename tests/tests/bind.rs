//! Binds: the port asked for, the port given, and who can reach it.

use hostnet_tests::{ActorBox, Agent, Docker, Want, needs_root, net, want};
use serde_json::Value;

/// Address, its scope, IP version, socket family.
const ADDRESSES: [(&str, &str, &str, &str); 6] = [
    ("127.0.0.1", "loopback", "ipv4", "inet"),
    ("0.0.0.0", "any", "ipv4", "inet"),
    ("::1", "loopback", "ipv6", "inet6"),
    ("::", "any", "ipv6", "inet6"),
    ("::ffff:127.0.0.1", "loopback", "ipv4", "inet6"),
    ("::ffff:0.0.0.0", "any", "ipv4", "inet6"),
];

fn bound(actor: &ActorBox, transport: &str, local: &Value) -> Want {
    want()
        .action("bound-socket")
        .is("hostnet.operation", "bind")
        .is("network.transport", transport)
        .endpoint("hostnet.local", local)
        .endpoint("source", local)
        .endpoint("server", local)
        .owned_by(&actor.container)
        .is("process.pid", actor.container.pid)
        .is("process.executable", "/actor")
        .absent("network.direction")
}

fn any_bind(actor: &ActorBox) -> Want {
    want().action("bound-socket").is("container.id", actor.container.id.as_str())
}

#[test]
fn a_bind_to_port_0_shows_the_real_port() {
    needs_root!(no tcp);
    let agent = Agent::start();
    let mut actor = Docker::shared().launch("host").actor();
    for (transport, option) in [("tcp", ""), ("udp", " --udp")] {
        for (address, scope, network, family) in ADDRESSES {
            let truth = actor.one(&format!("bind {address} 0{option}"));
            assert_eq!(truth["result"], "ok");
            agent.expect(
                &bound(&actor, transport, &truth["local"])
                    .is("event.outcome", "success")
                    .is("hostnet.bind.requested_port", 0)
                    .is("hostnet.bind.scope", scope)
                    .is("network.type", network)
                    .is("hostnet.socket.family", family),
            );
        }
    }
    agent.marker();
    agent.stop().exactly(2 * ADDRESSES.len(), &any_bind(&actor));
}

#[test]
fn a_bind_to_a_port_of_ones_choice() {
    needs_root!(no tcp);
    let agent = Agent::start();
    let mut actor = Docker::shared().launch("host").actor();
    for (address, scope, ..) in ADDRESSES {
        let port = net::free_port();
        let truth = actor.one(&format!("bind {address} {port}"));
        let expected = bound(&actor, "tcp", &truth["local"])
            .is("event.outcome", "success")
            .is("hostnet.local.port", port)
            .is("hostnet.bind.requested_port", port)
            .is("hostnet.bind.scope", scope);
        agent.expect(&expected);
    }
    let own = net::own_address();
    let truth = actor.one(&format!("bind {own} 0"));
    agent.expect(&bound(&actor, "tcp", &truth["local"]).is("hostnet.bind.scope", "specific"));
    let truth = actor.one("bind :: 0 --v6only");
    agent.expect(&bound(&actor, "tcp", &truth["local"]).is("hostnet.bind.scope", "any"));
    agent.marker();
    agent.stop().exactly(ADDRESSES.len() + 2, &any_bind(&actor));
}

/// The second bind is told although the process does nothing after it.
#[test]
fn a_bind_to_a_used_port_fails() {
    needs_root!(no tcp);
    let agent = Agent::start();
    let mut actor = Docker::shared().launch("host").actor();
    let mut binds = 0;
    for (transport, option) in [("tcp", ""), ("udp", " --udp")] {
        for (address, ..) in ADDRESSES {
            let truths = actor.perform(&format!("bind-used {address} 0{option}"));
            assert_eq!(truths[1]["result"], "EADDRINUSE");
            let port = truths[0]["local"]["port"].clone();
            let first = bound(&actor, transport, &truths[0]["local"]);
            agent.expect(&first.is("event.outcome", "success").absent("event.reason"));
            let second = bound(&actor, transport, &truths[1]["requested"])
                .is("event.outcome", "failure")
                .is("hostnet.bind.requested_port", port);
            let event = agent.expect(&second);
            // The errno needs hooks that not every kernel allows; a wrong one is a lie.
            let reason = &event["event"]["reason"];
            assert!(reason.is_null() || reason == "EADDRINUSE", "{event}");
            binds += 2;
        }
    }
    agent.marker();
    agent.stop().exactly(binds, &any_bind(&actor));
}

#[test]
fn a_bind_to_an_address_of_another_host_fails() {
    needs_root!(no tcp);
    let agent = Agent::start();
    let mut actor = Docker::shared().launch("host").actor();
    let truth = actor.one("bind 198.51.100.7 0");
    assert_eq!(truth["result"], "EADDRNOTAVAIL");
    // Where no hook sees the errno, it could as well be a bind whose port is chosen later.
    let refused = any_bind(&actor)
        .owned_by(&actor.container)
        .endpoint("hostnet.local", &truth["requested"])
        .is("source.ip", "198.51.100.7")
        .is("hostnet.bind.requested_port", 0);
    agent.expect(&refused);
    agent.marker();
    let run = agent.stop();
    let told = run.only(&any_bind(&actor));
    let outcome = if run.proves("families") { "failure" } else { "unknown" };
    assert_eq!(told["event"]["outcome"], outcome, "{told}");
}

#[test]
fn a_failed_bind_just_before_the_agent_stops() {
    needs_root!(no tcp);
    let agent = Agent::start();
    let mut actor = Docker::shared().launch("host").actor();
    agent.marker();
    let truths = actor.perform("bind-used 127.0.0.1 0");
    let run = agent.stop();
    run.only(&bound(&actor, "tcp", &truths[1]["requested"]).is("event.outcome", "failure"));
    run.exactly(2, &any_bind(&actor));
}
