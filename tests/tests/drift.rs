//! What an image reaches is remembered over restarts of the agent.

use std::net::TcpListener;

use hostnet_tests::{Agent, Docker, Setup, needs_docker, needs_root, want};

#[test]
fn what_an_image_reached_before_a_restart_is_no_news_after_it() {
    needs_root!();
    needs_docker!("images' ids");
    let directory = tempfile::tempdir().expect("a directory");
    let history = directory.path().join("history.db");
    let setup =
        || -> Setup { Agent::setup().history(&history).sections("[judge]\nlearn_hours = 0\n") };
    let listen = || TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = |of: &TcpListener| of.local_addr().expect("bound").port();
    let services = [listen(), listen()];
    let [known, other] = [0, 1].map(|index| port(&services[index]));
    let mut actor = Docker::shared().launch("host").actor();
    let container = actor.container.id.clone();
    let news = |port: u16| {
        want()
            .action("finding")
            .is("rule.id", "new-destination")
            .is("container.id", container.as_str())
            .is("hostnet.remote.port", port)
    };
    let agent = setup().start();
    actor.one(&format!("tcp-connect 127.0.0.1 {known}"));
    agent.expect(&news(known));
    agent.marker();
    let before = agent.stop();
    before.only(&news(known));
    let agent = setup().start();
    actor.one(&format!("tcp-connect 127.0.0.1 {known}"));
    actor.one(&format!("tcp-connect 127.0.0.1 {other}"));
    agent.expect(&news(other));
    agent.marker();
    let after = agent.stop();
    after.only(&news(other));
    after.none(&news(known));
    let reached = want()
        .action("connection_attempted")
        .is("container.id", container.as_str())
        .is("hostnet.remote.port", known);
    assert!(!after.all(&reached).is_empty(), "it was reached again");
}
