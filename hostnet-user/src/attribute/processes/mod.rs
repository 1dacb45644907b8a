//! Processes of the host's network namespace: what they run, whose children
//! they are. Filled from exec, fork and exit records and, for processes older
//! than the agent, from /proc by somebody else; it does no I/O itself.
//!
//! A process is its id and its start; records name only the id. Fork records come
//! in the order things happened, so an id means whoever had it then. Where they
//! may be missing, a process is not taken for another: one that had not begun
//! yet, one that has ended, and one that a lost record may have ended are unknown
//! until /proc has been asked.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use hostnet_abi::{Exit, Fork, Header};

use crate::event::{
    Ancestor, Process,
    shares::{self, Fill},
};

/// How long an ended process stays known: its sockets may outlive it.
const TOMBSTONE_NS: u64 = 60_000_000_000;

/// How long after its exit record a process may still act: it closes what it
/// holds after the kernel has announced its end (`do_exit`, kernel/exit.c).
const LAST_ACTS_NS: u64 = 1_000_000_000;

/// Most processes kept; beyond it the owners with the most processes give way, with the
/// longest ended ones first, then those that were entered first. A living one comes back
/// from /proc.
const MOST: usize = 65_536;

/// Most bytes of all their strings; beyond it only the beginnings are kept.
const MOST_BYTES: usize = 32 << 20;

/// The table.
#[derive(Debug, Default)]
pub struct ProcessTable {
    by_pid: HashMap<u32, Entry>,
    /// When which process ended, and the number of its entry.
    ended: VecDeque<(u64, u32, u64)>,
    /// Entries made so far.
    entered: u64,
    bytes: usize,
    /// Of what was known before this time, a record may be missing.
    doubted_ns: u64,
    latest_ns: u64,
}

#[derive(Debug)]
struct Entry {
    process: Arc<Process>,
    /// As its children remember it, once it has any.
    own: Option<Arc<Ancestor>>,
    /// When it ended.
    ended_ns: Option<u64>,
    /// When the process was known to have this id.
    known_ns: u64,
    /// Which of all entries it is.
    number: u64,
}

impl Entry {
    fn own(&mut self) -> &Arc<Ancestor> {
        self.own.get_or_insert_with(|| Arc::new(self.process.as_ancestor()))
    }
}

impl ProcessTable {
    /// The process that had this id at `boot_ns`, running or just ended.
    #[must_use]
    pub fn get(&self, pid: u32, boot_ns: u64) -> Option<&Arc<Process>> {
        let entry = self.by_pid.get(&pid)?;
        let had_begun = entry.process.start_ns <= boot_ns;
        let has_gone = entry.ended_ns.is_some_and(|at| boot_ns > at.saturating_add(LAST_ACTS_NS));
        (had_begun && !has_gone && entry.known_ns >= self.doubted_ns).then_some(&entry.process)
    }

    /// The process that began last among those that `is_it` holds of.
    #[must_use]
    pub fn youngest(&self, is_it: impl Fn(&Process) -> bool) -> Option<Arc<Process>> {
        let found = self.by_pid.values().map(|entry| &entry.process).filter(|one| is_it(one));
        found.max_by_key(|process| process.start_ns).map(Arc::clone)
    }

    /// The process that has this id now.
    #[must_use]
    pub fn now(&self, pid: u32) -> Option<&Arc<Process>> {
        let start_ns = self.by_pid.get(&pid)?.process.start_ns;
        self.get(pid, self.latest_ns.max(start_ns))
    }

    /// The processes that /proc has shown and that run still.
    pub fn found(&self) -> impl Iterator<Item = &Arc<Process>> {
        let running = self.by_pid.values().filter(|entry| entry.ended_ns.is_none());
        running.map(|entry| &entry.process).filter(|process| process.from_proc)
    }

    /// Records about processes were lost until `boot_ns`.
    pub fn doubt(&mut self, boot_ns: u64) {
        self.doubted_ns = self.doubted_ns.max(boot_ns);
    }

    /// Enters what /proc shows now, unless a record has told of that process and
    /// it still runs the same file.
    pub fn seed(&mut self, mut process: Process, is_same_owner: impl FnMut(u64) -> bool) {
        let known_ns = self.latest_ns.max(self.doubted_ns);
        if let Some(entry) = self.by_pid.get_mut(&process.pid) {
            let before = &entry.process;
            let same_file = before.file.inode == process.file.inode
                && before.file.device == process.file.device;
            if before.is(process.pid, process.start_ns) && (same_file || before.from_proc) {
                entry.known_ns = known_ns;
                return;
            }
            if process.start_ns < before.start_ns {
                return;
            }
        }
        self.link(&mut process, known_ns, is_same_owner);
        self.insert(Arc::new(process), known_ns);
    }

    /// A process runs a program since `boot_ns`. Its ancestors are those whose
    /// cgroup has the same owner.
    pub fn exec(
        &mut self,
        mut process: Process,
        boot_ns: u64,
        is_same_owner: impl FnMut(u64) -> bool,
    ) -> Arc<Process> {
        self.latest_ns = self.latest_ns.max(boot_ns);
        self.link(&mut process, boot_ns, is_same_owner);
        let process = Arc::new(process);
        self.insert(Arc::clone(&process), boot_ns);
        process
    }

