//! Processes whose cgroup does not tell whose they are: those that have left
//! their container's cgroup, their children, and those that only their
//! namespaces tell from the host's.
//!
//! Keyed by process id and start. There are as many as live processes, and those
//! that ended a moment ago: one that is forgotten would be taken for somebody
//! else. It does no I/O; owners of cgroups are handed in.

use std::{
    collections::{BTreeSet, HashMap, HashSet, VecDeque},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use crate::event::{Cgroup, Method, Owner};

/// The kernel's id of a cgroup, so that no time is taken for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CgroupId(pub u64);

/// What /proc shows of a process with mounts or process ids of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Apart {
    /// Process id.
    pub pid: u32,
    /// Cgroup-v2 id of the cgroup it is in.
    pub cgroup: u64,
    /// Inode of its mount namespace.
    pub mount_namespace: u32,
    /// Its pid namespace is not the host's.
    pub own_pids: bool,
    /// It is in the host's network namespace.
    pub in_host_network: bool,
}

/// How long an ended process may still be blamed: its sockets are closed after
/// the record of its end.
const AFTERLIFE_NS: u64 = 1_000_000_000;

/// Most cgroups of one process' way that are known, the last ones: each of them may be made
/// and removed for it.
const MOST_BEEN: usize = 256;

/// What /proc shows of a start is cut to this.
const TICK_NS: u64 = 10_000_000;

/// The table.
#[derive(Debug, Default)]
pub struct Strays {
    by_pid: HashMap<u32, Stray>,
    ended: VecDeque<(u64, u32)>,
    /// Every cgroup one of them has gone to, until none is left.
    places: HashSet<CgroupId>,
}

/// One such process.
#[derive(Clone, Debug)]
pub struct Stray {
    /// `CLOCK_BOOTTIME` nanoseconds; 0 when it is not known.
    start_ns: u64,
    /// The cgroup it came from; `None` when that was the host's.
    home: Option<CgroupId>,
    /// The cgroup it is in now.
    now: CgroupId,
    /// The cgroups it and its ancestors have been in: sockets made there may be its own.
    been: Arc<BTreeSet<CgroupId>>,
    ended_ns: Option<u64>,
    /// What it was last told as, and the owner of its home then.
    told: Option<(Arc<Owner>, Arc<Owner>)>,
}

/// A container's process from before the agent, as /proc showed it.
#[derive(Clone, Copy, Debug)]
pub struct Older {
    pub pid: u32,
    pub start_ns: u64,
    pub cgroup: CgroupId,
}

impl Stray {
    /// One that came from `home`, or that was never in a container's cgroup.
    #[must_use]
    pub fn new(start_ns: u64, home: Option<CgroupId>, now: CgroupId) -> Self {
        let been = Arc::new(home.into_iter().chain([now]).collect());
        Self { start_ns, home, now, been, ended_ns: None, told: None }
    }

    /// The cgroup it came from.
    #[must_use]
    pub const fn home(&self) -> Option<CgroupId> {
        self.home
    }

    /// The cgroup it is in now.
    #[must_use]
    pub const fn now(&self) -> CgroupId {
        self.now
    }

    /// Whether a socket made in this cgroup may be its own.
    #[must_use]
    pub fn has_been_in(&self, cgroup: CgroupId) -> bool {
        self.been.contains(&cgroup)
    }

    /// Whose it is. `home` is the owner of its home, when that is known still, and
    /// `path` that of the cgroup it is in.
    pub fn owner(&mut self, home: Option<Arc<Owner>>, path: Option<&str>) -> Arc<Owner> {
        if let Some((then, owner)) = &self.told
            && home.as_ref().is_none_or(|home| Arc::ptr_eq(then, home))
        {
            return Arc::clone(owner);
        }
        let owner = Arc::new(match &home {
            Some(home) => {
                let moved_to = Cgroup { id: self.now.0, path: path.unwrap_or_default().to_owned() };
                let (method, moved_to) = (Method::Origin, Some(moved_to));
                Owner { method, moved_to, ..Owner::clone(home) }
            }
            None if self.home.is_none() => Owner::apart(self.now.0, path),
            None => Owner::unknown(self.now.0, path),
        });
        self.told = Some((home.unwrap_or_else(|| Arc::clone(&owner)), Arc::clone(&owner)));
        owner
    }
}

