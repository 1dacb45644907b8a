//! Raw sockets: what a container can sniff and forge in the host's network.

use hostnet_tests::{Agent, Docker, needs_root, want};

#[test]
fn a_raw_icmp_socket() {
    needs_root!(no tcp);
    let agent = Agent::start();
    let mut actor = Docker::shared().launch("host").actor();
    for (option, network, family, protocol) in
        [("", "ipv4", "inet", "icmp"), (" --v6", "ipv6", "inet6", "ipv6-icmp")]
    {
        assert_eq!(actor.one(&format!("raw-icmp{option}"))["result"], "ok");
        agent.expect(
            &want()
                .action("opened-raw-socket")
                .is("event.outcome", "success")
                .is("hostnet.operation", "raw-socket")
                .is("hostnet.socket.type", "raw")
                .is("hostnet.socket.family", family)
                .is("hostnet.socket.protocol", protocol)
                .is("network.type", network)
                .owned_by(&actor.container)
                .is("process.pid", actor.container.pid)
                .is("process.executable", "/actor"),
        );
    }
    agent.marker();
    let opened = want().action("opened-raw-socket");
    agent.stop().exactly(2, &opened.is("container.id", actor.container.id.as_str()));
}

#[test]
fn a_container_without_the_capability_opens_none() {
    needs_root!(no tcp);
    let agent = Agent::start();
    let mut actor = Docker::shared().launch("host").options(["--cap-drop=NET_RAW"]).actor();
    assert_eq!(actor.one("raw-icmp")["result"], "EPERM");
    agent.marker();
    let ours = want().is("container.id", actor.container.id.as_str());
    agent.stop().none(&ours.action("opened-raw-socket").is("event.outcome", "success"));
}
