mod hostile;
mod parties;
pub(crate) mod samples;

use std::sync::LazyLock;

use serde_json::{Value, json};

use super::*;
use crate::{
    docs::{EVERY_KIND, replay},
    event::{Joined, Left, Operation, Process},
    format::ecs::Encoder,
};

static DOCUMENTS: LazyLock<Vec<Value>> =
    LazyLock::new(|| replay(EVERY_KIND).expect("the recording can be replayed"));

fn parsed(document: &Value) -> Result<Recorded, NotOurs> {
    Parser::default().record(document.to_string().as_bytes())
}

/// Documents read and written again, by one parser and one encoder per run.
fn again(documents: &[Value]) -> Vec<Value> {
    let mut parser = Parser::default();
    let mut encoder: Option<(Identity, Encoder)> = None;
    let written = |document: &Value| {
        let record = parser.record(document.to_string().as_bytes());
        let record = record.unwrap_or_else(|why| panic!("{why}: {document:#}"));
        let identity = parser.identity().expect("it was read").clone();
        if encoder.as_ref().is_none_or(|(known, _)| *known != identity) {
            encoder = Some((identity.clone(), Encoder::new(&identity)));
        }
        let mut line = Vec::new();
        let (_, encoder) = encoder.as_mut().expect("made above");
        encoder.encode(&record, &mut line).expect("it can be written");
        serde_json::from_slice(&line).expect("JSON")
    };
    documents.iter().map(written).collect()
}

/// Paths where two values differ.
fn differences(path: &str, one: &Value, other: &Value, to: &mut Vec<String>) {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            for key in one.keys().chain(other.keys().filter(|key| !one.contains_key(*key))) {
                let value = |map: &serde_json::Map<String, Value>| {
                    map.get(key).cloned().unwrap_or_default()
                };
                differences(&format!("{path}.{key}"), &value(one), &value(other), to);
            }
        }
        (one, other) if one != other => to.push(format!("{path}: {one} became {other}")),
        _ => {}
    }
}

/// What a document does not hold twice, so that it cannot be written again.
fn without_what_is_lost(document: &Value) -> Value {
    let mut document = document.clone();
    let hostnet = &mut document["hostnet"];
    let mut parties: Vec<&mut Value> = Vec::new();
    let Some(hostnet) = hostnet.as_object_mut() else { return document };
    for (key, value) in hostnet.iter_mut() {
        match key.as_str() {
            "creator_container" => {
                value.as_object_mut().map(|container| container.remove("security_context"));
            }
            "peer" => {
                parties.extend(value["candidates"].as_array_mut().into_iter().flatten());
            }
            "bind" | "listen" => {
                parties.extend(value["shares_port_with"].as_array_mut().into_iter().flatten());
            }
            _ => {}
        }
    }
    for party in parties {
        forget(party);
    }
    if let Some(peer) = hostnet.get_mut("peer") {
        forget(peer);
    }
    document
}

fn forget(party: &mut Value) {
    for (of, field) in [("process", "entity_id"), ("container", "security_context")] {
        party.get_mut(of).and_then(Value::as_object_mut).map(|of| of.remove(field));
    }
}

#[test]
fn what_is_read_is_written_the_same() {
    comes_back(&DOCUMENTS);
}

/// Every other kind, and what else the recording does not have.
#[test]
fn what_was_not_recorded_is_written_the_same() {
    let identity = Identity { host_name: "node".to_owned(), ..Identity::default() };
    let mut encoder = Encoder::new(&Identity { network_namespace: 7, ..identity });
    let mut written = |event: Event| {
        let mut line = Vec::new();
        let record = Recorded { sequence: 1, seen_ns: event.wall_ns, event };
        encoder.encode(&record, &mut line).expect("it can be written");
        serde_json::from_slice(&line).expect("JSON")
    };
    let documents: Vec<Value> = samples::all().into_iter().map(&mut written).collect();
    comes_back(&documents);
}

