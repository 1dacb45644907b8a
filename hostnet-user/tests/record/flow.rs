//! The ways a row can take.

use std::{os::unix::fs::PermissionsExt as _, time::Duration};

use hostnet::{
    record::Reader,
    sink::{Fate, Message, Outbox, Outcome, Proof, Sink, Then},
};

use crate::support::{Destination, Place, Run, outbox, stopped, wait_for};

fn rows(place: &Place) -> Vec<(u64, u64, String)> {
    let reader = Reader::open(&place.path()).expect("a history");
    let rows = reader.page(0, usize::MAX >> 1, usize::MAX).expect("rows");
    rows.into_iter().map(|row| (row.id, row.sequence, row.action)).collect()
}

#[test]
fn every_event_is_kept_and_delivered_in_order() {
    let (place, destination) = (Place::new(), Destination::default());
    let sinks = vec![(outbox("a"), destination.sink())];
    let mut run = Run::begin(Some(place.settings()), sinks);
    run.tell_many(5000);
    let told = run.stop().expect("all was delivered");
    assert_eq!(destination.ids(), (1..=told).collect::<Vec<_>>());
    let rows = rows(&place);
    assert_eq!(rows.len() as u64, told);
    assert!(rows.iter().zip(1..).all(|(row, number)| (row.0, row.1) == (number, number)));
    for name in ["history.db", "history.db.lock"] {
        let path = place.directory.path().join(name);
        assert_eq!(path.metadata().expect(name).permissions().mode() & 0o777, 0o600, "{name}");
    }
}

#[test]
fn ids_go_on_over_runs_and_a_run_without_end_is_told() {
    let (place, destination) = (Place::new(), Destination::default());
    let mut run = Run::begin(Some(place.settings()), vec![(outbox("a"), destination.sink())]);
    run.tell_many(10);
    let told = run.stop().expect("all was delivered");
    // The second ends without a word.
    let mut run = Run::begin(Some(place.settings()), vec![(outbox("a"), destination.sink())]);
    run.tell_many(10);
    drop(run);
    let mut run = Run::begin(Some(place.settings()), vec![(outbox("a"), destination.sink())]);
    run.tell_many(1);
    run.stop().expect("all was delivered");
    let actions = destination.actions();
    assert_eq!(actions.iter().filter(|action| *action == "agent-crashed").count(), 1);
    let rows = rows(&place);
    assert_eq!(rows.len() as u64, told + 10 + 3);
    assert!(rows.iter().zip(1..).all(|(row, number)| row.0 == number));
    assert_eq!(destination.ids(), (1..=told + 13).collect::<Vec<_>>());
}

#[test]
fn a_sink_that_was_down_gets_everything_and_the_outage_is_told() {
    let (place, destination, other) =
        (Place::new(), Destination::default(), Destination::default());
    destination.refuse(Some(Then::Again(Some(Duration::from_millis(5)))));
    let sinks = vec![(outbox("down"), destination.sink()), (outbox("up"), other.sink())];
    let mut run = Run::begin(Some(place.settings()), sinks);
    // More than memory holds comfortably: most of it has to come from the history.
    for _ in 0..40 {
        run.tell_many(500);
    }
    wait_for("an attempt", || destination.attempts().len() > 1);
    other.wait_for("the other sink's", |ids| ids.len() >= 20_000);
    let refused = destination.attempts();
    destination.refuse(None);
    destination.wait_for("the backlog", |ids| ids.len() >= 20_000);
    let largest = |attempts: &[usize]| attempts.iter().copied().max();
    // One that is quick is handed more at a time.
    assert!(largest(&destination.attempts()) > largest(&refused), "{refused:?}");
    wait_for("the news of it", || {
        run.flush();
        other.actions().iter().any(|action| action == "sink-recovered")
    });
    let told = run.stop().expect("all was delivered");
    assert_eq!(destination.ids(), (1..=told).collect::<Vec<_>>());
    assert!(other.actions().iter().any(|action| action == "sink-failing"));
}

