//! The most that something takes while a test runs: disk, or memory.

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// What the files of a directory take, bytes.
pub fn taken(directory: &Path) -> u64 {
    let files = fs::read_dir(directory).into_iter().flatten();
    // One may go while it is looked at.
    files.filter_map(|file| Some(file.ok()?.metadata().ok()?.len())).sum()
}

/// Looks again and again at how much something takes.
pub struct Watch {
    is_over: Arc<AtomicBool>,
    most: JoinHandle<u64>,
}

impl Watch {
    /// Begins to look.
    pub fn of(look: impl Fn() -> u64 + Send + 'static) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&is_over);
        let most = thread::spawn(move || {
            let mut most = 0;
            while !ends.load(Ordering::Relaxed) {
                most = most.max(look());
                thread::sleep(Duration::from_millis(1));
            }
            most
        });
        Self { is_over, most }
    }

    /// The most that it took.
    pub fn most(self) -> u64 {
        self.is_over.store(true, Ordering::Relaxed);
        self.most.join().expect("it looks")
    }
}
