//! Anybody's SQL: the views, and nothing but reading.

use std::{process::Command, time::Duration};

use hostnet::query::{History, VIEWS, sql};
use serde_json::json;

use crate::{
    acts::{self, TCP},
    support::{Book, actor, second},
};

const LIMIT: Duration = Duration::from_secs(60);

fn history() -> (Book, History) {
    let mut book = Book::new();
    book.start(second(0));
    let by = actor(1, second(1));
    let local = ([127, 0, 0, 1], 80).into();
    book.life(second(1), &by, acts::exec());
    book.act(second(2), &by, acts::socket(1, TCP, local), acts::listen(local));
    let remote = ([127, 0, 0, 1], 4000).into();
    book.act(second(3), &by, acts::socket(2, TCP, local), acts::accept(local, remote));
    book.act(second(4), &by, acts::socket(1, TCP, local), acts::listener_closed(local));
    let history = book.read();
    (book, history)
}

#[test]
fn every_view_answers_with_the_columns_that_are_documented() {
    let (_book, mut history) = history();
    let document = include_str!("../../../docs/query.md");
    for view in VIEWS {
        let statement = format!("SELECT * FROM {}", view.name);
        let answer = sql(&mut history, &statement, 10, LIMIT).unwrap();
        let columns: Vec<String> =
            answer.columns.iter().map(|column| format!("`{column}`")).collect();
        let row = format!("| `{}` | {} | {} |", view.name, view.about, columns.join(", "));
        assert!(document.contains(&row), "docs/query.md lacks:\n{row}");
        let is_empty = view.name == "findings";
        assert_eq!(answer.rows.is_empty(), is_empty, "{}", view.name);
    }
    let listened = "SELECT container, port, closed_ns FROM listeners";
    let answer = sql(&mut history, listened, 10, LIMIT).unwrap();
    assert_eq!(answer.rows, [vec![json!("service-1"), json!(80), json!(second(4))]]);
}

#[test]
fn nothing_is_changed_and_nothing_else_is_read() {
    let (book, mut history) = history();
    for statement in [
        "DELETE FROM event",
        "INSERT INTO sink VALUES ('x', 0, 0, 0, 0)",
        "DROP TABLE event",
        "DROP VIEW events",
        "CREATE TEMP TABLE x (y)",
        "PRAGMA user_version = 9",
        "PRAGMA query_only = 0",
        "ATTACH '/tmp/x.db' AS x",
        "VACUUM INTO '/tmp/x.db'",
        "SELECT * FROM event",
        "SELECT * FROM chain",
        "SELECT * FROM sqlite_schema",
        "SELECT count(document) FROM event",
        "SELECT count(*) FROM event WHERE document LIKE '%x%'",
        "SELECT load_extension('x')",
        "SELECT 1; DELETE FROM event",
        "BEGIN",
        "ROLLBACK",
        "",
        "SELEC 1",
    ] {
        let answer = sql(&mut history, statement, 10, LIMIT);
        assert!(answer.is_err(), "{statement}: {answer:?}");
    }
    let allowed = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 5) \
                   SELECT count(*), (SELECT upper(max(action)) FROM events) FROM n";
    let answer = sql(&mut history, allowed, 10, LIMIT).unwrap();
    assert_eq!(answer.rows, [vec![json!(5), json!("LISTEN-FOR-CONNECTIONS")]]);
    drop(book);
}

#[test]
fn a_statement_ends_in_time_and_answers_no_more_than_asked() {
    let (_book, mut history) = history();
    let endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) \
                   SELECT count(*) FROM n";
    let error = sql(&mut history, endless, 10, Duration::from_millis(50)).unwrap_err().to_string();
    assert!(error.contains("took longer than"), "{error}");
    // Whoever asks next is not interrupted.
    let answer = sql(&mut history, "SELECT id FROM events", 2, LIMIT).unwrap();
    assert!(answer.is_cut && answer.rows.len() == 2);
}

/// One call of a function cannot be interrupted, so what it makes is bounded.
#[test]
fn a_statement_makes_no_text_of_hundreds_of_megabytes() {
    let (_book, mut history) = history();
    for huge in [
        "length(replace(hex(zeroblob(240000000)), '0', '00'))",
        "length(zeroblob(1 << 30))",
        "length(printf('%.*c', 1 << 30, 'x'))",
    ] {
        let statement = format!("SELECT {huge}");
        let error = sql(&mut history, &statement, 10, LIMIT).unwrap_err().to_string();
        assert_eq!(error, "a statement may make no text or blob of more than 16 MiB", "{huge}");
    }
    let large = "SELECT length(hex(zeroblob(8000000)))";
    assert_eq!(sql(&mut history, large, 10, LIMIT).unwrap().rows, [vec![json!(16_000_000)]]);
}

