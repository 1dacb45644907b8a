//! Processes that leave their cgroup: what the records of forks, programs and moves
//! between cgroups make of it.
//!
//! A container's process stays the container's wherever it goes, and so do its
//! children. Coming home, into its container's cgroups, it is like any other again.

use std::sync::Arc;

use hostnet_abi::{CgroupAttach, Exec as ExecRecord, Fork as ForkRecord, Header, Hook};

use crate::{
    attribute::{
        Apart, Attribution, Policy, Request, cgroups::claims::is_service, owners::strays::Stray,
    },
    event::{Cgroup, CgroupMigration, Container, Event, Mover, OwnerKind},
};

/// A container's process from before the agent, as /proc showed it.
#[derive(Clone, Copy, Debug)]
pub(in crate::attribute) struct Older {
    pid: u32,
    start_ns: u64,
    cgroup: u64,
}

impl Attribution {
    pub(in crate::attribute) fn forked(&mut self, header: &Header, hook: Hook, fork: &ForkRecord) {
        self.processes.fork(header, fork);
        self.own.forked(header.tgid, fork);
        self.strays.fork(header.tgid, fork.child, fork.start_ns, fork.cgroup, header.boot_ns);
        if fork.contained == 1 && fork.cgroup != header.task_cgroup {
            let (from, to) = (header.task_cgroup, fork.cgroup);
            self.moved(header, hook, fork.child, fork.start_ns, from, to);
        }
    }

    pub(in crate::attribute) fn attached(
        &mut self,
        header: &Header,
        hook: Hook,
        attach: &CgroupAttach,
    ) {
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
        if self.is_agent(pid) {
            return;
        }
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
    pub(in crate::attribute) fn claim_older(&mut self, container: &Container) {
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
}

#[cfg(test)]
mod tests;
