//! Podman by its Docker-compatible socket: the same adapter, another runtime.

use hostnet_tests::{Agent, Podman, needs_root, want};

/// A pod in the host's network is one thing: what only holds its namespaces is known as
/// that, by name, and is no finding of its own.
#[test]
fn a_pods_infra_container_is_no_second_finding() {
    needs_root!();
    if !Podman::is_installed() {
        return;
    }
    let podman = Podman::start();
    let agent = Agent::setup_beside(&podman.host()).start();
    agent.expect(&want().action("runtime-reachable"));
    let infra = podman.pod("shop");
    let mut web = podman.actor_in("shop", "web");
    let id = podman.run(&["inspect", "--format", "{{.Id}}", "web"]);
    let unexpected = want().action("finding").is("rule.id", "unexpected-container");
    agent.expect(&unexpected.clone().is("container.id", id.as_str()));
    let pod =
        serde_json::json!({ "type": "podman", "resource": { "type": "pod", "name": "shop" } });
    let port = web.connect_refused();
    let event = want().attempt(port).is("container.name", "web");
    agent.expect(&event.is("orchestrator", pod).absent("hostnet.container.is_infra"));
    let output = std::process::Command::new(hostnet_tests::hostnet())
        .args(["audit", "--config", "/dev/null", "--docker", &podman.host()])
        .output()
        .expect("hostnet can be started");
    let table = String::from_utf8_lossy(&output.stdout);
    assert!(table.contains("web in pod shop"), "{table}");
    let is_infra = |line: &str| line.split(' ').next().is_some_and(|word| word.ends_with("-infra"));
    assert!(!table.lines().any(is_infra), "{table}");
    web.end();
    let run = agent.stop();
    run.none(&unexpected.is("container.id", infra));
}

#[test]
fn a_podman_container_is_confirmed_by_podman() {
    needs_root!();
    if !Podman::is_installed() {
        return;
    }
    let podman = Podman::start();
    let mut older = podman.actor("older");
    let agent = Agent::setup_beside(&podman.host()).start();
    let reachable = agent.expect(&want().action("runtime-reachable"));
    assert!(reachable.to_string().contains("Podman"), "{reachable}");
    let mut younger = podman.actor("younger");
    for (name, actor) in [("older", &mut older), ("younger", &mut younger)] {
        let id = podman.run(&["inspect", "--format", "{{.Id}}", name]);
        let ours = want().is("container.id", id.as_str());
        // The first may come before Podman has answered; its name follows.
        let first = actor.connect_refused();
        let event = agent.expect(&want().attempt(first).is("container.id", id.as_str()));
        if event["container"]["name"].is_null() {
            agent.expect(&ours.clone().action("container-identified").is("container.name", name));
        }
        let second = actor.connect_refused();
        agent.expect(
            &want()
                .attempt(second)
                .is("container.id", id.as_str())
                .is("container.name", name)
                .is("container.runtime", "podman")
                .is("container.image.name", "localhost/hostnet-test/box")
                .is("hostnet.owner.kind", "container")
                .is("hostnet.attribution.confidence", "confirmed")
                .is("hostnet.netns.declared", "host"),
        );
    }
    let id = podman.run(&["inspect", "--format", "{{.Id}}", "younger"]);
    younger.end();
    agent.expect(&want().action("container-left-host-network").is("container.id", id));
    agent.stop();
}
