//! The floor as a process: programs on the same hooks, and one that empties
//! their ring.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, ChildStdin, Stdio},
};

use anyhow::{Context, Result, bail};

use super::{
    machine::{self, WATCHER_CPU},
    programs,
};
use crate::shell;

/// How many programs of others are on the same hooks now: they would be part of
/// what is measured, and of what it is compared with.
pub fn watchers(programs: &programs::Floor) -> Result<u64> {
    let count = shell::capture(shell::command(&programs.consumer).arg("watchers"))?;
    count.parse().with_context(|| format!("the floor counts {count:?} watchers"))
}

/// What the floor's programs do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// Nothing.
    Empty,
    /// Leave a minimal record.
    Record,
}

/// Attached until dropped.
pub struct Floor {
    child: Child,
    open: Option<ChildStdin>,
}

impl Floor {
    pub fn start(programs: &programs::Floor, variant: Variant) -> Result<Self> {
        let mut command = shell::command(&programs.consumer);
        command
            .arg(&programs.object)
            .arg(match variant {
                Variant::Empty => "empty",
                Variant::Record => "record",
            })
            .arg(machine::cgroup2()?)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = machine::on_cpu(WATCHER_CPU, || command.spawn())?
            .context("the floor could not be started")?;
        let open = child.stdin.take();
        let output = child.stdout.take().context("the floor has no output")?;
        let floor = Self { child, open };
        let mut ready = String::new();
        BufReader::new(output).read_line(&mut ready)?;
        if ready.trim() != "ready" {
            bail!("the floor could not be attached");
        }
        Ok(floor)
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        self.open = None;
        let _ended = self.child.wait();
    }
}
