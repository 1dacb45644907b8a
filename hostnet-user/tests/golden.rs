//! A recorded run of a real kernel through all stages, without one.

use std::collections::BTreeSet;

use hostnet::{
    docs::{self, EVERY_KIND},
    event::Action,
};
use serde_json::Value;

fn events() -> Vec<Value> {
    docs::replay(EVERY_KIND).expect("the recording can be replayed")
}

/// The texts of an event that the snapshot shows.
const COLUMNS: [&str; 4] =
    ["/event/action", "/event/outcome", "/hostnet/attribution/confidence", "/message"];

fn text<'a>(event: &'a Value, path: &str) -> &'a str {
    event.pointer(path).and_then(Value::as_str).unwrap_or("-")
}

/// One line per event: what a reader of the stream would sum it up as.
#[test]
fn the_recorded_run() {
    let lines: Vec<String> = events()
        .iter()
        .map(|event| {
            let [action, outcome, confidence, message] = COLUMNS.map(|path| text(event, path));
            let sequence = &event["event"]["sequence"];
            format!("{sequence} {action} {outcome} {confidence} | {message}")
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

/// An action that is not in the recording is listed here, and has no real sample in
/// docs/events.md: the page says so.
#[test]
fn actions_in_the_recording_are_all_but_those_listed_here() {
    let events = events();
    let seen: BTreeSet<&str> =
        events.iter().filter_map(|e| e["event"]["action"].as_str()).collect();
    let unseen: Vec<Action> =
        Action::ALL.iter().copied().filter(|action| !seen.contains(action.name())).collect();
    let listed = [
        // Beyond IP, with set `families` or from a kernel that has it.
        Action::OpenedNetlinkSocket,
        Action::OpenedVsockSocket,
        Action::OpenedXdpSocket,
        Action::OpenedAlgSocket,
        Action::OpenedSctpSocket,
        Action::OpenedOtherSocket,
        Action::AttachedSocketFilter,
        Action::RequestedNetlinkChange,
        Action::JoinedMulticastGroup,
        Action::JoinedNetlinkGroups,
        Action::UsedUnixSocket,
        Action::ContainerInHostNetwork,
        // Of the live agent, which a recording of the stages does not have.
        Action::RecordsSuppressed,
        Action::RecordsUndecodable,
        Action::CoverageChanged,
        Action::MapsWiped,
        Action::MapsUnmarked,
        Action::AgentStalled,
        Action::ProgramsAdopted,
        Action::ProgramsReplaced,
        Action::RulesRefused,
        Action::RulesMended,
        Action::AgentHeartbeat,
        Action::AgentCrashed,
        Action::ClockStepped,
        Action::HistoryFailed,
        Action::HistoryRecovered,
        Action::HistoryPurged,
        Action::ChainCheckpoint,
        Action::SinkFailing,
        Action::SinkRecovered,
        Action::SinkDropped,
    ];
    assert_eq!(unseen, listed);
}

/// Each action is in docs/events.md: with a sample of the recording, or in the list of
/// those that have none.
#[test]
fn every_action_is_on_the_page_of_events() {
    let page = docs::events().expect("the page");
    let (with_sample, without) = page.split_once("\n## Kinds without a recorded sample\n").unwrap();
    let seen: BTreeSet<String> = events()
        .iter()
        .filter_map(|event| event["event"]["action"].as_str().map(str::to_owned))
        .collect();
    for action in Action::ALL {
        let name = action.name();
        let heading = [format!("\n### {name} "), format!("\n### {name}\n")];
        let has_sample = heading.iter().any(|heading| with_sample.contains(heading));
        assert_eq!(has_sample, seen.contains(name), "{name}");
        let is_listed = without.contains(&format!("| `{name}` |"));
        assert_eq!(is_listed, !has_sample, "{name}");
    }
}

/// A column of the snapshot that says the same of all events says nothing.
#[test]
fn every_column_of_the_recorded_run_tells_events_apart() {
    for path in COLUMNS {
        let values: BTreeSet<String> =
            events().iter().map(|event| text(event, path).to_owned()).collect();
        assert!(values.len() > 1, "{path} is {values:?} in every event");
    }
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