/// The same of what live tests told: `cargo xtask test` runs it after them.
#[test]
#[ignore = "needs the events that live tests leave in $HOSTNET_EVENTS_DIR"]
fn what_live_tests_told_is_written_the_same() {
    let directory = std::env::var_os("HOSTNET_EVENTS_DIR").expect("HOSTNET_EVENTS_DIR is set");
    let files = std::fs::read_dir(&directory).expect("live tests have run");
    let mut count = 0;
    for file in files {
        let text = std::fs::read_to_string(file.expect("a file").path()).expect("text");
        let parsed = |line: &str| serde_json::from_str(line).expect("JSON");
        let documents: Vec<_> = text.lines().filter(|line| !line.is_empty()).map(parsed).collect();
        comes_back(&documents);
        count += documents.len();
    }
    assert!(count > 0, "{} has no events", directory.display());
}

/// Labels are in the events that describe a container, and known of its later ones.
#[test]
fn a_container_has_the_labels_of_the_event_that_described_it() {
    let mut encoder = Encoder::new(&Identity::default());
    let mut parser = Parser::default();
    let mut labels = |operation: Operation| {
        let mut line = Vec::new();
        let event = Event { operation, ..samples::all().swap_remove(0) };
        encoder.encode(&Recorded { sequence: 1, seen_ns: 1, event }, &mut line).unwrap();
        let document: Value = serde_json::from_slice(&line).unwrap();
        let written = document["container"]["labels"].as_object().unwrap().len();
        let owner = parser.record(&line).unwrap().event.owner.unwrap();
        (written, owner.container.as_ref().unwrap().labels.len())
    };
    let all = parties::container().labels.len();
    assert_eq!(labels(Left.into()), (5, 5));
    assert_eq!(labels(Joined::default().into()), (all, all));
    assert_eq!(labels(Left.into()), (5, all));
}

/// Names and arguments that are no text come back exactly.
#[test]
fn a_process_is_the_same() {
    let event = samples::all().into_iter().find(|event| event.process.is_some()).expect("one");
    let process = Process {
        name: b"\xff\x1b[2J".to_vec(),
        arguments: vec![b"a b".to_vec(), b"\\\xff".to_vec(), "\u{202e}".as_bytes().to_vec()],
        known_parent: None,
        ancestors: Vec::new(),
        ..Process::clone(event.process.as_deref().expect("it has one"))
    };
    let mut line = Vec::new();
    let event = Event { process: Some(process.clone().into()), ..event };
    let record = Recorded { sequence: 3, seen_ns: 4, event };
    Encoder::new(&Identity::default()).encode(&record, &mut line).unwrap();
    let again = Parser::default().record(&line).unwrap();
    assert_eq!((again.sequence, again.seen_ns), (3, 4));
    assert_eq!(again.event.process.as_deref(), Some(&process));
    assert_eq!(again.event.actor, record.event.actor);
    assert_eq!(
        (again.event.boot_ns, again.event.wall_ns),
        (record.event.boot_ns, record.event.wall_ns)
    );
}

/// The wall clock is not always as far from the boot clock.
#[test]
fn a_start_keeps_its_clock_tick() {
    let mut document = DOCUMENTS
        .iter()
        .find(|document| document["process"]["start"].is_string())
        .expect("a process")
        .clone();
    let first = parsed(&document).unwrap().event.process.expect("it has one").start_ns;
    let boot_ns = document["hostnet"]["time"]["boot_ns"].as_u64().expect("a number");
    for by in [-9_000_000, -1, 1, 9_000_000] {
        document["hostnet"]["time"]["boot_ns"] = boot_ns.saturating_add_signed(by).into();
        let again = parsed(&document).unwrap().event.process.expect("it has one").start_ns;
        assert_eq!(again / 10_000_000, first / 10_000_000, "{by}");
    }
}

fn comes_back(documents: &[Value]) {
    let is_whole = |document: &Value| document["hostnet"]["truncated"].is_null();
    for (document, again) in documents.iter().zip(again(documents)).filter(|(one, _)| is_whole(one))
    {
        let mut found = Vec::new();
        differences("", &without_what_is_lost(document), &without_what_is_lost(&again), &mut found);
        assert!(found.is_empty(), "{found:#?}\n{document:#}");
    }
}

