//! Whose a record, a process or a socket is, by all that is known: the registry's word
//! on a cgroup, the processes that have left theirs, who made and who holds a socket.

use std::sync::Arc;

use hostnet_abi::Header;
use zerocopy::FromZeros as _;

use super::{OwnerResolver, strays::CgroupId};
use crate::{
    attribute::{
        found::{Found, Holder},
        party::Party,
    },
    event::{Actor, Owner, OwnerKind, Process},
};

impl OwnerResolver {
    /// Who did it: owner, creator when that differs, process.
    pub(in crate::attribute) fn party(&mut self, header: &Header) -> Party {
        let has_actor = header.tgid != 0;
        let owner = if has_actor {
            self.owner_of_process(header)
        } else {
            self.owner(header.socket_cgroup)
        };
        let made_in = header.socket_cgroup;
        let is_passed = has_actor && made_in != 0 && made_in != header.task_cgroup;
        let creator = (is_passed && !self.may_have_made(header, made_in))
            .then(|| self.owner(made_in))
            .filter(|creator| !creator.is_same(&owner));
        let process = self.processes.get(header.tgid, header.boot_ns).map(Arc::clone);
        let actor = has_actor.then_some(Actor {
            tgid: header.tgid,
            tid: header.tid,
            uid: header.uid,
            gid: header.gid,
        });
        Party { owner, creator, process, actor }
    }

    /// Whose the process of a record is.
    fn owner_of_process(&mut self, header: &Header) -> Arc<Owner> {
        let (pid, cgroup) = (header.tgid, header.task_cgroup);
        if let Some(owner) = self.stray_owner(pid, header.boot_ns) {
            return owner;
        }
        let owner = self.owner(cgroup);
        if self.policy.v1_only
            && owner.kind == OwnerKind::Unknown
            && let Some(claimed) = self.v1_claims.get(pid, self.processes.get(pid, header.boot_ns))
        {
            return self.renewed(&claimed);
        }
        owner
    }

    /// Whose a process is whose cgroup does not tell.
    pub(super) fn stray_owner(&mut self, pid: u32, boot_ns: u64) -> Option<Arc<Owner>> {
        if self.strays.is_empty() {
            return None;
        }
        if let Some(process) = self.processes.get(pid, boot_ns) {
            self.strays.settle(pid, process.start_ns);
        }
        let stray = self.strays.get(pid, boot_ns)?;
        let home = stray.home().map(|home| self.registry.owner(home.0, &self.tree));
        let home = home.filter(|home| home.kind != OwnerKind::Unknown);
        Some(stray.owner(home, self.tree.path(stray.now().0)))
    }

    /// Whose a process is that held a socket at `boot_ns`.
    pub(in crate::attribute) fn owner_of_holder(
        &mut self,
        holder: &Holder,
        boot_ns: u64,
    ) -> Arc<Owner> {
        let Holder { pid: tgid, cgroup: task_cgroup } = *holder;
        let header = Header { tgid, task_cgroup, boot_ns, ..Header::new_zeroed() };
        self.owner_of_process(&header)
    }

    /// Whether a socket made in `cgroup` may well be the process' own.
    fn may_have_made(&mut self, header: &Header, cgroup: u64) -> bool {
        let stray = self.strays.get(header.tgid, header.boot_ns);
        stray.is_some_and(|stray| stray.has_been_in(CgroupId(cgroup)))
    }

    /// Whose a socket is, by who made it and who holds it: the container that made it,
    /// with the first of its processes, by id, that holds it; where only others hold it,
    /// the first of those that is not the host's, beside the one that made it.
    pub(in crate::attribute) fn holding_party(&mut self, found: &Found, boot_ns: u64) -> Party {
        let maker = found.cgroup.map(|cgroup| self.owner(cgroup));
        let known_maker = maker.as_ref().filter(|maker| maker.kind != OwnerKind::Unknown);
        let holders: Vec<(u32, Arc<Owner>)> = found
            .holders
            .iter()
            .map(|holder| (holder.pid, self.owner_of_holder(holder, boot_ns)))
            .collect();
        let own =
            known_maker.and_then(|maker| holders.iter().find(|(_, holder)| holder.is_same(maker)));
        let (pid, owner) = match (own, known_maker) {
            (Some((pid, _)), Some(maker)) => (Some(*pid), Arc::clone(maker)),
            (_, maker) => {
                let others = holders.iter().find(|(_, holder)| holder.kind != OwnerKind::Host);
                let holder = others.or_else(|| holders.first().filter(|_| maker.is_none()));
                match (holder, maker) {
                    (Some((pid, holder)), _) => (Some(*pid), Arc::clone(holder)),
                    (None, Some(maker)) => (None, Arc::clone(maker)),
                    (None, None) => {
                        let cgroup = found.cgroup.unwrap_or_default();
                        let path = self.tree.path(cgroup);
                        (None, Arc::new(Owner::unknown(cgroup, path)))
                    }
                }
            }
        };
        Party {
            creator: maker.filter(|maker| !maker.is_same(&owner) && !owner.is_by_process()),
            process: pid.and_then(|pid| self.processes.get(pid, boot_ns)).map(Arc::clone),
            owner,
            actor: None,
        }
    }

    /// Whose a host's socket is that was made for somebody: process 1 makes
    /// sockets for the services it starts, and holds them, too.
    pub(in crate::attribute) fn receiving_party(&mut self, found: &Found, boot_ns: u64) -> Party {
        let party = self.holding_party(found, boot_ns);
        if party.owner.kind != OwnerKind::Host {
            return party;
        }
        for holder in found.holders.iter().filter(|holder| holder.pid != 1) {
            let owner = self.owner_of_holder(holder, boot_ns);
            if owner.kind == OwnerKind::Host {
                let process = self.processes.get(holder.pid, boot_ns).map(Arc::clone);
                return Party { owner, process, ..party };
            }
        }
        party
    }

    /// Whether a process that belongs to another cgroup may have made sockets in this one.
    pub(in crate::attribute) fn had_strays_in(&self, cgroup: u64) -> bool {
        !self.strays.is_empty() && self.strays.have_gone_to(CgroupId(cgroup))
    }

    /// Whose a process is that was found in /proc.
    pub fn owner_of_present(&mut self, process: &Process, boot_ns: u64) -> Arc<Owner> {
        let cgroup = process.cgroup.unwrap_or_default();
        self.owner_of_holder(&Holder { pid: process.pid, cgroup }, boot_ns)
    }

    /// Whose a socket is by who made and who holds it, and the process of the owner's
    /// that does, when it is known.
    pub fn holder_of_present(
        &mut self,
        found: &Found,
        boot_ns: u64,
    ) -> (Arc<Owner>, Option<Arc<Process>>) {
        let party = self.holding_party(found, boot_ns);
        (party.owner, party.process)
    }
}
