//! Processes of the host's network namespace: what they run, whose children
//! they are. Filled from exec, fork and exit records and, for processes older
//! than the agent, from /proc by somebody else; it does no I/O itself.
//!
//! Records come in the order they happened, so a process id always means the
//! process that had it then; a reused id is a new entry.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use hostnet_abi::{Exec, Fork};
use serde::{Deserialize, Serialize};

/// How long an ended process stays known: its sockets may outlive it.
const TOMBSTONE_NS: u64 = 60_000_000_000;

/// Most processes kept; beyond it the longest ended ones go first.
const MOST: usize = 65_536;

/// What is known of a process, as exec told it or as /proc shows it. Byte
/// strings are what the process or its owner chose, control bytes and all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Process id in the host's pid namespace.
    pub pid: u32,
    /// Process id in its own pid namespace.
    pub namespace_pid: u32,
    /// The parent's process id.
    pub parent: u32,
    /// The parent's name, when the parent is known.
    pub parent_name: Option<Vec<u8>>,
    /// Start, `CLOCK_BOOTTIME` nanoseconds.
    pub start_ns: u64,
    /// Name of the program: the last part of the executable's path.
    pub name: Vec<u8>,
    /// The executable as exec named it.
    pub executable: Vec<u8>,
    /// Arguments.
    pub arguments: Vec<Vec<u8>>,
    /// Whether the arguments were cut at [`hostnet_abi::MAX_ARGUMENTS`] bytes.
    pub arguments_truncated: bool,
    /// Found in /proc: it began before anybody could tell.
    pub from_proc: bool,
    /// The cgroup in which its exec was told, when it was.
    pub told_in: Option<u64>,
}

/// The table.
#[derive(Debug, Default)]
pub struct ProcessTable {
    by_pid: HashMap<u32, Arc<Process>>,
    ended: VecDeque<(u64, u32, u64)>,
}

impl ProcessTable {
    /// The process with this id, running or ended not long ago.
    #[must_use]
    pub fn get(&self, pid: u32) -> Option<&Arc<Process>> {
        self.by_pid.get(&pid)
    }

    /// The process that began last among those that `is_it` holds of.
    #[must_use]
    pub fn youngest(&self, is_it: impl Fn(&Process) -> bool) -> Option<Arc<Process>> {
        let found = self.by_pid.values().filter(|process| is_it(process));
        found.max_by_key(|process| process.start_ns).map(Arc::clone)
    }

    /// Enters what /proc shows, unless a record has told of that process.
    pub fn seed(&mut self, process: Process) {
        self.by_pid.entry(process.pid).or_insert_with(|| Arc::new(process));
    }

    /// A process runs a program now. `tail` is the record's.
    pub fn exec(
        &mut self,
        pid: u32,
        exec: &Exec,
        tail: &[u8],
        told_in: Option<u64>,
    ) -> Arc<Process> {
        let (filename, arguments) = split(exec, tail);
        let process = Arc::new(Process {
            pid,
            namespace_pid: exec.namespace_pid,
            parent: exec.parent,
            parent_name: self.name_of(exec.parent),
            start_ns: exec.start_ns,
            name: last_part(filename).to_vec(),
            executable: filename.to_vec(),
            arguments: arguments.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect(),
            arguments_truncated: exec.truncated & hostnet_abi::truncated::ARGUMENTS != 0,
            from_proc: false,
            told_in,
        });
        self.insert(pid, Arc::clone(&process));
        process
    }

    /// `parent` made a child, which runs the same program until it execs.
    pub fn fork(&mut self, parent: u32, fork: &Fork) {
        let Some(parent_process) = self.by_pid.get(&parent).map(|process| Process::clone(process))
        else {
            return;
        };
        let child = Arc::new(Process {
            pid: fork.child,
            namespace_pid: fork.namespace_pid,
            parent,
            parent_name: Some(parent_process.name.clone()),
            start_ns: fork.start_ns,
            from_proc: false,
            told_in: None,
            ..parent_process
        });
        self.insert(fork.child, child);
    }