    /// The header's process made a child, which runs the same program until it execs.
    pub fn fork(&mut self, header: &Header, fork: &Fork) {
        self.latest_ns = self.latest_ns.max(header.boot_ns);
        let parent = self.get(header.tgid, header.boot_ns).map(Arc::clone);
        let Some(parent) = parent else {
            // Whoever had the id before is not the child.
            if self
                .by_pid
                .get(&fork.child)
                .is_some_and(|e| !e.process.is(fork.child, fork.start_ns))
            {
                self.remove(fork.child);
            }
            return;
        };
        let own = self.by_pid.get_mut(&header.tgid).map(|entry| Arc::clone(entry.own()));
        let child = Process {
            pid: fork.child,
            namespace_pid: fork.namespace_pid,
            parent: header.tgid,
            start_ns: fork.start_ns,
            forked: true,
            told_in: None,
            ancestors: own
                .as_ref()
                .map(|own| parent.ancestors_of_children(own))
                .unwrap_or_default(),
            known_parent: own,
            ..Process::clone(&parent)
        };
        self.insert(Arc::new(child), header.boot_ns);
    }

    /// The header's process ended; returns it when it is known.
    pub fn exit(&mut self, header: &Header, exit: &Exit) -> Option<Arc<Process>> {
        self.latest_ns = self.latest_ns.max(header.boot_ns);
        let entry = self.by_pid.get_mut(&header.tgid)?;
        if !entry.process.is(header.tgid, exit.start_ns) {
            self.remove(header.tgid);
            return None;
        }
        entry.ended_ns = Some(header.boot_ns);
        entry.known_ns = header.boot_ns;
        self.ended.push_back((header.boot_ns, header.tgid, entry.number));
        Some(Arc::clone(&entry.process))
    }

    /// Forgets processes that ended long before `boot_ns`.
    pub fn expire(&mut self, boot_ns: u64) {
        self.latest_ns = self.latest_ns.max(boot_ns);
        while let Some(&(at, pid, number)) = self.ended.front()
            && boot_ns.saturating_sub(at) > TOMBSTONE_NS
        {
            self.ended.pop_front();
            // The id may belong to a younger process by now.
            if self.by_pid.get(&pid).is_some_and(|entry| entry.number == number) {
                self.remove(pid);
            }
        }
    }

    /// Finds the parent, and the ancestors that have the same owner. What made it
    /// stays what its fork has said: the parent may be another by now, which took
    /// it over.
    fn link(
        &mut self,
        process: &mut Process,
        boot_ns: u64,
        mut is_same_owner: impl FnMut(u64) -> bool,
    ) {
        let before = self.by_pid.get(&process.pid).map(|entry| &entry.process);
        let mut made_by = Vec::new();
        if let Some(before) = before.filter(|before| before.is(process.pid, process.start_ns)) {
            process.forked = before.forked;
            process.told_in = process.told_in.or(before.told_in);
            made_by.clone_from(&before.ancestors);
        }
        let parent = self.get(process.parent, boot_ns).map(Arc::clone);
        if let Some(parent) = parent.filter(|parent| parent.start_ns <= process.start_ns)
            && let Some(entry) = self.by_pid.get_mut(&process.parent)
        {
            let own = entry.own();
            process.known_parent = Some(Arc::clone(own));
            if made_by.is_empty() {
                made_by = parent.ancestors_of_children(own);
            }
        }
        let is_related = |ancestor: &Arc<Ancestor>| ancestor.cgroup.is_some_and(&mut is_same_owner);
        process.ancestors = made_by.into_iter().take_while(is_related).collect();
    }

    fn insert(&mut self, mut process: Arc<Process>, known_ns: u64) {
        self.remove(process.pid);
        if self.bytes + process.weight() > MOST_BYTES {
            Arc::make_mut(&mut process).cut();
        }
        self.bytes += process.weight();
        self.entered += 1;
        let entry = Entry { own: None, ended_ns: None, known_ns, number: self.entered, process };
        self.by_pid.insert(entry.process.pid, entry);
    }

    /// How full it is.
    pub fn fill(&self) -> Fill {
        Fill::of(self.by_pid.len(), MOST)
    }

    /// Whether it has no more room: [`make_room`](Self::make_room) is to be called.
    pub fn is_full(&self) -> bool {
        self.by_pid.len() >= MOST
    }

    /// Forgets processes of the owners that have the most, until half of the table is
    /// free, so that this is done seldom. `owner_of` names the owner of a cgroup.
    pub fn make_room(&mut self, mut owner_of: impl FnMut(u64) -> String) {
        let mut by_owner: HashMap<String, Vec<(bool, u64, u32)>> = HashMap::new();
        for (pid, entry) in &self.by_pid {
            let owner = owner_of(entry.process.cgroup.unwrap_or_default());
            let runs = entry.ended_ns.is_none();
            by_owner.entry(owner).or_default().push((runs, entry.number, *pid));
        }
        let most = shares::level(by_owner.values().map(Vec::len).collect(), MOST / 2);
        for mut processes in by_owner.into_values() {
            processes.sort_unstable();
            let beyond = processes.len().saturating_sub(most);
            processes.iter().take(beyond).for_each(|(.., pid)| self.remove(*pid));
        }
        let by_pid = &self.by_pid;
        self.ended.retain(|(_, pid, number)| {
            by_pid.get(pid).is_some_and(|entry| entry.number == *number)
        });
    }

    fn remove(&mut self, pid: u32) {
        if let Some(entry) = self.by_pid.remove(&pid) {
            self.bytes -= entry.process.weight();
        }
    }
}

#[cfg(test)]
mod tests;
