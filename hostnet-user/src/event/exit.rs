//! A process ended.

use std::fmt;

use super::{Action, Told};

/// The last thread of a process ended.
#[derive(Clone, Copy, Debug)]
pub struct Exit {
    /// `task_struct.exit_code`.
    pub code: u32,
}

impl Exit {
    /// The status the process gave, or `None` when a signal ended it.
    #[must_use]
    pub const fn status(self) -> Option<u32> {
        if self.code & 0x7f == 0 { Some((self.code >> 8) & 0xff) } else { None }
    }
}

impl Told for Exit {
    fn operation(&self) -> &'static str {
        "exit"
    }
    fn action(&self) -> Action {
        Action::ProcessEnded
    }
    fn types(&self) -> &'static [&'static str] {
        &["end"]
    }
    fn sentence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.status() {
            Some(status) => write!(f, "exited with status {status}"),
            None => write!(f, "was killed by signal {}", self.code & 0x7f),
        }
    }
}
