//! The history through good and bad times: opened, failed, set aside when it is
//! damaged, opened again; without room for more (room.rs), and with room again. What
//! cannot be kept now waits in memory (tail.rs).

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::Result;

use super::{
    before,
    checkpoint::Checkpoints,
    error::StoreError,
    news::News,
    numbers,
    opening::{self, Damaged, Failure, State},
    place::Place,
    purges::Purges,
    retention::Limits,
    room::{self, Full},
    store::{Standing, Store},
};
use crate::{
    event::{Action, RecordHealth},
    output::HistoryNumbers,
    row::Row,
    sink::Outbox,
};

/// The record that tells of a purge, and that has to be kept before it.
pub const PURGED: &str = Action::HistoryPurged.name();

/// How often a history that failed is tried again.
const TRY_EVERY: Duration = Duration::from_secs(1);

/// How a history is kept.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The file.
    pub path: PathBuf,
    /// What is kept at most.
    pub limits: Limits,
    /// How often the chain's value is told, when there is something new.
    pub checkpoint_every: Duration,
}

/// A history, usable or not.
pub struct Keeper {
    settings: Settings,
    run: String,
    /// Whose places are to be looked for; `None` once it was known what was before.
    unseen: Option<Vec<Outbox>>,
    news: News,
    pub(super) place: Option<Place>,
    state: State,
    /// From when something was not kept until all that waited is.
    failing: Option<Failing>,
    checkpoints: Checkpoints,
    purges: Purges,
    /// As far as they are counted here.
    numbers: HistoryNumbers,
}

struct Failing {
    since: Instant,
    /// Rows that will never be in the history.
    given_up: u64,
}

impl Keeper {
    /// Takes the place and opens the history.
    ///
    /// # Errors
    /// When another agent has it, or a newer hostnet has written it. Whatever else
    /// is wrong may pass: it is told, and tried again.
    pub fn begin(
        settings: Settings,
        run: String,
        outboxes: Vec<Outbox>,
        news: News,
    ) -> Result<Self> {
        let checkpoints = Checkpoints::new(settings.checkpoint_every);
        let purges = Purges::new(settings.limits);
        let limit_bytes = settings.limits.bytes;
        let mut keeper = Self {
            settings,
            run,
            unseen: Some(outboxes),
            news,
            place: None,
            state: State::Closed { retry_at: Instant::now() },
            failing: None,
            checkpoints,
            purges,
            numbers: HistoryNumbers { limit_bytes, ..HistoryNumbers::default() },
        };
        match keeper.try_open(0) {
            // Where the sinks go on is known.
            Ok(()) => keeper.unseen = None,
            Err(Failure::InUse(error)) => return Err(error.into()),
            Err(Failure::Store(error @ StoreError::Newer { .. })) => {
                let path = keeper.settings.path.display().to_string();
                return Err(anyhow::Error::new(error).context(format!("cannot use {path}")));
            }
            Err(Failure::Store(error)) => keeper.failed(&error),
        }
        Ok(keeper)
    }

    /// The history, while it can be used.
    #[must_use]
    pub fn store(&self) -> Option<&Store> {
        self.state.open().map(|open| &open.store)
    }

