//! Who a process is when its cgroup does not tell: what the records of forks,
//! programs and moves between cgroups make of it.
//!
//! A container's process stays the container's wherever it goes, and so do its
//! children. Coming home, into its container's cgroups, it is like any other again.

use std::sync::Arc;

use hostnet_abi::{CgroupAttach, Exec as ExecRecord, Fork as ForkRecord, Header, Hook, Record};

use zerocopy::FromZeros as _;

use super::{
    Attribution, Holder, Party, Policy, Request,
    claims::named_container,
    strays::{Apart, Stray},
};
use crate::event::{Cgroup, CgroupMigration, Container, Event, Mover, NameSpoof, Owner, OwnerKind};

/// A container's process from before the agent, as /proc showed it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Older {
    pid: u32,
    start_ns: u64,
    cgroup: u64,
}

impl Attribution {
    /// Whose a process is that acts in `cgroup`.
    pub(super) fn owner_of_process(&mut self, header: &Header) -> Arc<Owner> {
        let (pid, cgroup) = (header.tgid, header.task_cgroup);
        if let Some(owner) = self.stray_owner(pid, header.boot_ns) {
            return owner;
        }
        let owner = self.registry.owner(cgroup, &self.tree);
        if self.policy.v1_only
            && owner.kind == OwnerKind::Unknown
            && let Some(claimed) = self.v1_claims.get(pid, self.processes.get(pid, header.boot_ns))
        {
            return self.registry.renewed(&claimed, &self.tree);
        }
        owner
    }

    fn stray_owner(&mut self, pid: u32, boot_ns: u64) -> Option<Arc<Owner>> {
        if self.strays.is_empty() {
            return None;
        }
        if let Some(process) = self.processes.get(pid, boot_ns) {
            self.strays.settle(pid, process.start_ns);
        }
        let stray = self.strays.get(pid, boot_ns)?;
        let home = stray.home().map(|home| self.registry.owner(home, &self.tree));
        let home = home.filter(|home| home.kind != OwnerKind::Unknown);
        Some(stray.owner(home, self.tree.path(stray.now())))
    }

    /// Whose a process is that held a socket at `boot_ns`.
    pub(super) fn owner_of_holder(&mut self, holder: &Holder, boot_ns: u64) -> Arc<Owner> {
        let Holder { pid: tgid, cgroup: task_cgroup } = *holder;
        let header = Header { tgid, task_cgroup, boot_ns, ..Header::new_zeroed() };
        self.owner_of_process(&header)
    }

    /// Whether a socket made in `cgroup` may well be the process' own.
    pub(super) fn may_have_made(&mut self, header: &Header, cgroup: u64) -> bool {
        let stray = self.strays.get(header.tgid, header.boot_ns);
        stray.is_some_and(|stray| stray.has_been_in(cgroup))
    }

    /// Whose a record is that nobody acts in. The cgroup a socket was made in is
    /// that of whoever made it then, who may have been a stranger there.
    pub(super) fn party_of_socket(&mut self, header: &Header, record: &Record) -> Party {
        let listener = if let Record::Accept(accept) = record { accept.listener } else { 0 };
        let mut tracked = [header.cookie, listener].into_iter();
        if let Some(party) = tracked.find_map(|cookie| Some(&self.sockets.get(cookie)?.party)) {
            if party.owner.is_by_process() {
                return party.clone();
            }
        } else if !self.strays.is_empty() && self.strays.have_gone_to(header.socket_cgroup) {
            let owner = self.registry.owner(header.socket_cgroup, &self.tree);
            if owner.kind == OwnerKind::Container {
                let unknown = Owner::unknown(header.socket_cgroup, Some(&owner.cgroup_path));
                return Party { owner: unknown.into(), creator: None, process: None, actor: None };
            }
        }
        self.party(header)
    }

    pub(super) fn forked(&mut self, header: &Header, hook: Hook, fork: &ForkRecord) {
        self.processes.fork(header, fork);
        self.strays.fork(header.tgid, fork.child, fork.start_ns, fork.cgroup, header.boot_ns);
        if fork.contained == 1 && fork.cgroup != header.task_cgroup {
            let (from, to) = (header.task_cgroup, fork.cgroup);
            self.moved(header, hook, fork.child, fork.start_ns, from, to);
        }
    }

    pub(super) fn attached(&mut self, header: &Header, hook: Hook, attach: &CgroupAttach) {
        // The runtime's processes pass through the cgroups of containers.
        if attach.from != 0 && attach.from != attach.id {
            let CgroupAttach { id: to, from, start_ns, moved, .. } = *attach;
            self.moved(header, hook, moved, start_ns, from, to);
        }
    }

    /// A container's process, or a stray, was moved; tells it when it leaves or
    /// comes home, or goes from one strange place to the next.
    fn moved(&mut self, header: &Header, hook: Hook, pid: u32, start_ns: u64, from: u64, to: u64) {
        self.strays.settle(pid, start_ns);
        let there = self.registry.owner(to, &self.tree);
        let home = match self.strays.get(pid, header.boot_ns) {
            Some(stray) => match stray.home() {
                Some(home) => home,
                None => {
                    // Whoever runs a container without a runtime hostnet knows.
                    if there.kind == OwnerKind::Container {
                        self.strays.remove(pid);
                    } else {
                        self.strays.moves(pid, to);
                    }
                    return;
                }
            },
            None => from,
        };
        let owner = self.registry.owner(home, &self.tree);
        let was_away = self.strays.get(pid, header.boot_ns).is_some();
        let comes_home = owner.kind == OwnerKind::Container && owner.is_same(&there);
        if !was_away && (owner.kind != OwnerKind::Container || comes_home) {
            return;
        }
        let owner = if comes_home {
            self.strays.remove(pid);
            there
        } else {
            if was_away {
                self.strays.moves(pid, to);
            } else {
                self.strays.insert(pid, Stray::new(start_ns, Some(home), to));
            }
            self.stray_owner(pid, header.boot_ns).unwrap_or(owner)
        };
        let by = self.party(header);
        let place = |id| Cgroup { id, path: self.tree.path(id).unwrap_or_default().to_owned() };
        let operation = CgroupMigration {
            from: place(from),
            to: place(to),
            pid,
            by: Mover { pid: header.tgid, process: by.process, owner: by.owner },
        };
        let process = self.processes.get(pid, header.boot_ns).map(Arc::clone);
        let event = self.event(header.boot_ns, Some(hook), operation.into());
        let actor = by.actor.filter(|actor| actor.tgid == pid);
        self.push(Event { owner: Some(owner), process, actor, ..event });
    }