#[test]
fn what_is_no_event_says_so() {
    for (text, why) in [
        ("", "not an event of hostnet: not one JSON object"),
        ("nonsense", "not an event of hostnet: not one JSON object"),
        ("{\"@timestamp\":", "not an event of hostnet: not one JSON object"),
        ("[]", "not an event of hostnet: not one JSON object"),
        ("{}", "not an event of hostnet: missing field `@timestamp`"),
        ("{\"@timestamp\":\"x\"}", "not an event of hostnet: missing field `event`"),
    ] {
        assert_eq!(event(text.as_bytes()).unwrap_err().to_string(), why, "{text}");
    }
}

/// A field, nonsense for it, and what is said of it.
#[test]
fn nonsense_is_named() {
    let connect = DOCUMENTS
        .iter()
        .find(|document| {
            document["event"]["action"] == "connection_attempted"
                && document["hostnet"]["peer"].is_object()
        })
        .expect("a connect to somebody");
    for (pointer, nonsense, why) in [
        ("/@timestamp", json!("yesterday"), "@timestamp: not a time"),
        ("/@timestamp", json!("1969-01-01T00:00:00Z"), "@timestamp: before 1970"),
        ("/event/id", json!("1"), "event.id: UUID parsing failed: invalid length"),
        ("/event/outcome", json!("x"), "event.outcome: none of success, failure and unknown"),
        ("/event/module", json!("x"), "not an event of hostnet: event.module is not hostnet"),
        ("/hostnet/operation", json!("x"), "an event of a kind that this version does not know"),
        ("/hostnet/remote/port", json!(65536), "hostnet.remote.port: invalid value: integer"),
        ("/hostnet/remote/ip", json!("::x"), "hostnet.remote.ip: invalid IP address syntax"),
        ("/hostnet/remote", json!({}), "hostnet.remote.ip: missing"),
        ("/hostnet/socket/cookie", json!(-1), "hostnet.socket.cookie: invalid value: integer"),
        ("/hostnet/owner/kind", json!("x"), "hostnet.owner.kind: unknown variant `x`"),
        ("/hostnet/owner/cgroup/id", json!("x"), "hostnet.owner.cgroup.id: invalid type: string"),
        ("/hostnet/peer/method", json!(1), "hostnet.peer.method: "),
        ("/hostnet/peer/process/pid", json!(null), "hostnet.peer.process.pid: invalid type: null"),
        ("/hostnet/time/boot_ns", json!(1.5), "hostnet.time.boot_ns: invalid type: floating"),
        ("/hostnet/process/file/device", json!("8"), "hostnet.process.file.device: not two"),
        ("/process/start", json!("x"), "process.start: not a time"),
        ("/process/user/id", json!("root"), "process.user.id: not the number of a user"),
        ("/process/args", json!([1]), "process.args[0]: invalid type: integer"),
        ("/network/iana_number", json!("x"), "network.iana_number: not the number of a protocol"),
    ] {
        let mut document = connect.clone();
        *document.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}: {connect:#}")) =
            nonsense;
        let said = parsed(&document).unwrap_err().to_string();
        assert!(said.starts_with(why), "{pointer}: {said}");
    }
}

#[test]
fn what_is_said_of_nonsense_is_short() {
    let mut document = DOCUMENTS[0].clone();
    document["hostnet"]["socket"] = "x".repeat(100_000).into();
    assert!(parsed(&document).unwrap_err().to_string().len() < 300);
    document["hostnet"]["operation"] = "x".repeat(100_000).into();
    document["hostnet"]["socket"] = Value::Null;
    assert!(parsed(&document).unwrap_err().to_string().len() < 300);
}

#[test]
fn unknown_fields_are_passed_over_and_missing_ones_absent() {
    for document in DOCUMENTS.iter() {
        let mut newer = document.clone();
        newer["new"] = json!({ "field": [1, 2] });
        newer["hostnet"]["new"] = json!(true);
        assert!(parsed(&newer).is_ok(), "{document:#}");
        let mut older = document.clone();
        let fields = older.as_object_mut().expect("an object");
        fields
            .retain(|name, _| ["@timestamp", "event", "hostnet", "rule"].contains(&name.as_str()));
        let record = parsed(&older).unwrap_or_else(|why| panic!("{why}: {older:#}"));
        assert!(record.event.actor.is_none() && record.event.process.is_none());
    }
}
