//! `hostnet stream` as it is run: files, standard input, exit codes.

mod piped;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Output,
};

use hostnet::docs::{self, EVERY_KIND};
use serde_json::Value;

/// The recorded run, one line per event.
fn lines() -> Vec<String> {
    let events = docs::replay(EVERY_KIND).expect("the recording can be replayed");
    events.iter().map(Value::to_string).collect()
}

/// The same without what it says was lost.
fn whole() -> Vec<String> {
    let mut events = docs::replay(EVERY_KIND).expect("the recording can be replayed");
    for event in &mut events {
        event["hostnet"].as_object_mut().map(|hostnet| hostnet.remove("loss"));
    }
    events.iter().map(Value::to_string).collect()
}

fn hostnet(arguments: &[&str], input: &[u8]) -> Output {
    piped::hostnet("stream", arguments, input)
}

fn check(input: &str) -> (Option<i32>, Value) {
    let output = hostnet(&["check", "--json", "-"], input.as_bytes());
    (output.status.code(), serde_json::from_slice(&output.stdout).expect("JSON"))
}

/// What a sink with `datasets` gets is not held against it, if that is said.
#[test]
fn a_stream_with_a_filter_has_holes() {
    let network =
        whole().into_iter().filter(|line| line.contains("\"dataset\":\"hostnet.network\""));
    let network: String = network.map(|line| line + "\n").collect();
    let (code, answer) = check(&network);
    assert_eq!((code, &answer["verdict"]), (Some(4), &"incomplete".into()));
    let output = hostnet(&["check", "--filtered", "-"], network.as_bytes());
    let text = String::from_utf8(output.stdout).expect("text");
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(
        text.contains("missing or left out by the filter") && text.contains("\nfiltered: "),
        "{text}"
    );
}

/// Files that go when this does.
struct Files(PathBuf);

impl Files {
    fn new(name: &str) -> Self {
        let directory = std::env::temp_dir().join(format!("hostnet-{name}-{}", std::process::id()));
        fs::create_dir_all(&directory).expect("a directory");
        Self(directory)
    }

    fn write(&self, name: &str, text: &[u8]) -> String {
        let path = self.0.join(name);
        fs::write(&path, text).expect("a file");
        path.to_str().expect("text").to_owned()
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

#[test]
fn a_whole_run_is_complete_and_ends_with_0() {
    let (code, found) = check(&whole().join("\n"));
    assert_eq!((code, &found["verdict"]), (Some(0), &"complete".into()), "{found:#}");
    assert_eq!(found["runs"][0]["stopped"], "terminated");
    let text = hostnet(&["check", "-"], whole().join("\n").as_bytes());
    let text = String::from_utf8(text.stdout).expect("text");
    assert!(text.contains("stopped: terminated"), "{text}");
}

#[test]
fn what_was_lost_and_told_is_accounted_and_ends_with_4() {
    let (code, found) = check(&lines().join("\n"));
    assert_eq!((code, &found["verdict"]), (Some(4), &"accounted".into()), "{found:#}");
    let run = &found["runs"][0];
    let by = run["untold_by"].as_array().expect("by");
    let sum: u64 = by.iter().filter_map(|by| by["count"].as_u64()).sum();
    assert_eq!(run["untold"].as_u64(), Some(sum));
    assert!(sum > 0 && by[0]["place"] == "kernel-ring" && by[0]["owner"] == "api", "{run:#}");
}

#[test]
fn rotated_files_are_one_stream_whatever_their_order() {
    let files = Files::new("rotated");
    let all = whole();
    let (old, new) = all.split_at(40);
    // A line that was sent again after a rotation.
    let new = files.write("events", [new, &old[39..]].concat().join("\n").as_bytes());
    let old = files.write("events.1", old.join("\n").as_bytes());
    for paths in [[&old, &new], [&new, &old]] {
        let output = hostnet(&["check", "--json", paths[0], paths[1]], b"");
        let found: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(output.status.code(), Some(0), "{found:#}");
        assert_eq!(found["runs"][0]["duplicates"], 1);
    }
    let output = hostnet(&["check", "--json", &new], b"");
    let found: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(output.status.code(), Some(4));
    assert_eq!(found["runs"][0]["holes"], serde_json::json!([{ "first": 1, "last": 39 }]));
}

#[test]
fn lines_that_are_no_event_are_named_and_passed_over() {
    let mut all = whole();
    all.insert(1, "no event".to_owned());
    all.insert(3, "x".repeat(3 << 20));
    all.insert(5, "{\"event\":{\"sequence\":1}}".to_owned());
    let torn = all.len();
    let last = all[torn - 1].clone();
    all.push(last[..last.len() / 2].to_owned());
    let (code, found) = check(&all.join("\n"));
    assert_eq!(code, Some(4));
    assert_eq!((&found["verdict"], &found["bad_lines"]), (&"complete".into(), &4.into()));
    let bad: Vec<u64> = found["bad"]
        .as_array()
        .expect("lines")
        .iter()
        .map(|bad| bad["line"].as_u64().expect("a number"))
        .collect();
    assert_eq!(bad, [2, 4, 6, torn as u64 + 1]);
    assert_eq!(found["bad"][1]["reason"], "longer than 1048576 bytes");
    assert_eq!(found["bad"][2]["reason"], "without event.action");
}

/// Names of files and what is in lines come from anybody.
#[test]
fn nothing_drives_the_terminal() {
    let files = Files::new("hostile");
    let path = files.write("a\u{1b}[31m\nb", b"\x1b]0;x\x07\n{\"a\":\"\x9b\"}\n");
    for arguments in [["check", &path].as_slice(), &["convert", "--format", "cef", &path]] {
        let output = hostnet(arguments, b"");
        assert_eq!(output.status.code(), Some(4));
        for shown in [output.stdout, output.stderr] {
            let shown = String::from_utf8(shown).expect("text");
            let is_safe = |c: char| c == '\n' || !hostnet::text::is_unsafe(c);
            assert!(shown.chars().all(is_safe), "{shown:?}");
        }
    }
}

#[test]
fn a_file_that_is_not_there_is_a_wrong_argument() {
    assert!(!Path::new("/no/such/file").exists());
    for command in [["check"].as_slice(), &["convert", "--format", "ocsf"]] {
        let output = hostnet(&[command, &["/no/such/file"]].concat(), b"");
        assert_eq!(output.status.code(), Some(2), "{output:?}");
    }
    let (code, found) = check("");
    assert_eq!((code, &found["verdict"]), (Some(4), &Value::Null), "nothing proves nothing");
}

#[test]
fn what_is_converted_can_be_checked() {
    let input = lines().join("\n");
    let converted = hostnet(&["convert", "--format", "ocsf", "-"], input.as_bytes());
    assert!(converted.status.success(), "{converted:?}");
    let ocsf = String::from_utf8(converted.stdout).expect("text");
    assert_eq!(check(&ocsf), check(&input));
}
