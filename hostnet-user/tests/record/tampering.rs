//! Whatever is done to a history of 10 000 events is found, and the first bad
//! record named.

use std::{fs, path::Path};

use hostnet::{
    event::Checkpoint,
    record::{
        Bad, Reader,
        chain::{Hash, Link},
        verify,
    },
};
use rusqlite::Connection;

use crate::support::{Destination, Place, Run, outbox};

const EVENTS: u64 = 10_000;

/// A history with checkpoints, and what a sink was sent.
fn history() -> (Place, u64) {
    let place = Place::new();
    let mut settings = place.settings();
    settings.checkpoint_every = std::time::Duration::ZERO;
    let destination = Destination::default();
    let mut run = Run::begin(Some(settings), vec![(outbox("a"), destination.sink())]);
    for part in 0..10 {
        run.tell_many(EVENTS / 10);
        destination.wait_for("a part", |ids| ids.len() as u64 >= (part + 1) * EVENTS / 10);
    }
    crate::support::wait_for("a checkpoint", || {
        run.flush();
        destination.actions().iter().any(|action| action == "chain-checkpoint")
    });
    let told = run.stop().expect("all was delivered");
    (place, told)
}

fn change(path: &Path, statements: &str) {
    let connection = Connection::open(path).expect("a database");
    connection.execute_batch(statements).expect(statements);
}

fn bad(path: &Path, elsewhere: &[Checkpoint]) -> Bad {
    verify(path, None, elsewhere).expect("readable").expect_err("it was tampered with")
}

fn checkpoints(path: &Path) -> Vec<Checkpoint> {
    let reader = Reader::open(path).expect("a history");
    let rows = reader.page(0, usize::MAX >> 1, usize::MAX).expect("rows");
    rows.iter().filter_map(|row| Checkpoint::of_document(&row.document).expect("JSON")).collect()
}

#[test]
fn an_untouched_history_is_good() {
    let (place, told) = history();
    let good = verify(&place.path(), None, &[]).expect("readable").expect("good");
    assert_eq!((good.rows, good.range, good.runs), (told, (1, told), 1));
    assert!(good.checkpoints > 0 && good.never_kept.is_empty());
    let public = fs::read_to_string(place.path().with_extension("pub")).expect("a public key");
    assert_eq!(good.key.as_deref(), Some(public.trim()));
    let elsewhere = checkpoints(&place.path());
    verify(&place.path(), Some(public.trim()), &elsewhere).expect("readable").expect("good");
    let other = "00".repeat(32);
    let bad = verify(&place.path(), Some(&other), &[]).expect("readable").expect_err("not its key");
    assert!(bad.why.contains("another key"), "{bad:?}");
    assert_eq!((good.signed_to > 0, good.signed_to + good.unsigned), (true, told), "{good:?}");
}

/// Who has a copy and no key takes the checkpoints out, changes an event and makes the
/// chain fit again. Nothing is wrong with that history but that nobody signed it.
#[test]
fn a_copy_written_anew_without_the_key_is_not_what_the_key_signed() {
    let (place, told) = history();
    let public = fs::read_to_string(place.path().with_extension("pub")).expect("a public key");
    write_anew(&place.path(), |rows| {
        rows.retain(|row| row.action != "chain-checkpoint");
        rows[7].document = rows[7].document.replace("xxxxxxxx", "xxxxxxxy");
    });
    let good = verify(&place.path(), None, &[]).expect("readable").expect("it follows");
    assert_eq!((good.checkpoints, good.key, good.signed_to), (0, None, 0));
    assert!(good.unsigned > told / 2);
    let bad = verify(&place.path(), Some(public.trim()), &[]).expect("readable");
    let bad = bad.expect_err("nobody signed it");
    assert!(bad.why.contains("no checkpoint"), "{bad:?}");
}

/// A row as it is chained.
struct Row {
    action: String,
    document: String,
    run: String,
    sequence: i64,
    time_ns: i64,
    event_id: String,
    dataset: String,
    owner: Option<String>,
}

/// Writes the whole history anew, as somebody would who has no key.
fn write_anew(path: &Path, change: impl FnOnce(&mut Vec<Row>)) {
    let connection = Connection::open(path).expect("a database");
    let query = "SELECT action, document, run, sequence, time_ns, event_id, dataset, owner \
                 FROM event ORDER BY id";
    let mut rows: Vec<Row> = connection
        .prepare(query)
        .expect("columns")
        .query_map([], |row| {
            Ok(Row {
                action: row.get(0)?,
                document: row.get(1)?,
                run: row.get(2)?,
                sequence: row.get(3)?,
                time_ns: row.get(4)?,
                event_id: row.get(5)?,
                dataset: row.get(6)?,
                owner: row.get(7)?,
            })
        })
        .expect("rows")
        .collect::<Result<_, _>>()
        .expect("text");
    change(&mut rows);
    let history: String =
        connection.query_row("SELECT history FROM chain", [], |row| row.get(0)).expect("a chain");
    let mut hash = Hash::genesis(history.parse().expect("a UUID"));
    let mut total = 0;
    connection.execute_batch("BEGIN; DELETE FROM event").expect("room");
    for (at, row) in rows.iter().enumerate() {
        let id = at as i64 + 1;
        total += row.document.len() as i64;
        hash = hash.then(&Link {
            id: id as u64,
            run: row.run.as_bytes(),
            sequence: row.sequence as u64,
            time_ns: row.time_ns as u64,
            event_id: row.event_id.as_bytes(),
            dataset: row.dataset.as_bytes(),
            action: row.action.as_bytes(),
            owner: row.owner.as_deref().unwrap_or_default().as_bytes(),
            document: row.document.as_bytes(),
        });
        connection
            .execute(
                "INSERT INTO event (id, run, sequence, time_ns, event_id, dataset, action, owner, \
                 document, total, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
                rusqlite::params![
                    id,
                    row.run,
                    row.sequence,
                    row.time_ns,
                    row.event_id,
                    row.dataset,
                    row.action,
                    row.owner,
                    row.document,
                    total,
                    hash.bytes()
                ],
            )
            .expect("room");
    }
    let head = rows.len() as i64;
    connection
        .execute(
            "UPDATE chain SET head_id = ?1, head_hash = ?2, total = ?3",
            rusqlite::params![head, hash.bytes(), total],
        )
        .expect("room");
    connection.execute_batch("COMMIT").expect("room");
}

