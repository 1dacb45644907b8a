//! `hostnet replay` of lines and of a history, and the same events for whoever asks
//! what was.

mod piped;

use std::{fs, io::Cursor, path::Path, process::Output, sync::LazyLock, time::Duration};

use hostnet::{
    format::ecs::parse::Parser,
    output::Output as _,
    past::{Past, Place, Span, Unread},
    record::{self, Limits, Reader, Settings},
};
use serde_json::Value;

const RECORDING: &str = "tests/data/every-kind.hostnet";

/// The recorded run as the lines that it was told in.
static LINES: LazyLock<Vec<u8>> = LazyLock::new(|| hostnet(&["--json", RECORDING], b"").stdout);

fn hostnet(arguments: &[&str], input: &[u8]) -> Output {
    piped::hostnet("replay", arguments, input)
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("text")
}

#[test]
fn lines_are_shown_as_the_run_was() {
    assert!(documents(&LINES).len() > 100);
    for arguments in [vec![], vec!["--json"], vec!["--format", "ocsf"], vec!["--format", "cef"]] {
        let of_run = hostnet(&[&arguments[..], &[RECORDING]].concat(), b"");
        let of_lines = hostnet(&[&arguments[..], &["-"]].concat(), &LINES);
        assert_eq!(of_lines.status.code(), Some(0), "{}", text(&of_lines.stderr));
        assert_eq!(text(&of_lines.stdout), text(&of_run.stdout), "{arguments:?}");
    }
}

fn documents(lines: &[u8]) -> Vec<Value> {
    let lines = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).expect("JSON")).collect()
}

/// Id, owner and sentence of each finding.
fn findings(documents: &[Value]) -> Vec<[&Value; 3]> {
    let findings = documents.iter().filter(|document| document["event"]["action"] == "finding");
    findings
        .map(|document| {
            [&document["event"]["id"], &document["container"]["id"], &document["message"]]
        })
        .collect()
}

#[test]
fn what_was_not_judged_is_judged_the_same_today() {
    let told = documents(&LINES);
    let expected = findings(&told);
    assert!(expected.len() > 3, "{expected:?}");
    let unjudged: Vec<String> = told
        .iter()
        .filter(|document| document["event"]["action"] != "finding")
        .cloned()
        .map(|mut document| {
            document["hostnet"].as_object_mut().expect("ours").remove("surface");
            document.to_string()
        })
        .collect();
    let output = hostnet(&["--json", "--judge", "-"], unjudged.join("\n").as_bytes());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let judged = documents(&output.stdout);
    assert_eq!(findings(&judged), expected);
    assert_eq!(judged.len(), told.len());
    let first = judged.iter().find(|document| document["event"]["action"] == "finding");
    let [of_run, of_host] = ["/agent/ephemeral_id", "/host/name"]
        .map(|path| (first.and_then(|first| first.pointer(path)), told[0].pointer(path)));
    assert_eq!((of_run.0, of_host.0), (of_run.1, of_host.1));
    // What was found then is told once, and is no evidence of anything itself.
    let output = hostnet(&["--json", "--judge", "-"], &LINES);
    let judged = documents(&output.stdout);
    assert_eq!(findings(&judged), expected);
    assert_eq!(judged.len(), told.len());
    // The recording itself, by the law of today.
    let output = hostnet(&["--json", "--judge", RECORDING], b"");
    assert_eq!(findings(&documents(&output.stdout)), expected);
}

#[test]
fn it_is_judged_by_the_configuration_that_is_named() {
    let directory = tempfile::tempdir().expect("a directory");
    let config = directory.path().join("config.toml");
    let config_name = config.to_str().expect("text");
    let judged = |law: &str| {
        fs::write(&config, law).expect("a file");
        hostnet(&["--json", "--judge", "--config", config_name, "-"], &LINES)
    };
    let told = documents(&LINES);
    let without = judged("[judge]\nenabled = false\n");
    // What was found then stays found.
    assert_eq!(findings(&documents(&without.stdout)), findings(&told));
    let bad = judged("[judge]\nwithout = [\"x\"]\n");
    assert_eq!(bad.status.code(), Some(2));
    assert!(text(&bad.stderr).contains("judge.without names \"x\""), "{}", text(&bad.stderr));
}

