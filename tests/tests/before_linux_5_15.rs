//! A kernel on which a part of what hostnet does cannot be had: it says which,
//! and does the rest.

use hostnet_tests::{Agent, Docker, needs_root, net, skip, want};
use rustix::system::uname;

#[test]
fn what_is_missing_is_stated_and_the_rest_is_told() {
    needs_root!(no tcp);
    let release = uname();
    if !release.release().to_bytes().starts_with(b"5.10.") {
        skip("this kernel is not Linux 5.10");
        return;
    }
    let agent = Agent::start();
    let started = agent.expect(&want().action("agent-started"));
    let health = &started["hostnet"]["health"];
    assert_eq!(health["complete"], false, "{started}");
    let rows = health["coverage"].as_array().expect("a row per hook");
    let state = |hook: &str| {
        let row = rows.iter().find(|row| row["hook"] == hook);
        row.unwrap_or_else(|| panic!("no word of {hook}: {started}")).to_string()
    };
    for (hook, since) in [
        ("tp_btf/inet_sock_set_state", "5.15"),
        ("fexit/inet_bind", "5.17"),
        ("tp_btf/sock_send_length", "6.3"),
    ] {
        assert!(state(hook).contains(&format!("needs Linux {since}")), "{}", state(hook));
    }
    // Whether it succeeded is not known, but that it was tried is told.
    let mut actor = Docker::shared().launch("host").actor();
    let port = net::closed_port();
    actor.one(&format!("tcp-connect 127.0.0.1 {port}"));
    let attempt = want().action("connection_attempted").is("hostnet.remote.port", port);
    agent.expect(&attempt.is("event.outcome", "unknown").owned_by(&actor.container));
    agent.marker();
    agent.stop();
}
