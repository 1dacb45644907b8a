//! The exit codes, all of them.

use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// It did what it was asked.
    Ok = 0,
    /// It found something at or above the level asked for.
    Findings = 1,
    /// The command line, the configuration or an output it names is wrong.
    Usage = 2,
    /// Nothing can be observed here: privileges, kernel or cgroups.
    CannotObserve = 3,
    /// It did part of what it was asked; the messages say what is missing.
    Partial = 4,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
