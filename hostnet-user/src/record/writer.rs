//! The thread that keeps and publishes: a row is in the history before a sink has
//! it, as long as there is a history that can be written.

use std::{
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, SyncSender},
    },
    time::{Duration, Instant},
};

use super::{
    keeper::{Keeper, PURGED},
    numbers::Board,
    store::Standing,
    tail::{Left, Tail},
};
use crate::row::Row;

/// Batches kept in one transaction at most.
const BATCHES: usize = 8;

/// How often the rest is looked after: cursors, checkpoints, retention.
const HOUSEKEEPING: Duration = Duration::from_secs(1);

/// What the writer is asked.
#[derive(Debug)]
pub enum Command {
    /// Keep and publish these.
    Rows(Vec<Row>),
    /// The rows before this are all there is to say of the time until then, nanoseconds
    /// since 1970.
    KnownUntil(u64),
    /// End, once the sinks have everything, or after this long.
    Stop {
        /// How long the sinks may take.
        patience: Duration,
    },
}

/// The writer's thread.
pub struct Writer {
    /// What it is asked.
    pub commands: Receiver<Command>,
    /// The history, when there is one.
    pub keeper: Option<Keeper>,
    /// Where it puts the history's numbers down.
    pub numbers: Board,
    /// Where it publishes.
    pub tail: Arc<Tail>,
    /// Where it says what was left when it ended.
    pub ended: SyncSender<Vec<Left>>,
    /// The newest row, and the bytes of all documents up to and with it.
    pub last: u64,
    pub total: u64,
}

impl Writer {
    /// Keeps and publishes until the run ends.
    pub fn run(mut self) {
        let mut kept_standings = Vec::new();
        let mut looked = Instant::now();
        let mut is_purging = false;
        self.put_numbers();
        let patience = loop {
            let wait = if is_purging { Duration::from_millis(1) } else { HOUSEKEEPING / 4 };
            let stop = match self.commands.recv_timeout(wait) {
                Ok(Command::Rows(rows)) => self.take_with(rows),
                Ok(Command::KnownUntil(until_ns)) => {
                    self.mark(until_ns);
                    None
                }
                Ok(Command::Stop { patience }) => Some(patience),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => Some(Duration::ZERO),
            };
            if let Some(patience) = stop {
                break patience;
            }
            is_purging = self.keeper.as_mut().is_some_and(|keeper| keeper.purge(0));
            self.catch_up(false);
            if looked.elapsed() >= HOUSEKEEPING {
                looked = Instant::now();
                self.keep_standings(&mut kept_standings);
                if let Some(keeper) = &mut self.keeper {
                    keeper.look();
                    keeper.look_at_clock();
                    keeper.plan();
                }
                self.put_numbers();
            }
            if let Some(keeper) = &mut self.keeper {
                keeper.checkpoint();
            }
        };
        let left = self.tail.finish(patience);
        self.catch_up(true);
        self.keep_standings(&mut kept_standings);
        if let Some(keeper) = &mut self.keeper {
            if self.tail.unkept().is_some() {
                tracing::error!("the last events are not in the history, which cannot be written");
            }
            keeper.finish();
        }
        // Whoever waits for this may begin the next run at once: the place is free.
        drop(self.keeper);
        // Nobody waits when the run ended badly.
        drop(self.ended.send(left));
    }

    fn put_numbers(&self) {
        if let Some(keeper) = &self.keeper {
            self.numbers.put(keeper.numbers());
        }
    }

    /// Takes rows and whatever came with them; how long to wait for the sinks when
    /// the end came, too.
    fn take_with(&mut self, rows: Vec<Row>) -> Option<Duration> {
        // Of a small history's limit no large part at once.
        let most = self.keeper.as_ref().map_or(u64::MAX, Keeper::transaction);
        let mut bytes = documents(&rows);
        let mut batches = vec![rows];
        let (mut stop, mut known_until) = (None, None);
        while batches.len() < BATCHES && bytes < most && stop.is_none() {
            match self.commands.try_recv() {
                Ok(Command::Rows(rows)) => {
                    bytes += documents(&rows);
                    batches.push(rows);
                }
                Ok(Command::KnownUntil(until_ns)) => known_until = Some(until_ns),
                Ok(Command::Stop { patience }) => stop = Some(patience),
                Err(_none_yet) => break,
            }
        }
        for row in batches.iter_mut().flatten() {
            self.last += 1;
            row.id = self.last;
        }
        let is_kept = match &mut self.keeper {
            Some(keeper) => keeper.keep(batches.iter().flatten(), &self.tail.standings()),
            None => true,
        };
        for rows in batches {
            self.total += documents(&rows);
            let given_up = self.tail.publish(rows, self.total, is_kept);
            if let Some(keeper) = &mut self.keeper {
                keeper.gave_up(given_up);
            }
        }
        // Some of them may be, when there was room for no more.
        if !is_kept && let Some(store) = self.keeper.as_ref().and_then(Keeper::store) {
            self.tail.keep(store.head().id);
        }
        if let Some(until_ns) = known_until {
            self.mark(until_ns);
        }
        stop
    }

    /// Notes until when the history says all there is to say; not while rows are missing.
    fn mark(&self, until_ns: u64) {
        let keeper = self.keeper.as_ref().filter(|keeper| keeper.is_usable());
        let place = keeper.and_then(|keeper| keeper.place.as_ref());
        if let Some(place) = place.filter(|_| self.tail.unkept().is_none()) {
            place.mark(until_ns);
        }
    }

    /// Keeps what could not be kept when it came; the last time whether it is time to
    /// try again or not.
    fn catch_up(&mut self, is_last: bool) {
        let Some(keeper) = &mut self.keeper else { return };
        if !(keeper.is_due() || is_last && !keeper.is_usable()) {
            return;
        }
        let first = self.tail.unkept().and_then(|batch| Some(batch.rows.first()?.id - 1));
        let Some(before) = keeper.retry(first.unwrap_or(self.last)) else {
            if self.make_way_for_purge() && is_last {
                self.catch_up(is_last);
            }
            return;
        };
        for (sink, before) in before.iter().enumerate() {
            self.tail.stand(sink, |standing| standing.add(before));
        }
        let standings = self.tail.standings();
        while let Some(batch) = self.tail.unkept() {
            let head = keeper.store().map_or(0, |store| store.head().id);
            if !keeper.keep(batch.rows.iter().filter(|row| row.id > head), &standings) {
                return;
            }
            self.tail.keep(batch.last());
        }
        keeper.recovered();
    }

    /// Where only a purge makes room and rows wait before its record, they are given up:
    /// it could not be kept otherwise. Says whether it is kept.
    fn make_way_for_purge(&mut self) -> bool {
        let Some(keeper) = self.keeper.as_mut().filter(|keeper| keeper.awaits_purge()) else {
            return false;
        };
        let Some((purge, given_up)) = self.tail.give_up_before(PURGED) else { return false };
        keeper.gave_up(given_up);
        let is_kept = keeper.keep_purge(&purge, &self.tail.standings());
        if is_kept {
            self.tail.keep(purge.id);
            while keeper.purge(0) {}
        }
        is_kept
    }

    fn keep_standings(&mut self, kept: &mut Vec<(String, Standing)>) {
        let standings = self.tail.standings();
        if standings != *kept
            && let Some(keeper) = &mut self.keeper
            && keeper.keep(std::iter::empty(), &standings)
        {
            *kept = standings;
        }
    }
}

/// Bytes of the rows' documents.
fn documents(rows: &[Row]) -> u64 {
    rows.iter().map(|row| row.document.len() as u64).sum()
}
