//! A container's process was moved out of its container's cgroup, or back.

use std::{fmt, sync::Arc};

use super::{Action, Cgroup, Owner, Process, Told};
use crate::text;

/// The event's owner is the one the process belongs to, wherever it is.
#[derive(Clone, Debug)]
pub struct CgroupMigration {
    /// Where it was.
    pub from: Cgroup,
    /// Where it is now.
    pub to: Cgroup,
    /// The process that was moved.
    pub pid: u32,
    /// Who moved it.
    pub by: Mover,
}

/// The process that asked the kernel to move another, or itself.
#[derive(Clone, Debug)]
pub struct Mover {
    /// Its process id.
    pub pid: u32,
    /// The process, when it is known.
    pub process: Option<Arc<Process>>,
    /// Whose it is.
    pub owner: Arc<Owner>,
}

impl Told for CgroupMigration {
    fn operation(&self) -> &'static str {
        Action::CgroupMigration.name()
    }
    fn action(&self) -> Action {
        Action::CgroupMigration
    }
    fn types(&self) -> &'static [&'static str] {
        &["change"]
    }
    fn sentence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to, pid, by } = self;
        write!(f, "process {pid} moved from cgroup {} to {}", from.path, to.path)?;
        if by.pid == *pid {
            return Ok(());
        }
        write!(f, ", moved by {} ", by.owner.label())?;
        if let Some(process) = &by.process {
            write!(f, "process {} ", text::text(&process.name).readable)?;
        }
        write!(f, "(pid {})", by.pid)
    }
}