#[test]
fn what_a_sink_did_not_take_waits_for_the_next_start() {
    let (place, destination) = (Place::new(), Destination::default());
    destination.refuse(Some(Then::Again(Some(Duration::from_millis(5)))));
    let mut run = Run::begin(Some(place.settings()), vec![(outbox("a"), destination.sink())]);
    run.tell_many(100);
    let error = run.stop().expect_err("it took nothing").to_string();
    assert!(
        error.contains("sink a has not taken") && error.contains("the test says so"),
        "{error}"
    );
    destination.refuse(None);
    let mut run = Run::begin(Some(place.settings()), vec![(outbox("a"), destination.sink())]);
    run.tell_many(1);
    run.stop().expect("all was delivered");
    let ids = destination.ids();
    assert_eq!(ids, (1..=ids.len() as u64).collect::<Vec<_>>());
    assert!(ids.len() > 102);
}

#[test]
fn what_is_too_much_for_a_cap_is_dropped_counted_and_told() {
    let (place, destination, other) =
        (Place::new(), Destination::default(), Destination::default());
    destination.refuse(Some(Then::Again(Some(Duration::from_millis(5)))));
    let capped = Outbox { cap: 2 << 20, ..outbox("a") };
    let sinks = vec![(capped, destination.sink()), (outbox("up"), other.sink())];
    let mut run = Run::begin(Some(place.settings()), sinks);
    for _ in 0..40 {
        run.tell_many(500);
    }
    other.wait_for("the other sink's", |ids| ids.len() >= 20_000);
    destination.refuse(None);
    destination.wait_for("the newest", |ids| ids.last().is_some_and(|last| *last >= 20_000));
    // Every event was delivered, or is counted in what the sink was told it lost.
    let dropped = || -> u64 {
        let reader = Reader::open(&place.path()).expect("a history");
        let rows = reader.page(0, usize::MAX >> 1, usize::MAX).expect("rows");
        let told = rows.iter().filter(|row| row.action == "sink-dropped").map(|row| {
            let value: serde_json::Value = serde_json::from_slice(&row.document).expect("JSON");
            value["hostnet"]["loss"]["count"].as_u64().expect("a count")
        });
        told.sum()
    };
    wait_for("the news of all of it", || {
        run.flush();
        destination.ids().len() as u64 + dropped() == run.told()
    });
    run.stop().expect("all was delivered");
    assert!(destination.ids().is_sorted(), "in order");
    assert!(dropped() > 10_000, "{}", dropped());
}

/// What an event of the kind says was refused, of all that are in the history.
fn refused(place: &Place) -> u64 {
    let reader = Reader::open(&place.path()).expect("a history");
    let rows = reader.page(0, usize::MAX >> 1, usize::MAX).expect("rows");
    let news = rows.iter().filter(|row| row.action == "sink-dropped").map(|row| {
        let value: serde_json::Value = serde_json::from_slice(&row.document).expect("JSON");
        value["hostnet"]["loss"]["count"].as_u64().expect("a count")
    });
    news.sum()
}

/// More of them than a page, and over a restart.
#[test]
fn a_queue_of_dead_letters_drains_and_each_is_counted_once() {
    let (place, destination) = (Place::new(), Destination::default());
    let is_poison = |id: u64| (3..=6000).contains(&id) && !id.is_multiple_of(3);
    destination.will_never_take(is_poison);
    destination.refuse(Some(Then::Again(Some(Duration::from_millis(5)))));
    let mut run = Run::begin(Some(place.settings()), vec![(outbox("a"), destination.sink())]);
    for _ in 0..16 {
        run.tell_many(500);
    }
    run.stop().expect_err("it took nothing");
    let mut run = Run::begin(Some(place.settings()), vec![(outbox("a"), destination.sink())]);
    destination.refuse(None);
    let poison = (1..=6000).filter(|id| is_poison(*id)).count() as u64;
    wait_for("the news of all of it", || {
        run.flush();
        refused(&place) >= poison
    });
    let end = run.stop().expect("all else was delivered");
    assert_eq!(refused(&place), poison);
    let ids = destination.ids();
    assert!(ids.is_sorted() && ids.last().is_some_and(|last| *last > 8000 && end > 0));
    assert_eq!(ids.len() as u64 + poison, *ids.last().expect("some"));
}

