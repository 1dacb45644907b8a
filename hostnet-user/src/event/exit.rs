//! A process ended.

use std::fmt;

use super::{Action, Colour, Common, Documented, Field, Fitted, Info, NotOurs, Told};

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
    fn info(&self) -> Info {
        Info::new(Self::OPERATIONS[0], Action::ProcessEnded, &["end"], Colour::Dim)
    }
    fn sentence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.status() {
            Some(status) => write!(f, "exited with status {status}"),
            None => write!(f, "was killed by signal {}", self.code & 0x7f),
        }
    }
}

part! {
    /// `hostnet.exit`.
    struct ExitFields at "exit" {
        #[serde(skip_serializing_if = "Option::is_none")]
        status: Option<u32> = Number, "Exit status.";
        #[serde(skip_serializing_if = "Option::is_none")]
        signal: Option<u32> = Number, "The signal that ended the process.";
    }
}

own!(OwnOfExit { exit: ExitFields });

impl Documented for Exit {
    const OPERATIONS: &'static [&'static str] = &["exit"];
    const FIELDS: &'static [&'static [Field]] = &[ExitFields::ROWS];
    type Own<'a> = OwnOfExit;
    fn own<'a>(&'a self, _: Fitted<'a>) -> OwnOfExit {
        let status = self.status();
        let signal = status.is_none().then_some(self.code & 0x7f);
        OwnOfExit { exit: ExitFields { status, signal } }
    }
    fn read(own: OwnOfExit, _: &Common<'_>) -> Result<Self, NotOurs> {
        match (own.exit.status, own.exit.signal) {
            (Some(status @ 0..=0xff), None) => Ok(Self { code: status << 8 }),
            (None, Some(signal @ 1..=0x7f)) => Ok(Self { code: signal }),
            (None, None) => Err(NotOurs::missing("hostnet.exit.status")),
            _ => Err(NotOurs::field("hostnet.exit", "neither a status nor a signal")),
        }
    }
}
