//! Tells a person who waits that it goes on: on the terminal, a line that goes away.

use std::{
    io::{IsTerminal, Write},
    time::{Duration, Instant},
};

/// How long something may take before a person is told.
const SILENT: Duration = Duration::from_secs(2);

/// One thing that may take long.
pub struct Progress {
    began: Instant,
    is_watched: bool,
    /// Seconds after which it was told last.
    told: u64,
}

impl Progress {
    /// It begins now.
    pub fn new() -> Self {
        Self { began: Instant::now(), is_watched: is_watched(), told: 0 }
    }

    /// Says how far it is, in the words made of the seconds it has taken; at most once a
    /// second, and not while it has taken no time to speak of.
    pub fn at(&mut self, words: impl FnOnce(u64) -> String) {
        let elapsed = self.began.elapsed();
        if self.is_watched && elapsed > SILENT && elapsed.as_secs() > self.told {
            self.told = elapsed.as_secs();
            // Nobody is to fail because a message cannot be written.
            drop(write!(std::io::stderr(), "\r\u{1b}[K{} …", words(self.told)));
        }
    }
}

/// Takes away what was said last.
pub fn done() {
    if is_watched() {
        drop(write!(std::io::stderr(), "\r\u{1b}[K"));
    }
}

/// Whether a person looks at the messages.
fn is_watched() -> bool {
    std::io::stderr().is_terminal()
}
