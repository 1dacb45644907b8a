//! Rules that a user wrote: what they find, the bad ones among them, and SIGHUP.

use std::{fs, path::Path};

use hostnet_tests::{Agent, Docker, needs_root, wait_for, want};
use rustix::process::Signal;
use serde_json::Value;

const LISTENER: &str = "2b1f8b55-1d7b-4a43-9a56-1f3a5c1f0f01";
const BIND: &str = "2b1f8b55-1d7b-4a43-9a56-1f3a5c1f0f02";

fn write(directory: &Path, name: &str, id: &str, operation: &str) {
    let text = format!(
        "title: A test\nid: {id}\nlevel: high\ntags:\n    - attack.t1133\nlogsource:\n    product: \
         hostnet\ndetection:\n    s:\n        hostnet.operation: {operation}\n        \
         hostnet.owner.kind: container\n    condition: s\n"
    );
    fs::write(directory.join(name), text).expect("a rule");
}

/// YAML's numbers and truth values match ECS's texts, and the other way round.
#[test]
fn a_rule_finds_what_has_the_same_value_in_another_type() {
    needs_root!();
    let directory = tempfile::tempdir().expect("a directory");
    let fields = [
        "user.id: 0",
        "network.iana_number: 6",
        "process.user.id|lt: 1000",
        "hostnet.local.port|gte: '1'",
        "hostnet.netns.is_host: yes",
    ];
    for (number, field) in fields.iter().enumerate() {
        let text = format!(
            "title: A test\nid: 2b1f8b55-1d7b-4a43-9a56-1f3a5c1f0f1{number}\nlogsource:\n    product: \
             hostnet\ndetection:\n    s:\n        {field}\n        hostnet.operation: listen\n    \
             condition: s\n"
        );
        fs::write(directory.path().join(format!("{number}.yml")), text).expect("a rule");
    }
    let rules = format!("[rules]\ndirectory = {:?}", directory.path().display().to_string());
    let agent = Agent::setup().observe(&rules).start();
    let mut actor = Docker::shared().launch("host").actor();
    let listening = actor.one("listen 127.0.0.1 0");
    for (number, field) in fields.iter().enumerate() {
        let id = format!("2b1f8b55-1d7b-4a43-9a56-1f3a5c1f0f1{number}");
        let found = want().action("finding").is("rule.id", id);
        let found = found.is("hostnet.local.port", listening["local"]["port"].clone());
        let finding = agent.expect(&found);
        assert_eq!(finding["rule"]["ruleset"], "sigma", "{field}");
    }
    agent.stop();
}

#[test]
fn rules_find_what_they_say_and_are_read_anew() {
    needs_root!();
    let directory = tempfile::tempdir().expect("a directory");
    let rules = directory.path();
    write(rules, "listener.yml", LISTENER, "listen");
    fs::write(rules.join("bad.yml"), "title: bad\nid: [\n").expect("a file");
    let agent =
        Agent::setup().observe(&format!("[rules]\ndirectory = {:?}", rules.display().to_string()));
    let agent = agent.start();
    let mut actor = Docker::shared().launch("host").actor();
    let first = actor.one("listen 127.0.0.1 0");
    let found = |id: &str, port: &Value| {
        want().action("finding").is("rule.id", id).is("hostnet.local.port", port.clone())
    };
    let finding = agent.expect(&found(LISTENER, &first["local"]["port"]));
    assert_eq!(finding["rule"]["ruleset"], "sigma");
    assert_eq!(finding["hostnet"]["finding"]["severity"], "high");
    assert_eq!(finding["threat"]["technique"]["id"][0], "T1133");
    assert!(finding["container"]["id"].is_string());
    let is_told = |words: &str| agent.messages().contains(words);
    assert!(is_told("bad.yml:3: is not YAML"), "{}", agent.messages());
    assert!(is_told("1 in use, 1 faults"), "{}", agent.messages());
    let refused = agent.expect(&want().action("rules-refused"));
    let health = &refused["hostnet"]["health"];
    assert_eq!((&health["judged"], &health["refused"]), (&1.into(), &1.into()), "{health}");
    let fault = &health["faults"][0];
    let is_of = |file: &str| fault["file"].as_str().is_some_and(|name| name.ends_with(file));
    assert!(is_of("bad.yml") && fault["line"] == 3, "{fault}");
    assert!(fault["reason"].as_str().is_some_and(|why| why.starts_with("is not YAML")), "{fault}");
    assert_eq!(refused["event"]["outcome"], "failure");
    // The other rule instead, and the bad one good.
    fs::remove_file(rules.join("listener.yml")).expect("removed");
    write(rules, "bad.yml", BIND, "bind");
    write(rules, "other.yml", "2b1f8b55-1d7b-4a43-9a56-1f3a5c1f0f03", "raw-socket");
    agent.signal(Signal::HUP);
    wait_for("the rules to be read anew", || is_told("2 in use, 0 faults"));
    let second = actor.one("listen 127.0.0.1 0");
    agent.expect(&found(BIND, &second["local"]["port"]));
    let mended = agent.expect(&want().action("rules-mended"));
    assert_eq!(mended["hostnet"]["health"]["judged"], 2);
    agent.marker();
    let run = agent.stop();
    run.only(&want().action("rules-refused"));
    run.none(&found(LISTENER, &second["local"]["port"]));
    run.only(&found(BIND, &second["local"]["port"]));
    run.only(&found(LISTENER, &first["local"]["port"]));
    run.none(&found(BIND, &first["local"]["port"]));
}
