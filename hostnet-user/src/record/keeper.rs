//! The history through good and bad times: opened, failed, set aside when it is
//! damaged, opened again. What cannot be kept now waits in memory (tail.rs).

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::Result;

use super::{
    Row, before,
    checkpoint::Key,
    delivery::Outbox,
    error::StoreError,
    news::News,
    now_ns,
    place::{InUse, Place},
    retention::{self, Limits, Purge},
    store::{Standing, Store},
};
use crate::event::RecordHealth;

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
    place: Option<Place>,
    open: Option<Open>,
    key: Option<Key>,
    failing: Option<Failing>,
    retry_at: Instant,
    checkpoint_at: Instant,
    /// Rows since the last checkpoint that are not checkpoints.
    unsigned: u64,
    planned: Option<Purge>,
    purging: Option<Purge>,
}

struct Open {
    store: Store,
    file: Option<(u64, u64)>,
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
        // Not at once: the first events still wait for their containers' names.
        let checkpoint_at = Instant::now() + settings.checkpoint_every;
        let mut keeper = Self {
            settings,
            run,
            unseen: Some(outboxes),
            news,
            place: None,
            open: None,
            key: None,
            failing: None,
            retry_at: Instant::now(),
            checkpoint_at,
            unsigned: 0,
            planned: None,
            purging: None,
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
        self.open.as_ref().map(|open| &open.store)
    }

