//! The newest rows in memory: where the writer publishes and the sinks look first.
//!
//! Bounded. What the history has may go from here, because a sink that lags reads
//! it there; what it does not have yet stays as long as there is room, so that
//! nothing is lost while a disk is full.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::store::Standing;
use crate::{output::SinkNumbers, row::Row};

/// Bytes of documents kept although the history has them: a sink that is a little late need not
/// read them there.
const COMFORT: u64 = 4 << 20;

/// The same without a history: when a destination refuses a row, one that it is not like decides
/// whether the row or the settings are at fault.
const WITNESSES: u64 = 1 << 20;

/// Bytes of documents kept at most.
const MOST: u64 = 64 << 20;

/// Rows that go together.
#[derive(Debug)]
pub struct Batch {
    /// The rows, oldest first; never none.
    pub rows: Vec<Row>,
    /// Bytes of all documents up to and with the last of them.
    pub total: u64,
}

/// What a sink is to do next.
#[derive(Debug)]
pub enum Next {
    /// Deliver what of these it has not delivered.
    Deliver(Arc<Batch>),
    /// Read the rows after its cursor in the history: from here on they are in memory.
    ReadUntil(u64),
    /// Open the destination anew.
    Reopen,
    /// Nothing came.
    Wait,
    /// End: the run is over and everything is delivered, or it is too late.
    End,
}

/// The newest rows, and how the sinks stand.
pub struct Tail {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    batches: VecDeque<Arc<Batch>>,
    bytes: u64,
    /// The newest row published.
    last: u64,
    /// Its `event.sequence`.
    sequence: u64,
    /// Bytes of all documents up to and with it.
    total: u64,
    /// Up to which row the history has them, or nobody wants it to.
    kept: u64,
    /// Whether there is a history to read older rows from.
    has_history: bool,
    sinks: Vec<SinkState>,
    deadline: Option<Instant>,
    nobody_reads: bool,
}

struct SinkState {
    name: String,
    standing: Standing,
    reopen: bool,
    ended: bool,
    complaint: String,
}

/// A sink that did not get everything before the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// The sink.
    pub sink: String,
    /// Rows it has not taken.
    pub rows: u64,
    /// The last thing that went wrong, if anything did.
    pub complaint: String,
}

impl Tail {
    /// A tail after row `last`, up to which all documents have `total` bytes.
    #[must_use]
    pub fn new(last: u64, total: u64, has_history: bool, sinks: Vec<(String, Standing)>) -> Self {
        let sinks = sinks
            .into_iter()
            .map(|(name, standing)| SinkState {
                name,
                standing,
                reopen: false,
                ended: false,
                complaint: String::new(),
            })
            .collect();
        let state = State {
            batches: VecDeque::new(),
            bytes: 0,
            last,
            sequence: 0,
            total,
            kept: last,
            has_history,
            sinks,
            deadline: None,
            nobody_reads: false,
        };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// A panic elsewhere leaves numbers that are still true.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Publishes rows; returns how many older ones the history will never have,
    /// because there was no more room for them.
    pub fn publish(&self, rows: Vec<Row>, total: u64, is_kept: bool) -> u64 {
        let Some((last, sequence)) = rows.last().map(|row| (row.id, row.sequence)) else {
            return 0;
        };
        let mut state = self.state();
        state.bytes += size(&rows);
        (state.last, state.sequence) = (last, sequence);
        state.total = total;
        if is_kept {
            state.kept = last;
        }
        state.batches.push_back(Arc::new(Batch { rows, total }));
        let given_up = state.shrink();
        drop(state);
        self.changed.notify_all();
        given_up
    }

    /// `event.sequence` of the newest row that was published.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.state().sequence
    }

    /// Rows that the history does not have yet, oldest first.
    #[must_use]
    pub fn unkept(&self) -> Option<Arc<Batch>> {
        let state = self.state();
        let kept = state.kept;
        state.batches.iter().find(|batch| batch.last() > kept).map(Arc::clone)
    }

    /// Gives up the rows that wait for the history before the first with this action;
    /// that row, and how many were given up. `None` when none with it waits.
    pub fn give_up_before(&self, action: &str) -> Option<(Row, u64)> {
        let mut state = self.state();
        let kept = state.kept;
        let rows = state.batches.iter().flat_map(|batch| &batch.rows);
        let mut waiting = rows.filter(|row| row.id > kept).enumerate();
        let (before, row) = waiting.find(|(_, row)| row.action == action)?;
        let row = row.clone();
        state.kept = row.id - 1;
        Some((row, before as u64))
    }

    /// The history has the rows up to `id`.
    pub fn keep(&self, id: u64) {
        let mut state = self.state();
        state.kept = state.kept.max(id);
        state.shrink();
    }

    /// How the sinks stand.
    #[must_use]
    pub fn standings(&self) -> Vec<(String, Standing)> {
        let state = self.state();
        state.sinks.iter().map(|sink| (sink.name.clone(), sink.standing.clone())).collect()
    }

    /// The sinks in numbers, by name.
    #[must_use]
    pub fn numbers(&self) -> BTreeMap<String, SinkNumbers> {
        let state = self.state();
        let numbers = |sink: &SinkState| {
            let standing = &sink.standing;
            let rows = state.batches.iter().flat_map(|batch| &batch.rows);
            SinkNumbers {
                delivered: standing.delivered,
                dropped: standing.dropped + standing.dead_letters,
                is_failing: !sink.complaint.is_empty(),
                waiting: state.last.saturating_sub(standing.cursor),
                waiting_since_ns: (state.last > standing.cursor)
                    .then(|| {
                        rows.filter(|row| row.id > standing.cursor).map(|row| row.time_ns).next()
                    })
                    .flatten(),
            }
        };
        state.sinks.iter().map(|sink| (sink.name.clone(), numbers(sink))).collect()
    }