#[test]
fn only_a_container_is_shown_when_one_is_named() {
    let only = |arguments: &[&str], input: &[u8]| {
        let output = hostnet(&[&["--json", "--container", "api"], arguments].concat(), input);
        output.stdout.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect::<Vec<_>>()
    };
    let of_lines = only(&["-"], &LINES);
    assert!(of_lines.len() > 5 && of_lines.len() < 100, "{}", of_lines.len());
    // The places in the run are counted after the filter there.
    assert_eq!(of_lines.len(), only(&[RECORDING], b"").len());
}

#[test]
fn a_container_that_is_not_there_or_not_one_is_said() {
    let said = |container: &str, input: &[u8], from: &str| {
        let output = hostnet(&["--json", "--container", container, from], input);
        assert_eq!(output.status.code(), Some(2), "{container} in {from}");
        assert!(output.stdout.is_empty());
        text(&output.stderr).to_owned()
    };
    for from in ["-", RECORDING] {
        let said = said("nobody", &LINES, from);
        assert!(said.contains("no container has the name \"nobody\""), "{said}");
    }
    // Two containers whose ids begin alike.
    let containers: std::collections::BTreeMap<String, String> = documents(&LINES)
        .iter()
        .filter_map(|document| {
            let of = |at| Some(document.pointer(at)?.as_str()?.to_owned());
            Some((of("/container/id")?, of("/container/name")?))
        })
        .collect();
    let mut alike = text(&LINES).to_owned();
    let two: Vec<_> = containers.iter().take(2).collect();
    for (id, _) in &two {
        alike = alike.replace(&id[..12], &format!("eee{}", &id[..9]));
    }
    let said = said("eee", alike.as_bytes(), "-");
    assert!(two.len() == 2 && two.iter().all(|(_, name)| said.contains(*name)), "{said}");
}

#[test]
fn bad_lines_are_named_and_the_others_go_on() {
    let mut lines: Vec<&[u8]> = LINES.split(|byte| *byte == b'\n').take(3).collect();
    let other = br#"{"@timestamp":"2026-11-23T18:05:00Z","event":{"id":"1","action":"x"}}"#;
    lines.insert(1, b"no \x1b[31mevent");
    lines.insert(3, other);
    let output = hostnet(&["--json", "-"], &lines.join(&b"\n"[..]));
    assert_eq!(output.status.code(), Some(4));
    let said: Vec<&str> = text(&output.stderr).lines().collect();
    assert_eq!(said.len(), 2, "{said:?}");
    assert_eq!(said[0], "-: line 2: not an event of hostnet: not one JSON object");
    assert!(said[1].starts_with("-: line 4: event.id: UUID parsing failed"), "{}", said[1]);
    assert_eq!(output.stdout.iter().filter(|byte| **byte == b'\n').count(), 3);
    let many = b"x\n".repeat(105);
    let output = hostnet(&["-"], &many);
    let said: Vec<&str> = text(&output.stderr).lines().collect();
    assert_eq!((said.len(), said.last()), (4, Some(&"… and 102 more")));
}

#[test]
fn what_cannot_be_opened_is_named() {
    let output = hostnet(&["/no/such/file"], b"");
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).starts_with("hostnet: cannot open /no/such/file: "));
    let output = hostnet(&["-"], b"hostnet9");
    assert_eq!(output.status.code(), Some(2));
    let said = "hostnet: cannot replay -: not a recording of this version of hostnet\n";
    assert_eq!(text(&output.stderr), said);
    let directory = tempfile::tempdir().expect("a directory");
    let not_ours = directory.path().join("history.db");
    fs::write(&not_ours, b"SQLite format 3\0 and nothing else").expect("a file");
    let output = hostnet(&[not_ours.to_str().expect("text")], b"");
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    let output = hostnet(&["-"], b"");
    assert_eq!((output.status.code(), output.stdout.len()), (Some(0), 0));
}