/// Every value of a row, at the ends and in the middle.
#[test]
fn a_changed_value_is_found_and_its_row_named() {
    let (place, told) = history();
    let original = fs::read(place.path()).expect("a file");
    let columns = [
        ("run", "'x' || substr(run, 2)"),
        ("sequence", "sequence + 1"),
        ("time_ns", "time_ns - 1"),
        ("event_id", "substr(event_id, 1, 35) || 'x'"),
        ("dataset", "'hostnet.network'"),
        ("action", "'exec'"),
        ("owner", "'somebody'"),
        ("total", "total + 1"),
        ("hash", "zeroblob(32)"),
        ("document", "replace(document, 'xxxxxxxx', 'xxxxxxxy')"),
        ("document", "document || ' '"),
        ("document", "substr(document, 2)"),
    ];
    for row in [1, 2, told / 2, told - 1] {
        for (column, value) in columns {
            fs::write(place.path(), &original).expect("room");
            change(&place.path(), &format!("UPDATE event SET {column} = {value} WHERE id = {row}"));
            let same: bool = fs::read(place.path()).expect("a file") == original;
            // Not every document has what is replaced.
            if !same || column != "document" {
                assert_eq!(bad(&place.path(), &[]).row, row, "{column} of {row}");
            }
        }
    }
}

#[test]
fn what_is_missing_moved_or_added_is_found() {
    let (place, told) = history();
    let original = fs::read(place.path()).expect("a file");
    let swap = |one: u64, other: u64| {
        format!(
            "UPDATE event SET id = -1 WHERE id = {one}; UPDATE event SET id = {one} WHERE id = \
             {other}; UPDATE event SET id = {other} WHERE id = -1;"
        )
    };
    let last = told;
    let cases = [
        ("DELETE FROM event WHERE id = 1".to_owned(), 1),
        (format!("DELETE FROM event WHERE id = {}", told / 2), told / 2),
        ("DELETE FROM event WHERE id BETWEEN 20 AND 9000".to_owned(), 20),
        (format!("DELETE FROM event WHERE id = {last}"), last),
        (format!("DELETE FROM event WHERE id > {}", told / 3), told / 3 + 1),
        ("DELETE FROM event".to_owned(), 1),
        (swap(1, 2), 1),
        (swap(500, 9000), 500),
        (swap(last - 1, last), last - 1),
        (
            format!(
                "INSERT INTO event SELECT {last} + 1, run, sequence, time_ns, event_id, dataset, \
                 action, owner, document, total, hash FROM event WHERE id = 7"
            ),
            last + 1,
        ),
        ("UPDATE chain SET start_id = 5".to_owned(), 1),
        ("UPDATE chain SET total = total - 1".to_owned(), last + 1),
        ("UPDATE chain SET head_hash = zeroblob(32)".to_owned(), last + 1),
    ];
    for (statements, row) in cases {
        fs::write(place.path(), &original).expect("room");
        change(&place.path(), &statements);
        assert_eq!(bad(&place.path(), &[]).row, row, "{statements}");
    }
}

/// Who cuts off the end and makes the chain fit is found by who has a checkpoint.
#[test]
fn a_tail_cut_off_with_care_is_found_elsewhere() {
    let (place, _) = history();
    let elsewhere = checkpoints(&place.path());
    let row = elsewhere.iter().map(|one| one.row).max().expect("a checkpoint");
    let cut = format!(
        "DELETE FROM event WHERE id >= {row}; UPDATE chain SET head_id = {row} - 1, head_hash = \
         (SELECT hash FROM event WHERE id = {row} - 1), total = (SELECT total FROM event WHERE id \
         = {row} - 1);"
    );
    change(&place.path(), &cut);
    verify(&place.path(), None, &[]).expect("readable").expect("it fits in itself");
    assert_eq!(bad(&place.path(), &elsewhere).row, row);
    let forged = [Checkpoint { row: row - 1, ..elsewhere[0].clone() }];
    assert!(bad(&place.path(), &forged).why.contains("signature"));
}

/// A byte of the file: found, or nothing that is kept is another.
#[test]
fn a_changed_byte_of_the_file_is_found_or_of_no_consequence() {
    let (place, told) = history();
    let original = fs::read(place.path()).expect("a file");
    let length = original.len() as u64;
    let (mut found, mut idle) = (0, 0);
    // Odd steps meet headers, cell pointers and contents alike.
    let positions = (0..40).chain((0..40).map(|step| step * (length / 40) + step * 37 % 8192));
    for position in positions.filter(|position| *position < length) {
        let mut bytes = original.clone();
        bytes[position as usize] ^= 0x20;
        fs::write(place.path(), &bytes).expect("room");
        match verify(&place.path(), None, &[]) {
            Ok(Ok(good)) => {
                assert_eq!((good.rows, good.range), (told, (1, told)), "byte {position}");
                idle += 1;
            }
            Ok(Err(_)) | Err(_) => found += 1,
        }
    }
    assert!(found > 35, "{found} found, {idle} of no consequence");
}
