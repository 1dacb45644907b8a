//! What the judgement learned in one run is there for the next.

use hostnet::event::{Event, Learned, Reached};

use super::support::{Place, Run, event, reachable};

fn reached(image: &str, destination: &str, first_ns: u64, last_ns: u64) -> Reached {
    let (image, destination) = (image.to_owned(), destination.to_owned());
    Reached { image, destination, first_ns, last_ns }
}

fn taught(reached: Reached, instead_of: Option<&str>) -> Event {
    let instead_of = instead_of.map(str::to_owned);
    let learned = Some(Box::new(Learned::Reached { reached, instead_of }));
    Event { learned, ..event(reachable("it")) }
}

#[test]
fn what_one_run_learned_the_next_one_knows() {
    let place = Place::new();
    let mut run = Run::begin(Some(place.settings()), Vec::new());
    assert_eq!(run.take_reached(), []);
    run.tell_of(taught(reached("a", "x", 1, 1), None));
    run.tell_of(taught(reached("a", "y", 2, 2), None));
    run.tell_of(taught(reached("b", "x", 3, 3), None));
    // That it is still reached changes no beginning.
    run.tell_of(taught(reached("a", "x", 9, 9), None));
    run.stop().expect("kept");
    let mut run = Run::begin(Some(place.settings()), Vec::new());
    let known = [reached("a", "x", 1, 9), reached("a", "y", 2, 2), reached("b", "x", 3, 3)];
    assert_eq!(run.take_reached(), known);
    // What the judgement forgets is forgotten.
    run.tell_of(taught(reached("c", "z", 10, 10), Some("a")));
    run.stop().expect("kept");
    let mut run = Run::begin(Some(place.settings()), Vec::new());
    assert_eq!(run.take_reached(), [reached("b", "x", 3, 3), reached("c", "z", 10, 10)]);
    run.stop().expect("kept");
}
