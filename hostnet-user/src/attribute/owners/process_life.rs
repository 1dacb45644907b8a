//! Programs begin and processes end: records of it keep the table true, and some are reported.

use std::sync::Arc;

use hostnet_abi::{Exec as ExecRecord, Exit as ExitRecord, Header};

use super::{OwnerResolver, Reported};
use crate::{
    event::{Exec, Exit, OwnerKind, Process},
    text,
};

impl OwnerResolver {
    /// A process runs another program.
    pub(in crate::attribute) fn executed(
        &mut self,
        header: &Header,
        exec: &ExecRecord,
        tail: &[u8],
    ) -> Reported {
        self.note_apart(header, exec);
        let mut party = self.party(header);
        // In a container's cgroup but in the host's mount namespace: the
        // runtime's own set-up, before the container's first instruction.
        let is_set_up = party.owner.kind == OwnerKind::Container
            && exec.contained == 0
            && exec.mount_namespace == self.policy.host_mount_namespace;
        let told = self.is_told(&party.owner) && !is_set_up && !self.own.is_own(header.tgid);
        let process = Process {
            cgroup: (!is_set_up).then_some(header.task_cgroup),
            told_in: told.then_some(header.task_cgroup),
            ..Process::from_exec(header.tgid, exec, tail)
        };
        let Self { processes, registry, tree, .. } = self;
        let is_same_owner = |cgroup| registry.owner(cgroup, tree).is_same(&party.owner);
        let process = processes.exec(process, header.boot_ns, is_same_owner);
        if !told {
            return None;
        }
        let command_line = text::command_line(&process.arguments);
        party.process = Some(process);
        Some((party, Exec { command_line }.into()))
    }

    /// A process ended.
    pub(in crate::attribute) fn exited(&mut self, header: &Header, exit: ExitRecord) -> Reported {
        let mut party = self.party(header);
        let is_own = self.own.is_own(header.tgid);
        self.own.exited(header.tgid);
        self.strays.exit(header.tgid, header.boot_ns);
        let process = self.processes.exit(header, &exit)?;
        party.process = Some(Arc::clone(&process));
        // What was told to begin is told to end, and as the same owner's: the runtime's
        // own processes end in the cgroup of the container they set up.
        let told = match process.told_in {
            Some(cgroup) => {
                if !party.owner.is_by_process() {
                    party.owner = self.owner(cgroup);
                }
                party.creator = None;
                true
            }
            None => process.from_proc && !process.forked && !is_own && self.is_told(&party.owner),
        };
        told.then(|| (party, Exit { code: exit.code }.into()))
    }
}
