//! `hostnet advise` of the recorded run: by a file of lines, and what it says of wrong
//! questions.

use std::{
    io::Write as _,
    path::PathBuf,
    process::{Command, Output},
    sync::LazyLock,
};

use serde_json::Value;

const RECORDING: &str = "tests/data/every-kind.hostnet";

/// The recorded run as a file of the lines that it was told in.
static LINES: LazyLock<tempfile::NamedTempFile> = LazyLock::new(|| {
    let told = hostnet(&["replay", "--json", RECORDING]);
    assert!(told.status.success(), "{}", text(&told.stderr));
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(&told.stdout).expect("room");
    file
});

fn hostnet(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hostnet"));
    command.args(arguments).output().expect("hostnet runs")
}

fn advise(arguments: &[&str]) -> Output {
    let file = LINES.path().to_str().expect("UTF-8");
    hostnet(&[&["advise", "--file", file], arguments].concat())
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("text")
}

fn json(arguments: &[&str]) -> Vec<Value> {
    let output = advise(&[arguments, &["--format", "json"]].concat());
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}{}", text(&output.stdout), text(&output.stderr)))
}

#[test]
fn every_container_of_a_run_has_its_answer() {
    let all = json(&[]);
    assert!(!all.is_empty());
    for one in &all {
        let label = one["label"].as_str().expect("a label");
        let answer = one["verdict"]["answer"].as_str().expect("an answer");
        let reasons = one["verdict"]["because"].as_array().expect("reasons");
        assert_eq!(reasons.is_empty(), answer == "not-needed", "{one:#}");
        // The same by its id, and in words.
        let id = one["ids"][0].as_str().expect("an id");
        assert_eq!(json(&[id])[0]["verdict"], one["verdict"]);
        let shown = advise(&[id]);
        assert!(text(&shown.stdout).starts_with(label), "{}", text(&shown.stdout));
        assert!(text(&shown.stdout).contains("How it was observed"));
    }
    // The run has one of every kind.
    let evidence = all.iter().flat_map(|one| one["evidence"].as_array().expect("evidence"));
    let groups: Vec<&Value> = evidence.map(|one| &one["group"]).collect();
    for group in ["host-loopback", "packet-socket", "raw-socket", "itself"] {
        assert!(groups.iter().any(|has| *has == group), "{group}: {groups:?}");
    }
}

#[test]
fn a_line_that_is_no_event_is_told() {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    let lines = std::fs::read(LINES.path()).expect("a file");
    file.write_all(&[&lines[..], b"{\"@timestamp\": 1}\n"].concat()).expect("room");
    let output = hostnet(&["advise", "--file", file.path().to_str().expect("UTF-8")]);
    assert_eq!(output.status.code(), Some(4));
    let said = text(&output.stderr);
    assert!(said.contains("1 events could not be read") && said.contains("line "), "{said}");
}

