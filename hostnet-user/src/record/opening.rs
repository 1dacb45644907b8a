//! Whether a history is open, and opening one: its place is taken, and a file that is
//! damaged is set aside.

use std::{path::Path, time::Instant};

use super::{
    error::StoreError,
    now_ns,
    place::{InUse, Place},
    room::Full,
    store::Store,
};

/// Whether rows can be kept.
pub enum State {
    /// They can, as far as is known.
    Usable(Open),
    /// There is no room for more; what is old may go meanwhile.
    NoRoom {
        /// The history.
        open: Open,
        /// Why.
        full: Full,
        /// When it is looked for again.
        retry_at: Instant,
    },
    /// The history cannot be used.
    Closed {
        /// When that is tried again.
        retry_at: Instant,
    },
}

impl State {
    /// The history, where it is open.
    pub const fn open(&self) -> Option<&Open> {
        match self {
            Self::Usable(open) | Self::NoRoom { open, .. } => Some(open),
            Self::Closed { .. } => None,
        }
    }

    /// The same, to be changed.
    pub const fn open_mut(&mut self) -> Option<&mut Open> {
        match self {
            Self::Usable(open) | Self::NoRoom { open, .. } => Some(open),
            Self::Closed { .. } => None,
        }
    }

    /// Whether it is to be tried again now.
    pub fn is_due(&self) -> bool {
        match self {
            Self::Usable(_) => false,
            Self::NoRoom { retry_at, .. } | Self::Closed { retry_at } => {
                Instant::now() >= *retry_at
            }
        }
    }

    /// Takes the history, which is then closed.
    pub fn take(&mut self) -> Option<Open> {
        match std::mem::replace(self, Self::Closed { retry_at: Instant::now() }) {
            Self::Usable(open) | Self::NoRoom { open, .. } => Some(open),
            Self::Closed { .. } => None,
        }
    }
}

/// A history that can be used.
pub struct Open {
    /// The history.
    pub store: Store,
    /// Which file it is.
    pub file: Option<(u64, u64)>,
}

/// A file that was there and is no history any more.
pub struct Damaged {
    /// What is wrong with it.
    pub reason: String,
    /// What it is called now.
    pub aside: String,
}

/// Why a history could not be opened.
pub enum Failure {
    /// Another agent has it.
    InUse(InUse),
    /// Something else, which may pass.
    Store(StoreError),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Takes the place of `path` for a run where it is not taken.
pub fn take(place: &mut Option<Place>, path: &Path, run: &str) -> Result<(), Failure> {
    let is_there = |place: &Place| place.path.parent().is_some_and(Path::exists);
    if !place.as_ref().is_some_and(is_there) {
        *place = None;
        *place = Some(Place::take(path, run).map_err(|error| match error.downcast::<InUse>() {
            Ok(in_use) => Failure::InUse(in_use),
            Err(error) => Failure::Store(error.into()),
        })?);
    }
    Ok(())
}

/// Opens the history at a place; a new file begins after row `after`. `damaged` is
/// called when the file that is there was set aside for a new one.
pub fn open(place: &Place, after: u64, damaged: impl FnOnce(Damaged)) -> Result<Open, StoreError> {
    place.clear_companions();
    let opened = place.prepare().map_err(StoreError::from);
    let store = match opened.and_then(|()| Store::open(&place.path, after)) {
        Err(StoreError::Damaged(reason)) => {
            let aside = place.set_aside(now_ns() / 1_000_000_000)?.display().to_string();
            damaged(Damaged { reason, aside });
            place.prepare()?;
            Store::open(&place.path, after)?
        }
        other => other?,
    };
    Ok(Open { store, file: place.identity() })
}