    /// Keeps rows and how the sinks stand; says whether it kept all of them.
    pub fn keep<'a>(
        &mut self,
        rows: impl Iterator<Item = &'a Row>,
        sinks: &[(String, Standing)],
    ) -> bool {
        let rows: Vec<&Row> = rows.collect();
        let mut rest = rows.as_slice();
        loop {
            let (these, others) = rest.split_at(room::transaction(rest, self.settings.limits));
            if !self.keep_if_there_is_room(these, sinks) {
                return false;
            }
            if others.is_empty() {
                return true;
            }
            rest = others;
        }
    }

    fn keep_if_there_is_room(&mut self, rows: &[&Row], sinks: &[(String, Standing)]) -> bool {
        let State::Usable(open) = &self.state else { return false };
        let bytes = rows.iter().map(|row| row.document.len() as u64).sum();
        match open.store.room_for(bytes, self.settings.limits) {
            Ok(None) => {}
            Ok(Some(full)) => {
                self.is_full(full);
                return false;
            }
            Err(error) => {
                self.failed(&error);
                return false;
            }
        }
        if !self.append(rows, sinks) {
            return false;
        }
        // Rows go at least as fast as they come.
        self.purge(2 * rows.len() as u64);
        self.plan();
        true
    }

    fn append(&mut self, rows: &[&Row], sinks: &[(String, Standing)]) -> bool {
        let Some(open) = self.state.open_mut() else { return false };
        if let Err(error) = open.store.append(&self.run, rows.iter().copied(), sinks) {
            self.failed(&error);
            return false;
        }
        self.numbers.kept += rows.len() as u64;
        for row in rows {
            self.checkpoints.kept(&row.action);
            if row.action == PURGED {
                // Told and kept: now it may go.
                self.purges.recorded();
            }
        }
        true
    }

    /// Whether a purge would make room, and waits for its record to be kept.
    #[must_use]
    pub fn awaits_purge(&self) -> bool {
        let is_grown = matches!(self.state, State::NoRoom { full: Full::Grown { .. }, .. });
        is_grown && self.purges.is_told()
    }

    /// Keeps the record of a purge although there is no room for other rows; says
    /// whether it did.
    pub fn keep_purge(&mut self, row: &Row, sinks: &[(String, Standing)]) -> bool {
        self.append(&[row], sinks)
    }

    /// Bytes of documents that are kept in one transaction at most.
    #[must_use]
    pub fn transaction(&self) -> u64 {
        self.settings.limits.transaction()
    }

    /// Whether rows can be kept, as far as is known.
    #[must_use]
    pub const fn is_usable(&self) -> bool {
        matches!(self.state, State::Usable(_))
    }

    /// Whether it is to be tried again now.
    #[must_use]
    pub fn is_due(&self) -> bool {
        self.state.is_due()
    }

    /// Tries again; a new file begins after row `after`. `None` while it cannot be used;
    /// else what the sinks' counts had come to, if that was not known before.
    pub fn retry(&mut self, after: u64) -> Option<Vec<Standing>> {
        let tried = if let Some(open) = self.state.open() {
            // For a transaction of the usual size.
            let limits = self.settings.limits;
            match open.store.room_for(limits.transaction(), limits) {
                Ok(Some(full)) => {
                    self.is_full(full);
                    return None;
                }
                room => room.map(|_| self.has_room()),
            }
        } else {
            self.try_open(after).map_err(|failure| match failure {
                Failure::InUse(error) => StoreError::Failed(error.to_string()),
                Failure::Store(error) => error,
            })
        };
        match tried {
            Ok(()) => Some(self.look_back()),
            Err(error) => {
                self.failed(&error);
                None
            }
        }
    }

    /// Tells what was before this run, when the history could not be read at its start.
    fn look_back(&mut self) -> Vec<Standing> {
        let (Some(open), Some(place)) = (self.state.open(), &self.place) else {
            return Vec::new();
        };
        let Some(outboxes) = self.unseen.take() else { return Vec::new() };
        before::tell_of_crashes(&open.store, &self.news);
        before::drop_what_waited(&open.store, &place.path, &outboxes, &self.news)
    }

    /// Everything that waited is kept.
    pub fn recovered(&mut self) {
        let Some(failing) = self.failing.take() else { return };
        let (path, given_up) = (self.path(), failing.given_up);
        let failed_ns = u64::try_from(failing.since.elapsed().as_nanos()).unwrap_or(u64::MAX);
        tracing::info!(
            "the history {path} is written again; {given_up} events are missing from it"
        );
        self.news.tell(RecordHealth::HistoryRecovered { path, failed_ns, given_up });
    }

    /// There was no room to wait for rows that were not kept yet.
    pub fn gave_up(&mut self, rows: u64) {
        self.numbers.not_kept += rows;
        if let Some(failing) = &mut self.failing {
            failing.given_up += rows;
        }
    }

    /// Notices a file that is no longer there.
    pub fn look(&mut self) {
        let Some((open, place)) = self.state.open().zip(self.place.as_ref()) else { return };
        if place.identity() != open.file {
            self.failed(&StoreError::Failed(
                "it was removed or replaced while the agent wrote it".to_owned(),
            ));
            self.state = State::Closed { retry_at: Instant::now() };
        }
    }

    /// Tells the chain's value, when it is time and there is something new.
    pub fn checkpoint(&mut self) {
        let Some(open) = self.state.open() else { return };
        let path = self.place.as_ref().map_or(&self.settings.path, |place| &place.path);
        let Some(checkpoint) = self.checkpoints.next(&open.store, path) else { return };
        if self.news.tell(RecordHealth::Checkpoint(checkpoint)) {
            self.checkpoints.sent();
        }
    }

    /// Finds out whether something has to go.
    pub fn plan(&mut self) {
        let Some(open) = self.state.open() else { return };
        match self.purges.plan(&open.store) {
            Ok(None) => {}
            Ok(Some(purge)) => {
                if self.news.tell(RecordHealth::HistoryPurged(purge.clone())) {
                    self.purges.told(purge);
                }
            }
            Err(error) => self.failed(&error),
        }
    }

    /// Takes a step of what has to go, of at least `least` rows; says whether there is
    /// more to do at once.
    pub fn purge(&mut self, least: u64) -> bool {
        let Some(open) = self.state.open_mut() else { return false };
        // While the log cannot be cut, a purge only makes it longer.
        let step = open.store.cut_log(self.settings.limits).and_then(|is_short| {
            if is_short { self.purges.step(&mut open.store, least) } else { Ok(false) }
        });
        step.unwrap_or_else(|error| {
            self.failed(&error);
            false
        })
    }

    /// Looks at the clock.
    pub fn look_at_clock(&mut self) {
        let Some(open) = self.state.open() else { return };
        if let Err(error) = self.purges.look_at_clock(&open.store) {
            self.failed(&error);
        }
    }

    /// Puts everything where it stays.
    pub fn finish(&mut self) {
        if let Some(open) = self.state.take()
            && let Err(error) = open.store.settle()
        {
            tracing::warn!("the history {}: {error}", self.path());
        }
    }

    /// The history in numbers.
    #[must_use]
    pub fn numbers(&self) -> HistoryNumbers {
        let mut numbers = self.numbers.clone();
        numbers.is_writable = self.is_usable();
        numbers.purged.clone_from(self.purges.removed());
        numbers::look(&mut numbers, self.store());
        numbers
    }

    fn path(&self) -> String {
        self.settings.path.display().to_string()
    }

    fn try_open(&mut self, after: u64) -> Result<(), Failure> {
        opening::take(&mut self.place, &self.settings.path, &self.run)?;
        let Some(place) = &self.place else { return Ok(()) };
        let (path, news, failing) = (self.path(), &self.news, &mut self.failing);
        let open = opening::open(place, after, |Damaged { reason, aside }| {
            tracing::error!(
                "the history {path} is damaged: {reason}; it was renamed to {aside}, and a new one \
                 begun"
            );
            news.tell(RecordHealth::HistoryFailed { path, reason, set_aside: Some(aside) });
            failing.get_or_insert(Failing { since: Instant::now(), given_up: 0 });
        })?;
        open.store.hold_to(self.settings.limits)?;
        self.state = State::Usable(open);
        self.look_at_clock();
        Ok(())
    }

    /// The history cannot be used; told when it could be before.
    fn failed(&mut self, error: &StoreError) {
        self.purges.forget();
        // What is damaged is set aside at once; what is full or gone may come back.
        let is_damaged = matches!(error, StoreError::Damaged(_));
        let wait = if is_damaged { Duration::ZERO } else { TRY_EVERY };
        self.state = State::Closed { retry_at: Instant::now() + wait };
        if !is_damaged {
            self.not_kept(error.to_string());
        }
    }

    /// There is no room for more; it stays open, because what is old may go from it.
    fn is_full(&mut self, full: Full) {
        let Some(open) = self.state.take() else { return };
        let wait = if matches!(full, Full::Grown { .. }) { Duration::ZERO } else { TRY_EVERY };
        self.state = State::NoRoom { open, full, retry_at: Instant::now() + wait };
        self.not_kept(full.to_string());
    }

    fn has_room(&mut self) {
        if let Some(open) = self.state.take() {
            self.state = State::Usable(open);
        }
    }

    fn not_kept(&mut self, reason: String) {
        if self.failing.is_none() {
            self.failing = Some(Failing { since: Instant::now(), given_up: 0 });
            let path = self.path();
            tracing::error!("the history {path} cannot be written: {reason}");
            self.news.tell(RecordHealth::HistoryFailed { path, reason, set_aside: None });
        }
    }
}
