//! Opens a history: takes its place, and sets aside a file that is damaged.

use std::path::Path;

use super::{
    error::StoreError,
    now_ns,
    place::{InUse, Place},
    store::Store,
};

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
