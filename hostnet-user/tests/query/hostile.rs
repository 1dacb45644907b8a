//! Names that would drive a terminal, in every form in which a history is answered: a
//! person looks at JSON and CSV on a terminal, too.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use hostnet::{
    event::{Finding, FindingEnds, Operation, Outcome, Rule, Severity},
    query::{Filter, History, events},
    text::is_unsafe,
};
use serde_json::Value;
use std::sync::Arc;
use uuid::Uuid;

use crate::{
    acts::{self, Actor, TCP},
    support::{Book, second},
};

/// A C1 control, text that runs backwards, a line separator, and a letter that nothing
/// draws.
const HOSTILE: &str = "n\u{9b}31mR\u{202e}\u{2028}\u{3164}\\";

/// One container that has this name and image, runs such a program and does of everything.
fn story() -> Book {
    let mut book = Book::new();
    book.start(second(0));
    let by = Actor {
        owner: acts::container(1, HOSTILE, HOSTILE, "host"),
        process: acts::process(2000, HOSTILE, second(1), None),
    };
    let other = Actor {
        owner: acts::container(2, &format!("2{HOSTILE}"), HOSTILE, HOSTILE),
        process: acts::process(2001, HOSTILE, second(1), None),
    };
    book.life(second(1), &by, acts::joined());
    book.life(second(1), &by, acts::exec());
    let local = ([0, 0, 0, 0], 8000).into();
    book.act(second(2), &by, acts::socket(1, TCP, local), acts::bind(local));
    book.act(second(2), &by, acts::socket(1, TCP, local), acts::listen(local));
    let (own, to) = (([127, 0, 0, 1], 40_000).into(), ([127, 0, 0, 1], 5432).into());
    let connect = acts::connect(own, to, Outcome::Success);
    let mut event = acts::event(second(3), Some(&by), Some(acts::socket(2, TCP, own)), connect);
    event.peer = Some(acts::peer(&other, Some(to)));
    book.tell(event);
    let rule = Rule {
        id: "hostile".into(),
        name: "Hostile".into(),
        description: "A name that nobody would choose.".into(),
        ruleset: "hostnet",
        techniques: Vec::new(),
    };
    let finding = Finding {
        rule: Arc::new(rule),
        severity: Severity::High,
        subject: HOSTILE.to_owned(),
        sentence: HOSTILE.to_owned(),
        evidence: Uuid::now_v7(),
        ends: FindingEnds::default(),
    };
    book.tell(acts::event(second(4), Some(&by), None, Operation::Finding(finding)));
    book.stop(second(5000));
    book
}

/// Runs hostnet; what it printed has no character that a terminal would act on, beside the
/// ends of lines.
fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hostnet"));
    let output = command.args(arguments).output().expect("hostnet runs");
    for printed in [&output.stdout, &output.stderr] {
        let text = str::from_utf8(printed).expect("UTF-8");
        let found = text.chars().find(|c| !"\r\n\t".contains(*c) && is_unsafe(*c));
        assert_eq!(found, None, "{arguments:?}: {}", text.escape_debug());
    }
    output
}

/// The events as lines of JSON that nobody escaped.
fn unescaped(history: &History, to: &Path) {
    let mut lines = String::new();
    let write = |row: hostnet::query::EventRow| {
        let document: Value = serde_json::from_str(&row.document)?;
        lines.push_str(&serde_json::to_string(&document)?);
        lines.push('\n');
        Ok(())
    };
    events(history, &Filter::default(), write).expect("answered");
    assert!(lines.contains(HOSTILE.trim_end_matches('\\')));
    fs::write(to, lines).expect("a file");
}

#[test]
fn no_form_of_an_answer_drives_a_terminal() {
    let mut book = story();
    let lines = book.path().with_extension("ndjson");
    unescaped(&book.read(), &lines);
    let (history, lines) = (book.path(), lines.display().to_string());
    let history = history.display().to_string();
    let moment = "2026-09-21T16:00:00Z";
    let id = acts::id(1);
    let questions: [&[&str]; 13] = [
        &["events"],
        &["listeners"],
        &["peers"],
        &["flows"],
        &["containers"],
        &["processes"],
        &["findings"],
        &["tree"],
        &["who-had-port", "8000"],
        &["around", moment, "--within", "100000h"],
        &["first-seen", "8000"],
        &["containers", "--container", "nobody\u{9b}\u{202e}"],
        &["sql", "SELECT * FROM events"],
    ];
    for source in [["--history", &*history], ["--file", &*lines]] {
        for question in questions {
            for form in ["table", "json", "csv", "timesketch"] {
                let arguments = [&["query"][..], &source, question, &["--format", form]].concat();
                let output = run(&arguments);
                let is_an_answer = output.status.success() && !output.stdout.is_empty();
                let is_refused = form == "timesketch" && question[0] == "sql"
                    || question.contains(&"--container");
                assert_eq!(is_an_answer, !is_refused, "{arguments:?}");
                if form == "json" && is_an_answer {
                    output
                        .stdout
                        .split(|byte| *byte == b'\n')
                        .filter(|line| !line.is_empty())
                        .for_each(|line| {
                            drop(serde_json::from_slice::<Value>(line).expect("JSON"))
                        });
                }
            }
        }
        for form in ["table", "json"] {
            run(&[&["advise"][..], &source, &["--format", form]].concat());
            run(&[&["advise", &id][..], &source, &["--format", form]].concat());
        }
    }
    for form in ["ocsf", "cef"] {
        assert!(run(&["stream", "convert", "--format", form, &lines]).status.success());
    }
    run(&["stream", "check", &lines]);
    run(&["stream", "check", "--json", &lines]);
    run(&["verify", &history]);
}

#[test]
fn json_and_csv_keep_the_name() {
    let mut book = story();
    drop(book.read());
    let history = book.path().display().to_string();
    let ask = |form: &str| {
        let output = run(&["query", "containers", "--history", &history, "--format", form]);
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let json: Value =
        serde_json::from_str(ask("json").lines().next().expect("a row")).expect("JSON");
    assert_eq!(json["container"], HOSTILE);
    let csv = ask("csv");
    assert!(csv.contains(r"n\u{9b}31mR\u{202e}\u{2028}\u{3164}\\,"), "{csv}");
}
