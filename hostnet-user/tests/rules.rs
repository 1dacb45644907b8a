//! `hostnet rules` as it is run: what it prints, and how it ends.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use hostnet::docs::{self, EVERY_KIND};
use serde_json::Value;

const GOOD: &str = "title: A listener\nid: 5a1cd0c0-3b3f-4bd3-9d5c-62a9d13a2b1e\nlevel: high\n\
    logsource:\n    product: hostnet\ndetection:\n    s:\n        hostnet.operation: listen\n    \
    condition: s\n";

fn hostnet(arguments: &[&str]) -> Output {
    let binary = env!("CARGO_BIN_EXE_hostnet");
    Command::new(binary).arg("rules").args(arguments).output().expect("hostnet runs")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8")
}

fn path(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

#[test]
fn check_tells_each_fault_and_counts_the_good() {
    let directory = tempfile::tempdir().expect("a directory");
    let place = directory.path();
    fs::write(place.join("good.yml"), GOOD).expect("written");
    let output = hostnet(&["check", path(place)]);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), "1 rule is good\n"));
    let bad = GOOD.replace("operation:", "opertion|in:").replace("5a1c", "5a1d");
    fs::write(place.join("bad.yml"), bad).expect("written");
    let output = hostnet(&["check", path(place)]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(text(&output.stdout), "1 rule is good\n");
    let told = text(&output.stderr);
    assert!(told.contains("bad.yml:8: unknown modifier `in`: it must be one of"), "{told}");
    assert_eq!(told.lines().count(), 1, "{told}");
    let output = hostnet(&["check", "--format", "json", path(place)]);
    let told: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(told["rules"][0]["title"], "A listener");
    assert_eq!(told["faults"][0]["line"], 8);
    let output = hostnet(&["check", path(&place.join("missing.yml"))]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("missing.yml: cannot be read"), "{output:?}");
}

#[test]
fn list_has_our_own_and_the_users() {
    let directory = tempfile::tempdir().expect("a directory");
    fs::write(directory.path().join("good.yml"), GOOD).expect("written");
    let output = hostnet(&["list", path(directory.path())]);
    let table = text(&output.stdout);
    assert!(table.starts_with("ID  "), "{table}");
    assert!(table.contains("packet-socket  ") && table.contains("A listener"), "{table}");
    let output = hostnet(&["list", "--format", "json", path(directory.path())]);
    let rows: Vec<Value> = text(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(rows.last().expect("rows")["ruleset"], "sigma");
    assert!(rows.iter().any(|row| row["ruleset"] == "hostnet" && row["severity"] == "critical"));
}

#[test]
fn test_says_which_events_of_a_file_match() {
    let directory = tempfile::tempdir().expect("a directory");
    let place = directory.path();
    let (rule, file) = (place.join("good.yml"), place.join("events.ndjson"));
    fs::write(&rule, GOOD).expect("written");
    let events = docs::replay(EVERY_KIND).expect("the recording can be replayed");
    let lines: Vec<String> = events.iter().map(Value::to_string).collect();
    fs::write(&file, lines.join("\n")).expect("written");
    let expected: Vec<usize> = (1..)
        .zip(&events)
        .filter(|(_, event)| event["hostnet"]["operation"] == "listen")
        .map(|(line, _)| line)
        .collect();
    assert!(!expected.is_empty());
    let output = hostnet(&["test", path(&rule), path(&file)]);
    assert_eq!(output.status.code(), Some(0));
    let told = text(&output.stdout);
    let last = format!("{} matches in {} events", expected.len(), events.len());
    assert_eq!(told.lines().last(), Some(last.as_str()), "{told}");
    let output = hostnet(&["test", "--format", "json", path(&rule), path(&file)]);
    let rows: Vec<Value> = text(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let lines: Vec<usize> =
        rows.iter().filter_map(|row| row["line"].as_u64()).map(|line| line as usize).collect();
    assert_eq!(lines, expected);
    assert_eq!(rows.last().expect("rows")["matches"], expected.len());
    fs::write(&file, "{}\nno event\n").expect("written");
    let output = hostnet(&["test", path(&rule), path(&file)]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("events.ndjson:2 is no event"), "{output:?}");
}

#[test]
fn what_is_exported_is_good_and_never_overwritten() {
    let directory = tempfile::tempdir().expect("a directory");
    let place = directory.path().join("pack");
    let output = hostnet(&["export", path(&place)]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(hostnet(&["check", path(&place)]).status.code(), Some(0));
    let output = hostnet(&["export", path(&place)]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("cannot write"), "{output:?}");
}
