//! What goes is told, and what is left still follows from it.

use std::time::Duration;

use hostnet::record::{Limits, Reader, verify};

use crate::support::{Destination, Place, Run, event_at, now_ns, outbox, reachable, wait_for};

fn rows(place: &Place) -> u64 {
    let reader = Reader::open(&place.path()).expect("a history");
    reader.count(0, u64::MAX >> 1, |_, _| true).expect("a count")
}

#[test]
fn a_history_keeps_to_its_bytes_and_still_verifies() {
    let (place, destination) = (Place::new(), Destination::default());
    let mut settings = place.settings();
    let bytes = u64::from(Limits::LEAST_MIB) << 20;
    settings.limits = Limits { age: Duration::from_secs(3600), bytes };
    let mut run = Run::begin(Some(settings), vec![(outbox("a"), destination.sink())]);
    for _ in 0..100 {
        run.tell_many(500);
    }
    wait_for("a purge", || {
        run.flush();
        rows(&place) < 40_000
    });
    wait_for("room", || {
        run.flush();
        std::fs::metadata(place.path()).expect("a file").len() < 2 * bytes
    });
    let told = run.stop().expect("all was delivered");
    let good = verify(&place.path(), None, &[]).expect("readable").expect("good");
    assert!(good.range.0 > 1 && good.range.1 == told, "{good:?}");
    assert!(destination.actions().iter().any(|action| action == "history-purged"));
    let begins = format!("UPDATE chain SET start_id = {}", good.range.0);
    let connection = rusqlite::Connection::open(place.path()).expect("a database");
    connection.execute_batch(&begins).expect("changed");
    let bad = verify(&place.path(), None, &[]).expect("readable").expect_err("a false start");
    assert!(bad.row <= good.range.0, "{bad:?}");
}

#[test]
fn what_is_too_old_goes() {
    let (place, destination) = (Place::new(), Destination::default());
    let mut run = Run::begin(Some(place.settings()), vec![(outbox("a"), destination.sink())]);
    run.tell_many(100);
    run.stop().expect("all was delivered");
    let mut settings = place.settings();
    settings.limits = Limits { age: Duration::from_millis(1), bytes: 1 << 30 };
    let mut run = Run::begin(Some(settings), vec![(outbox("a"), destination.sink())]);
    wait_for("the purge", || {
        run.flush();
        rows(&place) < 10
    });
    run.stop().expect("all was delivered");
    verify(&place.path(), None, &[]).expect("readable").expect("good");
}

#[test]
fn what_a_clock_that_was_not_set_wrote_goes_with_what_is_too_old_after_it() {
    const YEAR_2000_NS: u64 = 946_684_800_000_000_000;
    let (place, destination) = (Place::new(), Destination::default());
    let mut run = Run::begin(Some(place.settings()), vec![(outbox("a"), destination.sink())]);
    // More than are looked at in one step.
    for number in 0..20_500 {
        run.tell_of(event_at(YEAR_2000_NS, reachable(&number.to_string())));
    }
    let hours_ago = now_ns() - 3 * 3600 * 1_000_000_000;
    run.tell_of(event_at(hours_ago, reachable("too old")));
    run.stop().expect("all was delivered");
    let kept = rows(&place);
    // The limit of age is an hour.
    let mut run = Run::begin(Some(place.settings()), vec![(outbox("a"), destination.sink())]);
    wait_for("the purge", || {
        run.flush();
        rows(&place) < 100
    });
    run.stop().expect("all was delivered");
    assert!(kept > 20_000, "they were not removed by themselves: {kept}");
    verify(&place.path(), None, &[]).expect("readable").expect("good");
}
