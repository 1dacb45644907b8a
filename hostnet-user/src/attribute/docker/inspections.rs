//! Which containers to ask the runtime about, in which order, and what its
//! answers change. No I/O and no clock: the runtime's adapter brings both.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

use super::words::{cut_to_size, is_id};
use crate::attribute::{Container, RuntimeNews};

/// Containers waiting for their inspect; what does not fit is found again in the list.
const QUEUE: usize = 8192;
/// Containers waiting whose sketch is kept with its labels.
const SKETCHES: usize = 1024;
/// How long an id that the runtime did not know is not asked for again.
const MISS_AGE: Duration = Duration::from_millis(300);
const MISSES: usize = 512;

/// Why we ask, most urgent first: a container was seen by its id alone, an event
/// spoke of it, the list differs. Each lane has places of its own, so that a long
/// list delays nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    Wanted,
    Event,
    List,
}

const LANES: [Lane; 3] = [Lane::Wanted, Lane::Event, Lane::List];
/// Inspects under way at once, by lane.
const WIDTH: [usize; 3] = [8, 16, 8];

/// What an inspect gave.
#[derive(Debug)]
pub enum Answer {
    Found { container: Box<Container>, state: String },
    Missing,
    Failed,
}

/// A container as the list shows it. The sketch is what the list said of it.
#[derive(Debug)]
pub struct Listed {
    pub sketch: Box<Container>,
    pub names: Vec<String>,
    pub state: String,
}

struct Known {
    /// The name and the state that the list is expected to show: its own words,
    /// for an inspect may use others. No state when the list is to ask again.
    name: String,
    state: String,
    at: Instant,
}

struct Pending {
    lane: Lane,
    under_way: bool,
    again: bool,
    gone: bool,
    /// The name and the state that the list showed, when nothing newer made us ask.
    listed: Option<(String, String)>,
    /// Told when the container is gone before it could be inspected.
    sketch: Option<Box<Container>>,
}

/// One runtime's containers as far as we know them.
#[derive(Default)]
pub struct Inspections {
    known: HashMap<String, Known>,
    pending: HashMap<String, Pending>,
    lanes: [VecDeque<String>; 3],
    under_way: [usize; 3],
    misses: VecDeque<(Instant, String)>,
}

impl Inspections {
    /// A new connection: nothing is under way any more.
    pub fn begin(&mut self) {
        self.pending.clear();
        self.lanes = Default::default();
        self.under_way = [0; 3];
        self.doubt();
    }

    /// Events were missed: the next list asks for everything again.
    pub fn doubt(&mut self) {
        for known in self.known.values_mut() {
            known.state.clear();
        }
    }

    /// An event says that a container changed, and what the container is.
    pub fn changed(&mut self, sketch: Box<Container>, now: Instant) -> Option<RuntimeNews> {
        let sketch = self.cut_sketch(sketch);
        match self.ask(&sketch.id, Lane::Event) {
            Some(pending) => pending.sketch = pending.sketch.take().or(Some(sketch)),
            None => return self.sketched(sketch, now),
        }
        None
    }

    /// An event says that a container is gone. That is told after the answer to
    /// what is still being asked, which would bring it back.
    pub fn removed(&mut self, id: String) -> Option<RuntimeNews> {
        if let Some(pending) = self.pending.get_mut(&id) {
            pending.gone = true;
            return None;
        }
        self.known.remove(&id);
        Some(RuntimeNews::Removed { id })
    }

    /// Somebody saw this id and waits for its name.
    pub fn wanted(&mut self, id: &str, now: Instant) {
        while self.misses.front().is_some_and(|(at, _)| now.duration_since(*at) > MISS_AGE) {
            self.misses.pop_front();
        }
        if is_id(id) && !self.misses.iter().any(|(_, missed)| missed == id) {
            self.ask(id, Lane::Wanted);
        }
    }

    /// The complete list, which was asked for at `asked`.
    pub fn listed(&mut self, list: Vec<Listed>, asked: Instant) -> Vec<RuntimeNews> {
        let mut news = Vec::new();
        let mut present = HashSet::with_capacity(list.len());
        for Listed { sketch, names, state } in list {
            present.insert(sketch.id.clone());
            let differs = match self.known.get(&sketch.id) {
                Some(known) => known.state != state || !names.contains(&known.name),
                None => matches!(&*state, "running" | "created" | "paused" | "restarting"),
            };
            // Whatever is being asked of it already is newer than the list.
            if !differs || self.pending.contains_key(&sketch.id) {
                continue;
            }
            let sketch = self.cut_sketch(sketch);
            match self.ask(&sketch.id, Lane::List) {
                Some(pending) => {
                    pending.listed = Some((sketch.name.clone(), state));
                    pending.sketch = Some(sketch);
                }
                None => news.extend(self.sketched(sketch, asked)),
            }
        }
        // What was learned after the question is not expected in its answer.
        let gone = |(id, known): (&String, &Known)| {
            (known.at < asked && !present.contains(id)).then(|| id.clone())
        };
        for id in self.known.iter().filter_map(gone).collect::<Vec<_>>() {
            news.extend(self.removed(id));
        }
        news
    }

