//! A recorded run of a real kernel through all stages, without one.

use std::{collections::BTreeSet, io::Read as _};

use hostnet::{
    docs::{self, EVERY_KIND, SAMPLES},
    event::Action,
    format::ecs::{Encoder, parse::Parser},
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

/// docs/events.md shows an event of each.
#[test]
fn every_action_has_a_sample_and_none_has_two() {
    let actions = |events: &[Value]| -> BTreeSet<Action> {
        let names = events.iter().map(|event| text(event, "/event/action"));
        names.map(|name| Action::from_name(name).unwrap_or_else(|| panic!("{name}?"))).collect()
    };
    let (recorded, samples) = (actions(&events()), actions(&samples()));
    let without: Vec<&Action> = Action::ALL
        .iter()
        .filter(|action| !recorded.contains(action) && !samples.contains(action))
        .collect();
    assert!(
        without.is_empty(),
        "{without:?}: run the live tests in which they happen, then cargo xtask record --samples"
    );
    assert_eq!(recorded.intersection(&samples).next(), None, "cargo xtask record --samples");
    assert_eq!(lines(SAMPLES).count(), samples.len(), "one event of each action");
}

/// The sample of an action that the recording has not.
fn samples() -> Vec<Value> {
    lines(SAMPLES).map(|line| serde_json::from_slice(line).expect("JSON")).collect()
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}

#[test]
fn every_sample_is_written_back_as_it_is_read() {
    for line in lines(SAMPLES) {
        let mut parser = Parser::default();
        let record = parser.record(line).expect("an event");
        let mut again = Vec::new();
        Encoder::new(parser.identity().expect("its run"))
            .encode(&record, &mut again)
            .expect("JSON");
        let [again, line] =
            [again.trim_ascii_end(), line].map(|text| text.escape_ascii().to_string());
        assert_eq!(again, line, "cargo xtask record --samples writes it as it is written today");
    }
}

#[test]
fn samples_are_of_nobodys_host() {
    for sample in samples() {
        let host = ["/host/name", "/host/hostname", "/host/id", "/host/boot/id"];
        let host = host.map(|place| text(&sample, place));
        let nobodys = "00000000-0000-0000-0000-000000000000";
        assert_eq!(host, ["node1", "node1", &nobodys.replace('-', ""), nobodys], "{sample:#}");
        let line = sample.to_string();
        let chosen_by_a_test = ["/tmp/.tmp", "hnt-"].into_iter().find(|name| line.contains(name));
        assert_eq!(chosen_by_a_test, None, "{sample:#}");
    }
}

/// What the recorded run gave before names were changed is, with the names of today, what it
/// gives: to the byte, so that a change of names changes nothing else.
#[test]
fn the_recorded_run_differs_from_what_it_was_in_names_alone() {
    let mut before = String::new();
    let packed: &[u8] = include_bytes!("data/every-kind.ndjson.gz");
    flate2::read::GzDecoder::new(packed).read_to_string(&mut before).expect("text in gzip");
    for row in include_str!("data/renames.tsv").lines().filter(|row| !row.starts_with('#')) {
        let (was, is) = row.split_once('\t').expect("two columns");
        assert!(before.contains(was), "no event has {was:?}, which renames.tsv renames");
        before = before.replace(was, is);
    }
    let now = String::from_utf8(docs::replayed(EVERY_KIND).expect("a recording")).expect("text");
    for (before, now) in before.lines().zip(now.lines()) {
        assert_eq!(now, before);
    }
    assert_eq!(now.lines().count(), before.lines().count());
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
    for event in docs::samples().expect("the recorded run and other samples") {
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