/// Each of these looks for a long text in a longer one, at every place of it, in one call.
#[test]
fn one_call_of_a_function_does_not_outlive_its_statement() {
    let mut book = Book::new();
    book.start(second(0));
    drop(book.read());
    let long = "hex(zeroblob(7000000))";
    for late in [
        format!("SELECT instr({long}, substr({long}, 1, 6000000) || '1')"),
        format!("SELECT {long} LIKE '%' || substr({long}, 1, 49000) || '1'"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hostnet"));
        command.args(["query", "sql", "--timeout", "1", "--history"]).arg(book.path()).arg(late);
        let output = command.output().expect("hostnet runs");
        let said = String::from_utf8(output.stderr).expect("UTF-8");
        assert!(said.contains("the statement took longer than 1 s"), "{said}");
        assert_eq!(output.status.code(), Some(2));
    }
}

/// What a person or a benchmark relies on: no question reads all documents.
#[test]
fn the_questions_that_must_be_quick_use_their_tables() {
    let (book, _) = history();
    let connection = rusqlite::Connection::open(book.path()).unwrap();
    let made: String = connection
        .query_row("SELECT sql FROM sqlite_schema WHERE name = 'event_action'", [], |row| {
            row.get(0)
        })
        .unwrap();
    let (_, is_rare) = made.split_once(" WHERE ").expect("it has not all events");
    for (question, index) in [
        (
            "SELECT document FROM event e WHERE e.time_ns BETWEEN 1 AND 2 ORDER BY e.time_ns, e.id",
            "event_time",
        ),
        (
            &*format!(
                "SELECT document FROM event e WHERE e.{is_rare} AND e.action = 'exec' ORDER BY e.time_ns"
            ),
            "event_action",
        ),
        (
            "SELECT document FROM event e WHERE e.dataset = 'hostnet.finding' ORDER BY e.time_ns, e.id",
            "event_finding",
        ),
    ] {
        let plan: String = connection
            .query_row(&format!("EXPLAIN QUERY PLAN {question}"), [], |row| row.get(3))
            .unwrap();
        assert!(plan.contains(index), "{plan}");
    }
}

/// The kernel counts some cookies down from 2^64, and a float would make them one.
#[test]
fn ids_above_2_to_the_63_are_exact() {
    let mut book = Book::new();
    book.start(second(0));
    let by = actor(1, second(1));
    for (number, cookie) in [u64::MAX, u64::MAX - 1, 1 << 63, 5].into_iter().enumerate() {
        let local = ([127, 0, 0, 1], 80 + number as u16).into();
        let socket = acts::socket(cookie, TCP, local);
        book.act(second(2), &by, socket, acts::listen(local));
        let closes = second(10 + number as u64);
        book.act(closes, &by, socket, acts::listener_closed(local));
        let remote = ([127, 0, 0, 1], 4000).into();
        book.act(second(3), &by, acts::socket(cookie - 3, TCP, local), acts::accept(local, remote));
    }
    let mut history = book.read();
    let mut all = |statement: &str| sql(&mut history, statement, 10, LIMIT).unwrap().rows;
    let listeners =
        all("SELECT cookie, (closed_ns - time_ns) / 1000000000 FROM listeners ORDER BY port");
    let expected = [
        vec![json!("18446744073709551615"), json!(8)],
        vec![json!("18446744073709551614"), json!(9)],
        vec![json!("9223372036854775808"), json!(10)],
        vec![json!("5"), json!(11)],
    ];
    assert_eq!(listeners, expected);
    let flows = all("SELECT cookie FROM flows ORDER BY local_port");
    let expected = ["18446744073709551612", "18446744073709551611", "9223372036854775805", "2"];
    assert_eq!(flows, expected.map(|cookie| vec![json!(cookie)]));
    let events = "SELECT count(*) FROM events WHERE cookie = '18446744073709551615' OR cookie = 5";
    assert_eq!(all(events), [[json!(4)]]);
    let rows = hostnet::query::listeners(&history, &hostnet::query::Filter::default()).unwrap();
    let mut csv = csv::Writer::from_writer(Vec::new());
    rows.iter().for_each(|row| csv.serialize(row).unwrap());
    let text = String::from_utf8(csv.into_inner().unwrap()).unwrap();
    assert!(text.contains(",18446744073709551615,") && text.contains(",18446744073709551614,"));
    assert!(serde_json::to_string(&rows).unwrap().contains("\"cookie\":18446744073709551615,"));
}

#[test]
fn a_wrong_statement_says_what_there_is_instead() {
    let (_book, mut history) = history();
    let mut error = |statement| sql(&mut history, statement, 1, LIMIT).unwrap_err().to_string();
    assert!(
        error("SELECT * FROM nope").starts_with("no such view: nope; views are events, listeners,")
    );
    assert!(error("SELECT nope FROM events").contains("no such column: nope"));
    assert!(error("DELETE FROM event").contains("only"));
}
