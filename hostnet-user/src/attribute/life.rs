//! Records about processes and cgroups keep the tables true, and a few are told.

use std::sync::Arc;

use hostnet_abi::{Exec as ExecRecord, Exit as ExitRecord, Header, Hook};

use super::{
    Attribution, Request,
    claims::{named_container, own_part},
    migration::is_service,
};
use crate::{
    event::{Event, Exec, Exit, Left, OwnerKind, Process},
    text,
};

impl Attribution {
    pub(super) fn executed(&mut self, header: &Header, hook: Hook, exec: &ExecRecord, tail: &[u8]) {
        self.note_apart(header, exec);
        let mut party = self.party(header);
        // In a container's cgroup but in the host's mount namespace: the
        // runtime's own set-up, before the container's first instruction.
        let is_set_up = party.owner.kind == OwnerKind::Container
            && exec.contained == 0
            && exec.mount_namespace == self.policy.host_mount_namespace;
        let told = self.is_told(&party.owner) && !is_set_up;
        let process = Process {
            cgroup: (!is_set_up).then_some(header.task_cgroup),
            told_in: told.then_some(header.task_cgroup),
            ..Process::from_exec(header.tgid, exec, tail)
        };
        let Self { processes, registry, tree, .. } = self;
        let is_same_owner = |cgroup| registry.owner(cgroup, tree).is_same(&party.owner);
        let process = processes.exec(process, header.boot_ns, is_same_owner);
        if !told {
            return;
        }
        let command_line = text::command_line(&process.arguments);
        party.process = Some(process);
        self.tell(header.boot_ns, hook, &party, None, Exec { command_line }.into());
    }

    pub(super) fn exited(&mut self, header: &Header, hook: Hook, exit: ExitRecord) {
        let mut party = self.party(header);
        self.strays.exit(header.tgid, header.boot_ns);
        let Some(process) = self.processes.exit(header, &exit) else { return };
        party.process = Some(Arc::clone(&process));
        // What was told to begin is told to end, and as the same owner's: the runtime's
        // own processes end in the cgroup of the container they set up.
        let told = match process.told_in {
            Some(cgroup) => {
                if !party.owner.is_by_process() {
                    party.owner = self.registry.owner(cgroup, &self.tree);
                }
                party.creator = None;
                true
            }
            None => process.from_proc && !process.forked && self.is_told(&party.owner),
        };
        if told {
            self.tell(header.boot_ns, hook, &party, None, Exit { code: exit.code }.into());
        }
    }

    pub(super) fn cgroup_made(&mut self, header: &Header, hook: Hook, id: u64, tail: &[u8]) {
        let path = tail.strip_suffix(&[0]).unwrap_or(tail);
        self.enter_cgroup(id, text::text(path).readable, Some((header, hook)));
    }

    /// A cgroup is there; `made` is the record of its making.
    pub(super) fn enter_cgroup(&mut self, id: u64, path: String, made: Option<(&Header, Hook)>) {
        match named_container(&path) {
            Some(claim) => {
                self.registry.starts(&claim.qualified_id());
                self.requests.push(Request::Inspect(claim.id.to_owned()));
                // What a container's process has made, the programs know of already.
                let own = own_part(&path, claim.id).filter(|own| *own != path);
                let payer = own.and_then(|own| self.tree.id(own));
                self.requests.push(Request::Budget { cgroup: id, payer });
            }
            None if self.policy.v1_only && path == "/" => {}
            None => {
                let is_service = is_service(&path);
                self.requests.push(Request::Quieten { cgroup: id, is_service });
            }
        }
        self.registry.appeared(id, &path);
        self.tree.insert(id, path);
        self.check_name(id, made, made.map_or(0, |(header, _)| header.boot_ns));
    }

    pub(super) fn cgroup_removed(&mut self, header: &Header, hook: Hook, id: u64) {
        self.tree.remove(id, header.boot_ns);
        self.requests.push(Request::Forget(id));
        let owner = self.registry.owner(id, &self.tree);
        let Some(container) = &owner.container_id else { return };
        // A child cgroup going away is not the container going away.
        let parent = owner.cgroup_path.rsplit_once('/').map_or("", |(parent, _)| parent);
        if named_container(parent).is_none() && self.registry.left(container) {
            let event = self.event(header.boot_ns, Some(hook), Left.into());
            self.push(Event { owner: Some(Arc::clone(&owner)), ..event });
        }
    }
}
