//! A recorded run of a real kernel through all stages, without one.

use std::collections::BTreeSet;

use hostnet::docs::{self, EVERY_KIND};
use serde_json::Value;

fn events() -> Vec<Value> {
    docs::replay(EVERY_KIND).expect("the recording can be replayed")
}

/// One line per event: what a reader of the stream would sum it up as.
#[test]
fn the_recorded_run() {
    let lines: Vec<String> = events()
        .iter()
        .map(|event| {
            let text = |path: &str| event.pointer(path).and_then(Value::as_str).unwrap_or("-");
            format!(
                "{} {} {} {} | {}",
                event["event"]["sequence"],
                text("/event/action"),
                text("/event/outcome"),
                text("/hostnet/owner/confidence"),
                text("/message"),
            )
        })
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn replaying_twice_gives_the_same_bytes() {
    let text = |events: Vec<Value>| events.iter().map(Value::to_string).collect::<Vec<_>>();
    assert_eq!(text(events()), text(events()));
}

#[test]
fn sequence_has_no_hole_and_ids_are_unique() {
    let events = events();
    for (index, event) in events.iter().enumerate() {
        assert_eq!(event["event"]["sequence"], index + 1);
    }
    let ids: BTreeSet<&str> = events.iter().filter_map(|e| e["event"]["id"].as_str()).collect();
    assert_eq!(ids.len(), events.len());
}

#[test]
fn what_amends_names_an_earlier_event() {
    let events = events();
    let amending: Vec<&Value> =
        events.iter().filter(|event| event["hostnet"]["amends"].is_string()).collect();
    assert!(amending.len() >= 2, "a late outcome and a late name are in the recording");
    for event in amending {
        let sequence = event["event"]["sequence"].as_u64();
        let earlier = events.iter().any(|other| {
            other["event"]["id"] == event["hostnet"]["amends"]
                && other["event"]["sequence"].as_u64() < sequence
        });
        assert!(earlier, "{event}");
    }
}

#[test]
fn every_action_is_in_the_recording() {
    let events = events();
    let seen: BTreeSet<&str> =
        events.iter().filter_map(|e| e["event"]["action"].as_str()).collect();
    let wanted = BTreeSet::from([
        "agent-started",
        "agent-stopped",
        "bound-socket",
        "cgroup-migration",
        "closed-listener",
        "connection-outcome",
        "connection_accepted",
        "connection_attempted",
        "container-identified",
        "container-joined-host-network",
        "container-left-host-network",
        "disconnect_received",
        "bound-packet-socket",
        "end",
        "exec",
        "existing_socket",
        "listen-for-connections",
        "name-spoof",
        "opened-packet-socket",
        "opened-raw-socket",
        "records-lost",
        "runtime-reachable",
        "runtime-unreachable",
    ]);
    assert_eq!(wanted.difference(&seen).collect::<Vec<_>>(), Vec::<&&str>::new());
}

#[test]
fn every_event_keeps_to_our_schema() {
    let schema: Value = serde_json::from_str(&docs::schema().expect("a schema")).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a valid schema");
    for event in events() {
        let errors: Vec<String> = validator
            .iter_errors(&event)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{errors:?}\n{event:#}");
    }
}

#[test]
fn the_schema_can_refuse() {
    let schema: Value = serde_json::from_str(&docs::schema().expect("a schema")).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a valid schema");
    let mut event = events().remove(0);
    event["hostnet"]["no_such_field"] = 1.into();
    assert!(!validator.is_valid(&event));
}

/// Bytes that are not what they should be change nothing but a count.
#[test]
fn damaged_recordings_are_refused_with_a_reason() {
    let error = docs::replay(b"no recording").unwrap_err().to_string();
    assert_eq!(error, "not a recording of this version of hostnet");
    let error = docs::replay(&EVERY_KIND[..EVERY_KIND.len() - 1]).unwrap_err().to_string();
    assert_eq!(error, "the recording ends inside a frame");
}
