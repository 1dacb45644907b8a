//! A process in the host's network namespace began to run a program.

use std::fmt;

use super::{Action, Told};

/// `execve(2)` succeeded; the program is in the event's process.
#[derive(Clone, Debug)]
pub struct Exec {
    /// The command line, for the sentence.
    pub command_line: String,
}

impl Told for Exec {
    fn operation(&self) -> &'static str {
        Action::Executed.name()
    }
    fn action(&self) -> Action {
        Action::Executed
    }
    fn types(&self) -> &'static [&'static str] {
        &["start"]
    }
    fn sentence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ran {}", self.command_line)
    }
}