/// A history with the recorded run in it.
fn history(path: &Path) {
    let mut parser = Parser::default();
    let settings = Settings {
        path: path.to_owned(),
        limits: Limits { age: Duration::from_secs(1 << 40), bytes: 1 << 40 },
        checkpoint_every: Duration::from_secs(3600),
    };
    let mut journal = None;
    for line in LINES.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let record = parser.record(line).expect("an event");
        let identity = parser.identity().expect("it was read");
        let journal = journal.get_or_insert_with(|| {
            record::begin(Some(settings.clone()), Vec::new(), identity).expect("a history")
        });
        journal.write(&record).expect("taken");
    }
    journal.expect("an event").close().expect("kept");
}

#[test]
fn a_history_is_replayed_and_a_span_of_it_read() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("kept").join("history.db");
    history(&path);
    let output = hostnet(&["--json", path.to_str().expect("text")], b"");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let (kept, told) = (documents(&output.stdout), documents(&LINES));
    assert_eq!(kept.len(), told.len());
    for (kept, told) in kept.iter().zip(&told) {
        assert_eq!(kept["message"], told["message"]);
        assert_eq!(kept["event"], told["event"]);
    }
    let times: Vec<u64> = past_of(&path, Span::ALL).map(|(_, time)| time).collect();
    let middle = times[times.len() / 2];
    for span in [
        Span { from_ns: middle, ..Span::ALL },
        Span { until_ns: middle, ..Span::ALL },
        Span { from_ns: middle, until_ns: middle },
        Span { from_ns: middle, until_ns: middle + 1 },
    ] {
        let expected = times.iter().filter(|time| span.has(**time)).count();
        let rows: Vec<(Place, u64)> = past_of(&path, span).collect();
        assert_eq!(rows.len(), expected, "{span:?}");
        assert!(rows.iter().all(|(place, time)| {
            matches!(place, Place::Row(row) if times[*row as usize - 1] == *time)
        }));
        let lines = Past::of_lines(Box::new(Cursor::new(LINES.clone())), span);
        assert_eq!(lines.filter(Result::is_ok).count(), expected, "{span:?}");
    }
}

fn past_of(path: &Path, span: Span) -> impl Iterator<Item = (Place, u64)> + use<> {
    let past = Past::of_history(Reader::open(path).expect("a history"), span);
    past.map(|told| told.map(|told| (told.place, told.record.event.wall_ns)).expect("an event"))
}

#[test]
fn a_source_that_breaks_is_the_end_and_says_so() {
    struct Broken;
    impl std::io::Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("broken"))
        }
    }
    let first = LINES.split_inclusive(|byte| *byte == b'\n').next().expect("a line").to_vec();
    let from = std::io::Read::chain(Cursor::new(first), std::io::BufReader::new(Broken));
    let mut past = Past::of_lines(Box::new(from), Span::ALL);
    assert!(past.next().expect("one").is_ok());
    let end = past.next().expect("an error").unwrap_err();
    assert!(
        matches!(end, Unread::Rest(_)) && end.to_string() == "cannot read the next line: broken",
        "{end}"
    );
    assert!(past.next().is_none() && past.identity().is_some());
    let long = Cursor::new([b"{".repeat(3 << 20), b"\nx".to_vec()].concat());
    let why: Vec<String> = Past::of_lines(Box::new(long), Span::ALL)
        .map(|told| told.unwrap_err().to_string())
        .collect();
    assert_eq!(why[0], "line 1: not an event of hostnet: longer than 1048576 bytes");
    assert!(why[1].starts_with("line 2: "), "{why:?}");
}