#[test]
fn wrong_questions_are_explained() {
    let none = PathBuf::from("/nonexistent/history.db");
    let none = none.to_str().expect("UTF-8");
    for (arguments, expected) in [
        (vec!["advise", "--history", none], "there is no history /nonexistent/history.db"),
        (vec!["advise", "--file", none], "cannot open /nonexistent/history.db"),
        (vec!["advise", "--since", "soon"], "--since: \"soon\" is not a time"),
        (vec!["advise", "--since", "1h", "--until", "2h"], "--until is not after --since"),
    ] {
        let output = hostnet(&arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let said = text(&output.stderr);
        assert!(said.contains(expected), "{arguments:?}: {said}");
    }
    let name = json(&[])[0]["label"].as_str().expect("a label").to_owned();
    let output = advise(&[&format!("{name}x")]);
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert!(said.contains("was seen in the host's network namespace"), "{said}");
    // The one that was meant comes first.
    let but = said.split_once(", but ").expect("names").1;
    assert!(but.starts_with(&name), "{said}");
    // In a time in which nothing was, nothing is advised.
    assert!(json(&["--since", "2200-01-01T00:00:00Z"]).is_empty());
    let output = advise(&["--since", "2200-01-01T00:00:00Z", &name]);
    assert!(text(&output.stderr).contains("no container was seen"), "{}", text(&output.stderr));
}

/// The recorded run with these events after it.
fn with(events: &[Value]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    let mut lines = std::fs::read(LINES.path()).expect("a file");
    for event in events {
        lines.extend(event.to_string().bytes().chain([b'\n']));
    }
    file.write_all(&lines).expect("room");
    file
}

/// The first event of the recorded run that is one.
fn recorded(is_one: impl Fn(&Value) -> bool) -> Value {
    let lines = std::fs::read_to_string(LINES.path()).expect("a file");
    let mut events = lines.lines().map(|line| serde_json::from_str(line).expect("JSON"));
    events.find(is_one).expect("the run has one of every kind")
}

#[test]
fn a_connection_whose_peer_is_not_known_does_not_decide_where_another_is_known() {
    let known = recorded(|event| {
        event["hostnet"]["surface"]["target"] == "host-loopback"
            && event["event"]["action"] == "connection_attempted"
            && event["event"]["kind"] == "event"
            && event["hostnet"]["peer"].is_object()
    });
    let mut unknown = known.clone();
    unknown["event"]["id"] = "01a213b0-7aff-7463-8fe1-000000000001".into();
    unknown["hostnet"]["socket"]["cookie"] = 1.into();
    unknown["hostnet"].as_object_mut().expect("an object").remove("peer");
    let (ip, port) = (&known["hostnet"]["remote"]["ip"], &known["hostnet"]["remote"]["port"]);
    let place = format!("{}:{port}", ip.as_str().expect("an address"));
    let name = known["container"]["name"].as_str().expect("a name");
    let of = |file: &std::path::Path| -> Value {
        let file = file.to_str().expect("UTF-8");
        let output = hostnet(&["advise", "--file", file, name, "--format", "json"]);
        serde_json::from_slice::<Vec<Value>>(&output.stdout).expect("JSON").remove(0)
    };
    let things = |advice: &Value| {
        let all = advice["evidence"].as_array().expect("evidence").iter();
        let of_place = |one: &&Value| one["subject"].as_str().is_some_and(|it| it.contains(&place));
        all.filter(of_place).map(|one| one["bridge"].clone()).collect::<Vec<Value>>()
    };
    let (before, after) = (of(LINES.path()), of(with(&[unknown]).path()));
    assert_eq!(things(&before).len(), 1, "{before:#}");
    assert_eq!(things(&after), things(&before), "{after:#}");
    assert_eq!(after["verdict"]["answer"], before["verdict"]["answer"]);
}

#[test]
fn three_thousand_ports_are_a_page_with_the_condition_first() {
    let bound = recorded(|event| {
        event["event"]["action"] == "bound-socket" && event["network"]["transport"] == "udp"
    });
    let one = |index: u32| {
        let mut event = bound.clone();
        event["event"]["id"] = format!("01a213b0-86f6-7463-8fe1-{index:012}").into();
        event["hostnet"]["socket"]["cookie"] = index.into();
        for end in ["/hostnet/local", "/source", "/server"] {
            let end = event.pointer_mut(end).expect("a local end");
            end["ip"] = "0.0.0.0".into();
            end["port"] = (20_000 + 2 * index).into();
        }
        event["hostnet"]["bind"]["scope"] = "any".into();
        event["hostnet"]["bind"]["requested_port"] = (20_000 + 2 * index).into();
        event
    };
    let file = with(&(1..=3000).map(one).collect::<Vec<Value>>());
    let file = file.path().to_str().expect("UTF-8");
    let name = bound["container"]["name"].as_str().expect("a name");
    let shown = hostnet(&["advise", "--file", file, name]);
    let shown = text(&shown.stdout);
    let lines: Vec<&str> = shown.lines().collect();
    assert!(lines.len() < 250, "{}", lines.len());
    let line = |words: &str| lines.iter().position(|line| line.contains(words)).expect(words);
    assert!(line(" ports are published") < line("in your docker run command"), "{shown}");
    assert!(line("in your docker run command") < line("- \"20002:20002/udp\""), "{shown}");
    assert!(shown.contains("more options (--format json has all)"), "{shown}");
}