    /// The container's place in the queue; none when the queue is full.
    fn ask(&mut self, id: &str, lane: Lane) -> Option<&mut Pending> {
        if !self.pending.contains_key(id) {
            if self.pending.len() >= QUEUE {
                return None;
            }
            let pending = Pending::new(lane);
            self.pending.insert(id.to_owned(), pending);
            self.lanes[lane as usize].push_back(id.to_owned());
        }
        let pending = self.pending.get_mut(id)?;
        pending.listed = None;
        pending.again = pending.under_way;
        if lane < pending.lane && !pending.under_way {
            pending.lane = lane;
            self.lanes[lane as usize].push_back(id.to_owned());
        }
        Some(pending)
    }

    /// The next container to inspect, if there is a place for it.
    pub fn next(&mut self) -> Option<String> {
        for lane in LANES {
            while self.under_way[lane as usize] < WIDTH[lane as usize] {
                let Some(id) = self.lanes[lane as usize].pop_front() else { break };
                // It may have moved to a more urgent lane since.
                let waiting = |pending: &&mut Pending| !pending.under_way && pending.lane == lane;
                if let Some(pending) = self.pending.get_mut(&id).filter(waiting) {
                    pending.under_way = true;
                    self.under_way[lane as usize] += 1;
                    return Some(id);
                }
            }
        }
        None
    }

    /// What the runtime said of a container that `next` gave.
    pub fn answered(&mut self, id: String, answer: Answer, now: Instant) -> Vec<RuntimeNews> {
        let mut news = Vec::new();
        let Some(pending) = self.pending.remove(&id) else { return news };
        self.under_way[pending.lane as usize] -= 1;
        let missing = matches!(answer, Answer::Missing);
        if let Answer::Found { container, state } = answer {
            let container = cut_to_size(container);
            let shown = pending.listed.unwrap_or_else(|| (container.name.clone(), state));
            self.known.insert(id.clone(), Known { name: shown.0, state: shown.1, at: now });
            news.push(RuntimeNews::Container(container));
        } else {
            if let Some(known) = self.known.get_mut(&id) {
                known.state.clear();
            }
            news.extend(pending.sketch.and_then(|sketch| self.sketched(sketch, now)));
        }
        if missing {
            if self.misses.len() == MISSES {
                self.misses.pop_front();
            }
            self.misses.push_back((now, id.clone()));
        }
        if pending.gone {
            news.extend(self.removed(id));
        } else if pending.again {
            self.ask(&id, Lane::Event);
        }
        news
    }

    /// A sketch that may wait in the queue.
    fn cut_sketch(&self, mut sketch: Box<Container>) -> Box<Container> {
        if self.pending.len() >= SKETCHES {
            sketch.labels.clear();
        }
        cut_to_size(sketch)
    }

    /// A container that could not be inspected, as its event or the list showed it.
    fn sketched(&mut self, sketch: Box<Container>, now: Instant) -> Option<RuntimeNews> {
        if self.known.contains_key(&sketch.id) {
            return None;
        }
        let known = Known { name: sketch.name.clone(), state: String::new(), at: now };
        self.known.insert(sketch.id.clone(), known);
        Some(RuntimeNews::Container(sketch))
    }
}

impl Pending {
    fn new(lane: Lane) -> Self {
        Self { lane, under_way: false, again: false, gone: false, listed: None, sketch: None }
    }
}

#[cfg(test)]
mod tests {
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
        Listed { sketch: named(number, name), names: vec![name.into()], state: state.into() }
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
        assert_eq!(plan.changed(named(1, "a"), now), None);
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
        plan.listed(vec![shown(1, "a", "running"), shown(2, "old", "exited")], at(0));
        assert_eq!((plan.next(), plan.next()), (Some(id(1)), None));
        plan.answered(id(1), found(1, "a", "running"), at(1000));
        plan.listed(vec![shown(1, "a", "running")], at(2000));
        assert_eq!(plan.next(), None, "nothing differs");
        for (name, state) in [("b", "running"), ("b", "exited"), ("b", "running")] {
            plan.listed(vec![shown(1, name, state)], at(3000));
            assert_eq!(plan.next(), Some(id(1)));
            plan.answered(id(1), found(1, name, state), at(3500));
        }
        assert_eq!(plan.listed(vec![], at(3400)), [], "older than what is known");
        assert_eq!(plan.listed(vec![], at(4000)), [removed(1)]);
    }

    #[test]
    fn what_the_list_shows_is_compared_with_its_own_words() {
        let (mut plan, now) = (Inspections::default(), Instant::now());
        plan.listed(vec![shown(1, "a", "running")], now);
        plan.next();
        plan.answered(id(1), found(1, "a_1", "up"), now);
        plan.listed(vec![shown(1, "a", "running")], now);
        assert_eq!(plan.next(), None, "or it would be inspected every time");
        plan.doubt();
        plan.listed(vec![shown(1, "a", "running")], now);
        assert_eq!(plan.next(), Some(id(1)));
    }

    #[test]
    fn what_is_wanted_goes_first() {
        let (mut plan, now) = (Inspections::default(), Instant::now());
        plan.listed((0..100).map(|n| shown(n, "a", "running")).collect(), now);
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
        assert_eq!(told, QUEUE);
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
}
