//! Disks that fill, file systems that cannot be written, files that go away or
//! are damaged, and schemas of other times: the stream goes on, and says so.

use std::{fs, os::unix::fs::symlink, path::Path, process::Command};

use hostnet::{
    format::ecs::Identity,
    record::{self, Reader, verify},
    sink::Then,
};
use rusqlite::Connection;

use crate::{
    skip::skip,
    support::{Destination, Place, Run, outbox, settings, wait_for},
};

/// The first schema, as it was.
const SCHEMA_1: &str = include_str!("schema-1.sql");

fn has(destination: &Destination, action: &str) -> bool {
    destination.actions().iter().any(|told| told == action)
}

/// A tmpfs of its own; `None`, with a word, for who may not mount one.
struct Mount(tempfile::TempDir);

impl Mount {
    fn new(options: &str) -> Option<Self> {
        let directory = tempfile::tempdir().expect("a directory");
        if !mount(&["-t", "tmpfs", "-o", options, "none"], directory.path()) {
            skip("only root may mount a file system");
            return None;
        }
        Some(Self(directory))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(self.0.path()).status());
    }
}

fn mount(arguments: &[&str], at: &Path) -> bool {
    let done = Command::new("mount").args(arguments).arg(at).output();
    done.is_ok_and(|output| output.status.success())
}

#[test]
fn a_full_disk_is_told_and_what_waited_is_kept_once_there_is_room() {
    let Some(place) = Mount::new("size=6m") else { return };
    let history = place.0.path().join("history.db");
    let filler = place.0.path().join("filler");
    let destination = Destination::default();
    let sinks = vec![(outbox("a"), destination.sink())];
    fs::write(&filler, vec![0; 3 << 20]).expect("room");
    let mut run = Run::begin(Some(settings(&history)), sinks);
    for _ in 0..10 {
        run.tell_many(500);
    }
    wait_for("the failure", || {
        run.flush();
        has(&destination, "history-failed")
    });
    destination.wait_for("everything, disk or no disk", |ids| ids.len() > 5000);
    fs::remove_file(&filler).expect("a file");
    assert!(mount(&["-o", "remount,size=64m"], place.0.path()));
    wait_for("the recovery", || {
        run.flush();
        has(&destination, "history-recovered")
    });
    let told = run.stop().expect("all was delivered");
    assert_eq!(destination.ids(), (1..=told).collect::<Vec<_>>());
    let good = verify(&history, None, &[]).expect("readable").expect("good");
    assert_eq!((good.rows, good.never_kept.len()), (told, 0));
}

#[test]
fn a_file_system_that_cannot_be_written_is_told_and_tried_again() {
    let Some(place) = Mount::new("size=64m,ro") else { return };
    let history = place.0.path().join("history.db");
    let destination = Destination::default();
    let sinks = vec![(outbox("a"), destination.sink())];
    let mut run = Run::begin(Some(settings(&history)), sinks);
    run.tell_many(10);
    destination.wait_for("the events", |ids| ids.len() >= 10);
    wait_for("the failure", || {
        run.flush();
        has(&destination, "history-failed")
    });
    assert!(mount(&["-o", "remount,rw"], place.0.path()));
    wait_for("the recovery", || {
        run.flush();
        has(&destination, "history-recovered")
    });
    let told = run.stop().expect("all was delivered");
    assert_eq!(destination.ids().len() as u64, told);
    let good = verify(&history, None, &[]).expect("readable").expect("good");
    assert_eq!(good.rows, told);
}

#[test]
fn what_waited_in_a_history_that_cannot_be_read_at_the_start_is_told() {
    let (place, away, current) = (Place::new(), Destination::default(), Destination::default());
    let sinks = || vec![(outbox("away"), away.sink()), (outbox("current"), current.sink())];
    away.refuse(Some(Then::Again(None)));
    let mut run = Run::begin(Some(place.settings()), sinks());
    run.tell_many(100);
    current.wait_for("the events", |ids| ids.len() >= 100);
    // It ends without a word, and one sink has taken nothing.
    drop(run);
    let rows = |query: &str| {
        let connection = Connection::open(place.path()).expect("a history");
        connection.query_row(query, [], |row| row.get::<_, i64>(0)).expect("a number")
    };
    let before = rows("SELECT count(*) FROM event");
    let elsewhere = place.directory.path().join("elsewhere");
    fs::rename(place.path(), &elsewhere).expect("a file");
    symlink("/dev/null", place.path()).expect("room");
    away.refuse(None);
    let mut run = Run::begin(Some(place.settings()), sinks());
    run.tell_many(10);
    away.wait_for("the events", |ids| ids.len() >= 10);
    wait_for("the failure", || {
        run.flush();
        has(&away, "history-failed")
    });
    fs::rename(&elsewhere, place.path()).expect("a file");
    wait_for("what was before, and the recovery", || {
        run.flush();
        ["agent-crashed", "sink-dropped", "history-recovered"].iter().all(|one| has(&away, one))
    });
    run.stop().expect("all was delivered");
    let dropped = "SELECT sum(document->>'$.hostnet.loss.count') FROM event \
                   WHERE action = 'sink-dropped' AND document->>'$.hostnet.health.sink' = 'away'";
    assert_eq!(rows(dropped), before, "what it had not taken");
    assert_eq!(rows("SELECT dropped FROM sink WHERE name = 'away'"), before);
    assert_eq!(rows("SELECT dropped FROM sink WHERE name = 'current'"), 0);
    let told = |action: &str| current.actions().iter().filter(|told| *told == action).count();
    assert_eq!((told("sink-dropped"), told("agent-crashed")), (1, 1), "once, of one sink");
    let good = verify(&place.path(), None, &[]).expect("readable").expect("good");
    assert_eq!((good.runs, good.never_kept.len()), (2, 0), "{good:?}");
}

