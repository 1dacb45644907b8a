//! What is asked, told and forgotten, step by step.

use super::super::words;
use super::*;

fn id(number: usize) -> String {
    format!("{number:064x}")
}

fn named(number: usize, name: &str) -> Box<Container> {
    Box::new(Container { id: id(number), name: name.into(), ..Container::default() })
}

fn found(number: usize, name: &str, state: &str) -> Answer {
    Answer::Found { container: named(number, name), state: state.into() }
}

fn shown(number: usize, name: &str, state: &str) -> Listed {
    let id = id(number);
    let text = format!(r#"[{{"Id":"{id}","Names":["/{name}"],"State":"{state}"}}]"#);
    words::listed(&text.into()).expect("a list").containers.remove(0)
}

fn list(containers: impl IntoIterator<Item = Listed>) -> List {
    List { containers: containers.into_iter().collect(), ..List::default() }
}

fn told(name: &str, number: usize) -> RuntimeNews {
    RuntimeNews::Container(named(number, name))
}

fn removed(number: usize) -> RuntimeNews {
    RuntimeNews::Removed { id: id(number) }
}

#[test]
fn a_removal_waits_for_the_answer_that_would_bring_the_container_back() {
    let (mut plan, now) = (Inspections::default(), Instant::now());
    assert_eq!(plan.changed(named(1, "a"), now), Some(told("a", 1)));
    assert_eq!(plan.changed(named(1, "a"), now), None, "told once");
    assert_eq!(plan.next(), Some(id(1)));
    assert_eq!(plan.removed(id(1)), None);
    let news = plan.answered(id(1), found(1, "a", "created"), now);
    assert_eq!(news, [told("a", 1), removed(1)]);
    assert_eq!(plan.removed(id(1)), Some(removed(1)));
}

#[test]
fn a_container_gone_before_its_inspect_is_told_by_its_event() {
    let (mut plan, now) = (Inspections::default(), Instant::now());
    plan.changed(named(1, "a"), now);
    plan.next();
    assert_eq!(plan.answered(id(1), Answer::Missing, now), [told("a", 1)]);
    plan.changed(named(1, "b"), now);
    plan.next();
    assert_eq!(plan.answered(id(1), Answer::Failed, now), [], "the better word stays");
}

#[test]
fn an_event_during_the_inspect_asks_again() {
    let (mut plan, now) = (Inspections::default(), Instant::now());
    plan.changed(named(1, "a"), now);
    assert_eq!(plan.next(), Some(id(1)));
    plan.changed(named(1, "a"), now);
    assert_eq!(plan.next(), None);
    plan.answered(id(1), found(1, "a", "created"), now);
    assert_eq!(plan.next(), Some(id(1)));
    plan.answered(id(1), found(1, "a", "running"), now);
    assert_eq!(plan.next(), None);
}

#[test]
fn the_list_says_what_the_events_forgot() {
    let (mut plan, now) = (Inspections::default(), Instant::now());
    let at = |ms| now + Duration::from_millis(ms);
    plan.listed(list([shown(1, "a", "running"), shown(2, "old", "exited")]), "", at(0));
    assert_eq!((plan.next(), plan.next()), (Some(id(1)), None));
    plan.answered(id(1), found(1, "a", "running"), at(1000));
    plan.listed(list([shown(1, "a", "running")]), "", at(2000));
    assert_eq!(plan.next(), None, "nothing differs");
    for (name, state) in [("b", "running"), ("b", "exited"), ("b", "running")] {
        plan.listed(list([shown(1, name, state)]), "", at(3000));
        assert_eq!(plan.next(), Some(id(1)));
        plan.answered(id(1), found(1, name, state), at(3500));
    }
    assert_eq!(plan.listed(list([]), "", at(3400)), [], "older than what is known");
    let cut = List { is_cut: true, ..List::default() };
    assert_eq!(plan.listed(cut, "", at(4000)), [], "it may be among the others");
    assert_eq!(plan.listed(list([]), "", at(4000)), [removed(1)]);
}

/// What was refused once is not believed later without another look, nor the
/// other way round.
#[test]
fn a_new_connection_asks_for_everybody_again() {
    let (mut plan, now) = (Inspections::default(), Instant::now());
    let both = || list([shown(1, "a", "running"), shown(2, "b", "running")]);
    plan.listed(both(), "", now);
    assert_eq!((plan.next(), plan.next()), (Some(id(1)), Some(id(2))));
    plan.answered(id(1), found(1, "a", "running"), now);
    plan.answered(id(2), Answer::Failed, now);
    plan.begin();
    plan.listed(both(), "", now);
    assert_eq!((plan.next(), plan.next()), (Some(id(1)), Some(id(2))));
    let news = plan.answered(id(1), found(1, "a", "running"), now);
    assert_eq!(news, [told("a", 1)], "told again, to be judged again");
}

#[test]
fn what_the_list_shows_is_compared_with_its_own_words() {
    let (mut plan, now) = (Inspections::default(), Instant::now());
    plan.listed(list([shown(1, "a", "running")]), "", now);
    plan.next();
    plan.answered(id(1), found(1, "a_1", "up"), now);
    plan.listed(list([shown(1, "a", "running")]), "", now);
    assert_eq!(plan.next(), None, "or it would be inspected every time");
    plan.doubt();
    plan.listed(list([shown(1, "a", "running")]), "", now);
    assert_eq!(plan.next(), Some(id(1)));
}

#[test]
fn what_is_wanted_goes_first() {
    let (mut plan, now) = (Inspections::default(), Instant::now());
    plan.listed(list((0..100).map(|n| shown(n, "a", "running"))), "", now);
    assert_eq!((0..100).filter_map(|_| plan.next()).count(), WIDTH[2]);
    plan.changed(named(200, "b"), now);
    plan.wanted(&id(99), now);
    plan.wanted(&id(99), now);
    plan.wanted("../../info", now);
    assert_eq!((plan.next(), plan.next()), (Some(id(99)), Some(id(200))));
    assert_eq!(plan.next(), None);
}

#[test]
fn an_unknown_id_is_not_asked_for_at_once_again() {
    let (mut plan, now) = (Inspections::default(), Instant::now());
    plan.wanted(&id(1), now);
    assert_eq!(plan.next(), Some(id(1)));
    assert_eq!(plan.answered(id(1), Answer::Missing, now), []);
    plan.wanted(&id(1), now);
    assert_eq!(plan.next(), None);
    plan.wanted(&id(1), now + 2 * MISS_AGE);
    assert_eq!(plan.next(), Some(id(1)));
}

#[test]
fn queues_are_bounded_and_lose_no_event() {
    let (mut plan, now) = (Inspections::default(), Instant::now());
    let told = (0..2 * QUEUE).filter_map(|n| plan.changed(named(n, "a"), now)).count();
    assert_eq!(told, 2 * QUEUE);
    for number in 0..QUEUE {
        plan.wanted(&id(number), now);
        plan.wanted(&id(number), now);
    }
    assert_eq!(plan.lanes.iter().map(VecDeque::len).sum::<usize>(), 2 * QUEUE);
    let mut answered = 0;
    while let Some(id) = plan.next() {
        plan.answered(id, Answer::Missing, now);
        answered += 1;
    }
    assert_eq!((answered, plan.misses.len()), (QUEUE, MISSES));
    assert_eq!(plan.under_way, [0; 3]);
}

#[test]
fn a_flood_of_new_containers_is_heeded_as_far_as_there_is_room() {
    let (mut plan, now) = (Inspections::default(), Instant::now());
    let told = (0..2 * MOST).filter_map(|n| plan.changed(named(n, "a"), now)).count();
    assert_eq!((told, plan.known.len() + plan.pending.len()), (MOST, MOST));
    assert!(plan.changed(named(0, "a"), now).is_none(), "one that is known is asked for");
    let news = plan.listed(List::default(), "", now + Duration::from_secs(1));
    assert_eq!(news.len(), MOST - QUEUE, "and the others make room");
    assert!(plan.changed(named(MOST, "a"), now).is_some());
}
