//! One run: what of it is there, and what it says is not.

use std::collections::BTreeMap;

use super::{
    line::{Line, Loss},
    places::{Hole, Places, Room, Was},
};
use crate::event::Action;

/// Most holes listed; all are counted.
const MOST_HOLES: usize = 1000;

/// Most kinds of losses told apart; the rest is summed up without owner and kind.
const MOST_UNTOLD: usize = 10_000;

/// What the lines of a run prove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// From start to stop every event is there, and nothing was lost before that.
    Complete,
    /// Every event is there, and they say exactly what was lost or left out.
    Accounted,
    /// A filter may have left out all that is missing, the end included: these lines
    /// cannot say whether it did.
    Filtered,
    /// Something is missing that nobody says, or the end is.
    Incomplete,
}

impl Verdict {
    /// The verdict as a word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Accounted => "accounted",
            Self::Filtered => "filtered",
            Self::Incomplete => "incomplete",
        }
    }
}

/// What was not told, as the agent counted it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Untold {
    /// Where it was lost, or left out.
    pub place: String,
    /// Whose; empty when that is not known.
    pub owner: String,
    /// Kind of record; empty when that is not known.
    pub operation: String,
}

/// A run of the agent.
#[derive(Debug)]
pub struct Run {
    /// `agent.ephemeral_id`.
    pub id: String,
    /// Host it ran on.
    pub host: String,
    /// Time of the earliest event.
    pub first: String,
    /// Time of the latest event.
    pub last: String,
    /// Different events.
    pub events: u64,
    /// Lines of events that were there already.
    pub duplicates: u64,
    /// Lines that are another event in a place that was taken.
    pub conflicts: u64,
    /// Lines that could not be placed, because too much is missing to hold it all.
    pub unplaced: u64,
    /// Why the run stopped, and its last place.
    pub stopped: Option<(String, u64)>,
    /// The last event of a run that ended without a word, as the next run found it.
    pub crashed_after: Option<u64>,
    /// Signed values of the hash chain among the events.
    pub checkpoints: u64,
    /// What was not told, and how often.
    pub untold: BTreeMap<Untold, u64>,
    /// The lines are a sink's that gets a part of the events.
    pub is_filtered: bool,
    places: Places,
}

impl Run {
    pub(super) fn new(line: &Line, is_filtered: bool) -> Self {
        Self {
            id: line.run.clone(),
            host: line.host.clone(),
            first: line.time.clone(),
            last: line.time.clone(),
            events: 0,
            duplicates: 0,
            conflicts: 0,
            unplaced: 0,
            stopped: None,
            crashed_after: None,
            checkpoints: 0,
            untold: BTreeMap::new(),
            is_filtered,
            places: Places::default(),
        }
    }

    pub(super) fn take(&mut self, line: &Line, room: &mut Room) {
        match self.places.take(line.sequence, &line.id, room) {
            Was::Free => {}
            Was::Same => {
                self.duplicates += 1;
                return;
            }
            Was::Other => {
                self.conflicts += 1;
                return;
            }
            Was::NoRoom => {
                self.unplaced += 1;
                return;
            }
        }
        self.events += 1;
        if line.time < self.first {
            self.first.clone_from(&line.time);
        }
        if line.time > self.last {
            self.last.clone_from(&line.time);
        }
        if let Some(reason) = line.stopped() {
            self.stopped = Some((reason, line.sequence));
        }
        if line.action == Action::ChainCheckpoint.name() {
            self.checkpoints += 1;
        }
        if let Some(loss) = &line.loss {
            self.lose(loss);
        }
    }

    fn lose(&mut self, loss: &Loss) {
        let mut rest = loss.count;
        for one in loss.by.iter().flatten() {
            rest = rest.saturating_sub(one.count);
            self.lose_some(
                Untold {
                    place: loss.place.clone().into_owned(),
                    owner: one.owner.clone().unwrap_or_default().into_owned(),
                    operation: one.operation.clone().into_owned(),
                },
                one.count,
            );
        }
        if rest > 0 {
            let (owner, operation) = (String::new(), String::new());
            self.lose_some(
                Untold { place: loss.place.clone().into_owned(), owner, operation },
                rest,
            );
        }
    }

    fn lose_some(&mut self, mut what: Untold, count: u64) {
        if self.untold.len() >= MOST_UNTOLD && !self.untold.contains_key(&what) {
            (what.owner, what.operation) = (String::new(), String::new());
        }
        // A place is a word of ours; whoever writes others here gets one row for all.
        if self.untold.len() >= 2 * MOST_UNTOLD && !self.untold.contains_key(&what) {
            what.place = "other".to_owned();
        }
        let known = self.untold.entry(what).or_default();
        *known = known.saturating_add(count);
    }

    /// How many records were lost or left out, as far as was told.
    #[must_use]
    pub fn untold_count(&self) -> u64 {
        self.untold.values().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// The last place that the run is known to have given.
    #[must_use]
    pub fn last_place(&self) -> u64 {
        self.places.last().max(self.crashed_after.unwrap_or_default())
    }

    /// Missing places, some of them one by one, and their number.
    #[must_use]
    pub fn holes(&self) -> (Vec<Hole>, u64) {
        self.places.holes(self.last_place(), MOST_HOLES)
    }

    /// Whether the run has its end: nothing follows its stop.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.stopped.as_ref().is_some_and(|(_, place)| *place == self.last_place())
    }

    /// What the lines prove.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let (_, missing) = self.holes();
        if self.conflicts > 0 || self.unplaced > 0 {
            Verdict::Incomplete
        } else if missing > 0 || !self.has_ended() {
            if self.is_filtered { Verdict::Filtered } else { Verdict::Incomplete }
        } else if self.untold.is_empty() {
            Verdict::Complete
        } else {
            Verdict::Accounted
        }
    }
}
