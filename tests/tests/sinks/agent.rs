//! The whole agent: what a container does comes out at real servers, as on standard
//! output, also what they missed while they were away.

use std::collections::BTreeSet;

use hostnet_tests::{Agent, Docker, Server, needs_root, server::certificates, want};
use serde_json::Value;

use crate::{http, syslog};

/// How often the container acts before, while and after a server is away.
const ACTS: usize = 300;

#[test]
fn what_a_container_does_comes_out_at_syslog_over_tls_and_at_clickhouse() {
    needs_root!();
    if !syslog::are_installed() {
        return;
    }
    let Some(clickhouse) = http::clickhouse() else { return };
    let directory = tempfile::tempdir().expect("a temporary directory");
    let ours = directory.path().join("ours");
    certificates(&ours);
    std::fs::write(directory.path().join("secret"), "hunter2").expect("room");
    let mut rsyslog = syslog::rsyslog(|_, port| syslog::over_tls(&ours, port));
    rsyslog.resume();
    let file = |name: &str| ours.join(name).display().to_string();
    let to_syslog = format!(
        "type = \"syslog\"\naddress = \"127.0.0.1:{}\"\n\
         tls = {{ ca = \"{}\", certificate = \"{}\", key = \"{}\" }}",
        rsyslog.port,
        file("ca.pem"),
        file("client.pem"),
        file("client-key.pem"),
    );
    let to_clickhouse = format!(
        "type = \"http\"\nurl = \"http://127.0.0.1:{}{}\"\nframing = \"ndjson\"\nuser = \"default\"\n\
         password = {{ file = \"{}\" }}\ninsecure = true",
        clickhouse.port,
        http::INSERT,
        directory.path().join("secret").display(),
    );
    let mut actor = Docker::shared().launch("host").actor();
    let agent = Agent::setup().sink(&to_syslog).sink(&to_clickhouse).start();
    let act = |actor: &mut hostnet_tests::ActorBox| {
        actor.one(&format!("marks 300 --times {ACTS}"));
        agent.marker();
    };
    act(&mut actor);
    received(&rsyslog, ACTS);
    rsyslog.stop();
    act(&mut actor);
    agent.expect(&want().action("sink-failing"));
    rsyslog.resume();
    agent.expect(&want().action("sink-recovered"));
    act(&mut actor);
    let run = agent.stop();

    let acts = run.all(&want().action("connection_attempted").owned_by(&actor.container));
    assert_eq!(acts.len(), 3 * ACTS);
    let told: BTreeSet<String> = run.events.iter().map(Value::to_string).collect();
    // Syslog may have got an event twice, where it went away.
    let came: BTreeSet<String> = received(&rsyslog, run.events.len()).into_iter().collect();
    assert!(came == told, "{} of {} came by syslog", came.intersection(&told).count(), told.len());
    let kept = http::query(
        &clickhouse,
        "SELECT `@timestamp`, message FROM events FORMAT JSONCompactEachRow",
    );
    let kept: Vec<Value> =
        kept.lines().map(|row| serde_json::from_str(row).expect("JSON")).collect();
    let pair =
        |event: &Value| Value::from(vec![event["@timestamp"].clone(), event["message"].clone()]);
    let told: Vec<Value> = run.events.iter().map(pair).collect();
    assert!(kept == told, "{} of {} are in ClickHouse, in order", kept.len(), told.len());
}

/// The events that came, once there are so many different ones.
fn received(rsyslog: &Server, count: usize) -> Vec<String> {
    let lines = rsyslog.lines("messages", count);
    let lines = lines.iter().map(|line| serde_json::from_slice::<Value>(line));
    lines.map(|event| event.expect("an event").to_string()).collect()
}