    /// A program runs in namespaces of its own, in a cgroup that is the host's.
    pub(super) fn note_apart(&mut self, header: &Header, exec: &ExecRecord) {
        self.strays.settle(header.tgid, exec.start_ns);
        let (mounts, pids) = (exec.mount_namespace, exec.pid_level > 0);
        if self.is_apart(header.task_cgroup, mounts, pids)
            && self.strays.get(header.tgid, header.boot_ns).is_none()
        {
            self.strays.insert(header.tgid, Stray::new(exec.start_ns, None, header.task_cgroup));
            // The programs do so, but for a cgroup that had no class then and has one now.
            self.requests.push(Request::Mix(header.task_cgroup));
        }
    }

    /// A process with namespaces of its own that was found at start.
    pub fn apart(&mut self, apart: &Apart) {
        // Without v2 all are in one cgroup, which is nobody's.
        if self.policy.v1_only {
            return;
        }
        let Apart { pid, cgroup, mount_namespace, own_pids, in_host_network } = *apart;
        let (home, is_apart) = match self.registry.owner(cgroup, &self.tree).kind {
            OwnerKind::Host => (0, self.is_apart(cgroup, mount_namespace, own_pids)),
            _ => (cgroup, false),
        };
        if is_apart && in_host_network {
            let start_ns = self.processes.now(pid).map_or(0, |process| process.start_ns);
            self.strays.insert(pid, Stray::new(start_ns, None, cgroup));
            self.requests.push(Request::Mix(cgroup));
        }
        if home != 0
            && in_host_network
            && let Some(process) = self.processes.now(pid)
        {
            let older = Older { pid, start_ns: process.start_ns, cgroup };
            self.older.entry(mount_namespace).or_default().push(older);
        }
        if home != 0 || is_apart {
            self.requests.push(Request::Follow { pid, home, now: cgroup });
        }
    }

    /// Processes from before the agent that have a container's mounts, but are in
    /// another's cgroup: they went there.
    pub(super) fn claim_older(&mut self, container: &Container) {
        let Some(found) = self.older.remove(&container.mount_namespace) else { return };
        let owner = self.registry.owner_of_container(&container.id, &self.tree);
        let Some(owner) = owner else { return };
        for Older { pid, start_ns, cgroup } in found {
            let is_it = self.processes.now(pid).is_some_and(|now| now.start_ns == start_ns);
            let there = self.registry.owner(cgroup, &self.tree);
            let is_anothers = there.kind == OwnerKind::Container && !there.is_same(&owner);
            if is_it && is_anothers && self.strays.get(pid, 0).is_none() {
                self.strays.insert(pid, Stray::new(start_ns, Some(owner.cgroup_id), cgroup));
            }
        }
    }

    fn is_apart(&mut self, cgroup: u64, mount_namespace: u32, own_pids: bool) -> bool {
        let Policy { host_mount_namespace, own_mount_namespace, .. } = self.policy;
        let own_mounts = ![0, host_mount_namespace, own_mount_namespace].contains(&mount_namespace);
        let owner = self.registry.owner(cgroup, &self.tree);
        owner.kind == OwnerKind::Host
            && (own_pids || (own_mounts && !is_service(&owner.cgroup_path)))
    }

    /// A cgroup's name is that of a container which is elsewhere: told once, of
    /// whoever made it, when that is known.
    pub(super) fn check_name(&mut self, id: u64, made: Option<(&Header, Hook)>, boot_ns: u64) {
        let Some(claimed) = self.registry.spoofed(id, &self.tree) else { return };
        if !self.registry.tells_spoof(id) {
            return;
        }
        let path = self.tree.path(id).unwrap_or_default().to_owned();
        let party = made.map(|(header, _)| self.party(header));
        // The host's own may name cgroups as they like.
        if party.as_ref().is_some_and(|party| party.owner.kind == OwnerKind::Host) {
            return;
        }
        let owner = match &party {
            Some(party) => Arc::clone(&party.owner),
            None => self.registry.owner(id, &self.tree),
        };
        let victim = self.registry.owner_of_container(&claimed, &self.tree);
        let operation = NameSpoof { cgroup: Cgroup { id, path }, claimed, victim };
        let event = self.event(boot_ns, made.map(|(_, hook)| hook), operation.into());
        let (process, actor) = party.map_or((None, None), |party| (party.process, party.actor));
        self.push(Event { owner: Some(owner), process, actor, ..event });
    }

    /// Cgroups named after a container that the runtime has just shown elsewhere.
    pub(super) fn check_names_of(&mut self, container: &str, boot_ns: u64) {
        for id in self.registry.claimants(container) {
            self.check_name(id, None, boot_ns);
        }
    }
}

/// A service manager gives many of its services mounts of their own.
pub(super) fn is_service(path: &str) -> bool {
    path.split('/').any(|part| part.ends_with(".service")) && named_container(path).is_none()
}

#[cfg(test)]
mod tests;
