//! Which containers to ask the runtime about, in which order, and what its
//! answers change. No I/O and no clock: the runtime's adapter brings both.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

use super::words::{List, Listed, is_id};
use crate::attribute::RuntimeNews;
use crate::event::Container;

/// Containers that are known or asked for; events of more are not heeded until
/// the list has said which of them are gone.
const MOST: usize = 1 << 15;
/// Containers waiting for their inspect; what does not fit is found again in the list.
const QUEUE: usize = 1 << 14;
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

    /// An event says that a container changed, and what the container is. That is
    /// told at once of a new one, which may be over before it has been inspected.
    pub fn changed(&mut self, sketch: Box<Container>, now: Instant) -> Option<RuntimeNews> {
        let is_new = !self.known.contains_key(&sketch.id) && !self.pending.contains_key(&sketch.id);
        if is_new && self.known.len() + self.pending.len() >= MOST {
            return None;
        }
        let told = is_new.then(|| RuntimeNews::Container(sketch.clone()));
        let sketch = self.cut_sketch(sketch);
        match self.ask(&sketch.id, Lane::Event) {
            Some(pending) => {
                pending.sketch = pending.sketch.take().or(Some(sketch));
                told
            }
            None => self.sketched(sketch, now),
        }
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

    /// The list of `runtime`, which was asked for at `asked`. Of one that is cut nobody
    /// is gone.
    pub fn listed(&mut self, list: List, runtime: &str, asked: Instant) -> Vec<RuntimeNews> {
        let mut news = Vec::new();
        let mut present = HashSet::with_capacity(list.containers.len());
        for listed in list.containers {
            let Listed { id, names, state, .. } = &listed;
            let differs = match self.known.get(id) {
                Some(known) => known.state != *state || !names.contains(&known.name),
                None => matches!(&**state, "running" | "created" | "paused" | "restarting"),
            };
            // Whatever is being asked of it already is newer than the list.
            if differs && !self.pending.contains_key(id) {
                let sketch = self.cut_sketch(listed.sketch(runtime));
                match self.ask(id, Lane::List) {
                    Some(pending) => {
                        pending.listed = Some((sketch.name.clone(), state.clone()));
                        pending.sketch = Some(sketch);
                    }
                    None => news.extend(self.sketched(sketch, asked)),
                }
            }
            present.insert(listed.id);
        }
        // What was learned after the question is not expected in its answer.
        let gone = |(id, known): (&String, &Known)| {
            (!list.is_cut && known.at < asked && !present.contains(id)).then(|| id.clone())
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
            sketch.labels_cut += std::mem::take(&mut sketch.labels).len();
        }
        sketch
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
mod tests;
