//! Until when a history is complete: all that happened by then, and was recorded, is in it.
//! Where nothing happens no row says so, and a reader could not tell a quiet host from
//! an agent that hangs or is gone.
//!
//! It is the time of modification of the file that the agent has locked, which says
//! which run it is about (place.rs). It is set every second, which writes no data. A power
//! cut may leave it and take rows.

use std::{
    fs::File,
    io::Read as _,
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::Path,
    thread,
    time::{Duration, Instant},
};

use rustix::fs::{Timespec, Timestamps, futimens};

use super::{
    files::{LOCK, with_suffix},
    now_ns,
};

const SECOND: u64 = 1_000_000_000;

/// How often a reader looks whether there is a later mark.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The longest that a reader waits for one: marks are a second apart.
const PATIENCE: Duration = Duration::from_secs(3);

/// An agent that has not set one for this long is gone, or hangs.
const FRESH_NS: u64 = 10 * SECOND;

/// Most bytes that are read of the file.
const LONGEST: u64 = 128;

/// Until when the history of a run is complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Which run; of those before it nothing is said.
    pub run: String,
    /// Until when, nanoseconds since 1970.
    pub until_ns: u64,
}

/// Sets it. Where that fails, readers know less.
pub(super) fn set(lock: &File, until_ns: u64) {
    let (seconds, nanos) = (until_ns / SECOND, until_ns % SECOND);
    let time = Timespec { tv_sec: seconds.cast_signed(), tv_nsec: nanos.cast_signed() };
    let times = Timestamps { last_access: time, last_modification: time };
    if let Err(error) = futimens(lock, &times) {
        tracing::debug!("cannot mark until when the history is complete: {error}");
    }
}

impl Mark {
    /// The mark of the history at `path`, if it has one. What is read of the history
    /// afterwards is at least as complete.
    #[must_use]
    pub fn read(path: &Path) -> Option<Self> {
        // Where the database is, whatever links lead there.
        let place = with_suffix(&path.canonicalize().ok()?, LOCK);
        let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
        let mut file = File::options().read(true).custom_flags(flags).open(place).ok()?;
        // The time first: a run that begins meanwhile has a later one.
        let metadata = file.metadata().ok().filter(std::fs::Metadata::is_file)?;
        let seconds = u64::try_from(metadata.mtime()).ok()?;
        let until_ns = seconds.checked_mul(SECOND)?.checked_add(metadata.mtime_nsec() as u64)?;
        let mut text = String::new();
        file.by_ref().take(LONGEST).read_to_string(&mut text).ok()?;
        let run = text.split_whitespace().nth(1)?.to_owned();
        Some(Self { run, until_ns })
    }

    /// Waits, a moment at most and only for an agent that sets marks, until the history is
    /// complete until `at_ns`.
    pub fn wait(path: &Path, at_ns: u64) {
        let deadline = Instant::now() + PATIENCE;
        let is_awaited = |mark: &Self| {
            mark.until_ns < at_ns && now_ns().saturating_sub(mark.until_ns) < FRESH_NS
        };
        while Self::read(path).is_some_and(|mark| is_awaited(&mark)) && Instant::now() < deadline {
            thread::sleep(LOOK_EVERY);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::place::Place, *};

    #[test]
    fn a_mark_is_of_the_run_that_has_the_place() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("history.db");
        assert_eq!(Mark::read(&path), None);
        let place = Place::take(&path, "run-1").unwrap();
        place.prepare().unwrap();
        let until_ns = 1_800_000_000_123_456_789;
        place.mark(until_ns);
        let mark = Mark { run: "run-1".to_owned(), until_ns };
        assert_eq!(Mark::read(&path), Some(mark.clone()));
        drop(place);
        // It outlives the agent, and not the next one's start.
        assert_eq!(Mark::read(&path), Some(mark));
        let _place = Place::take(&path, "run-2").unwrap();
        assert_eq!(Mark::read(&path).map(|mark| mark.run), Some("run-2".to_owned()));
    }

    #[test]
    fn a_mark_that_is_old_is_not_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("history.db");
        let place = Place::take(&path, "run-1").unwrap();
        place.prepare().unwrap();
        place.mark(SECOND);
        let begun = Instant::now();
        Mark::wait(&path, u64::MAX);
        Mark::wait(&path.with_extension("none"), u64::MAX);
        assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
    }
}
