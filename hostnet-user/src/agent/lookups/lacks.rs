//! The records of one look at the rings, and the processes that must be looked up for them.
//! No I/O: what it finds is asked by others.

use std::collections::{HashMap, HashSet};

use hostnet_abi::{EventKind, Record, decode};

use crate::attribute::{Asker, Attribution};

/// Bytes of records that are taken at a time; one more record may go beyond.
const MOST_BYTES: usize = 1 << 20;

/// Records that were taken out of the rings and wait for what they lack.
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    /// Where each ends.
    ends: Vec<usize>,
}

impl Batch {
    /// Another record.
    pub fn push(&mut self, record: &[u8]) {
        self.bytes.extend_from_slice(record);
        self.ends.push(self.bytes.len());
    }

    /// Whether no other record should be taken.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.bytes.len() >= MOST_BYTES
    }

    /// The records in their order.
    pub fn records(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).filter_map(|(start, end)| self.bytes.get(start..*end))
    }

    /// Forgets them, and keeps the room.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }
}

/// A process that records lack something of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lack {
    pub pid: u32,
    /// Who made the first of these records.
    pub asker: Asker,
    /// When the last of them was made.
    pub at_ns: u64,
    /// Nothing is known of the process.
    pub of_process: bool,
    /// Nothing is known of this cgroup, where it was.
    pub of_cgroup: Option<u64>,
    /// Its path in the v1 hierarchies is not known.
    pub of_place: bool,
}

/// What the records of a batch say of processes.
#[derive(Debug, Default)]
pub struct Lacks {
    /// The processes to be looked up, in the order of the records.
    pub lacks: Vec<Lack>,
    /// The processes that began, run another program or ended.
    pub changed: HashSet<u32>,
}

impl Lacks {
    /// What the stage lacks for these records. What they tell themselves, it does not.
    pub fn of(batch: &Batch, stage: &mut Attribution) -> Self {
        let mut lacks = Self::default();
        let mut by_pid = HashMap::<u32, usize>::new();
        let mut begun = HashSet::new();
        let mut made = HashSet::new();
        for bytes in batch.records() {
            let Some(header) = hostnet_abi::header(bytes) else { continue };
            let unknown = stage.unknown_processes(bytes).filter(|pid| !begun.contains(pid));
            let unknown = unknown.map(|pid| Lack { of_process: true, ..Lack::none(pid) });
            let misplaced = stage.misplaced_process(bytes);
            let misplaced = misplaced.filter(|_| !made.contains(&header.task_cgroup));
            let of_cgroup = Some(header.task_cgroup);
            let misplaced = misplaced.map(|pid| Lack { of_cgroup, ..Lack::none(pid) });
            let unplaced = stage.unplaced_process(bytes);
            let unplaced = unplaced.map(|pid| Lack { of_place: true, ..Lack::none(pid) });
            for lack in unknown.chain(misplaced).chain(unplaced) {
                let lack = Lack { at_ns: header.boot_ns, ..lack };
                match by_pid.get(&lack.pid).and_then(|at| lacks.lacks.get_mut(*at)) {
                    Some(before) => before.add(&lack),
                    None => {
                        by_pid.insert(lack.pid, lacks.lacks.len());
                        let asker = stage.asker(header.task_cgroup);
                        lacks.lacks.push(Lack { asker, ..lack });
                    }
                }
            }
            match EventKind::from_raw(header.kind) {
                Some(EventKind::Exec) => {
                    begun.insert(header.tgid);
                    lacks.changed.insert(header.tgid);
                }
                Some(EventKind::Exit) => {
                    lacks.changed.insert(header.tgid);
                }
                Some(EventKind::Fork | EventKind::CgroupMkdir) => match decode(bytes) {
                    Ok((_, _, Record::Fork(fork), _)) => {
                        let is_parent_known = begun.contains(&header.tgid)
                            || stage.knows_process(header.tgid, header.boot_ns);
                        if is_parent_known {
                            begun.insert(fork.child);
                        }
                        lacks.changed.insert(fork.child);
                    }
                    Ok((_, _, Record::CgroupMkdir(cgroup), _)) => {
                        made.insert(cgroup.id);
                    }
                    _ => {}
                },
                _ => {}
            }
        }
        lacks
    }
}

impl Lack {
    /// Nothing is lacking of this process yet.
    pub const fn none(pid: u32) -> Self {
        Self {
            pid,
            asker: Asker::Cgroup(0),
            at_ns: 0,
            of_process: false,
            of_cgroup: None,
            of_place: false,
        }
    }

    fn add(&mut self, other: &Self) {
        self.at_ns = self.at_ns.max(other.at_ns);
        self.of_process |= other.of_process;
        self.of_cgroup = self.of_cgroup.or(other.of_cgroup);
        self.of_place |= other.of_place;
    }

    /// Whether the stage lacks it still.
    pub fn is_still(&self, stage: &Attribution) -> bool {
        (self.of_process && !stage.knows_process(self.pid, self.at_ns))
            || self.of_cgroup.is_some_and(|cgroup| stage.lacks_cgroup(cgroup))
    }
}
