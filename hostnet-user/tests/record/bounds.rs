//! What a history takes of its disk: its file, its log and unused pages together, under
//! load, with a reader, and after its limit was lowered.

use std::{path::PathBuf, time::Duration};

use hostnet::record::{Limits, verify};

use crate::support::{Destination, Place, Run, outbox, wait_for};

const MIB: u64 = 1 << 20;
const LIMIT: u64 = Limits::LEAST_MIB as u64 * MIB;

/// What it takes now, bytes.
fn taken(place: &Place) -> u64 {
    let beside = |suffix: &str| PathBuf::from(format!("{}{suffix}", place.path().display()));
    ["", "-wal", "-shm"]
        .iter()
        .map(|suffix| std::fs::metadata(beside(suffix)).map_or(0, |metadata| metadata.len()))
        .sum()
}

/// A run whose history may have so many bytes.
fn begin(place: &Place, bytes: u64, destination: &Destination) -> Run {
    let mut settings = place.settings();
    settings.limits = Limits { age: Duration::from_secs(3600), bytes };
    Run::begin(Some(settings), vec![(outbox("a"), destination.sink())])
}

/// Tells events until they have had twice the room that there is; the most that the
/// history took meanwhile.
fn flood(run: &mut Run, place: &Place) -> u64 {
    let mut most = 0;
    for _ in 0..100 {
        run.tell_many(500);
        most = most.max(taken(place));
    }
    most
}

fn has(destination: &Destination, action: &str) -> bool {
    destination.actions().iter().any(|told| told == action)
}

#[test]
fn a_history_under_load_is_never_a_tenth_over_its_limit() {
    let (place, destination) = (Place::new(), Destination::default());
    let mut run = begin(&place, LIMIT, &destination);
    let most = flood(&mut run, &place);
    assert!(most > LIMIT / 2, "{most}: it was no load");
    assert!(most <= LIMIT + LIMIT / 10, "{most} bytes of {LIMIT}");
    let told = run.stop().expect("all was delivered");
    let good = verify(&place.path(), None, &[]).expect("readable").expect("good");
    assert_eq!(good.range.1, told, "all was kept: {good:?}");
    assert!(taken(&place) <= LIMIT, "{}", taken(&place));
}

#[test]
fn a_reader_that_stays_costs_rows_which_are_counted_and_no_disk() {
    let (place, destination) = (Place::new(), Destination::default());
    let mut run = begin(&place, LIMIT, &destination);
    run.tell_many(100);
    wait_for("the first rows", || taken(&place) > 0 && destination.ids().len() >= 100);
    let reader = rusqlite::Connection::open(place.path()).expect("a database");
    reader.execute_batch("BEGIN; SELECT count(*) FROM event").expect("it reads");
    // More than the history and memory have room for.
    let mut most = 0;
    while run.told() < 250_000 {
        run.tell_many(2000);
        most = most.max(taken(&place));
    }
    assert!(has(&destination, "history-failed"), "nothing said that rows are not kept");
    assert!(most <= LIMIT + LIMIT / 10, "{most} bytes of {LIMIT}");
    drop(reader);
    wait_for("it is written again", || {
        run.flush();
        has(&destination, "history-recovered")
    });
    run.tell_many(100);
    run.stop().expect("all was delivered");
    assert!(taken(&place) <= LIMIT, "{}", taken(&place));
    verify(&place.path(), None, &[]).expect("readable").expect("good");
}

#[test]
fn a_limit_that_is_lowered_is_kept_to() {
    let (place, destination) = (Place::new(), Destination::default());
    let mut run = begin(&place, LIMIT, &destination);
    flood(&mut run, &place);
    run.stop().expect("all was delivered");
    assert!(taken(&place) > LIMIT / 2, "{}", taken(&place));
    let mut run = begin(&place, LIMIT / 2, &destination);
    wait_for("it shrinks", || {
        run.tell_many(10);
        taken(&place) <= LIMIT / 2
    });
    run.stop().expect("all was delivered");
    verify(&place.path(), None, &[]).expect("readable").expect("good");
}
