//! Advice about a history reads the rows that it is about, and says the same as of all of
//! them.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use hostnet::{
    event::Outcome,
    record::{Choice, Reader},
};
use serde_json::Value;

use crate::{
    acts::{self, Actor, TCP},
    support::{Book, actor, second},
};

/// What one container and the host do within some seconds.
fn busy(book: &mut Book, by: &Actor, from: u64, seconds: u64, cookie: u64) {
    let process = acts::process(7, "backup", second(0), None);
    let host = Actor { owner: acts::host("backup.service"), process };
    for number in 0..seconds {
        let at = second(from + number);
        let to = ([10, 0, 0, 9], 5432).into();
        let own = ([10, 0, 0, 2], 40_000 + number as u16).into();
        let socket = acts::socket(cookie + number, TCP, own);
        book.act(at, by, socket, acts::connect(own, to, Outcome::Success));
        let socket = acts::socket(cookie + 500 + number, TCP, own);
        book.act(at + 1, &host, socket, acts::connect(own, to, Outcome::Success));
    }
}

/// Two runs, the first of which has no end, and three containers.
fn story() -> Book {
    let mut book = Book::new();
    book.start(second(0));
    let [one, other, again] = [1, 2, 3].map(|number| actor(number, second(1)));
    book.life(second(1), &one, acts::joined());
    busy(&mut book, &one, 10, 20, 1000);
    busy(&mut book, &other, 40, 20, 3000);
    book.start_after_crash(second(4000));
    busy(&mut book, &again, 4010, 20, 5000);
    busy(&mut book, &one, 8000, 20, 7000);
    book.life(second(8030), &one, acts::left());
    busy(&mut book, &other, 9000, 5, 9000);
    book.stop(second(9010));
    book
}

fn advise(arguments: &[&str]) -> Vec<Value> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hostnet"));
    let output = command.arg("advise").args(arguments).args(["--format", "json"]).output();
    let output = output.expect("hostnet runs");
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", output.stderr.escape_ascii()))
}

/// Every row of a history, a line each.
fn lines(of: &Path, to: &Path) {
    let reader = Reader::open(of).expect("a history");
    let rows = reader.page(0, 100_000, usize::MAX).expect("rows");
    let lines: Vec<&[u8]> = rows.iter().map(|row| &row.document[..]).collect();
    fs::write(to, lines.join(&b"\n"[..])).expect("room");
}

#[test]
fn of_one_container_as_of_all_rows() {
    let book = story();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("lines");
    lines(&book.path(), &file);
    let (history, file) = (book.path(), file.display().to_string());
    let history = history.to_str().unwrap();
    for wanted in [&["service-1"][..], &["service-2"], &["service-3"], &[]] {
        for since in ["1970-01-01", &hostnet::query::Time(second(4015).cast_signed()).to_string()] {
            let of_rows = advise(&[wanted, &["--since", since, "--history", history]].concat());
            let of_lines = advise(&[wanted, &["--since", since, "--file", &file]].concat());
            assert_eq!(of_rows.len(), of_lines.len());
            for (mut of_rows, mut of_lines) in of_rows.into_iter().zip(of_lines) {
                // A file does not say what was before its part: the history does.
                if since != "1970-01-01" {
                    for one in [&mut of_rows, &mut of_lines] {
                        one["observed"]["beyond_ip"].take();
                        one["verdict"].take();
                    }
                }
                assert_eq!(of_rows, of_lines, "{wanted:?} since {since}");
            }
        }
    }
}

/// Whoever is there instead is named, whatever the history was asked for.
#[test]
fn who_is_no_container_is_not_there() {
    let book = story();
    for wanted in ["host", "ho", "nobody"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hostnet"));
        let output = command.args(["advise", wanted, "--history"]).arg(book.path()).output();
        let output = output.expect("hostnet runs");
        let said = output.stderr.escape_ascii().to_string();
        assert_eq!(output.status.code(), Some(2), "{said}");
        for name in ["service-1", "service-2", "service-3"] {
            assert!(said.contains(name), "{wanted}: {said}");
        }
    }
}

#[test]
fn only_the_rows_that_it_is_about_are_read() {
    let book = story();
    let reader = Reader::open(&book.path()).unwrap();
    let all = reader.page(0, 100_000, usize::MAX).unwrap();
    let one = all.iter().find(|row| row.action == "container-joined-host-network").unwrap();
    let owners = BTreeSet::from([one.owner.clone()]);
    let span = (0, u64::MAX);
    let mut choice = Choice { owners: Some(&owners), actions: &["agent-started"], span };
    let chosen = |choice: &Choice<'_>| {
        reader.choose(choice).unwrap();
        reader.page_of_chosen(0, span, 100_000, usize::MAX).unwrap()
    };
    let rows = chosen(&choice);
    let of_others: Vec<_> = rows.iter().filter(|row| row.owner != one.owner).collect();
    let of_one = all.iter().filter(|row| row.owner == one.owner).count();
    assert_eq!(rows.len() - of_others.len(), of_one);
    // Two starts, the last row before the second, and the last of all.
    assert_eq!(of_others.len(), 4, "{of_others:?}");
    assert!(rows.is_sorted_by_key(|row| row.id));
    choice.owners = None;
    let rows = chosen(&choice);
    let of_host = rows.iter().filter(|row| row.owner == "host").count();
    assert!(of_host <= 1, "{of_host}");
    let of_containers = all.iter().filter(|row| !["", "host"].contains(&&*row.owner)).count();
    assert!(rows.len() >= of_containers, "{} {of_containers}", rows.len());
}