#[test]
fn a_history_that_is_removed_is_begun_anew() {
    let (place, destination) = (Place::new(), Destination::default());
    let mut run = Run::begin(Some(place.settings()), vec![(outbox("a"), destination.sink())]);
    run.tell_many(100);
    destination.wait_for("the events", |ids| ids.len() >= 100);
    for suffix in ["", "-wal", "-shm"] {
        let path = format!("{}{suffix}", place.path().display());
        fs::remove_file(path).expect("a file");
    }
    wait_for("the failure", || {
        run.flush();
        has(&destination, "history-failed")
    });
    wait_for("the recovery", || {
        run.flush();
        has(&destination, "history-recovered")
    });
    let told = run.stop().expect("all was delivered");
    assert_eq!(destination.ids(), (1..=told).collect::<Vec<_>>());
    let good = verify(&place.path(), None, &[]).expect("readable").expect("good");
    assert!(good.range.0 > 1 && good.range.1 == told, "{good:?}");
}

#[test]
fn a_damaged_history_is_set_aside_and_told() {
    for damage in ["all of it", "all but its first page"] {
        let (place, destination) = (Place::new(), Destination::default());
        let mut run = Run::begin(Some(place.settings()), vec![(outbox("a"), destination.sink())]);
        run.tell_many(1000);
        run.stop().expect("all was delivered");
        let mut bytes = fs::read(place.path()).expect("a file");
        match damage {
            "all but its first page" => bytes[8192..].fill(0xa5),
            _ => bytes.fill(b'x'),
        }
        fs::write(place.path(), &bytes).expect("room");
        let mut run = Run::begin(Some(place.settings()), vec![(outbox("a"), destination.sink())]);
        run.tell_many(10);
        wait_for("the news", || {
            run.flush();
            has(&destination, "history-failed")
        });
        run.stop().expect("all was delivered");
        let aside =
            fs::read_dir(place.directory.path()).expect("a directory").flatten().filter(|entry| {
                entry.file_name().into_string().is_ok_and(|name| name.contains(".corrupt-"))
            });
        let aside: Vec<_> = aside.map(|entry| fs::read(entry.path()).expect("a file")).collect();
        assert_eq!(aside.len(), 1, "{damage}");
        assert!(aside[0] == bytes, "{damage}: it is kept as it was found");
        verify(&place.path(), None, &[]).expect("readable").expect("good");
    }
}

#[test]
fn an_older_schema_is_migrated() {
    let (place, destination) = (Place::new(), Destination::default());
    Connection::open(place.path())
        .and_then(|connection| connection.execute_batch(SCHEMA_1))
        .expect("the first schema");
    let before = verify(&place.path(), None, &[]).expect("readable").expect("good");
    assert_eq!(before.rows, 2);
    let mut run = Run::begin(Some(place.settings()), vec![(outbox("a"), destination.sink())]);
    run.tell_many(10);
    let told = run.stop().expect("all was delivered");
    let good = verify(&place.path(), None, &[]).expect("readable").expect("good");
    assert_eq!((good.rows, good.runs), (2 + told, 2));
    let rows = Reader::open(&place.path()).expect("a history");
    let rows = rows.page(0, 1, 1).expect("rows");
    assert_eq!(rows[0].event_id, "0195c8a4-7c00-7000-8000-000000000001");
}

#[test]
fn a_newer_schema_is_refused_and_left_alone() {
    let place = Place::new();
    let connection = Connection::open(place.path()).expect("a database");
    connection.execute_batch("PRAGMA user_version = 99; CREATE TABLE x (y);").expect("made");
    drop(connection);
    let before = fs::read(place.path()).expect("a file");
    let error = record::begin(Some(place.settings()), Vec::new(), &Identity::default());
    let error = format!("{:#}", error.err().expect("refused"));
    assert!(error.contains("version 99") && error.contains("use the newer"), "{error}");
    assert!(fs::read(place.path()).expect("a file") == before);
}

#[test]
fn a_history_has_one_writer() {
    let place = Place::new();
    let run = Run::begin(Some(place.settings()), Vec::new());
    let error = record::begin(Some(place.settings()), Vec::new(), &Identity::default());
    let error = format!("{:#}", error.err().expect("refused"));
    assert!(error.contains("written by another agent"), "{error}");
    run.stop().expect("nothing is left");
}