    /// The newest row, and the bytes of all documents up to and with it.
    #[must_use]
    pub fn end(&self) -> (u64, u64) {
        let state = self.state();
        (state.last, state.total)
    }

    /// The newest row in memory of this kind.
    #[must_use]
    pub fn newest(&self, is_wanted: impl Fn(&Row) -> bool) -> Option<Row> {
        let state = self.state();
        let mut rows = state.batches.iter().rev().flat_map(|batch| batch.rows.iter().rev());
        rows.find(|row| is_wanted(row)).cloned()
    }

    /// What a sink is to do next; waits for it until `until`.
    pub fn next(&self, sink: usize, until: Instant) -> Next {
        let mut state = self.state();
        loop {
            let is_late = state.deadline.is_some_and(|deadline| Instant::now() >= deadline);
            let Some(own) = state.sinks.get_mut(sink) else { return Next::End };
            if std::mem::take(&mut own.reopen) {
                return Next::Reopen;
            }
            let cursor = own.standing.cursor;
            if is_late || (cursor >= state.last && state.deadline.is_some()) {
                return Next::End;
            }
            if cursor < state.last {
                return state.after(cursor);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Next::Wait;
            }
            state = self.wait(state, left);
        }
    }

    /// Waits before a sink tries again; less when it is to end or to open anew.
    pub fn pause(&self, sink: usize, wait: Duration) {
        let until = Instant::now() + wait;
        let mut state = self.state();
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let is_wanted = state.sinks.get(sink).is_some_and(|own| own.reopen);
            if left.is_zero() || is_wanted || state.deadline.is_some() {
                return;
            }
            state = self.wait(state, left);
        }
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>, wait: Duration) -> MutexGuard<'a, State> {
        self.changed.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0
    }

    /// Changes how a sink stands; returns how it does then.
    pub fn stand(&self, sink: usize, change: impl FnOnce(&mut Standing)) -> Standing {
        let mut state = self.state();
        let Some(own) = state.sinks.get_mut(sink) else { return Standing::default() };
        change(&mut own.standing);
        own.standing.clone()
    }

    /// Notes what went wrong with a sink last; nothing when all is well.
    pub fn complain(&self, sink: usize, complaint: &str) {
        if let Some(own) = self.state().sinks.get_mut(sink) {
            complaint.clone_into(&mut own.complaint);
        }
    }

    /// Has every sink open its destination anew.
    pub fn reopen(&self) {
        self.state().sinks.iter_mut().for_each(|sink| sink.reopen = true);
        self.changed.notify_all();
    }

    /// A reader went away for good, and the run with it.
    pub fn nobody_reads(&self) {
        self.state().nobody_reads = true;
    }

    /// Whether a reader went away since the last call.
    pub fn take_nobody_reads(&self) -> bool {
        std::mem::take(&mut self.state().nobody_reads)
    }

    /// Whether the run is ending.
    #[must_use]
    pub fn is_ending(&self) -> bool {
        self.state().deadline.is_some()
    }

    /// A sink has ended.
    pub fn ended(&self, sink: usize) {
        if let Some(own) = self.state().sinks.get_mut(sink) {
            own.ended = true;
        }
        self.changed.notify_all();
    }

    /// Waits until the sinks have delivered everything, at most `patience`; what
    /// they have not.
    pub fn finish(&self, patience: Duration) -> Vec<Left> {
        let deadline = Instant::now() + patience;
        let mut state = self.state();
        state.deadline = Some(deadline);
        self.changed.notify_all();
        while state.sinks.iter().any(|sink| !sink.ended) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            state = self.wait(state, left);
        }
        let last = state.last;
        state
            .sinks
            .iter()
            .filter(|sink| sink.standing.cursor < last)
            .map(|sink| Left {
                sink: sink.name.clone(),
                rows: last - sink.standing.cursor,
                complaint: sink.complaint.clone(),
            })
            .collect()
    }
}

impl State {
    fn after(&self, cursor: u64) -> Next {
        let Some(oldest) = self.batches.front().and_then(|batch| batch.rows.first()) else {
            return Next::ReadUntil(self.last);
        };
        if cursor + 1 < oldest.id {
            return Next::ReadUntil(oldest.id - 1);
        }
        let index = self.batches.partition_point(|batch| batch.last() <= cursor);
        self.batches.get(index).map_or(Next::Wait, |batch| Next::Deliver(Arc::clone(batch)))
    }

    /// Lets go of what is not needed; returns how many rows were, but had no room.
    fn shrink(&mut self) -> u64 {
        let slowest = self.sinks.iter().map(|sink| sink.standing.cursor).min();
        let comfort = if self.has_history { COMFORT } else { WITNESSES };
        let mut given_up = 0;
        while let Some(oldest) = self.batches.front() {
            let last = oldest.last();
            let is_needed = if self.has_history {
                last > self.kept
            } else {
                slowest.is_some_and(|cursor| last > cursor)
            };
            if self.bytes <= comfort || (is_needed && self.bytes <= MOST) || self.batches.len() == 1
            {
                break;
            }
            if self.has_history && last > self.kept {
                given_up += oldest.rows.iter().filter(|row| row.id > self.kept).count() as u64;
                self.kept = last;
            }
            self.bytes -= size(&oldest.rows);
            self.batches.pop_front();
        }
        given_up
    }
}

impl Batch {
    /// The id of its last row.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.rows.last().map_or(0, |row| row.id)
    }
}

fn size(rows: &[Row]) -> u64 {
    rows.iter().map(|row| row.document.len() as u64).sum()
}