/// News of a refusal that are refused themselves would be news again, for ever.
#[test]
fn the_news_of_dead_letters_may_be_one_itself() {
    let (place, destination, other) =
        (Place::new(), Destination::default(), Destination::default());
    destination.will_never_take(|_| true);
    let sinks = vec![(outbox("a"), destination.sink()), (outbox("up"), other.sink())];
    let mut run = Run::begin(Some(place.settings()), sinks);
    run.tell_many(3);
    let news = || other.actions().iter().filter(|action| *action == "sink-dropped").count();
    wait_for("the news of it", || {
        run.flush();
        news() > 0
    });
    wait_for("its refusal", || destination.handed().iter().any(|action| action == "sink-dropped"));
    run.tell_many(1);
    run.flush();
    wait_for("the next news", || {
        run.flush();
        news() > 1
    });
    assert_eq!(refused(&place), run.told() - 2);
    run.stop().expect("all was settled");
}

#[test]
fn a_filter_passes_what_it_names() {
    let (place, destination) = (Place::new(), Destination::default());
    let only = Outbox { actions: vec!["agent-stopped".to_owned()], ..outbox("a") };
    let mut run = Run::begin(Some(place.settings()), vec![(only, destination.sink())]);
    run.tell_many(2000);
    let told = run.stop().expect("all was delivered");
    assert_eq!(destination.ids(), [told]);
}

#[test]
fn without_a_history_sinks_are_served_from_memory() {
    let destination = Destination::default();
    let mut run = Run::begin(None, vec![(outbox("a"), destination.sink())]);
    run.tell_many(30_000);
    let told = run.stop().expect("all was delivered");
    assert_eq!(destination.ids(), (1..=told).collect::<Vec<_>>());
}

#[test]
fn a_reader_that_goes_away_ends_the_run() {
    let (place, destination) = (Place::new(), Destination::default());
    destination.refuse(Some(Then::End));
    let mut run = Run::begin(Some(place.settings()), vec![(outbox("a"), destination.sink())]);
    run.tell_many(1);
    wait_for("the end", || run.is_unread());
}

/// Takes all but what its own settings or an event may be at fault for: one of them it refuses,
/// and forgets what it took before whenever it is opened anew.
struct Doubting {
    proof: Proof,
    destination: Destination,
}

impl Sink for Doubting {
    fn deliver(&mut self, messages: &[Message<'_>]) -> Outcome {
        let taken = |message: &&Message<'_>| message.row.action != "agent-stopped";
        let wanted: Vec<Message<'_>> = messages.iter().filter(taken).copied().collect();
        let _all = self.destination.deliver(&wanted);
        let fate = |message| if taken(&message) { Fate::Taken } else { Fate::Dead("bad".into()) };
        self.proof.settle(messages.iter().map(fate).collect())
    }

    fn reopen(&mut self) -> anyhow::Result<()> {
        self.proof = Proof::default();
        Ok(())
    }
}

#[test]
fn an_event_that_is_refused_without_a_history_is_held_against_one_before_it() {
    let destination = Destination::default();
    let sink = Doubting { proof: Proof::default(), destination: destination.clone() };
    let mut run = Run::begin(None, vec![(outbox("a"), Box::new(sink))]);
    run.tell_many(1);
    destination.wait_for("what comes before", |ids| ids == [1]);
    run.reopen();
    run.tell(stopped());
    run.flush();
    destination.wait_for("what decides, once more", |ids| ids == [1, 1]);
}