    /// A process ended at `boot_ns`; returns it when it is known.
    pub fn exit(&mut self, pid: u32, boot_ns: u64) -> Option<Arc<Process>> {
        let process = self.by_pid.get(&pid)?;
        self.ended.push_back((boot_ns, pid, process.start_ns));
        Some(Arc::clone(process))
    }

    /// Forgets processes that ended long before `boot_ns`.
    pub fn expire(&mut self, boot_ns: u64) {
        while let Some(&(at, pid, start)) = self.ended.front()
            && (boot_ns.saturating_sub(at) > TOMBSTONE_NS || self.by_pid.len() > MOST)
        {
            self.ended.pop_front();
            // The id may belong to a younger process by now.
            if self.by_pid.get(&pid).is_some_and(|process| process.start_ns == start) {
                self.by_pid.remove(&pid);
            }
        }
    }

    fn insert(&mut self, pid: u32, process: Arc<Process>) {
        self.by_pid.insert(pid, process);
        if self.by_pid.len() > MOST {
            self.expire(0);
        }
    }

    fn name_of(&self, pid: u32) -> Option<Vec<u8>> {
        self.by_pid.get(&pid).map(|process| process.name.clone())
    }
}

/// File name and arguments of an exec record, without their final NULs.
fn split<'a>(exec: &Exec, tail: &'a [u8]) -> (&'a [u8], &'a [u8]) {
    let (filename, rest) =
        tail.split_at_checked(exec.filename_length.into()).unwrap_or((tail, &[]));
    let arguments = rest.get(..exec.arguments_length.into()).unwrap_or(rest);
    (
        filename.strip_suffix(&[0]).unwrap_or(filename),
        arguments.strip_suffix(&[0]).unwrap_or(arguments),
    )
}

/// The part after the last slash.
#[must_use]
pub fn last_part(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exec(filename: &[u8], arguments: &[u8], start_ns: u64) -> (Exec, Vec<u8>) {
        let exec = Exec {
            start_ns,
            parent: 1,
            namespace_pid: 1,
            mount_namespace: 0,
            filename_length: filename.len() as u16,
            arguments_length: arguments.len() as u16,
            truncated: 0,
            contained: 0,
            pid_level: 0,
        };
        (exec, [filename, arguments].concat())
    }

    #[test]
    fn exec_splits_file_name_and_arguments() {
        let mut table = ProcessTable::default();
        let (record, tail) = exec(b"/bin/sh\0", b"sh\0-c\0\x1b[2J\n\0", 5);
        let process = table.exec(10, &record, &tail, Some(7));
        assert_eq!(process.name, b"sh");
        assert_eq!(process.arguments, [&b"sh"[..], b"-c", b"\x1b[2J\n"]);
    }

    #[test]
    fn a_child_runs_its_parents_program() {
        let mut table = ProcessTable::default();
        let (record, tail) = exec(b"/bin/nginx\0", b"nginx\0", 5);
        table.exec(10, &record, &tail, Some(7));
        let fork =
            Fork { start_ns: 9, cgroup: 7, child: 11, namespace_pid: 2, contained: 0, padding: 0 };
        table.fork(10, &fork);
        let child = table.get(11).unwrap();
        assert_eq!((child.parent, &child.name[..], child.start_ns), (10, &b"nginx"[..], 9));
    }

    #[test]
    fn a_reused_id_is_another_process() {
        let mut table = ProcessTable::default();
        let (record, tail) = exec(b"/bin/a\0", b"a\0", 5);
        table.exec(10, &record, &tail, Some(7));
        table.exit(10, 100);
        let (record, tail) = exec(b"/bin/b\0", b"b\0", 200);
        table.exec(10, &record, &tail, Some(7));
        table.expire(u64::MAX);
        assert_eq!(table.get(10).unwrap().name, b"b");
    }
}