    /// Keeps rows and how the sinks stand; says whether it did.
    pub fn keep<'a>(
        &mut self,
        rows: impl Iterator<Item = &'a Row> + Clone,
        sinks: &[(String, Standing)],
    ) -> bool {
        let Some(open) = &mut self.open else { return false };
        if let Err(error) = open.store.append(&self.run, rows.clone(), sinks) {
            self.failed(&error);
            return false;
        }
        for row in rows {
            match row.action.as_str() {
                super::checkpoint::ACTION => {}
                // Told and kept: now it may go.
                "history-purged" => self.purging = self.planned.take(),
                _ => self.unsigned += 1,
            }
        }
        true
    }

    /// Whether it is to be tried again now.
    #[must_use]
    pub fn is_due(&self) -> bool {
        self.open.is_none() && Instant::now() >= self.retry_at
    }

    /// Tries again; a new file begins after row `after`. `None` while it cannot be used;
    /// else what the sinks' counts had come to, if that was not known before.
    pub fn retry(&mut self, after: u64) -> Option<Vec<Standing>> {
        match self.try_open(after) {
            Ok(()) => Some(self.look_back()),
            Err(Failure::InUse(error)) => {
                self.failed(&StoreError::Failed(error.to_string()));
                None
            }
            Err(Failure::Store(error)) => {
                self.failed(&error);
                None
            }
        }
    }

    /// Tells what was before this run, when the history could not be read at its start.
    fn look_back(&mut self) -> Vec<Standing> {
        let (Some(open), Some(place)) = (&self.open, &self.place) else { return Vec::new() };
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
        if let Some(failing) = &mut self.failing {
            failing.given_up += rows;
        }
    }

    /// Notices a file that is no longer there.
    pub fn look(&mut self) {
        let Some((open, place)) = self.open.as_ref().zip(self.place.as_ref()) else { return };
        if place.identity() != open.file {
            self.failed(&StoreError::Failed(
                "it was removed or replaced while the agent wrote it".to_owned(),
            ));
            self.retry_at = Instant::now();
        }
    }

    /// Tells the chain's value, when it is time and there is something new.
    pub fn checkpoint(&mut self) {
        let Some(open) = &self.open else { return };
        if self.unsigned == 0 || Instant::now() < self.checkpoint_at {
            return;
        }
        self.checkpoint_at = Instant::now() + self.settings.checkpoint_every;
        if self.key.is_none() {
            let path = self.place.as_ref().map_or(&self.settings.path, |place| &place.path);
            match Key::read_or_make(path) {
                Ok(key) => self.key = Some(key),
                Err(error) => tracing::error!("checkpoints cannot be signed: {error:#}"),
            }
        }
        let Some(key) = &self.key else { return };
        let head = open.store.head();
        let checkpoint = key.sign(open.store.history(), head.id, &head.hash);
        if self.news.tell(RecordHealth::Checkpoint(checkpoint)) {
            self.unsigned = 0;
        }
    }

    /// Finds out whether something has to go.
    pub fn plan(&mut self) {
        if self.planned.is_some() || self.purging.is_some() {
            return;
        }
        let Some(open) = &self.open else { return };
        let planned = retention::give_back(&open.store, self.settings.limits)
            .and_then(|()| retention::plan(&open.store, self.settings.limits, now_ns()));
        match planned {
            Ok(None) => {}
            Ok(Some(purge)) => {
                if self.news.tell(RecordHealth::HistoryPurged(purge.clone())) {
                    self.planned = Some(purge);
                }
            }
            Err(error) => self.failed(&error),
        }
    }

    /// Takes a step of what has to go; says whether there is more.
    pub fn purge(&mut self) -> bool {
        let Some((open, purge)) = self.open.as_mut().zip(self.purging.as_ref()) else {
            return false;
        };
        match retention::step(&mut open.store, purge) {
            Ok(true) => self.purging = None,
            Ok(false) => return true,
            Err(error) => self.failed(&error),
        }
        false
    }

    /// Puts everything where it stays.
    pub fn finish(&mut self) {
        if let Some(open) = self.open.take()
            && let Err(error) = open.store.settle()
        {
            tracing::warn!("the history {}: {error}", self.path());
        }
    }

    fn path(&self) -> String {
        self.settings.path.display().to_string()
    }

    fn try_open(&mut self, after: u64) -> Result<(), Failure> {
        if self
            .place
            .as_ref()
            .is_none_or(|place| !place.path.parent().is_some_and(std::path::Path::exists))
        {
            self.place = None;
            let place = Place::take(&self.settings.path);
            self.place = Some(place.map_err(|error| match error.downcast::<InUse>() {
                Ok(in_use) => Failure::InUse(in_use),
                Err(error) => Failure::Store(error.into()),
            })?);
        }
        let Some(place) = &self.place else { return Ok(()) };
        place.clear_companions();
        let opened = place.prepare().map_err(StoreError::from);
        let store = match opened.and_then(|()| Store::open(&place.path, after)) {
            Err(StoreError::Damaged(reason)) => {
                let aside = place.set_aside(now_ns() / 1_000_000_000).map_err(StoreError::from)?;
                let (path, aside) = (self.path(), aside.display().to_string());
                tracing::error!(
                    "the history {path} is damaged: {reason}; it was renamed to {aside}, and a new one begun"
                );
                let set_aside = Some(aside);
                self.news.tell(RecordHealth::HistoryFailed { path, reason, set_aside });
                self.failing.get_or_insert(Failing { since: Instant::now(), given_up: 0 });
                place.prepare().map_err(StoreError::from)?;
                Store::open(&place.path, after)?
            }
            other => other?,
        };
        let file = place.identity();
        self.open = Some(Open { store, file });
        Ok(())
    }

    /// The history cannot be used; told when it could be before.
    fn failed(&mut self, error: &StoreError) {
        self.open = None;
        (self.planned, self.purging) = (None, None);
        self.retry_at = Instant::now();
        // What is damaged is set aside at once; what is full or gone may come back.
        if !matches!(error, StoreError::Damaged(_)) {
            self.retry_at += TRY_EVERY;
            if self.failing.is_none() {
                self.failing = Some(Failing { since: Instant::now(), given_up: 0 });
                let (path, reason) = (self.path(), error.to_string());
                tracing::error!("the history {path} cannot be written: {reason}");
                let set_aside = None;
                self.news.tell(RecordHealth::HistoryFailed { path, reason, set_aside });
            }
        }
    }
}

/// Why a history could not be opened.
enum Failure {
    InUse(InUse),
    Store(StoreError),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}
