//! The records of one look at the rings, and the processes that must be looked up for them.
//! No I/O: what it finds is asked by others.

use std::collections::{HashMap, HashSet};

use hostnet_abi::{DecodeError, Header, Hook, Record};

use crate::attribute::{Asker, Decoded, Lookups, OwnerResolver};

/// Bytes of records that are taken at a time; one more record may go beyond.
const MOST_BYTES: usize = 1 << 20;

/// A record that was taken out of the rings, decoded once for all that look at it.
#[derive(Clone, Copy, Debug)]
pub struct Taken<'a> {
    /// As the kernel made it.
    pub bytes: &'a [u8],
    /// Its parts, or what is wrong with it.
    pub decoded: Result<Decoded<'a>, DecodeError>,
}

impl<'a> Taken<'a> {
    /// A record by its bytes.
    #[must_use]
    pub fn of(bytes: &'a [u8]) -> Self {
        Self { bytes, decoded: Decoded::of(bytes) }
    }

    /// What it begins with, whatever is wrong with the rest.
    #[must_use]
    pub fn header(&self) -> Option<Header> {
        self.decoded.map_or_else(|_wrong| hostnet_abi::header(self.bytes), |of| Some(of.header))
    }
}

/// Records that were taken out of the rings and wait for what they lack.
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    records: Vec<Placed>,
}

/// A record among the bytes of a batch.
#[derive(Debug)]
struct Placed {
    /// Where it ends.
    end: usize,
    /// Its parts and where its tail begins.
    decoded: Result<(Header, Hook, Record, usize), DecodeError>,
}

impl Batch {
    /// Another record.
    pub fn push(&mut self, Taken { bytes, decoded }: Taken<'_>) {
        self.bytes.extend_from_slice(bytes);
        let end = self.bytes.len();
        let decoded = decoded.map(|of| (of.header, of.hook, of.record, end - of.tail.len()));
        self.records.push(Placed { end, decoded });
    }

    /// Whether no other record should be taken.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.bytes.len() >= MOST_BYTES
    }

    /// The records in their order.
    pub fn records(&self) -> impl Iterator<Item = Taken<'_>> {
        let part = |from, to| self.bytes.get(from..to).unwrap_or_default();
        let starts = std::iter::once(0).chain(self.records.iter().map(|one| one.end));
        starts.zip(&self.records).map(move |(start, one)| {
            let decoded = one.decoded.map(|(header, hook, record, tail)| Decoded {
                header,
                hook,
                record,
                tail: part(tail, one.end),
            });
            Taken { bytes: part(start, one.end), decoded }
        })
    }

    /// Forgets them, and keeps the room.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.records.clear();
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
    pub fn of(batch: &Batch, owners: &mut OwnerResolver) -> Self {
        let mut lacks = Self::default();
        let mut by_pid = HashMap::<u32, usize>::new();
        let mut begun = HashSet::new();
        let mut made = HashSet::new();
        for of in batch.records().filter_map(|taken| taken.decoded.ok()) {
            let Decoded { header, record, .. } = &of;
            let Lookups { processes, cgroup, place } = owners.lookups(&of);
            let unknown = processes.into_iter().flatten().filter(|pid| !begun.contains(pid));
            let unknown = unknown.map(|pid| Lack { of_process: true, ..Lack::none(pid) });
            let misplaced = cgroup.filter(|_| !made.contains(&header.task_cgroup));
            let of_cgroup = Some(header.task_cgroup);
            let misplaced = misplaced.map(|pid| Lack { of_cgroup, ..Lack::none(pid) });
            let unplaced = place.map(|pid| Lack { of_place: true, ..Lack::none(pid) });
            for lack in unknown.chain(misplaced).chain(unplaced) {
                let lack = Lack { at_ns: header.boot_ns, ..lack };
                match by_pid.get(&lack.pid).and_then(|at| lacks.lacks.get_mut(*at)) {
                    Some(before) => before.add(&lack),
                    None => {
                        by_pid.insert(lack.pid, lacks.lacks.len());
                        let asker = owners.asker(header.task_cgroup);
                        lacks.lacks.push(Lack { asker, ..lack });
                    }
                }
            }
            match record {
                Record::Exec(_) => {
                    begun.insert(header.tgid);
                    lacks.changed.insert(header.tgid);
                }
                Record::Exit(_) => {
                    lacks.changed.insert(header.tgid);
                }
                Record::Fork(fork) => {
                    let is_parent_known = begun.contains(&header.tgid)
                        || owners.knows_process(header.tgid, header.boot_ns);
                    if is_parent_known {
                        begun.insert(fork.child);
                    }
                    lacks.changed.insert(fork.child);
                }
                Record::CgroupMkdir(cgroup) => {
                    made.insert(cgroup.id);
                }
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

    /// Whether it is lacking still.
    pub fn is_still(&self, owners: &OwnerResolver) -> bool {
        (self.of_process && !owners.knows_process(self.pid, self.at_ns))
            || self.of_cgroup.is_some_and(|cgroup| owners.lacks_cgroup(cgroup))
    }
}
