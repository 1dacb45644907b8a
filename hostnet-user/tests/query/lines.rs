//! A file of events is asked like a history, and a history of an older schema, too.

use std::io::Cursor;

use hostnet::{
    event::Outcome,
    query::{Filter, History, PeerFilter, Time, events, peers, who_had_port},
};
use rusqlite::Connection;

use crate::{
    acts::{self, TCP},
    support::{Book, actor, second},
};

fn book() -> Book {
    let mut book = Book::new();
    book.start(second(0));
    for number in 1..=20 {
        let by = actor(number, second(1));
        let at = second(u64::from(number) * 100);
        let local = ([127, 0, 0, 1], 7000 + number as u16).into();
        let socket = acts::socket(u64::from(number), TCP, local);
        book.act(at, &by, socket, acts::listen(local));
        let to = ([10, 0, 0, 1], 443).into();
        let connect = acts::connect(local, to, Outcome::Success);
        book.act(at + 5, &by, acts::socket(u64::from(number) + 100, TCP, local), connect);
    }
    book.stop(second(3000));
    book
}

fn documents(history: &History) -> Vec<String> {
    let mut documents = Vec::new();
    events(history, &Filter::default(), |row| {
        documents.push(row.document);
        Ok(())
    })
    .expect("answered");
    documents
}

#[test]
fn the_lines_of_a_history_answer_as_it_does() {
    let history = book().read();
    let mut lines = documents(&history);
    lines.push(lines[3].clone());
    lines.insert(1, "not JSON".to_owned());
    lines.insert(2, r#"{"event":{}}"#.to_owned());
    let (file, loaded) =
        History::of_lines(Cursor::new(lines.join("\n")), |_| {}).expect("answered");
    assert_eq!((loaded.events, loaded.twice, loaded.bad), (42, 1, 2));
    assert!(loaded.first_bad.expect("answered").starts_with("line 2: "));
    same(&history, &file);
    let none = History::of_lines(Cursor::new("{}\n"), |_| {}).err().expect("answered").to_string();
    assert!(none.contains("no line is an event of hostnet"), "{none}");
}

fn same(one: &History, other: &History) {
    assert_eq!(documents(one), documents(other));
    let all =
        |history| peers(history, &Filter::default(), &PeerFilter::default()).expect("answered");
    assert_eq!(all(one), all(other));
    assert_eq!(all(one).len(), 20);
    for number in 1..=20_u16 {
        let at = Some(Time(second(u64::from(number) * 100 + 1).cast_signed()));
        let ask = |history| {
            let rows =
                who_had_port(history, 7000 + number, Some("tcp"), at).expect("answered").rows;
            rows.iter().map(|row| (row.container.clone(), row.answer)).collect::<Vec<_>>()
        };
        assert_eq!(ask(one), ask(other));
        assert_eq!(ask(one)[0].0.as_deref(), Some(format!("service-{number}").as_str()));
    }
}

/// As it was before there were tables beside the rows: asked read-only, and migrated.
#[test]
fn an_older_history_answers_as_well() {
    let mut book = book();
    let history = book.read();
    let older = book.path().with_file_name("older.db");
    let copy = Connection::open(&older).expect("answered");
    let path = book.path();
    copy.execute_batch(&format!(
        "ATTACH '{}' AS now;
         CREATE TABLE event AS SELECT * FROM now.event;
         CREATE TABLE chain AS SELECT * FROM now.chain;
         CREATE TABLE sink AS SELECT * FROM now.sink;
         PRAGMA user_version = 2;",
        path.display()
    ))
    .expect("answered");
    drop(copy);
    same(&history, &History::open(&older).expect("answered"));
    let version: u32 = Connection::open(&older)
        .expect("answered")
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .expect("answered");
    assert_eq!(version, 2, "who only reads changes nothing");
    assert!(History::open(&older.with_file_name("none.db")).is_err());
}
