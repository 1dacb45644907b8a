//! A process in the host's network namespace began to run a program.

use std::fmt;

use super::{Action, Colour, Common, Documented, Info, NoFields, NotOurs, Told};
use crate::text;

/// `execve(2)` succeeded; the program is in the event's process.
#[derive(Clone, Debug)]
pub struct Exec {
    /// The command line, for the sentence.
    pub command_line: String,
}

impl Told for Exec {
    fn info(&self) -> Info {
        Info::new(Self::OPERATIONS[0], Action::Executed, &["start"], Colour::Dim)
    }
    fn sentence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ran {}", self.command_line)
    }
}

impl Documented for Exec {
    const OPERATIONS: &'static [&'static str] = &[Action::Executed.name()];
    no_fields!();
    fn read(_: NoFields, common: &Common<'_>) -> Result<Self, NotOurs> {
        let arguments = common.process.map(|process| text::command_line(&process.arguments));
        Ok(Self { command_line: arguments.unwrap_or_default() })
    }
}