impl Strays {
    /// Whether there are none, which is how it mostly is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_pid.is_empty()
    }

    /// Whether one has gone to this cgroup.
    #[must_use]
    pub fn have_gone_to(&self, cgroup: CgroupId) -> bool {
        self.places.contains(&cgroup)
    }

    /// The process, when it is one of them at `boot_ns`.
    pub fn get(&mut self, pid: u32, boot_ns: u64) -> Option<&mut Stray> {
        let is_over = |ended| boot_ns.saturating_sub(ended) > AFTERLIFE_NS;
        self.by_pid.get_mut(&pid).filter(|stray| !stray.ended_ns.is_some_and(is_over))
    }

    /// A process is one of them from now on.
    pub fn insert(&mut self, pid: u32, stray: Stray) {
        self.places.insert(stray.now);
        self.by_pid.insert(pid, stray);
    }

    /// One of them is in another cgroup now.
    pub fn moves(&mut self, pid: u32, cgroup: CgroupId) {
        let Some(stray) = self.by_pid.get_mut(&pid) else { return };
        stray.now = cgroup;
        stray.told = None;
        if !stray.been.contains(&cgroup) {
            let been = Arc::make_mut(&mut stray.been);
            // Ids of cgroups grow.
            if been.len() >= MOST_BEEN {
                been.pop_first();
            }
            been.insert(cgroup);
            self.places.insert(cgroup);
        }
    }

    /// A cgroup is gone, and nothing of it is known any more.
    pub fn forget_place(&mut self, cgroup: CgroupId) {
        self.places.remove(&cgroup);
    }

    /// A process is no longer one of them: it is where it belongs.
    pub fn remove(&mut self, pid: u32) {
        self.by_pid.remove(&pid);
    }

    /// A process that began at `start_ns` has or had this id: an older one has it no longer.
    pub fn settle(&mut self, pid: u32, start_ns: u64) {
        let is_older =
            |stray: &Stray| stray.start_ns != 0 && stray.start_ns / TICK_NS < start_ns / TICK_NS;
        if self.by_pid.get(&pid).is_some_and(is_older) {
            self.by_pid.remove(&pid);
        }
    }

    /// `parent` made a child in `cgroup`, which is what the parent is.
    pub fn fork(&mut self, parent: u32, child: u32, start_ns: u64, cgroup: CgroupId, boot_ns: u64) {
        self.by_pid.remove(&child);
        let Some(parent) = self.get(parent, boot_ns) else { return };
        let stray = Stray { start_ns, ended_ns: None, ..parent.clone() };
        let moves = stray.now != cgroup;
        self.by_pid.insert(child, stray);
        if moves {
            self.moves(child, cgroup);
        }
    }

    /// A process ended at `boot_ns`.
    pub fn exit(&mut self, pid: u32, boot_ns: u64) {
        if let Some(stray) = self.by_pid.get_mut(&pid) {
            stray.ended_ns = Some(boot_ns);
            self.ended.push_back((boot_ns, pid));
        }
    }

    /// Forgets those that ended well before `boot_ns`.
    pub fn expire(&mut self, boot_ns: u64) {
        while let Some(&(at, pid)) = self.ended.front()
            && boot_ns.saturating_sub(at) > AFTERLIFE_NS
        {
            self.ended.pop_front();
            // The id may belong to a younger process by now.
            if self.by_pid.get(&pid).is_some_and(|stray| stray.ended_ns == Some(at)) {
                self.by_pid.remove(&pid);
            }
        }
        if self.by_pid.is_empty() {
            self.places.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::OwnerKind;

    fn web() -> Arc<Owner> {
        let id = Some("web".to_owned());
        let unknown = Owner::unknown(7, Some("/docker/web"));
        Arc::new(Owner { kind: OwnerKind::Container, container_id: id, ..unknown })
    }

    #[test]
    fn it_is_its_homes_wherever_it_goes() {
        let mut strays = Strays::default();
        strays.insert(10, Stray::new(5, Some(CgroupId(7)), CgroupId(1)));
        let owner = strays.get(10, 9).expect("one").owner(Some(web()), Some("/"));
        assert_eq!((&*owner.cgroup_path, owner.method), ("/docker/web", Method::Origin));
        assert_eq!(owner.moved_to, Some(Cgroup { id: 1, path: "/".to_owned() }));
        strays.moves(10, CgroupId(8));
        let stray = strays.get(10, 9).expect("one");
        let owner = stray.owner(Some(web()), Some("/docker/other"));
        assert_eq!(owner.container_id.as_deref(), Some("web"));
        assert_eq!(owner.moved_to.as_ref().map(|cgroup| cgroup.id), Some(8));
        assert!([1, 7, 8].iter().all(|cgroup| stray.has_been_in(CgroupId(*cgroup))));
        assert!(!stray.has_been_in(CgroupId(9)));
        assert!(strays.have_gone_to(CgroupId(8)) && !strays.have_gone_to(CgroupId(7)));
        strays.exit(10, 20);
        strays.expire(u64::MAX);
        assert!(!strays.have_gone_to(CgroupId(8)));
    }

    #[test]
    fn its_home_may_be_forgotten_before_it() {
        let mut stray = Stray::new(5, Some(CgroupId(7)), CgroupId(1));
        stray.owner(Some(web()), Some("/"));
        assert_eq!(stray.owner(None, Some("/")).container_id.as_deref(), Some("web"));
        assert_eq!(
            Stray::new(5, Some(CgroupId(7)), CgroupId(1)).owner(None, None).kind,
            OwnerKind::Unknown
        );
        assert_eq!(
            Stray::new(5, None, CgroupId(1)).owner(None, None).kind,
            OwnerKind::ContainerUnknown
        );
    }

    #[test]
    fn a_child_is_what_its_parent_is() {
        let mut strays = Strays::default();
        strays.insert(10, Stray::new(5, Some(CgroupId(7)), CgroupId(1)));
        strays.fork(10, 11, 9, CgroupId(1), 9);
        strays.fork(11, 12, 10, CgroupId(8), 10);
        strays.fork(99, 13, 11, CgroupId(1), 11);
        assert_eq!(
            strays.get(11, 20).map(|stray| (stray.home(), stray.now())),
            Some((Some(CgroupId(7)), CgroupId(1)))
        );
        assert_eq!(
            strays.get(12, 20).map(|stray| (stray.home(), stray.now())),
            Some((Some(CgroupId(7)), CgroupId(8)))
        );
        assert!(strays.get(13, 20).is_none());
        // The id is given to a child of somebody else.
        strays.fork(99, 11, 15, CgroupId(1), 15);
        assert!(strays.get(11, 20).is_none());
    }

    #[test]
    fn an_ended_process_is_blamed_for_a_moment() {
        let mut strays = Strays::default();
        strays.insert(10, Stray::new(5, Some(CgroupId(7)), CgroupId(1)));
        strays.exit(10, 100);
        assert!(strays.get(10, 100 + AFTERLIFE_NS).is_some());
        assert!(strays.get(10, 101 + AFTERLIFE_NS).is_none());
        strays.insert(10, Stray::new(200, Some(CgroupId(7)), CgroupId(1)));
        strays.expire(u64::MAX);
        assert!(strays.get(10, 300).is_some(), "it is a younger process");
    }

    #[test]
    fn a_reused_id_is_another_process() {
        let mut strays = Strays::default();
        strays.insert(10, Stray::new(50 * TICK_NS + 3, Some(CgroupId(7)), CgroupId(1)));
        strays.settle(10, 50 * TICK_NS);
        assert!(!strays.is_empty(), "/proc shows a start in ticks");
        strays.settle(10, 20 * TICK_NS);
        assert!(!strays.is_empty(), "that one is the older");
        strays.settle(10, 90 * TICK_NS);
        assert!(strays.is_empty());
    }
}
